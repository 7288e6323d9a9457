"""A slot holds the newest item, never makes the writer wait, and lets its reader go."""

import threading
import time

import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.live.slot import Closed, Slot


def reader(slot, timeout=None):
    """A thread inside `take`; its outcome, an item or an exception, lands in the list."""
    outcome = []

    def run():
        try:
            outcome.append(slot.take(timeout))
        except Closed as event:
            outcome.append(event)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def wait_until_waiting(slot):
    """Return once a reader really waits: the condition then has a waiter."""
    until(lambda: slot._changed._waiters)


def test_the_newest_item_wins_and_the_overwritten_ones_are_counted():
    slot = Slot()
    for item in range(5):
        slot.put(item)
    assert slot.take(0) == 4
    assert slot.dropped == 4


def test_an_item_that_was_read_is_not_counted_as_dropped():
    slot = Slot()
    for item in range(3):
        slot.put(item)
        assert slot.take(0) == item
    assert slot.dropped == 0


@pytest.mark.parametrize("item", [0, "", False, ()])
def test_items_that_look_empty_are_items(item):
    slot = Slot()
    slot.put(item)
    slot.put(item)
    assert slot.take(0) == item
    assert slot.dropped == 1


def test_taking_empties_the_slot():
    slot = Slot()
    slot.put("a")
    assert slot.take(0) == "a"
    assert slot.take(0) is None


def test_without_an_item_the_timeout_gives_none_and_is_kept():
    start = time.monotonic()
    assert Slot().take(0.05) is None
    assert time.monotonic() - start >= 0.04


def test_a_waiting_reader_gets_what_is_put():
    slot = Slot()
    thread, outcome = reader(slot)
    wait_until_waiting(slot)
    slot.put("frame")
    thread.join(PATIENCE)
    assert outcome == ["frame"]
    assert slot.dropped == 0


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_close_wakes_every_waiting_reader_with_closed(timeout):
    slot = Slot()
    waiting = [reader(slot, timeout) for _ in range(3)]
    until(lambda: len(slot._changed._waiters) == 3)
    slot.close()
    for thread, outcome in waiting:
        thread.join(PATIENCE)
        assert isinstance(outcome[0], Closed)


def test_closed_wins_over_an_item_that_is_left():
    slot = Slot()
    slot.put("old")
    slot.close()
    with pytest.raises(Closed):
        slot.take(0)


def test_put_after_close_is_ignored_and_not_counted():
    slot = Slot()
    slot.close()
    slot.put("late")
    slot.put("later")
    assert slot.dropped == 0
    with pytest.raises(Closed):
        slot.take(0)


def test_close_twice_is_the_same_as_once():
    slot = Slot()
    slot.close()
    slot.close()
    with pytest.raises(Closed):
        slot.take(0)


def test_closing_lets_the_item_go():
    class Item:
        pass

    import weakref

    slot, item = Slot(), Item()
    gone = weakref.ref(item)
    slot.put(item)
    del item
    slot.close()
    assert gone() is None


def test_every_item_is_either_read_or_counted_as_dropped():
    slot, count, read = Slot(), 3000, []

    def take():
        try:
            while True:
                read.append(slot.take())
        except Closed:
            pass

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    for item in range(count):
        slot.put(item)
    until(lambda: read and read[-1] == count - 1)  # the last one is never dropped
    slot.close()
    thread.join(PATIENCE)
    assert read == sorted(read)
    assert len(read) + slot.dropped == count
