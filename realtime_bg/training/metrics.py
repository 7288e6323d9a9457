"""Matting metrics: the error of an alpha against the ground truth.

Every function takes alphas ``float32 (H, W)`` in [0, 1] and returns one number. MAD, MSE, Grad,
Conn and dtSSD are scaled as in the evaluation of Robust Video Matting (Lin et al. 2021, arXiv
2108.11515); Grad and Conn are those of Rhemann et al. 2009 (CVPR, "A Perceptually Motivated Online
Benchmark for Image Matting"). Those two are sums over pixels: they grow with the image and may only
be compared at one size (published values: 512x288).
"""

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha

SIGMA = 1.4  # of Grad's Gaussian derivative, in pixels
CUT = 1e-2  # Grad's kernel ends where the Gaussian falls below this
LEVELS = 10  # Conn's thresholds are 1/10, 2/10, ..., 1
THETA = 0.15  # Conn ignores differences from the connected level below this
MIDDLE = 0.5  # alpha from which a pixel counts as person
THIN = 0.25  # largest width of a thin part, in square roots of the person's area
LEAST_THIN = 0.01  # of the person's area; less is the rounding of corners
NOBODY = 0.05  # true alpha below which nobody is there
JUMP = 0.2  # change of an alpha that is seen
TOLERANCE = 0.0075  # of boundary F, as a fraction of the image's diagonal


def mad(alpha: Alpha, truth: Alpha) -> float:
    """Return the mean absolute difference x 1e3; 0 is perfect, 1000 the worst."""
    return float(np.abs(alpha - truth).mean(dtype=np.float64)) * 1e3


def mse(alpha: Alpha, truth: Alpha) -> float:
    """Return the mean squared error x 1e3; 0 is perfect, 1000 the worst."""
    return float(np.square(alpha - truth).mean(dtype=np.float64)) * 1e3


def grad(alpha: Alpha, truth: Alpha) -> float:
    """Return the sum of squared differences of the gradient magnitudes / 1000; 0 is perfect.

    Gradients are Gaussian derivatives, after each alpha has been stretched to [0, 1].
    """
    return float(np.square(_magnitude(alpha) - _magnitude(truth)).sum(dtype=np.float64)) / 1e3


def _magnitude(alpha: Alpha) -> Alpha:
    """Return the magnitude of the gradient, ``float32 (H, W)``."""
    kernel = _derivative()
    # A constant alpha becomes all zeros, and so has no gradient.
    stretched = cv2.normalize(alpha, None, 1.0, 0.0, cv2.NORM_MINMAX)
    x = cv2.filter2D(stretched, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    y = cv2.filter2D(stretched, -1, kernel.T, borderType=cv2.BORDER_REPLICATE)
    return cv2.magnitude(x, y)


@cache
def _derivative() -> NDArray[np.float64]:
    """Return a kernel of Euclidean norm 1: a Gaussian along y, its derivative along x."""
    half = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * CUT)))
    at = np.arange(-half, half + 1)
    bell = np.exp(-(at**2) / (2 * SIGMA**2)) / (SIGMA * math.sqrt(2 * math.pi))
    kernel = np.outer(bell, -at * bell / SIGMA**2)
    return kernel / np.linalg.norm(kernel)


def conn(alpha: Alpha, truth: Alpha) -> float:
    """Return the connectivity error / 1000; 0 is perfect.

    A pixel's level is the highest threshold up to which it belongs, at every threshold, to the
    largest 4-connected region where both alphas reach the threshold. The part of an alpha above its
    level (if it is at least THETA) is disconnected; the error is the sum of the differences between
    the two alphas' disconnected parts.
    """
    steps = np.arange(LEVELS + 1, dtype=np.float32) / LEVELS
    both = np.minimum(alpha, truth)
    level = np.zeros(alpha.shape, np.float32)
    connected = np.ones(alpha.shape, bool)
    for step in steps[1:]:
        connected &= _largest_region(both >= step)
        level[connected] = step
    over, true_over = alpha - level, truth - level
    over[over < THETA] = 0
    true_over[true_over < THETA] = 0
    return float(np.abs(over - true_over).sum(dtype=np.float64)) / 1e3


