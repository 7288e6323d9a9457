"""Finds the person as what differs from a picture of the empty room, the clean plate.

Horprasert, Harwood, Davis, "A statistical approach for real-time robust background subtraction and
shadow detection", ICCV FRAME-RATE 1999: the difference between a pixel I and its plate E is split
into a brightness ratio and the remaining chromaticity distortion; a shadow keeps the chromaticity.
"""

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.classical._shared import SmallEngine, disk, filled, pieces
from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.exposure import exposure
from realtime_bg.media.pictures import read_picture
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats
from realtime_bg.system.files import whole

log = logging.getLogger(__name__)

COUNTDOWN = 3.0  # seconds to step out of view
FRAMES = 15  # the plate is the median of this many frames
EDGE = 0.2  # steepness of a contour as a fraction of its step per pixel; shadows are softer


class Plate(SmallEngine):
    """Compares each frame with the plate after compensating for exposure and white balance. Without
    a plate nobody is found, and only the background is shown."""

    description = (
        "no weights: difference from a picture of the empty room (key p); for a fixed camera"
    )
    LONG_SIDE = 320
    waits = False  # its countdown and its plate also need frames in which nothing moves
    least_scale = 1.0  # reopening would lose the plate
    _taken: list[Image] | None = None  # frames for a new plate; None while none is being taken
    _due: float | None = None  # when the first of them is due
    _said = 0  # seconds of the countdown that were last announced

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self._plate: NDArray[np.float32] | None = None
        path = settings.plate.file
        if path is not None and path.exists():
            self._plate = self._prepared(load(path))
        if self._plate is None:
            log.warning(
                "no clean plate yet: press p and leave the picture; "
                "until then only the background is shown"
            )

    def reset(self) -> None:
        # The plate was taken by the user and is not history: it survives the restart of a clip.
        super().reset()
        if self._taken is not None:
            # somebody may have passed close by on the way out: restart the countdown
            self.take_plate()

    def take_plate(self) -> None:
        self._taken, self._due, self._said = [], None, 0

    def solve(self, small: Image, time: float) -> Alpha | None:
        if self._taken is not None:
            self._count_down(small, time, self._taken)
        if self._plate is None:
            return None
        current = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)
        room = None if self.alpha is None else self.alpha < 0.1
        plate = self._plate * exposure(current, self._plate, room)
        evidence = self._difference(current, plate)
        # The edge is half way up to the level inside; a fixed level would lie outside the edge.
        level = np.clip(0.4 * cv2.dilate(evidence, disk(1)), 1, 3)
        mask = np.asarray(evidence > level, np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk(1))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk(2))
        mask = filled(pieces(mask, np.ones(mask.shape, np.float32), 0.15), 0.02)
        return self.softened(mask, small)

    def _count_down(self, small: Image, time: float, taken: list[Image]) -> None:
        if self._due is None:
            self._due = time + COUNTDOWN
        left = int(np.ceil(self._due - time - 1e-6))
        if left > 0:
            if left != self._said:
                self.stats.notice(f"clean plate in {left}")
            self._said = left
            return
        taken.append(small)
        if len(taken) == FRAMES:
            self._taken = None
            plate = np.median(np.stack(taken), axis=0).astype(np.uint8)
            self._plate, self.alpha = self._prepared(plate), None
            self.stats.notice("clean plate taken")
            if self.settings.plate.file is not None:
                save(plate, self.settings.plate.file, self.stats)

    def _prepared(self, plate: Image) -> NDArray[np.float32]:
        plate = cv2.resize(plate, self.work_size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(plate, (3, 3), 0), np.float32)

    def _difference(self, current: NDArray[np.float32], plate: NDArray[np.float32]) -> Alpha:
        """The difference of each pixel from the plate, ``float32 (h, w)``; above 1 it is person."""
        tolerance = self.settings.plate.tolerance
        ones = np.ones((1, 3), np.float32)
        dot = cv2.transform(current * plate, ones)
        power = cv2.transform(plate * plate, ones) + 1
        ratio = dot / power
        # |I - r E|^2 = |I|^2 - r I.E
        rest = cv2.transform(current * current, ones) - ratio * dot
        colour = np.sqrt(np.maximum(rest, 0))
        light = np.abs(ratio - 1) * np.sqrt(power / 3)
        # Darker with the same chromaticity is a shadow, if its contour is soft.
        shadow = (ratio < 1) & (ratio > self.settings.plate.shadow) & (colour < tolerance)
        light[shadow & ~self._sharp(ratio)] = 0
        return np.asarray(np.maximum(colour / tolerance, light / (1.5 * tolerance)), np.float32)

    def _sharp(self, ratio: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Darker regions whose contour is mostly steep: they are cloth, not shadow."""
        dark = np.asarray(ratio < 0.93, np.uint8)
        across, down = (cv2.Sobel(ratio, -1, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        slope = cv2.dilate(cv2.magnitude(across, down), disk(1))
        rim = dark - cv2.erode(dark, disk(1), borderValue=1)
        steep = slope > EDGE * (1 - cv2.erode(ratio, disk(3)))
        count, labels = cv2.connectedComponents(dark)
        share = np.bincount(labels.ravel(), (rim & steep).ravel(), count)
        sharp = share > 0.5 * np.bincount(labels.ravel(), rim.ravel(), count)
        sharp[0] = False
        return np.asarray(sharp[labels], np.bool_)


def load(path: Path) -> Image:
    """Load a plate from a file, BGR ``uint8 (h, w, 3)``. Raises EngineError."""
    try:
        plate = read_picture(path)
    except (OSError, cv2.error):
        plate = None
    if plate is None:
        raise EngineError(
            f"{path}: not a picture; delete it, or set engine.plate.file to another file"
        )
    return np.asarray(plate, np.uint8)


def save(plate: Image, path: Path, stats: Stats) -> None:
    """Write a plate as PNG, whole or not at all. A failure is reported and has no other effect."""
    try:
        with whole(path) as partial:
            partial.write_bytes(cv2.imencode(".png", plate)[1].tobytes())
    except OSError as error:
        log.warning("%s: %s; the clean plate is not saved", path, error.strerror or error)
        stats.notice("the clean plate could not be saved")
