"""The cell that holds the current settings, through which every change goes."""

import threading
from collections.abc import Callable
from typing import Any

from realtime_bg.settings.loading import flattened, merged, nested, validated
from realtime_bg.settings.schema import Settings

Changes = dict[str, Any]
"""``{"section.key": value}``."""
Check = Callable[[Settings, Settings, Changes], Changes]
"""Maps the new settings, the current ones and the changes between them to further changes that
follow. Raises SettingsError to refuse all of them."""


class Live:
    """``live.now`` is the current settings tree, an immutable value that is read once per frame.

    Some values are known to work only once the source, engine or background that they name has been
    opened. The code that opens it calls `confirm` or `take_back`; the code that requested it learns
    the result and the reason from `wait_for_answer` or `refusals`.
    """

    def __init__(self, settings: Settings) -> None:
        self._now = settings
        self._changed = threading.Condition()
        # Key -> why its last value was refused; "" if it was opened
        self._answers: dict[str, str] = {}
        self._followers: list[Callable[[], None]] = []
        self.unusable_engines: frozenset[str] = frozenset()  # engines that could not be opened

    @property
    def now(self) -> Settings:
        return self._now

    @property
    def refusals(self) -> dict[str, str]:
        """The keys whose last change was taken back, and why."""
        with self._changed:
            return {key: reason for key, reason in self._answers.items() if reason}

    def update(self, **changes: Any) -> Settings:
        """Change settings by keyword, written ``section__key=value``.

        Builds and validates a new tree, then swaps it in. If a value is not allowed, it raises
        SettingsError and keeps the old tree.
        """
        paths = {name.replace("__", "."): value for name, value in changes.items()}
        return self.modify(lambda _: paths)

    def modify(self, change: Callable[[Settings], Changes], check: Check | None = None) -> Settings:
        """Change settings by a function of the current tree that returns ``{"section.key":
        value}``.

        The function runs under the lock, so a toggle cannot be lost between two callers. ``check``
        may still refuse the changes. If it raises SettingsError, the old tree is kept.
        """
        with self._changed:
            changes = change(self._now)
            new = self._with(changes)
            more = check(new, self._now, changes) if check is not None else {}
            if more:
                changes = changes | more
                new = self._with(changes)
            before, after = flattened(self._now.model_dump()), flattened(new.model_dump())
            for key in changes:
                if self._answers.get(key) or before.get(key) != after.get(key):
                    self._answers.pop(key, None)  # its new value has not been opened yet
            self._swap(new)
            return new

    def follow(self, call: Callable[[], None]) -> None:
        """Have ``call`` called after every change, in the thread that made it and under the lock:
        it must be brief, and must not change settings itself."""
        with self._changed:
            self._followers.append(call)

    def _swap(self, new: Settings) -> None:
        self._now = new
        for call in self._followers:
            call()

    def _with(self, changes: Changes) -> Settings:
        return validated(merged(self._now.model_dump(), nested(changes)))

    def confirm(self, key: str, value: object) -> None:
        """Record that what ``value`` of ``key`` names is now open."""
        with self._changed:
            if flattened(self._now.model_dump()).get(key) == value:
                self._answers[key] = ""
                self._changed.notify_all()

    def take_back(self, tried: Changes, before: Changes, reason: str) -> Settings:
        """Revert the changes ``tried``, which turned out not to work for ``reason``, to the values
        ``before``, unless somebody has chosen another value in the meantime."""
        tried, before = flattened(tried), flattened(before)
        with self._changed:
            present = flattened(self._now.model_dump())
            if all(present[key] == value for key, value in tried.items()):
                self._swap(self._with(before))
                for key, value in tried.items():
                    if value != before.get(key):
                        self._answers[key] = reason
                self._changed.notify_all()
            return self._now

    def wait_for_answer(self, key: str, timeout: float) -> str | None:
        """Wait until the last value of ``key`` has been opened (returns an empty string) or refused
        (returns the reason). Returns None after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: key in self._answers, timeout)
            return self._answers.get(key)

    def note_engine(self, name: str, usable: bool) -> None:
        """Record whether the engine ``name`` could be opened; the key for the next engine skips
        those that could not."""
        with self._changed:
            if usable:
                self.unusable_engines -= {name}
            else:
                self.unusable_engines |= {name}
