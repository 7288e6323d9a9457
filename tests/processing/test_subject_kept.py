"""Only me: a choice holds, whatever becomes of the chosen one; else nobody is shown."""

import numpy as np
import pytest
from helpers.drawn import Drawn, matte

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.memory import MOST
from realtime_bg.processing.subject import Subject
from realtime_bg.settings import SubjectSettings, load
from realtime_bg.stats import Stats

MAIN = SubjectSettings(mode="main")
ON_ME = SubjectSettings(mode="pick", picks=1, point=(110 / 256, 0.8))
ME = Drawn(110, 40, 56, (200, 90, 50), 1)
OTHER = Drawn(200, 46, 44, (50, 60, 200), 2)


def seen(subject, people, index, settings, size=(256, 144), epoch=0, source=""):
    """The shares of each person that are shown."""
    given, parts = matte(people, index, epoch, size, small=False)
    subject.seen(given.frame, source)
    alpha = subject(given, settings).alpha
    return [float((alpha * part).sum() / part.sum()) for part in parts]


@pytest.mark.parametrize("settings", [MAIN, ON_ME])
def test_a_chosen_one_is_never_forgotten(settings):
    subject = Subject(0)
    for index in range(12):
        seen(subject, [ME], index, settings)
    for index in range(12, 24):  # leaves, for longer than somebody hidden is expected
        leaving = ME._replace(x=110 - 20 * (index - 11))
        given, _ = matte([leaving], index, small=False)
        subject.seen(given.frame, "")
        subject(given, settings)
    index = 400
    hues = np.linspace(0, 255, MOST + 6)
    for number, hue in enumerate(hues):
        colour = 40, int(hue), int(255 - hue)  # nobody wears blue
        for x in range(-30, 300, 30):
            index += 1
            walker = Drawn(x, 46 + number, 44, colour, 10 + number)
            given, _ = matte([walker], index, small=False)
            subject.seen(given.frame, "")
            assert not subject(given, settings).alpha.any(), (number, x)
        index += 300
    assert len(subject._people.known) <= MOST + 1
    for later in range(8):
        shown = seen(subject, [ME, OTHER], index + later, settings)
    assert shown == pytest.approx([1, 0], abs=0.05)


@pytest.mark.parametrize("settings", [MAIN, ON_ME])
@pytest.mark.parametrize(
    ("size", "epoch"), [((256, 144), 1), ((256, 192), 0), ((256, 192), 1)], ids=str
)
def test_a_short_interruption_and_another_size_show_the_same_person(settings, size, epoch):
    subject = Subject(0)
    for index in range(5):
        assert seen(subject, [ME, OTHER], index, settings) == pytest.approx([1, 0], abs=0.06)
    larger = OTHER._replace(x=60, wide=70)
    for index in range(5, 10):
        assert seen(subject, [larger], index, settings, size, epoch) == [0]
    people = [larger, ME._replace(x=180)]
    for index in range(10, 15):
        found = seen(subject, people, index, settings, size, epoch)
        assert found == pytest.approx([0, 1], abs=0.06)


@pytest.mark.parametrize(("index", "source"), [(5, "video:other.mp4"), (2000, "")])
def test_another_source_and_a_long_interruption_choose_anew(index, source):
    subject = Subject(0)
    for at in range(5):
        assert seen(subject, [ME, OTHER], at, MAIN) == pytest.approx([1, 0], abs=0.06)
    for later in range(3):  # whoever is largest now
        people = [ME._replace(x=40, wide=30), OTHER._replace(x=150, wide=70)]
        found = seen(subject, people, index + later, MAIN, epoch=1, source=source)
        assert found == pytest.approx([0, 1], abs=0.06)


def test_a_click_on_somebody_who_is_known_again_later_holds():
    """Who comes back in other light is somebody new until the light is as it was."""
    subject = Subject(0)
    picks, point, index = 0, (0.5, 0.5), 0

    def shown(*people):
        nonlocal index
        image, alpha = np.full((72, 128, 3), 90, np.uint8), np.zeros((72, 128), np.float32)
        for (left, top, right), colours, light in people:
            for part, rows in zip(colours, np.array_split(np.arange(top, 72), 3), strict=True):
                image[rows, max(0, left) : max(0, right)] = np.array(part) * light
            alpha[top:, max(0, left) : max(0, right)] = 1
        index += 1
        given = Matte(Frame(image, index, index / 30), alpha, guide=image)
        settings = SubjectSettings(mode="pick", picks=picks, point=point)
        return subject(given, settings).alpha

    mine = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    theirs = (85, 15, 119), ((240, 240, 30), (0, 80, 0), (80, 80, 160)), 1.0
    for _ in range(60):
        shown(((10, 20, 40), mine, 1.0), theirs)
    for left in range(10, -40, -4):
        shown(((left, 20, left + 30), mine, 1.0), theirs)
    for _ in range(60):
        shown(theirs)
    known = set(subject._people.known)
    for step in range(20):
        if step == 6:
            picks, point = 1, (25 / 128, 0.6)
        alpha = shown(((10, 20, 40), mine, 0.5 if step < 8 else 1.0), theirs)
        if step == 6:
            assert not subject._chosen & known  # somebody new
        if step >= 6:
            assert alpha[30:, 15:35].min() == 1
            assert not alpha[:, 80:].any()
    assert subject._chosen <= known


def test_a_person_in_two_parts_of_whom_one_touches_a_third_part():
    """Frames that once left a part of the picture to nobody."""
    subject = Subject(0)
    spots = [
        [(10, 30, 0, 16), (45, 55, 0, 10)],
        [(10, 30, 0, 16), (45, 55, 0, 10)],
        [(10, 30, 0, 16), (10, 47, 0, 6), (49, 56, 0, 18)],
    ]
    for index, found in enumerate(spots):
        alpha = np.zeros((72, 128), np.float32)
        for top, bottom, left, right in found:
            alpha[top:bottom, left:right] = 1
        image = np.where(alpha[..., None] > 0, (40, 60, 200), 90).astype(np.uint8)
        given = Matte(Frame(image, index, index / 30), alpha, guide=image)
        shown = subject(given, MAIN).alpha
    assert shown[20:28, 2:14].min() == 1


@pytest.mark.parametrize(("side", "level"), [(11, 1.0), (40, 0.39)])
def test_what_is_too_small_or_too_faint_for_a_person_is_not_shown_far_from_one(side, level):
    subject = Subject(0)
    given, (own,) = matte([ME._replace(x=180)], 0, small=False)
    for index in range(4):
        alpha = given.alpha.copy()
        alpha[20 : 20 + side, 10 : 10 + side] = level
        frame = Frame(given.frame.image, index, index / 30)
        shown = subject(Matte(frame, alpha), MAIN).alpha
        assert not shown[:, :60].any()
        assert (shown * own).sum() > 0.99 * own.sum()


def test_erase_shows_nobody():
    settings = load(flags={"subject.mode": "main", "background.current": "erase"})
    maker = Compositor(settings, Stats(), wait=True)
    given, parts = matte([ME, OTHER], small=False)
    image = maker.compose(given, settings).image
    maker.close()
    for part in parts:
        there = part > 0.99
        changed = np.abs(image[there].astype(int) - given.frame.image[there]).mean()
        assert changed > 30
