"""Bringing pictures to sizes."""

import cv2
import numpy as np
import pytest

from realtime_bg.imaging.geometry import enlarged


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
