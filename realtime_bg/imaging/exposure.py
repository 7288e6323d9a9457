"""Estimating changes of the camera's exposure and white balance between two pictures of a room."""

import numpy as np
from numpy.typing import NDArray

GAIN = 2.5  # largest gain of a channel; beyond it, the pictures show different rooms
FEWEST = 20  # pixels needed to measure a gain


def exposure(
    current: NDArray[np.float32], before: NDArray[np.float32], room: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """The gain per channel, ``float32 (3,)``, that exposure and white balance have caused between
    two pictures of one room, ``float32 (h, w, 3)``. It is the median ratio over well exposed
    pixels, limited to ``room``, ``bool (h, w)``, if that is known."""
    if room is None:
        room = np.ones(current.shape[:2], bool)
    current, before, room = current[::3, ::3], before[::3, ::3], room[::3, ::3]
    lit = (before.min(2) > 15) & (before.max(2) < 245) & (current.max(2) < 250) & room
    if lit.sum() < FEWEST:
        return np.ones(3, np.float32)
    ratios = (current[lit] + 2) / (before[lit] + 2)
    gain = np.median(ratios, axis=0)
    # Repeat with the pixels that agree, which excludes people and shadows.
    near = np.abs(ratios / gain - 1).max(1) < 0.12
    if near.sum() >= FEWEST:
        gain = np.median(ratios[near], axis=0)
    return np.asarray(np.clip(gain, 1 / GAIN, GAIN), np.float32)
