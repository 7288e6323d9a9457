"""Memory for composites: lent again when nobody holds it, and never before."""

import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from realtime_bg.processing import buffers as module
from realtime_bg.processing.buffers import MOST, Buffers

SHAPE = 4, 6, 3


@pytest.fixture
def made(monkeypatch):
    """The shapes of all arrays that are made for images, in order."""
    shapes, usual = [], np.empty

    def empty(shape, kind):
        shapes.append((shape, kind))
        return usual(shape, kind)

    monkeypatch.setattr(module, "np", SimpleNamespace(empty=empty, uint8=np.uint8))
    return shapes


def test_a_picture_that_somebody_holds_is_never_written_again():
    buffers = Buffers()
    held = [buffers.take((4, 6, 3)) for _ in range(3 * MOST)]
    for number, image in enumerate(held):
        image[:] = number
    rows = [image[1:2] for image in held]  # views alone keep a picture as well
    memory = memoryview(held[-1])
    del held, image
    for _ in range(3 * MOST):
        buffers.take((4, 6, 3))[:] = 255
    assert [row[0, 0, 0] for row in rows] == list(range(3 * MOST))
    assert memory[0, 0, 0] == 3 * MOST - 1


def test_a_picture_that_nobody_holds_is_used_again(made):
    buffers = Buffers()
    for _ in range(5):
        image = buffers.take(SHAPE)
        assert (image.shape, image.dtype) == (SHAPE, np.uint8)
        del image
    assert made == [(SHAPE, np.uint8)]
    first, second = buffers.take(SHAPE), buffers.take(SHAPE)
    assert not np.shares_memory(first, second)
    assert len(made) == 2
    del first
    assert not np.shares_memory(buffers.take(SHAPE), second)
    assert len(made) == 2


def test_as_many_are_kept_as_sinks_usually_hold_and_no_more(made):
    buffers = Buffers()
    held = [buffers.take(SHAPE) for _ in range(MOST + 3)]
    memory = [weakref.ref(image.base) for image in held]
    assert len(made) == MOST + 3
    held.clear()
    assert [one() is not None for one in memory] == [True] * MOST + [False] * 3
    held = [buffers.take(SHAPE) for _ in range(MOST)]
    assert len(made) == MOST + 3
    held.append(buffers.take(SHAPE))
    assert len(made) == MOST + 4
    assert MOST == 8


def test_after_a_change_of_the_size_nothing_of_the_old_one_is_kept(made):
    buffers = Buffers()
    gone = weakref.ref(buffers.take(SHAPE).base)
    assert gone() is not None
    assert buffers.take((2, 6, 3)).shape == (2, 6, 3)
    assert gone() is None
    buffers.take((2, 6, 3))
    assert len(made) == 2


@pytest.mark.parametrize(
    ("name", "gil", "counted"),
    [("cpython", True, True), ("cpython", False, False), ("pypy", True, False)],
)
def test_references_are_trusted_only_where_they_are_counted_exactly(
    monkeypatch, name, gil, counted
):
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name=name))
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: gil, raising=False)
    assert bool(module._unused()) is counted
    if counted:
        monkeypatch.delattr(sys, "_is_gil_enabled")  # as before Python 3.13
        assert module._unused() == module._unused() > 0


def test_where_references_are_not_counted_nothing_is_used_again(made, monkeypatch):
    monkeypatch.setattr(module, "UNUSED", 0)
    buffers = Buffers()
    for _ in range(3):
        gone = weakref.ref(buffers.take(SHAPE).base)
        assert gone() is None
    assert len(made) == 3
