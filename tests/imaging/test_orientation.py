"""Pictures are turned upright as Pillow would, and as videos say."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from realtime_bg.imaging.orientation import UPRIGHT, of_matrix, upright

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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_display_matrix_says_where_x_and_y_go(orientation):
    """The corners of a picture lie where the matrix, moved back into view, puts them."""
    corners = np.array([[1, 2], [3, 4]], np.uint8)  # at (0, 0), (1, 0), (0, 1), (1, 1)
    found = []
    for a, b, c, d in np.ndindex(3, 3, 3, 3):
        a, b, c, d = a - 1, b - 1, c - 1, d - 1  # noqa: PLW2901
        if abs(a * d - b * c) != 1 or abs(a) + abs(b) != 1 or abs(c) + abs(d) != 1:
            continue
        at = np.array([(a * x + c * y, b * x + d * y) for y in (0, 1) for x in (0, 1)])
        shown = np.zeros((2, 2), np.uint8)
        for (x, y), value in zip(at - at.min(axis=0), corners.flat, strict=True):
            shown[y, x] = value
        if np.array_equal(shown, upright(corners, orientation)):
            found.append((a, b, c, d))
    assert len(found) == 1
    assert of_matrix(*found[0]) == orientation


def test_other_angles_count_as_the_nearest_quarter_turn():
    assert of_matrix(0.99, 0.1, -0.1, 0.99) == UPRIGHT
    assert of_matrix(0.1, 0.99, -0.99, 0.1) == 6
