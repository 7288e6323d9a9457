"""The one cell that holds the present settings; everything that steers goes through it."""

import threading
from collections.abc import Callable
from typing import Any

from realtime_bg.settings import Settings, flattened, merged, nested, validated


class Live:
    """``live.now`` is the present settings tree: an immutable value, read once per frame."""

    def __init__(self, settings: Settings) -> None:
        self._now = settings
        self._lock = threading.Lock()
        self.refused: frozenset[str] = frozenset()  # keys whose last change was taken back

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
            changes = change(self._now)
            self._now = validated(merged(self._now.model_dump(), nested(changes)))
            self.refused -= changes.keys()
            return self._now

    def take_back(self, tried: dict[str, Any], before: dict[str, Any]) -> Settings:
        """Go from ``tried``, which turned out not to work, to what was ``before``, both parts of
        the tree; what somebody has chosen meanwhile stays."""
        tried, before = flattened(tried), flattened(before)
        with self._lock:
            present = flattened(self._now.model_dump())
            if all(present[key] == value for key, value in tried.items()):
                self._now = validated(merged(self._now.model_dump(), nested(before)))
                self.refused |= {key for key in tried if tried[key] != before.get(key)}
            return self._now
