"""The compositor's thread step by step, by a clock that is given: what comes next, and for how
long the last picture may stay."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.composing import OnDevice, Rig, frame, matte

from realtime_bg.live import composing as module
from realtime_bg.settings import load


@pytest.fixture
def make(monkeypatch):
    def make(**flags):
        flags = {"background.current": "#00b140"} | flags
        rig = Rig(**{key.replace("__", "."): value for key, value in flags.items()})
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: rig.now))
        return rig

    return make


def nothing():
    return None


# What is shown


def test_a_matte_stays_until_it_is_too_old(make):
    rig = make(privacy__max_age=2.0)

    def late():
        rig.now += 1.5

    waits = rig.steps(nothing, lambda: matte(5, at=99.5), late)
    assert rig.made == ["background", "person", "background"]
    assert waits == [0.1, 0.1, 1.5, 0.1]  # half a second of its two has passed
    assert [one.index for one in rig.sent] == [0, 5, 5]
    assert len(rig.stats.milliseconds("latency")) == 1
    assert rig.stats.milliseconds("latency") == [pytest.approx(500)]
    assert len(rig.stats.milliseconds("hand-over")) == 3
    assert len(rig.stats._ticks) == 1


@pytest.mark.parametrize(("age", "shown"), [(0.0, True), (1.0, True), (1.01, False)])
@pytest.mark.parametrize("bare", [False, True])
def test_nothing_older_than_the_limit_is_shown(make, age, shown, bare):
    rig = make(privacy__max_age=1.0, background__current="none" if bare else "red")
    item = (frame if bare else matte)(3, at=100.0 - age)
    rig.steps(lambda: item)
    assert rig.made == (["person"] if shown else ["background"])


def test_it_notes_when_it_last_composed(make):
    rig = make()

    def later():
        rig.now = 107.0

    rig.steps(later)
    assert rig.composing.composed_at == 107.0


@pytest.mark.parametrize(
    ("paused", "asleep", "shown"),
    [
        (True, False, "card Camera paused"),
        (False, True, "card One moment"),
        (True, True, "card Camera paused"),
    ],
)
def test_while_it_rests_no_item_is_composed(make, paused, asleep, shown):
    rig = make()

    def rest():
        rig.live.update(paused=paused, frozen=True)
        rig.asleep = asleep
        return matte(2)

    rig.steps(lambda: matte(1), rest, lambda: matte(3))
    assert rig.made == ["person", shown, shown]
    assert rig.sent[-1].index == 1
    assert rig.composing.holding is False


@pytest.mark.parametrize("background", ["red", "none"])
def test_after_a_rest_a_card_is_not_frozen(make, background):
    """But the first picture after it is."""
    rig = make(background__current=background)
    item = frame if background == "none" else matte

    def pause():
        rig.live.update(paused=True, frozen=True)

    def go_on():
        rig.live.update(paused=False)
        return item(2)

    rig.steps(lambda: item(1), pause, go_on, lambda: item(3))
    assert rig.made == ["person", "card Camera paused", "person", "again"]
    assert rig.sent[-1].index == 2


def test_a_frozen_picture_is_shown_again_and_nothing_newer(make):
    rig = make()
    states = []

    def freeze():
        rig.live.update(frozen=True)
        return matte(2)

    def note():
        states.append(rig.composing.holding)
        rig.now += 100  # also when it is old
        return matte(3)

    rig.steps(lambda: matte(1), freeze, note, note)
    assert rig.made == ["person", "again", "again", "again"]
    assert {one.index for one in rig.sent} == {1}
    assert states == [True, True]


def test_a_picture_without_the_person_is_not_frozen(make):
    """Otherwise it would stay for ever, and no frame would be matted."""
    rig = make(frozen=True)
    rig.steps(nothing, lambda: matte(1), lambda: matte(2))
    assert rig.made == ["background", "person", "again"]
    again = make()

    def freeze():
        again.live.update(frozen=True)
        again.now += 60
        return matte(2, at=100.0)

    again.steps(lambda: matte(1), nothing, freeze, lambda: matte(3, at=again.now))
    assert again.made == ["person", "background", "background", "person"]


def test_a_frozen_picture_of_the_camera_goes_when_another_background_is_chosen(make):
    rig = make(background__current="none", frozen=False)

    def freeze():
        rig.live.update(frozen=True)

    def leave():
        rig.live.update(background__current="red")

    rig.steps(lambda: frame(1), freeze, leave, lambda: matte(2), lambda: matte(3))
    assert rig.made == ["person", "again", "background", "person", "again"]


def test_a_frozen_picture_stays_when_one_background_follows_another(make):
    rig = make(background__current="red")

    def change():
        rig.live.update(frozen=True, background__current="#0000ff")

    rig.steps(lambda: matte(1), change)
    assert rig.made == ["person", "again"]


@pytest.mark.parametrize(("first", "second"), [("none", "red"), ("red", "none")])
def test_a_setting_that_changes_during_composition_counts_as_the_cameras_picture(
    make, first, second
):
    """It cannot be known which of the two values was used."""
    rig = make(background__current=first, frozen=False)
    usual = rig.compose

    def compose(item):
        rig.live.update(background__current=second, frozen=True)
        return usual(item)

    rig.composing._processor.compose = compose

    def leave():
        rig.live.update(background__current="#0000ff")

    rig.steps(lambda: frame(1), leave)
    assert rig.made == ["person", "background"]


def test_after_the_end_of_the_source_its_last_picture_stays(make):
    rig = make()

    def end():
        rig.run.finished.set()
        rig.now += 60

    rig.steps(lambda: matte(1), end, nothing)
    assert rig.made == ["person"]
    assert [one.index for one in rig.sent] == [1, 1, 1]
    empty = make()
    empty.run.finished.set()
    empty.steps(nothing)
    assert empty.sent == empty.made == []


def test_the_cameras_own_picture_does_not_outlast_its_choice_even_at_the_end(make):
    rig = make(background__current="none")

    def end():
        rig.run.finished.set()

    def leave():
        rig.live.update(background__current="red")

    rig.steps(lambda: frame(1), end, leave, nothing)
    assert rig.made[:2] == ["person", "background"]
    assert [one.image is rig.sent[0].image for one in rig.sent] == [True, True, False, False]


# For how long


def test_how_long_a_picture_stays(make):
    rig = make()
    period = rig.composing._period
    assert period(0.0) == 0.1
    assert period(100.05) == 0.1
    assert period(100.7) == pytest.approx(0.7)
    rig.live.update(paused=True)
    assert period(100.7) == 0.2
    rig.asleep = True
    assert period(100.7) == 0.08
    rig.live.update(paused=False)
    assert period(100.7) == 0.08


def test_what_comes_is_taken_at_once(make):
    rig = make()
    rig.items.put(item := matte(1), at=100.03)
    assert rig.composing._awaited(rig.live.now, 5.0) is item
    assert rig.now == 100.03


def test_without_anything_it_waits_as_long_as_it_is_told_in_short_steps(make):
    rig = make()
    assert rig.composing._awaited(rig.live.now, 0.35) is None
    assert rig.now == pytest.approx(100.35)
    assert rig.items.waits == [0.1, 0.1, 0.1, 0.05]
    assert rig.newest.waits == []
    rig.items.waits.clear()
    assert rig.composing._awaited(rig.live.now, 0.0) is None
    assert rig.items.waits == [0.0]


@pytest.mark.parametrize(
    ("before", "change", "early"),
    [
        ({}, {"paused": True}, True),
        ({"paused": True}, {"frozen": True}, False),
        ({"paused": True}, {"paused": False}, False),
        ({"background__current": "none"}, {"background__current": "red"}, True),
        ({"background__current": "red"}, {"background__current": "none"}, False),
        ({"background__current": "red"}, {"background__current": "blur"}, False),
        ({}, {"frozen": True}, False),
    ],
)
def test_a_picture_that_must_go_is_not_waited_for(make, before, change, early):
    rig = make(**before)
    start = rig.live.now
    rig.live.update(**change)
    assert rig.composing._awaited(start, 3.0) is None
    assert rig.now == pytest.approx(100.1 if early else 103.0)


# The least latency


def latest(make, **flags):
    return make(output__sync="lowest-latency", **flags)


@pytest.mark.parametrize(
    ("paused", "asleep", "newest"),
    [(False, False, True), (True, False, False), (False, True, False)],
)
def test_frames_are_shown_before_their_mattes_only_while_it_runs(make, paused, asleep, newest):
    rig = latest(make, paused=paused)
    rig.asleep = asleep
    rig.composing._awaited(rig.live.now, 0.1)
    assert bool(rig.newest.waits) is newest
    assert make().composing._awaited(load(), 0.05) is None


def test_a_frame_gets_the_newest_matte_moved_along(make):
    rig = latest(make)
    rig.items.put(matte(1, at=99.9))
    shown = frame(4, at=100.0)
    rig.newest.put(shown)
    item = rig.composing._at_once(1.0)
    assert item.frame is shown
    np.testing.assert_allclose(item.alpha, 1)
    assert rig.newest.waits == [1.0]
    assert rig.items.waits == [0]
    rig.newest.put(other := frame(5, at=100.1))
    assert rig.composing._at_once(1.0).frame is other  # from the same matte of the engine


@pytest.mark.parametrize(
    ("later", "moved"),
    [(0.0, False), (-0.1, False), (0.001, True), (0.24, True), (0.25, False), (3.0, False)],
)
def test_a_matte_is_moved_forwards_and_by_a_quarter_of_a_second_at_most(make, later, moved):
    """So that an engine that hangs is noticed."""
    rig = latest(make)
    rig.items.put(given := matte(1, at=200.0))
    rig.newest.put(shown := frame(2, at=200.0 + later))
    item = rig.composing._at_once(0.5)
    assert (item.frame is shown) is moved
    assert (item is given) is not moved
    rig.newest.put(frame(3, at=200.0 + later))
    assert (rig.composing._at_once(0.5) is not None) is moved


def test_a_matte_of_nobody_knows_whom_is_never_moved(make):
    """Nothing is known of where the person is: moved along, it would count as known."""
    rig = latest(make)
    rig.items.put(lost := matte(1, at=99.9, lost=True))
    rig.newest.put(frame(2, at=100.0))
    assert rig.composing._at_once(0.5) is lost
    rig.newest.put(frame(3, at=100.05))
    assert rig.composing._at_once(0.0) is None


def test_a_matte_of_another_scene_is_never_moved(make):
    rig = latest(make)
    rig.items.put(given := matte(1, at=99.9, epoch=0))
    rig.newest.put(frame(2, at=100.0, epoch=1))
    assert rig.composing._at_once(0.5) is given
    rig.newest.put(frame(3, at=100.05, epoch=1))
    assert rig.composing._at_once(0.0) is None


@pytest.mark.parametrize(
    "given", [matte(1, at=99.9, guided=False), frame(1, at=99.9), OnDevice(frame(1, at=99.9))]
)
def test_what_cannot_be_moved_is_shown_itself_and_forgets_the_last_matte(make, given):
    rig = latest(make)
    rig.items.put(matte(0, at=99.9))
    rig.newest.put(frame(1, at=100.0))
    assert rig.composing._at_once(0.5).frame.index == 1
    rig.items.put(given)
    rig.newest.put(frame(2, at=100.0))
    assert rig.composing._at_once(0.5) is given
    rig.newest.put(frame(3, at=100.0))
    assert rig.composing._at_once(0.0) is None


def test_a_frame_without_a_matte_waits_for_one_for_the_rest_of_the_time(make):
    rig = latest(make)
    rig.newest.put(frame(1), at=100.2)
    rig.items.put(given := matte(1), at=100.4)
    assert rig.composing._at_once(0.5) is given
    assert rig.items.waits == [0, 0.3]
    assert rig.now == 100.4
    rig.items.waits.clear()
    rig.newest.put(frame(2, at=100.4 + 3), at=100.5)
    assert rig.composing._at_once(0.5) is None  # the matte is too old to be moved
    assert rig.items.waits == [0, 0.4]
    assert rig.now == pytest.approx(100.9)


def test_a_matte_without_a_frame_is_shown_after_the_wait(make):
    rig = latest(make)
    rig.items.put(given := matte(1))
    assert rig.composing._at_once(0.1) is given
    assert rig.now == 100.1
    assert rig.composing._at_once(0.1) is None
    assert rig.items.waits[-1] == 0.0  # the time is over
