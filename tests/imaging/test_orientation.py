"""Pictures are turned upright as Pillow would, and as videos say."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from realtime_bg.imaging.orientation import of_rotation, upright

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_turns_as_exif_says(orientation):
    stored = Image.fromarray(PICTURE)
    stored.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored))
    turned = upright(PICTURE, orientation)
    np.testing.assert_array_equal(turned, expected)
    assert turned.flags.c_contiguous


def test_a_number_that_exif_does_not_know_turns_nothing():
    np.testing.assert_array_equal(upright(PICTURE, 99), PICTURE)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 360])
def test_a_rotation_is_counter_clockwise(degrees):
    turned = upright(PICTURE, of_rotation(degrees))
    np.testing.assert_array_equal(turned, np.rot90(PICTURE, degrees // 90))
