"""Matting without threads: resets, plates, still pictures, and models that changed."""

import numpy as np
import pytest
from helpers.scripted import First, bad, frame, matting, scripted

from realtime_bg.frames import DeviceMatte, Matte
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


def test_what_is_forgotten_is_no_longer_there(log):
    used = matting()
    used.forget()  # there is nothing yet
    used.matte(frame())
    used.forget()
    assert used._last is None
    assert log.calls == ["first", "reset"]


def test_an_engine_that_cannot_forget_is_opened_again(log, monkeypatch):
    def broken(_):
        raise RuntimeError("bad")

    used = matting()
    used.matte(frame())
    with monkeypatch.context() as patch:
        patch.setattr(First, "reset", broken)
        used.forget()
    used.matte(frame(1))
    assert [name for name, _ in log.opened] == ["first", "first"]
    assert log.closed == ["first"]


def test_a_model_that_changed_is_loaded_once(log):
    used = matting()
    used.matte(frame())
    used.reload()
    for index in range(1, 4):
        used.matte(frame(index))
    assert [name for name, _ in log.opened] == ["first", "first"]
    assert log.closed == ["first"]


# A still picture


def test_a_still_picture_is_matted_again_unless_everything_allows_to_keep_its_matte(log):
    for flags, held in (
        ({"in_time": True}, 2),
        ({"in_time": False}, 0),
        ({"in_time": True, "engine__gate": False}, 0),
    ):
        log.calls.clear()
        used = matting(**flags)
        for index in range(3):
            used.matte(frame(index))
        assert used.stats.held == held, flags
        assert log.calls == ["first"] * (3 - held)


def test_an_engine_that_learns_from_every_frame_gets_every_frame(log, monkeypatch):
    monkeypatch.setattr(First, "waits", False)
    monkeypatch.setattr(First, "model", "net.onnx")
    used = matting(in_time=True, engine__every=2)
    for index in range(4):
        used.matte(frame(index))
    assert log.calls == ["first"] * 4
    assert (used.stats.held, used.stats.carried) == (0, 0)


def test_a_still_picture_after_a_failure_is_matted_by_the_next_engine(log):
    used = matting(in_time=True, engine__retries=0)
    used.matte(frame(0))
    used._choice.failed(RuntimeError("bad"))
    used.matte(frame(1))
    assert log.calls == ["first", "second"]


def test_another_picture_is_never_held(log):
    used = matting(in_time=True)
    for index in range(4):
        used.matte(frame(index, seed=index))
    assert used.stats.held == 0
    assert [call for call in log.calls if call != "reset"] == ["first"] * 4


# Carrying


def guided(shown, value=0.5):
    """A matte of a small network."""
    guide = np.ascontiguousarray(shown.image[::2, ::2])
    return Matte(shown, np.full(guide.shape[:2], value, np.float32), None, guide)


@pytest.fixture
def network(log, monkeypatch):
    """`first` has a network whose mattes can be carried along."""
    monkeypatch.setattr(First, "model", "net.onnx")

    def matte(self, shown):
        log.calls.append("first")
        if log.failing.get("first"):
            raise log.failing["first"].pop(0)
        return guided(shown)

    monkeypatch.setattr(First, "matte", matte)
    return log


def carrying(**flags):
    return matting(in_time=True, engine__gate=False, **flags)


def test_between_two_answers_a_matte_is_carried_to_the_new_frame(network):
    used = carrying(engine__every=2)
    used.matte(frame(0))
    shown = frame(1)
    seen = used.matte(shown)
    assert seen.frame is shown
    assert network.calls == ["first"]
    assert used.stats.carried == 1
    used.matte(frame(2))
    assert network.calls == ["first", "first"]
    assert used.stats.carried == 1


def test_an_error_while_blending_is_not_covered_up_by_carrying(network):
    used = carrying(engine__every=3, engine__retries=0)
    used.matte(frame(0))
    used.blame(RuntimeError("the device is lost"))
    used.matte(frame(1))
    assert used.stats.failures == 1
    assert used.stats.carried == 0
    assert network.calls == ["first", "second"]


