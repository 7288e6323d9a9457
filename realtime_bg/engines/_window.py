"""Where a network looks: at the whole picture, or only at the part with the people in it, which
about the same number of pixels then shows at up to one and a half times the resolution."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.geometry import Pixels, resize
from realtime_bg.runtimes.input_size import STEP, fitting

DENSER = 2.25  # pixels of the map, in network inputs
LESS = 0.95  # pixels of a window's input, in the same, to pay for part of the larger matte
# Aspect ratios of the windows, as factors of the picture's; the inverses are used as well
ASPECTS = 1.0, 0.85, 0.7, 0.6, 0.5, 0.42
SEEN = 0.2  # alpha from which somebody is there
MARGIN = 0.06  # around people when a window is chosen, as a fraction of the picture's height
EDGE = 0.02  # the same, from which the window has to follow them
WORTH = 0.9  # a window may have at most this fraction of the whole picture's sides
LOOSE = 0.85  # a window is replaced by one whose sides are this fraction of its own,
AFTER, SOON = 15, 1  # but only after so many frames; instead of the whole picture after fewer
THUMB = 48, 27  # pixels in which movement is looked for outside of a window
MOVED = 20  # grey levels by which a pixel of these differs when something moves,
FEW = 4  # and how many of them are noise
RECENT = 0.2  # weight of a frame in what it is compared with
AGAIN = 8  # frames between looks at the whole picture while something moves
LONG = 60  # frames after which the whole picture is looked at although nothing moves
SOMEBODY = 0.002  # of the picture outside of a window, with an alpha of one half: somebody is there
CALM = 15  # frames for which the whole picture is then looked at

Array = NDArray[np.float32]
Corners = tuple[int, int, int, int]


class Window(NamedTuple):
    """``shape``: width and height of the network's input. ``box``: left, top, right and bottom of
    what it shows, in pixels of the map."""

    shape: Size
    box: Corners


class Windows:
    """Follows the people of one stream. The map is a reduced picture in which windows lie;
    ``whole`` is the size of the network's input that shows all of it."""

    def __init__(self, whole: Size, picture: Size) -> None:
        """``picture``: width and height of the frames."""
        self.map = fitting(picture, int(DENSER * whole[0] * whole[1]))
        self.whole = Window(whole, (0, 0, *self.map))
        self._scale = self.map[0] / whole[0]  # pixels of the map per pixel of the input
        self._shapes = _shapes(whole)
        self.reset()

    def reset(self) -> None:
        """The next frame continues nothing."""
        self.now = self.whole
        self._before: NDArray[np.float32] | None = None
        self._calm = self._loose = self._rest = self._unseen = 0

    def restless(self, guide: Image) -> bool:
        """Whether the network should look at the whole picture: something moves outside of the
        window in this frame, or nobody has looked there for long, where somebody may have come
        slowly. ``guide``: the reduced frame, BGR ``uint8 (h, w, 3)``."""
        thumb = cv2.resize(guide, THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._before = self._before, thumb
        self._rest = max(0, self._rest - 1)
        self._unseen = 0 if self.now == self.whole else self._unseen + 1
        if before is None:
            return False
        self._before = cv2.addWeighted(thumb, RECENT, before, 1 - RECENT, 0)
        off = np.abs(thumb - before).max(2) > MOVED
        across, down = (cells / side for cells, side in zip(THUMB, self.map, strict=True))
        left, top, right, bottom = self.now.box
        rows = slice(max(0, int(top * down) - 1), int(bottom * down) + 2)
        off[rows, max(0, int(left * across) - 1) : int(right * across) + 2] = False
        moves = not self._rest and np.count_nonzero(off) > FEW
        if not moves and self._unseen < LONG:
            return False
        self._rest, self._unseen = AGAIN, 0
        return True

    def meets(self, alpha: Alpha) -> bool:
        """Whether somebody is outside of the window, by an alpha of the whole picture, ``float32
        (h, w)``. Then the whole picture is looked at for a while."""
        person = alpha > 0.5
        across, down = (side / full for side, full in zip(alpha.shape[::-1], self.map, strict=True))
        left, top, right, bottom = self.now.box
        rows = slice(int(top * down), math.ceil(bottom * down))
        inside = person[rows, int(left * across) : math.ceil(right * across)]
        outside = np.count_nonzero(person) - np.count_nonzero(inside)
        if outside <= SOMEBODY * alpha.size:
            return False
        self.now, self._calm = self.whole, CALM
        return True

    def follow(self, alpha: Alpha) -> None:
        """Choose the window of the next frame by this frame's alpha, ``float32 (h, w)``."""
        self._calm = max(0, self._calm - 1)
        people = self._people(alpha)
        if people is None or self._calm:
            self.now = self.whole
            return
        best = self._best(self._widened(people, MARGIN))
        edge, now = self._widened(people, EDGE), self.now.box
        lost = any(
            inner < outer if side < 2 else inner > outer
            for side, (inner, outer) in enumerate(zip(edge, now, strict=True))
        )
        wide = self.now == self.whole
        loose = best != self.whole if wide else _density(best) > _density(self.now) / LOOSE
        self._loose = self._loose + 1 if loose else 0
        if lost or self._loose > (SOON if wide else AFTER):
            self.now, self._loose = best, 0

    def _people(self, alpha: Alpha) -> tuple[float, float, float, float] | None:
        """The box around everybody in pixels of the map; None if nobody is there."""
        seen = alpha > SEEN
        columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
        if not len(rows):
            return None
        across, down = self.map[0] / alpha.shape[1], self.map[1] / alpha.shape[0]
        return (
            columns[0] * across,
            rows[0] * down,
            (columns[-1] + 1) * across,
            (rows[-1] + 1) * down,
        )

    def _widened(self, box: tuple[float, float, float, float], margin: float) -> Corners:
        """The box with a margin, as a fraction of the map's height, inside the map."""
        around = margin * self.map[1]
        left, top, right, bottom = box
        return (
            max(0, math.floor(left - around)),
            max(0, math.floor(top - around)),
            min(self.map[0], math.ceil(right + around)),
            min(self.map[1], math.ceil(bottom + around)),
        )

    def _best(self, people: Corners) -> Window:
        """The window with the highest resolution that shows all of ``people``."""
        left, top, right, bottom = people
        best, least = self.whole, WORTH * self._scale
        for shape in self._shapes:
            scale = max(1.0, (right - left) / shape[0], (bottom - top) / shape[1])
            width, height = (round(scale * side) for side in shape)
            if scale <= least and width <= self.map[0] and height <= self.map[1]:
                x = min(max(0, (left + right - width) // 2), self.map[0] - width)
                y = min(max(0, (top + bottom - height) // 2), self.map[1] - height)
                best, least = Window(shape, (x, y, x + width, y + height)), scale
        return best


def _shapes(whole: Size) -> list[Size]:
    """Sizes of inputs with `LESS` times the area of ``whole``, of different aspect ratios."""
    factors = {math.sqrt(factor) for factor in (*ASPECTS, *(1 / one for one in ASPECTS))}

    def stepped(side: float) -> int:
        return max(STEP, round(side / STEP) * STEP)

    width, height = (side * math.sqrt(LESS) for side in whole)
    return [(stepped(width * factor), stepped(height / factor)) for factor in sorted(factors)]


def _density(window: Window) -> float:
    """Pixels of the input per pixel of the map, along one side."""
    return window.shape[0] / (window.box[2] - window.box[0])


def moved_state(state: Array, stride: int, before: Window, after: Window) -> Array:
    """A recurrent state, ``float32 (1, C, h, w)`` at a ``stride`` of the input, as if the network
    had looked at another window all the time; beyond the old one it is what it was at its edge."""
    maps = []
    for axis in (0, 1):
        start, end = after.box[axis], after.box[axis + 2]
        first, last = before.box[axis], before.box[axis + 2]
        places = (np.arange(-(-after.shape[axis] // stride)) + 0.5) * stride / after.shape[axis]
        places = (start + places * (end - start) - first) / (last - first)
        maps.append((places * before.shape[axis] / stride - 0.5).astype(np.float32))
    x, y = np.meshgrid(*maps)
    planes = [
        cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for plane in state[0]
    ]
    return np.stack(planes)[None]


def pasted(part: Pixels, window: Window, onto: Pixels) -> Pixels:
    """``onto``, a map, with what a network answered for a window: (h, w) or (h, w, 3)."""
    left, top, right, bottom = window.box
    onto[top:bottom, left:right] = resize(part, (right - left, bottom - top))
    return onto
