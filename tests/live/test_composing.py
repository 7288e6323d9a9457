"""The compositor's thread by itself: what is shown when, and what must never stay."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.daemons import until

from realtime_bg.frames import Frame, Matte
from realtime_bg.live.composing import Composing
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Slot
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = (8, 4)
RAW, GREEN = (255, 0, 255), (64, 177, 0)  # BGR


def raw(index=0, at=None):
    image = np.full((SIZE[1], SIZE[0], 3), RAW, np.uint8)
    return Frame(image, index, time.monotonic() if at is None else at)


def matte(index=0, alpha=1.0, at=None):
    return Matte(raw(index, at), np.full(SIZE[::-1], alpha, np.float32))


@pytest.fixture
def rig():
    flags = {"background.current": "#00b140", "refine.decontaminate": False}
    live, stats, run = Live(load(flags=flags)), Stats(), Lifecycle()
    processor = Processor(live, stats, wait=False)
    items, newest, sent = Slot(), Slot(), []
    run.at_stop(items.close, newest.close)
    state = SimpleNamespace(asleep=False)
    composing = Composing(
        live,
        stats,
        run,
        processor,
        items,
        newest,
        SimpleNamespace(send=sent.append),
        lambda: SIZE,
        lambda: state.asleep,
    )
    composing.start()
    yield SimpleNamespace(
        live=live, run=run, items=items, newest=newest, sent=sent, state=state, composing=composing
    )
    run.stop()
    assert run.join("compositor", time.monotonic() + 60)
    processor.close()


def corner(rig):
    return tuple(map(int, rig.sent[-1].image[0, 0])) if rig.sent else None


def test_a_matte_is_composed_and_without_one_the_background_is_shown(rig):
    until(lambda: corner(rig) == GREEN)  # nothing came yet
    rig.items.put(matte(1))
    until(lambda: corner(rig) == RAW)  # all of it is a person
    assert rig.sent[-1].index == 1
    rig.live.update(privacy__max_age=0.1)
    until(lambda: corner(rig) == GREEN)  # too old to stay


def test_a_matte_that_is_too_old_is_not_shown(rig):
    rig.items.put(matte(1, at=time.monotonic() - 5))
    count = len(rig.sent)
    until(lambda: len(rig.sent) > count + 1)
    assert corner(rig) == GREEN


def test_frozen_holds_a_picture_and_pause_a_card(rig):
    rig.items.put(matte(1))
    until(lambda: corner(rig) == RAW)
    rig.live.update(frozen=True)
    until(lambda: rig.composing.holding)
    count = len(rig.sent)
    until(lambda: len(rig.sent) > count + 2)
    assert corner(rig) == RAW
    rig.live.update(paused=True)
    until(lambda: corner(rig) not in (RAW, GREEN))  # the card
    assert not rig.composing.holding


def test_asleep_shows_a_card_and_no_matte(rig):
    rig.items.put(matte(1))
    until(lambda: corner(rig) == RAW)
    rig.state.asleep = True
    until(lambda: corner(rig) not in (RAW, GREEN))


def test_leaving_the_cameras_own_picture_hides_it_at_once(rig):
    rig.live.update(background__current="none", privacy__max_age=60)
    until(lambda: corner(rig) == GREEN or len(rig.sent) > 2)
    until(lambda: rig.live.wait_for_answer("background.current", 0) == "")
    rig.items.put(raw(1))
    until(lambda: corner(rig) == RAW)
    rig.live.update(background__current="#00b140")
    until(lambda: corner(rig) != RAW)


def test_lowest_latency_moves_the_last_matte_to_the_newest_frame(rig):
    rig.live.update(output__sync="lowest-latency")

    def moved():
        """A matte, and a frame that is newer than it."""
        seen = raw(1)
        rig.items.put(Matte(seen, np.ones(SIZE[::-1], np.float32), guide=seen.image))
        until(lambda: rig.sent[-1].index >= 1)
        rig.newest.put(raw(2))
        return any(one.index == 2 for one in rig.sent)

    until(lambda: rig.sent)
    until(moved)
    shown = next(one for one in rig.sent if one.index == 2)
    assert tuple(map(int, shown.image[0, 0])) == RAW


def test_the_card_says_why_there_is_no_camera(rig, monkeypatch):
    usual, texts = rig.composing._processor.without_camera, []

    def without(size, index, text=""):
        texts.append(text)
        return usual(size, index, text)

    monkeypatch.setattr(rig.composing._processor, "without_camera", without)
    until(lambda: texts and texts[-1] == "")  # the background alone
    rig.state.asleep = True
    until(lambda: texts[-1] == "One moment")
    rig.live.update(paused=True)
    until(lambda: texts[-1] == "Camera paused")
