"""Tokens, which grant access to the page or to /metrics: new ones, and those kept in files."""

import os
import secrets
import stat
from pathlib import Path

from realtime_bg.errors import SettingsError, reason
from realtime_bg.system.console import say
from realtime_bg.system.files import write_private

SHORTEST = 20  # minimum length of a token that cannot be guessed


def new_token() -> str:
    """256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def kept_token(path: Path) -> str:
    """The token in a file; if there is no file yet, it is created with a new token, readable only
    by this user.

    Raises SettingsError.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, f"{new_token()}\n".encode())
        token = path.read_text(encoding="ascii").strip()
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(f"{path} can be read by other users; chmod 600 it", "yellow")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: the token cannot be read ({reason(error)})") from None
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{path}: a token must have at least {SHORTEST} characters and no spaces; delete the "
            "file to get a new one"
        )
    return token
