"""Matting without threads: resets, plates, still pictures, and models that changed."""

import pytest
from helpers.scripted import First, frame, matting, scripted

from realtime_bg.frames import DeviceMatte
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


@pytest.fixture
def log(monkeypatch):
    return scripted(monkeypatch)


def test_a_reset_that_is_asked_for_happens_once(log):
    used = matting()
    for index in range(6):
        if index == 2:
            used._live.modify(lambda s: {"resets": s.resets + 1})
        used.matte(frame(index))
    assert log.calls == ["first"] * 2 + ["reset"] + ["first"] * 4


def test_a_plate_that_is_asked_for_is_taken_once(log):
    used = matting(in_time=True)
    for index in range(4):
        if index == 2:
            used._live.modify(lambda s: {"plates": s.plates + 1})
        used.matte(frame(index))
    # The picture is still; it is matted again for the plate only
    assert log.calls == ["first", "plate", "first"]


def test_what_was_asked_for_before_the_first_frame_is_no_request(log):
    live = Live(load(flags={"engine.name": "first"}))
    live.modify(lambda s: {"plates": 3, "resets": 2})
    used = Matting(live, Stats())
    used.matte(frame())
    assert log.calls == ["first"]


def test_a_jump_that_the_source_tells_of_resets_the_engine(log):
    used = matting()
    for index, epoch in enumerate((0, 0, 1, 1, 2)):
        used.matte(frame(index, epoch=epoch))
    assert log.calls == ["first"] * 2 + ["reset"] + ["first"] * 2 + ["reset", "first"]


def test_a_still_picture_keeps_its_matte_with_the_new_frame(log):
    used = matting(in_time=True)
    first = used.matte(frame(0))
    shown = frame(1)
    second = used.matte(shown)
    assert second.frame is shown
    assert second.alpha is first.alpha
    assert log.calls == ["first"]
    assert used.stats.held == 1


def test_a_new_engine_sees_a_picture_even_if_it_is_still(log):
    """The matte of the old one would go on."""
    used = matting(in_time=True)
    used.matte(frame(0))
    used.matte(frame(1))
    used._live.update(engine__name="second")
    used.matte(frame(2))
    assert log.calls == ["first", "second"]
    used.reload()
    used.matte(frame(3))
    assert log.calls == ["first", "second", "second"]


def test_a_jump_is_never_still(log):
    used = matting(in_time=True)
    used.matte(frame(0))
    used.matte(frame(1, epoch=1))
    used._live.modify(lambda s: {"resets": s.resets + 1})
    used.matte(frame(2, epoch=1))
    assert log.calls == ["first", "reset", "first", "reset", "first"]


def test_a_matte_on_a_device_is_not_kept_for_a_still_picture(log, monkeypatch):
    class Held(DeviceMatte):
        def downloaded(self):
            raise AssertionError

        over = downloaded

    monkeypatch.setattr(First, "matte", lambda self, shown: log.calls.append(1) or Held(shown))
    used = matting(in_time=True)
    for index in range(3):
        assert isinstance(used.matte(frame(index)), Held)
    assert log.calls == [1, 1, 1]


def test_a_photo_is_matted_as_one(log):
    used = matting()
    used.matte(frame(), repeats=7)
    assert log.calls == ["first 7"]


def test_a_model_that_changed_is_loaded_once(log):
    used = matting()
    used.matte(frame())
    used.reload()
    for index in range(1, 4):
        used.matte(frame(index))
    assert [name for name, _ in log.opened] == ["first", "first"]
    assert log.closed == ["first"]
