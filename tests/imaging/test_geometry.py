"""Bringing pictures to sizes."""

import cv2
import numpy as np
import pytest

from realtime_bg.imaging.geometry import enlarged, even, resize, shrunk


@pytest.mark.parametrize(
    ("small", "size"),
    [
        ((256, 144), (1280, 720)),
        ((256, 144), (1920, 1080)),
        ((224, 168), (640, 480)),
        ((248, 152), (1279, 719)),
        ((7, 5), (31, 17)),
        ((1, 1), (9, 9)),
    ],
)
@pytest.mark.parametrize("share", [(0, 0, 1, 1), (0.3, 0.2, 0.61, 0.77), (0, 0.5, 0.1, 1)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_enlarged_part_is_that_part_of_the_enlarged_whole(small, size, share, channels):
    image = np.random.default_rng(1).normal(0, 50, (small[1], small[0], *channels))
    image = image.astype(np.float32)
    (left, top, right, bottom), (width, height) = share, size
    box = (
        slice(int(top * height), max(1, int(bottom * height))),
        slice(int(left * width), max(1, int(right * width))),
    )
    whole = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(enlarged(image, size, box), whole[box], atol=1e-3)


def test_a_smaller_picture_is_averaged_and_a_larger_one_interpolated():
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::8] = 255  # a bilinear reduction by 8 would see only some of the lines
    np.testing.assert_allclose(resize(fine, (8, 8)), 255 / 8, atol=1)
    step = np.zeros((4, 4), np.float32)
    step[:, 2:] = 1
    large = resize(step, (32, 32))
    assert ((large > 0.05) & (large < 0.95)).any()  # a ramp instead of blocks
    assert resize(step, (4, 4)) is step


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [((64, 36), 0.5, (32, 18)), ((3, 1), 0.1, (1, 1)), ((10, 10), 1.0, (10, 10))],
)
def test_a_shrunk_size_keeps_a_pixel(size, scale, expected):
    assert shrunk(size, scale) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [((65, 37), (64, 36)), ((64, 36), (64, 36)), ((1, 3), (2, 2))]
)
def test_even_sides_lose_a_pixel_at_most(size, expected):
    assert even(size) == expected
