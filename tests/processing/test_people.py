"""Telling people apart: looks, regions, and who is in front."""

import cv2
import numpy as np
import pytest
from helpers.drawn import Drawn, matte, scene

from realtime_bg.frames import Frame, Matte, check_matte
from realtime_bg.imaging.flow import Flow, carried
from realtime_bg.processing.looks import likeness, looks
from realtime_bg.processing.memory import LIKE, Memory
from realtime_bg.processing.people import People
from realtime_bg.processing.regions import matched, owners

BLUE, RED = (200, 90, 50), (50, 60, 200)


def seen(person, light=1.0):
    image, masks = scene((person,))
    return looks(cv2.convertScaleAbs(image, alpha=light), masks[0] > 0.5)


def test_looks_are_known_again_in_another_light_and_place_but_not_in_other_clothes():
    me = seen(Drawn(110, 40, 56, BLUE, 1))
    assert likeness(seen(Drawn(60, 50, 50, BLUE, 1), 0.88), me) > LIKE
    assert likeness(seen(Drawn(60, 50, 50, BLUE, 1), 1.12), me) > LIKE
    assert likeness(seen(Drawn(110, 40, 56, RED, 1)), me) < LIKE / 2


def test_the_same_colours_at_other_heights_are_other_looks():
    picture = np.zeros((60, 20, 3), np.uint8)
    picture[:30], picture[30:] = BLUE, RED
    mask = np.ones((60, 20), np.bool_)
    turned = looks(np.ascontiguousarray(picture[::-1]), mask)
    assert likeness(looks(picture, mask), looks(picture, mask)) == pytest.approx(1, abs=0.01)
    assert likeness(turned, looks(picture, mask)) < 0.6


def test_numbers_of_an_engine_are_matched_to_known_people_one_to_one():
    expected = np.zeros((10, 30), np.uint8)
    expected[:, 2:10], expected[:, 10:18] = 1, 2
    given = np.zeros_like(expected)
    given[:, 3:11], given[:, 11:19], given[:, 24:28] = 7, 4, 9
    assert matched(given, expected) == {7: 1, 4: 2}
    assert matched(np.zeros_like(given), expected) == {}


def test_owners_are_the_nearest():
    labels = np.zeros((3, 9), np.uint8)
    labels[1, 1], labels[1, 7] = 3, 5
    assert owners(labels)[1].tolist()[:4] == [3, 3, 3, 3]
    assert owners(labels)[1].tolist()[5:] == [5, 5, 5, 5]


@pytest.mark.parametrize("front", [0, 1])
def test_who_is_in_front_is_seen_whatever_their_size(front):
    """A narrow person and a wide one meet, and either may be in front."""
    narrow, people = 36.0, People()
    for index, x in enumerate([*np.linspace(40, 118, 45), *[118.0] * 10]):
        pair = [Drawn(x, 44, narrow, RED, 2), Drawn(130, 36, 70, BLUE, 1)]
        order = pair if front else pair[::-1]
        given, masks = matte(order, index)
        labels = people.follow(given.frame, given.alpha, given.guide)
    small = [cv2.resize(one, labels.shape[::-1], interpolation=cv2.INTER_AREA) for one in masks]
    numbers = [np.bincount(labels[one > 0.9]).argmax() for one in small]
    assert numbers[0] != numbers[1]
    for one, number in zip(small, numbers, strict=True):
        assert (labels[one > 0.9] == number).mean() > 0.95


def test_the_people_of_a_matte_are_moved_with_it_and_checked():
    given, masks = matte([Drawn(110, 40, 56, BLUE, 1)], small=False)
    people = (masks[0] > 0.5).astype(np.uint8) * 7
    told = Matte(given.frame, given.alpha, guide=given.frame.image, people=people)
    later, _ = matte([Drawn(116, 40, 56, BLUE, 1)], 1, small=False)
    result = check_matte(carried(told, later.frame, Flow()))
    assert set(np.unique(result.people)) == {0, 7}
    assert ((result.people > 0) == (result.alpha > 0.5)).mean() > 0.98
    wrong = Matte(Frame(given.frame.image, 0, 0.0), given.alpha, people=people[:-1])
    with pytest.raises(ValueError, match="people: expected uint8"):
        check_matte(wrong)


