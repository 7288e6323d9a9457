"""A mailbox for one item between two threads: a new item replaces the old one, and the writer never
waits."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - an event, not a mistake
    """The slot was closed: there will be no more items."""


class Slot(Generic[T]):
    """One thread puts, another takes; ``dropped`` counts the items that were replaced unread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Put an item, replacing an unread one. Does nothing once the slot is closed."""
        with self._changed:
            if self._closed:
                return
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self, timeout: float | None = None) -> T | None:
        """Wait for an item and empty the slot. None after ``timeout`` seconds without an item.

        Raises Closed once the slot is closed, even if an item is left.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout)
            if self._closed:
                raise Closed
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wake every waiter with Closed. Idempotent."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()