def test_an_engine_without_a_network_is_never_skipped(network, monkeypatch):
    monkeypatch.setattr(First, "model", None)
    used = carrying(engine__every=3)
    for index in range(3):
        used.matte(frame(index))
    assert network.calls == ["first"] * 3


def test_a_photo_is_never_carried(network):
    used = carrying(engine__every=3)
    used.matte(frame(0))
    used.matte(frame(1), repeats=5)
    assert network.calls == ["first", "first 5"]


def test_after_a_change_or_a_failure_nothing_is_carried(network):
    used = carrying(engine__every=3)
    used.matte(frame(0))
    used.reload()
    used.matte(frame(1))
    used._live.update(engine__retries=3)
    used.matte(frame(2))
    assert network.calls == ["first"] * 3
    used.matte(frame(3, epoch=1))
    used.matte(frame(4, epoch=1, size=(32, 36)))
    assert [call for call in network.calls if call != "reset"] == ["first"] * 5
    assert used.stats.carried == 0


def test_a_carried_matte_may_be_held_when_the_picture_is_still(network):
    used = matting(in_time=True, engine__every=2)
    used.matte(frame(0))
    used._scene.forget_matte()
    carried = used.matte(frame(1))
    assert used.stats.carried == 1
    held = used.matte(frame(2))
    assert used.stats.held == 1
    assert held.alpha is carried.alpha
    assert network.calls == ["first"]


# Plates and resets with a failing engine


def test_a_plate_and_a_reset_are_given_to_the_engine_that_takes_over(log):
    used = matting(engine__retries=0)
    used.matte(frame(0))
    log.failing["first"] = bad(1)
    used._live.modify(lambda s: {"plates": s.plates + 1, "resets": s.resets + 1})
    used.matte(frame(1))
    assert log.calls == ["first", "reset", "plate", "first", "reset", "plate", "second"]


def test_a_plate_counter_that_goes_back_is_no_request(log):
    live = Live(load(flags={"engine.name": "first"}))
    live.modify(lambda s: {"plates": 3})
    used = Matting(live, Stats())
    used.matte(frame())
    live.modify(lambda s: {"plates": 1})
    used.matte(frame(1))
    live.modify(lambda s: {"plates": 2})
    used.matte(frame(2))
    assert log.calls == ["first", "first", "plate", "first"]


def test_a_wrong_matte_counts_as_a_failure(log, monkeypatch):
    usual = First.matte

    def wrong(self, shown):
        matte = usual(self, shown)
        return Matte(shown, matte.alpha * 9)

    monkeypatch.setattr(First, "matte", wrong)
    used = matting(engine__retries=1)
    seen = used.matte(frame())
    assert log.calls == ["first", "first", "second"]
    assert seen.alpha.max() == 0.5
    assert used.stats.failures == 2


@pytest.mark.parametrize(("in_time", "adapted"), [(True, True), (False, False)])
def test_only_a_live_run_is_adapted_to_the_rate(log, monkeypatch, in_time, adapted):
    used, seen = matting(in_time=in_time, engine__gate=False), []
    monkeypatch.setattr(used._choice, "hold_rate", lambda *given: seen.append(given))
    shown = frame()
    used.matte(shown)
    assert bool(seen) is adapted
    if adapted:
        ((given, seconds),) = seen
        assert given is shown
        assert 0 <= seconds < 60


def test_an_abandoned_matting_does_not_open_engines_to_hold_the_rate(log, monkeypatch):
    used, seen = matting(in_time=True, engine__gate=False), []
    used.matte(frame(0))
    monkeypatch.setattr(used._choice, "hold_rate", lambda *given: seen.append(given))
    used.abandoned("hangs")
    used.matte(frame(1))  # what hung has returned after all
    assert seen == []