def _largest_region(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest 4-connected region of ``bool (H, W)``, the first one in a tie; empty if
    there is none."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    if count == 1:
        return mask
    largest: NDArray[np.bool_] = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    return largest


def dtssd(alpha: Alpha, before: Alpha, truth: Alpha, truth_before: Alpha) -> float:
    """Return the flicker between two consecutive frames x 100; 0 is perfect.

    It is the root mean square difference between the change of the alpha (``alpha - before``) and
    the change of the ground truth (Erofeev et al. 2015, BMVC, "Perceptually Motivated Benchmark for
    Video Matting").
    """
    off = (alpha - before) - (truth - truth_before)
    return math.sqrt(float(np.square(off).mean(dtype=np.float64))) * 100


def iou(alpha: Alpha, truth: Alpha) -> float:
    """Return the intersection over union of the pixels of at least 0.5; 1 is perfect, also if both
    are empty."""
    ours, theirs = alpha >= MIDDLE, truth >= MIDDLE
    union = np.count_nonzero(ours | theirs)
    return float(np.count_nonzero(ours & theirs) / union) if union else 1.0


def boundary_f(alpha: Alpha, truth: Alpha) -> float:
    """Return the F-measure of the outlines at alpha 0.5, in [0, 1]; 1 is perfect, also if both have
    none.

    Precision is the fraction of the alpha's outline that lies within the tolerance of the ground
    truth's outline, recall the reverse. As in DAVIS (Perazzi et al. 2016, CVPR) the tolerance is a
    fraction of the image's diagonal, 0.0075, rounded up to whole pixels: 3 pixels at 320x180, 12 at
    1280x720.
    """
    ours, theirs = _outline(alpha >= MIDDLE), _outline(truth >= MIDDLE)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    reach = math.ceil(TOLERANCE * math.hypot(*alpha.shape))
    precision = float((_distance(theirs)[ours] <= reach).mean())
    recall = float((_distance(ours)[theirs] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of ``bool (H, W)`` that differ from their right, lower or lower right
    neighbour."""
    near = cv2.copyMakeBorder(mask.view(np.uint8), 0, 1, 0, 1, cv2.BORDER_REPLICATE).view(bool)
    return (mask != near[:-1, 1:]) | (mask != near[1:, :-1]) | (mask != near[1:, 1:])


def _distance(outline: NDArray[np.bool_]) -> Alpha:
    """Return every pixel's distance to the outline, in pixels."""
    apart = (~outline).view(np.uint8)
    return cv2.distanceTransform(apart, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def thin_found(alpha: Alpha, truth: Alpha) -> float:
    """Return which fraction of a person's thin parts (arms, hands, legs) has an alpha of at least
    0.5; NaN if there are none.

    Thin is what an opening with a disc removes whose diameter is a quarter of the square root of
    the person's area: an arm is thinner than that, a chest is not.
    """
    person = (truth >= MIDDLE).astype(np.uint8)
    side = max(3, round(THIN * math.sqrt(np.count_nonzero(person))) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    framed = cv2.copyMakeBorder(person, side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, disc)[side:-side, side:-side]
    thin = cv2.morphologyEx(person - opened, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    if thin.sum() < max(1.0, LEAST_THIN * float(person.sum())):
        return math.nan
    return float((alpha[thin] >= MIDDLE).mean())


def false_person(alpha: Alpha, truth: Alpha) -> float:
    """Return which fraction of the picture has an alpha of at least 0.5 and is not a person at all
    (a true alpha below 0.05), in percent."""
    return float(((alpha >= MIDDLE) & (truth < NOBODY)).mean()) * 100


def jumping(alpha: Alpha, before: Alpha, truth: Alpha, truth_before: Alpha) -> float:
    """Return how many of a million pixels change by more than 0.2 from one frame to the next where
    the ground truth does not change."""
    still = np.abs(truth - truth_before) < NOBODY
    jumps = float((still & (np.abs(alpha - before) > JUMP)).sum())
    return 1e6 * jumps / max(1.0, float(still.sum()))


# The metrics of a single image, in the order of tables; dtSSD and jumping need two frames.
PICTURE_METRICS = {
    "iou": iou,
    "mad": mad,
    "mse": mse,
    "grad": grad,
    "conn": conn,
    "boundary_f": boundary_f,
    "thin": thin_found,
    "false": false_person,
}
CLIP_METRICS = {"dtssd": dtssd, "jumping": jumping}


def measure(alpha: Alpha, truth: Alpha) -> dict[str, float]:
    """Return all metrics of one image by name. Raises ValueError for alphas of different shapes."""
    if alpha.shape != truth.shape:
        raise ValueError(f"alpha {alpha.shape} and truth {truth.shape} differ in shape")
    return {name: metric(alpha, truth) for name, metric in PICTURE_METRICS.items()}
