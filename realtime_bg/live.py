"""The one cell that holds the present settings; everything that steers goes through it."""

import threading
from collections.abc import Callable
from typing import Any

from realtime_bg.settings import Settings, merged, nested, validated


class Live:
    """``live.now`` is the present settings tree: an immutable value, read once per frame."""

    def __init__(self, settings: Settings) -> None:
        self._now = settings
        self._lock = threading.Lock()

    @property
    def now(self) -> Settings:
        return self._now

    def update(self, **changes: Any) -> Settings:
        """Change keys by name; sections as ``section__key=value``.

        Builds and validates a new tree, then swaps it in. Raises SettingsError, and keeps the
        old tree, when a value is not allowed.
        """
        paths = {name.replace("__", "."): value for name, value in changes.items()}
        return self.modify(lambda _: paths)

    def modify(self, change: Callable[[Settings], dict[str, Any]]) -> Settings:
        """Change keys by a function of the present tree: it returns ``{"section.key": value}``.

        The function runs under the lock, so a toggle cannot be lost between two callers.
        """
        with self._lock:
            changes = nested(change(self._now))
            self._now = validated(merged(self._now.model_dump(), changes))
            return self._now