def test_who_is_joined_twice_in_a_frame_is_followed():
    memory = Memory()
    memory.known = dict.fromkeys((1, 2, 3, 4))
    memory.join(3, 2)
    memory.join(2, 1)
    assert memory.became == {3: 1, 2: 1}
    assert memory.known.keys() == {1, 4}


@pytest.mark.parametrize("torn", [False, True])
def test_who_comes_in_quickly_from_below_is_one_person(torn):
    """As somebody who walks past a camera of 10 frames a second. ``torn``: the engine misses their
    middle at first, so that they appear in two parts."""
    people, numbers = People(), []
    for index, top in enumerate([130, 100, 64, 50, 44, 42, 40, 40, 40]):
        given, _ = matte([Drawn(128, top, 70, BLUE, 1)], index, fps=10)
        if torn and index < 2:
            given.alpha[:, 60:68] = 0
        labels = people.follow(given.frame, given.alpha, given.guide)
        numbers.append(set(np.unique(labels).tolist()) - {0})
    assert numbers[3:] == [{1}] * 6


def test_a_speck_of_somebody_who_touches_another_costs_them_nothing():
    people = People()
    for index, x in enumerate([*np.linspace(20, 96, 40), *[96.0] * 20]):
        pair = [Drawn(150, 40, 60, BLUE, 1), Drawn(x, 44, 60, RED, 2)]
        given, masks = matte(pair, index)
        if index >= 40:
            given.alpha[48:56, 30:40] = 0
            given.alpha[50:54, 33:36] = 1  # theirs, but not connected to them
        labels = people.follow(given.frame, given.alpha, given.guide)
    small = [cv2.resize(one, labels.shape[::-1], interpolation=cv2.INTER_AREA) for one in masks]
    for one in small:
        theirs = labels[(one > 0.9) & (labels > 0)]
        assert (theirs == np.bincount(theirs).argmax()).mean() > 0.95
    assert all(one.mask.sum() > 1000 for one in people.known.values())


def shares(people, given, masks):
    """For each person, the number that most of them have, and how much of them has it."""
    labels = people.follow(given.frame, given.alpha, given.guide)
    found = []
    for one in masks:
        own = labels[cv2.resize(one, labels.shape[::-1], interpolation=cv2.INTER_AREA) > 0.9]
        number = int(np.bincount(own).argmax())
        found.append((number, float((own == number).mean())))
    return found


def test_people_who_touched_from_the_first_frame_on_are_two_once_they_part():
    people = People()
    for index in range(180):
        x = 140 + min(80, max(0, index - 90))
        pair = [Drawn(90, 50, 56, BLUE, 1), Drawn(x, 56, 50, RED, 2)]
        (first, _), (second, _) = shares(people, *matte(pair, index))
        assert (first == second) is (index < 90) or 90 <= index < 130
    assert first != second


def test_people_who_touch_soon_after_the_first_frame_stay_two():
    people = People()
    for index in range(40):
        x = 170 - max(0, min(34, 4 * (index - 15)))
        pair = [Drawn(70, 104, 40, BLUE, 1), Drawn(x, 106, 38, RED, 2)]
        (first, _), (second, _) = shares(people, *matte(pair, index))
        assert first != second


@pytest.mark.parametrize("gap", [0.0, 5.0])
def test_who_is_most_alike_has_come_back(gap):
    """Although somebody larger, whose colours are nearly the same, is there too."""
    people = People()
    for index in range(10):
        ((mine, _),) = shares(people, *matte([Drawn(80, 50, 40, BLUE, 1)], index))
    alike = Drawn(200, 30, 76, (190, 96, 58), 1)
    for index in range(10, 14):
        given, masks = matte([Drawn(80, 50, 40, BLUE, 1), alike], index, epoch=int(gap == 0))
        later = Frame(given.frame.image, index, index / 30 + gap, given.frame.epoch)
        (first, _), (second, _) = shares(
            people, Matte(later, given.alpha, guide=given.guide), masks
        )
        assert first == mine != second
