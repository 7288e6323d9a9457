"""Filling in the area behind a person from its surroundings."""

import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image
from realtime_bg.imaging.geometry import resize


def fill(image: Image, weight: Alpha) -> Image:
    """``image`` with its pixels of low ``weight`` replaced by a smooth surface from their
    surroundings.

    Push-pull (Gortler et al., The Lumigraph, 1996): halve the weighted picture until every pixel
    has a colour, then go back up and fill the gaps from the coarser level.
    """
    known: list[tuple[NDArray[np.float32], Alpha]] = [(image * weight[..., None], weight)]
    while max(known[-1][1].shape) > 1:
        colour, share = known[-1]
        half = (max(1, share.shape[1] // 2), max(1, share.shape[0] // 2))
        # A patch that is half known counts as known: nearby colours are better than a wide average.
        colour, share = resize(colour, half), resize(share, half)
        gain = np.minimum(2.0, 1.0 / np.maximum(share, 1e-6)).astype(np.float32)
        known.append((colour * gain[..., None], share * gain))
    colour, share = known.pop()
    result: NDArray[np.float32] = (colour / np.maximum(share, 1e-6)[..., None]).astype(np.float32)
    while known:
        colour, share = known.pop()
        coarse = resize(result, (share.shape[1], share.shape[0]))
        result = colour + coarse * (1.0 - share)[..., None]
    return np.clip(result, 0, 255).astype(np.uint8)
