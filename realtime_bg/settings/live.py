"""The cell that holds the present settings; every change goes through it."""

import threading
from collections.abc import Callable
from typing import Any

from realtime_bg.settings.loading import flattened, merged, nested, validated
from realtime_bg.settings.schema import Settings

Changes = dict[str, Any]
"""``{"section.key": value}``."""
Check = Callable[[Settings, Settings, Changes], Changes]
"""From the new tree, the present one and the changes between them to further changes that follow
from these. Raises SettingsError to refuse them all."""


class Live:
    """``live.now`` is the present settings tree: an immutable value, read once per frame.

    Some values are only known to work when what they name has been opened: a source, an engine, a
    background. Whoever opens one answers with `confirm` or `take_back`; whoever asked for it
    learns from `wait_for_answer` or `refusals` what became of it, and why.
    """

    def __init__(self, settings: Settings) -> None:
        self._now = settings
        self._changed = threading.Condition()
        self._answers: dict[str, str] = {}  # by key: why its last value was refused; "": opened
        self.unusable_engines: frozenset[str] = frozenset()  # that could not be opened

    @property
    def now(self) -> Settings:
        return self._now

    @property
    def refusals(self) -> dict[str, str]:
        """Keys whose last change was taken back, and why."""
        with self._changed:
            return {key: reason for key, reason in self._answers.items() if reason}

    def update(self, **changes: Any) -> Settings:
        """Change keys by name; sections as ``section__key=value``.

        Builds and validates a new tree, then swaps it in. Raises SettingsError, and keeps the
        old tree, when a value is not allowed.
        """
        paths = {name.replace("__", "."): value for name, value in changes.items()}
        return self.modify(lambda _: paths)

    def modify(self, change: Callable[[Settings], Changes], check: Check | None = None) -> Settings:
        """Change keys by a function of the present tree: it returns ``{"section.key": value}``.

        The function runs under the lock, so a toggle cannot be lost between two callers; ``check``
        may still refuse what it returns. Raises SettingsError, and keeps the old tree.
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
                    self._answers.pop(key, None)  # what it names now has not been opened yet
            self._now = new
            return new

    def _with(self, changes: Changes) -> Settings:
        return validated(merged(self._now.model_dump(), nested(changes)))

    def confirm(self, key: str, value: object) -> None:
        """What ``value`` of ``key`` names is open now."""
        with self._changed:
            if flattened(self._now.model_dump()).get(key) == value:
                self._answers[key] = ""
                self._changed.notify_all()

    def take_back(self, tried: Changes, before: Changes, reason: str) -> Settings:
        """Go from ``tried``, which turned out not to work for ``reason``, to what was ``before``,
        both parts of the tree; what somebody has chosen meanwhile stays."""
        tried, before = flattened(tried), flattened(before)
        with self._changed:
            present = flattened(self._now.model_dump())
            if all(present[key] == value for key, value in tried.items()):
                self._now = self._with(before)
                for key, value in tried.items():
                    if value != before.get(key):
                        self._answers[key] = reason
                self._changed.notify_all()
            return self._now

    def wait_for_answer(self, key: str, timeout: float) -> str | None:
        """Why the last value of ``key`` was refused, an empty string once what it names is open;
        None when neither is known within ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: key in self._answers, timeout)
            return self._answers.get(key)

    def note_engine(self, name: str, usable: bool) -> None:
        """Whether the engine ``name`` could be opened: the key for the next one passes over those
        that could not."""
        with self._changed:
            if usable:
                self.unusable_engines -= {name}
            else:
                self.unusable_engines |= {name}
