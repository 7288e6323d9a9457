"""The person's own colour at the edge, where an engine says alpha alone."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.foreground import estimate_foreground
from realtime_bg.processing.refine import refine
from realtime_bg.settings import RefineSettings
from realtime_bg.sources import _demo_person

SIZE = 640, 360
ROOMS = {"green": (60, 200, 60), "white": (250, 250, 250), "black": (5, 5, 5)}


def scene(figure, room):
    """The figure before a plain room: picture, true foreground, true alpha."""
    alpha, person = np.zeros(SIZE[::-1], np.float32), np.zeros((*SIZE[::-1], 3), np.uint8)
    height, width = figure.alpha.shape
    place = slice(SIZE[1] - height, None), slice(100, 100 + width)
    alpha[place], person[place] = figure.alpha, figure.image
    behind = np.full_like(person, room)
    return cv2.blendLinear(person, behind, alpha, 1 - alpha), person, alpha


def errors(picture, person, alpha, matte, behind=(140, 90, 40)):
    """Root mean squared error along the edge over another background, with and without."""
    edge = cv2.dilate(alpha, np.ones((7, 7))) - cv2.erode(alpha, np.ones((7, 7))) > 0.05
    new = np.full_like(picture, behind)

    def over(colour, share):
        return cv2.blendLinear(colour, new, share, 1 - share).astype(float)

    found = []
    for switch in (True, False):
        refined = refine(matte, RefineSettings(decontaminate=switch))
        off = over(refined.foreground, refined.alpha) - over(person, refined.alpha)
        found.append(np.sqrt((off[edge] ** 2).mean()))
    return found


@pytest.mark.parametrize(("full", "share"), [(True, 0.8), (False, 0.85)])
def test_the_rim_of_the_room_goes(full, share):
    found = []
    for room in ROOMS.values():
        picture, person, alpha = scene(_demo_person.portrait(), room)
        frame = Frame(picture, 0, 0.0)
        small, low = (
            cv2.resize(one, (256, 144), interpolation=cv2.INTER_AREA) for one in (picture, alpha)
        )
        matte = Matte(frame, alpha) if full else Matte(frame, low, guide=small)
        found.append(errors(picture, person, alpha, matte))
    mended, raw = np.mean(found, axis=0)
    assert mended < share * raw


def test_sure_pixels_keep_the_cameras_colour(portrait):
    alpha = np.zeros(portrait.size[::-1], np.float32)
    alpha[60:, 100:220] = 1
    colour = estimate_foreground(portrait.image, alpha)
    assert np.abs(colour[alpha == 1].astype(int) - portrait.image[alpha == 1]).max() <= 1
    refined = refine(Matte(portrait, alpha), RefineSettings())
    assert np.array_equal(refined.foreground[70:, 110:210], portrait.image[70:, 110:210])


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (64, 36)])
def test_nobody_and_nothing_but_somebody(value, size):
    picture = np.full((size[1], size[0], 3), 77, np.uint8)
    colour = estimate_foreground(picture, np.full(size[::-1], value, np.float32))
    assert colour.shape == picture.shape
    assert colour.dtype == np.uint8
    if value:
        assert np.array_equal(colour, picture)
