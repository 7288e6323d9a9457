"""Hides passwords in stream addresses that are shown in logs, errors, status or on the page."""

import re

_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s]*(?=@)")


def without_password(text: str) -> str:
    """Return ``text`` with the password of any URL in it replaced: ``rtsp://me:***@camera/1``."""
    return _PASSWORD.sub(r"\1:***", text)
