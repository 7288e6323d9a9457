"""Only me: the same person stays shown, and everybody else is room."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers import graphs
from helpers.drawn import SIZE, Drawn, matte

from realtime_bg.engines import open_engine
from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.memory import NEW
from realtime_bg.processing.subject import Subject
from realtime_bg.settings import CombineSettings, EngineSettings, SubjectSettings, load
from realtime_bg.stats import Stats

MAIN, PICK = SubjectSettings(mode="main"), SubjectSettings(mode="pick")
BLUE, RED, GREEN = (200, 90, 50), (50, 60, 200), (60, 190, 80)


def me(x=110.0):
    return Drawn(x, 40, 56, BLUE, 1)


def walker(x, wide=44.0, colour=RED, top=46.0):
    return Drawn(x, top, wide, colour, 2)


def shown(subject, people, index, mine, settings=MAIN, epoch=0):
    """The shares that are shown of the person at ``mine`` and of all others; None if absent."""
    given, seen = matte(people, index, epoch, small=False)
    small, _ = matte(people, index, epoch)
    alpha = subject(small, settings).alpha
    full = np.kron(alpha, np.ones((2, 2), np.float32))
    rest = sum((one for at, one in enumerate(seen) if at != mine), np.zeros_like(given.alpha))
    own = seen[mine] if mine is not None else np.zeros_like(given.alpha)
    return tuple(
        float((full * (part > 0.9)).sum() / (part > 0.9).sum()) if (part > 0.9).sum() > 40 else None
        for part in (own, rest)
    )


def clip(frames, mine=0):
    """Of a clip, a list of lists of people: in how much of it the right one is shown, how much of
    the others, and how much of the right one on average."""
    subject = Subject(0)
    found = [shown(subject, people, index, mine(people)) for index, people in enumerate(frames)]
    own = [own for own, _ in found if own is not None]
    kept = [own > 0.5 and own > (rest or 0) for own, rest in found if own is not None]
    return np.mean(kept), np.mean([rest for _, rest in found if rest is not None]), np.mean(own)


def of_me(people):
    return next((at for at, one in enumerate(people) if one.colour == BLUE), None)


WALK = [walker(x) for x in np.linspace(-40, 300, 110)]
STAND = [walker(x) for x in [*np.linspace(290, 162, 40), *[162.0] * 30, *np.linspace(162, 290, 40)]]
CLIPS = {
    "behind": [[one, me()] for one in WALK],
    "in front": [[me(), one] for one in WALK],
    "touching": [[one, me()] for one in STAND],
    "larger": [[me()]] * 5
    + [[me(), one._replace(x=one.x + 30, wide=80.0, top=20.0)] for one in STAND],
    "three": [[walker(210 - n, colour=GREEN, wide=36), me(), one] for n, one in enumerate(WALK)],
    "gone and back": [
        [me(110 - max(0, min(170, 6 * (n - 20), 6 * (100 - n)))), walker(210)] for n in range(110)
    ],
}


@pytest.mark.parametrize("name", CLIPS)
def test_the_same_person_stays_and_the_others_are_hidden(name):
    right, others, kept = clip(CLIPS[name], of_me)
    assert right >= 0.95
    # Of three people, one walks behind another of the same height, so that only a line shows.
    assert others < (0.04 if name == "three" else 0.01)
    assert kept > 0.93


def test_clothes_of_the_same_colour_are_told_apart_by_outline_and_motion():
    frames = [[me(), walker(x, colour=(190, 95, 60))] for x in np.linspace(-40, 300, 110)]
    right, others, kept = clip(frames, lambda people: 0)
    assert right >= 0.95
    assert others < 0.03
    assert kept > 0.85


def test_somebody_alone_is_left_as_they_are():
    subject = Subject(0)
    for index in range(5):
        given, _ = matte([me(100 + index)], index)
        assert subject(given, MAIN) is given


def test_somebody_alone_costs_no_search(monkeypatch):
    subject = Subject(0)
    for index in range(NEW + 1):
        subject(matte([me()], index)[0], MAIN)
    monkeypatch.setattr("realtime_bg.processing.people.members", None)  # would fail
    for index in range(NEW + 1, NEW + 20):
        given, _ = matte([me(110 + np.sin(index))], index)
        assert subject(given, MAIN) is given


def test_somebody_who_left_is_known_again_among_others():
    subject = Subject(0)
    for index, x in enumerate([110.0] * 30 + [*np.linspace(110, -60, 30)]):
        shown(subject, [me(x)], index, 0)
    for index in range(60, 90):
        assert shown(subject, [walker(200)], index, None)[1] < 0.02
    found = [shown(subject, [me(x), walker(200)], n + 90, 0) for n, x in enumerate([90.0] * 10)]
    assert found[-1] == pytest.approx((1, 0), abs=0.02)


def test_an_engine_that_tells_people_apart_is_believed():
    """Two people who look the same and touch from the first frame on, numbered anew each time."""
    subject = Subject(0)
    people = [me(120), me(168)._replace(wide=44.0)]
    for index in range(8):
        given, seen = matte(people, index)
        small = [cv2.resize(one, given.alpha.shape[::-1]) for one in seen]
        numbers = (3, 8) if index % 2 else (8, 3)
        told = np.where(small[0] > 0.5, numbers[0], np.where(small[1] > 0.5, numbers[1], 0))
        result = subject(replace(given, people=told.astype(np.uint8)), MAIN).alpha
        assert (result * (small[1] > 0.9)).sum() < 0.01 * small[1].sum()
        assert (result * small[0]).sum() > 0.9 * (given.alpha * small[0]).sum()


def test_nobody_is_shown_while_the_main_person_is_away():
    subject = Subject(0)
    shown(subject, [me()], 0, 0)
    for index in range(1, 40):
        _, rest = shown(subject, [walker(200)], index, None)
        assert rest < 0.02


def test_everybody_is_shown_until_somebody_is_picked_and_clicks_add_and_clear():
    subject = Subject(7)  # earlier clicks mean nothing
    people = [me(70), walker(180)]
    left, right, beside = (70 / SIZE[0], 0.8), (180 / SIZE[0], 0.8), (0.02, 0.05)
    steps = [(None, 1, 1), (left, 1, 0), (None, 1, 0), (right, 1, 1), (beside, 1, 1), (right, 0, 1)]
    picks, point = 7, (0.5, 0.5)
    for index, (at, own, rest) in enumerate(steps):
        if at is not None:
            picks, point = picks + 1, at
        settings = SubjectSettings(mode="pick", picks=picks, point=point)
        found = shown(subject, people, index, 0, settings)
        assert found == pytest.approx((own, rest), abs=0.06), index


def test_a_change_of_the_mode_chooses_anew():
    subject = Subject(0)
    small, large = walker(60, 30), me(160)
    assert shown(subject, [small], 0, 0)[0] > 0.9
    assert shown(subject, [small, large], 1, 0) == pytest.approx((1, 0), abs=0.06)
    assert shown(subject, [small, large], 2, 0, PICK, 1) == pytest.approx((1, 1), abs=0.06)


def test_a_full_size_matte_and_one_of_nobody_are_served():
    subject = Subject(0)
    given, seen = matte([me(70), walker(190)], small=False)
    result = subject(given, MAIN)
    assert result.alpha.shape == given.alpha.shape
    assert result.alpha.dtype == np.float32
    assert (result.alpha * seen[1]).sum() < 0.01 * seen[1].sum()
    nobody, _ = matte([], 1)
    assert not subject(nobody, MAIN).alpha.any()


def test_all_does_nothing_and_others_stay_out_of_the_picture(monkeypatch):
    people = [me(70), walker(190)]
    images = {}
    for mode in ("all", "main"):
        settings = load(flags={"subject.mode": mode, "background.current": "#00ff00"})
        maker = Compositor(settings, Stats(), wait=True)
        if mode == "all":
            monkeypatch.setattr("realtime_bg.processing.compositor.Subject", None)
        given, seen = matte(people)
        images[mode] = maker.compose(given, settings).image.astype(int)
        monkeypatch.undo()
        maker.close()
    there = seen[1] > 0.99
    assert np.abs(images["all"][there] - (0, 255, 0)).max() > 100
    assert np.abs(images["main"][there] - (0, 255, 0)).max() < 30


def test_a_lost_matte_stays_lost():
    given, _ = matte([me()])
    settings = load(flags={"subject.mode": "main", "background.current": "#00ff00"})
    maker = Compositor(settings, Stats(), wait=True)
    lost = Matte(given.frame, given.alpha, guide=given.guide, lost=True)
    assert (maker.compose(lost, settings).image == (0, 255, 0)).all()
    maker.close()


@pytest.mark.parametrize("every", [1, 3])
def test_a_detector_that_gates_another_engine_divides_those_who_touch_from_the_first(
    tmp_path, every
):
    boxes = np.float32([[8, 8, 64, 96], [64, 24, 104, 96]])
    masks = np.zeros((2, 1, 96, 128), np.float32)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[0, top:bottom, left:right] = 1
    found = {"boxes": boxes, "labels": np.int64([1, 1]), "scores": np.float32([0.9, 0.9])}
    detector = graphs.constant_detector(
        tmp_path / "detector.onnx", found | {"masks": masks}, (1, 3, 96, 128)
    )
    combine = CombineSettings(engine="instance", model=detector, margin=0, every=every)
    bright = graphs.person_map(tmp_path / "bright.onnx")
    settings = EngineSettings(name="semantic", model=bright, device="cpu", combine=combine)
    picture = np.full((96, 128, 3), 20, np.uint8)
    picture[8:, 8:64], picture[24:, 64:104] = (250, 200, 180), (180, 200, 250)
    engine, subject = open_engine(settings, (128, 96), Stats()), Subject(0)
    try:
        for index in range(5):
            matte = subject(engine.matte(Frame(picture, index, index / 30)), MAIN)
            alpha = cv2.resize(matte.alpha, (128, 96))
            assert alpha[20:90, 16:58].min() > 0.9
            assert alpha[:, 66:].max() < 0.1
    finally:
        engine.close()
