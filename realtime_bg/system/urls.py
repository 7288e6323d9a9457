"""Addresses of streams as they may be shown: in logs, errors, status and on the page."""

import re

_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s]*(?=@)")


def without_password(text: str) -> str:
    """``text`` with the password of any URL in it replaced: ``rtsp://me:***@camera/1``."""
    return _PASSWORD.sub(r"\1:***", text)
