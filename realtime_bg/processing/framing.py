"""Which part of the camera's picture is shown: it follows head and shoulders as a calm camera
operator would, or stays where the user has put it."""

import math
from dataclasses import replace
from typing import NamedTuple

from realtime_bg.frames import Alpha, Frame, Matte, Size
from realtime_bg.imaging.crops import WHOLE, Crop, cropped
from realtime_bg.imaging.geometry import even
from realtime_bg.processing.busts import busts
from realtime_bg.processing.face_watch import FaceWatch
from realtime_bg.settings import FrameSettings

PORTRAIT = 9, 16
ZONE = 0.08  # of the shown part: as far as a person may move in it before it follows
ZOOM_ZONE = 0.16  # by how much the logarithm of the zoom may be off
HOLD = 1.0  # seconds without anybody after which the whole picture is shown again
NOTICED = 0.5  # seconds in which a change of the person's place counts
RESTED = 0.25  # of these zones: as near as the part comes before it rests
THERE = 3e-4  # of the picture, a fraction of a pixel: as good as reached
PAN, ZOOM = 0.5, 0.7  # seconds that a pan and a zoom take, about
SPEED = 0.25  # of the picture's width and height per second, the fastest
GATHER = 0.4  # of the same per second squared, by which a movement becomes faster
STEP = 0.0099  # of the picture's width and height in one frame, the most
LONGEST = 0.1  # seconds between two frames that count


class View(NamedTuple):
    """A part of the picture: its middle in fractions of the picture, and the negative logarithm of
    the zoom; 0 is the largest part that has the shape of the output."""

    x: float
    y: float
    reach: float


def output_size(size: Size, settings: FrameSettings) -> Size:
    """The size of the output for frames of ``size``: the same, or the largest upright one that
    fits into it."""
    if settings.mode == "off" or not settings.portrait:
        return size
    scale = min(size[0] / PORTRAIT[0], size[1] / PORTRAIT[1])
    return even((round(PORTRAIT[0] * scale), round(PORTRAIT[1] * scale)))


class Framing:
    """Remembers what it shows. A jump happens only where the picture itself jumps, with a new
    epoch; everything else is eased, and as long as the person stays near where they were, nothing
    moves."""

    def __init__(self, wait: bool = False) -> None:
        """``wait``: see `FaceWatch`."""
        self._faces = FaceWatch(wait)
        self._last: Frame | None = None
        self._shape = 1.0, 1.0  # width and height of the largest part, in fractions
        self._at = self._goal = self._seen = View(0.5, 0.5, 0.0)
        self._speed = (0.0, 0.0, 0.0)
        self._resting = True  # whether the goal stays as long as the person is in the zone
        self._absent = 0.0  # seconds without anybody

    def __call__(self, frame: Frame, alpha: Alpha | None, settings: FrameSettings) -> Crop:
        """The part of ``frame`` to be shown. ``alpha``: who is in it, ``float32 (h, w)``; None if
        nobody knows."""
        last, self._last = self._last, frame
        self._follow_shape(output_size(frame.size, settings), frame.size)
        cut = last is not None and not frame.same_view(last)
        step = 0.0 if last is None else min(LONGEST, max(0.0, frame.time - last.time))
        if settings.mode == "fixed":
            self._goal = self._inside(View(settings.x, settings.y, -math.log(settings.zoom)))
            self._seen, self._resting = self._goal, True
        else:
            self._watch(self._wanted(frame, alpha, settings), step, cut)
        if cut:
            self._at, self._speed = self._goal, (0.0, 0.0, 0.0)
        elif self._at != self._goal:
            self._move(step)
        return self._crop(self._at)

    def _follow_shape(self, size: Size, of: Size) -> None:
        shape = size[0] / of[0], size[1] / of[1]
        largest = max(shape)
        shape = shape[0] / largest, shape[1] / largest
        if shape != self._shape:  # another shape is another picture
            self._shape = shape
            self._at = self._goal = self._inside(self._at)

    def _wanted(self, frame: Frame, alpha: Alpha | None, settings: FrameSettings) -> View | None:
        """The part that shows as many people as fit, the largest ones first."""
        found = [] if alpha is None else busts(alpha, frame.size, self._faces(frame))
        if not found:
            return None
        wide, high = self._shape
        box = found[0]
        for other in found[1:]:
            joined = box.joined(other)
            if joined.right - joined.left <= wide and joined.bottom - joined.top <= high:
                box = joined
        needed = max((box.right - box.left) / wide, (box.bottom - box.top) / high)
        reach = math.log(min(1.0, max(needed, 1 / settings.zoom)))
        return self._inside(View((box.left + box.right) / 2, (box.top + box.bottom) / 2, reach))

    def _watch(self, wanted: View | None, step: float, cut: bool) -> None:
        """Set a new goal if the person has left the zone in which nothing moves."""
        self._absent = 0.0 if wanted is not None else self._absent + step
        whole = self._inside(View(0.5, 0.5, 0.0))
        if cut:
            self._goal = self._seen = wanted or whole
            self._resting = True
            return
        if wanted is None and self._absent < HOLD:
            return
        share = 1 - math.exp(-step / NOTICED)
        pairs = zip(self._seen, wanted or whole, strict=True)
        self._seen = View(*(old + share * (new - old) for old, new in pairs))
        if self._resting and self._off(self._goal) <= 1:
            return
        self._goal = self._inside(self._seen)
        self._resting = self._off(self._at) < RESTED
        if self._resting and wanted is None:
            self._goal = whole

    def _off(self, view: View) -> float:
        """How far the person is from the middle of ``view``; up to 1 is in the zone."""
        part = math.exp(view.reach)
        return max(
            abs(self._seen.x - view.x) / (ZONE * part * self._shape[0]),
            abs(self._seen.y - view.y) / (ZONE * part * self._shape[1]),
            abs(self._seen.reach - view.reach) / ZOOM_ZONE,
        )

    def _move(self, step: float) -> None:
        """Move towards the goal as a critically damped spring, which gathers speed gently."""
        at, speed = [], []
        for place, goal, before, seconds in zip(
            self._at, self._goal, self._speed, (PAN, PAN, ZOOM), strict=True
        ):
            rate = 2 / seconds
            away = place - goal
            pull = before + rate * away
            now = (before - rate * pull * step) * math.exp(-rate * step)
            fastest = min(SPEED, abs(before) + GATHER * step)
            if abs(now) > fastest:
                now = math.copysign(fastest, now)
                new = place + now * step
                new = goal if (new - goal) * away < 0 else new
            else:
                new = goal + (away + pull * step) * math.exp(-rate * step)
            at.append(new)
            speed.append(now)
        wanted = self._inside(View(*at))
        shown, following = self._crop(self._at), self._crop(wanted)
        largest = _shift(shown, following)
        self._speed = speed[0], speed[1], speed[2]
        if largest > STEP:
            share = STEP / largest
            self._at = self._between(shown, following, share)
            self._speed = speed[0] * share, speed[1] * share, speed[2] * share
        else:
            self._at = wanted
        if _shift(self._crop(self._at), self._crop(self._goal)) < THERE:
            self._at, self._speed = self._goal, (0.0, 0.0, 0.0)

    def _inside(self, view: View) -> View:
        """The part moved into the picture."""
        part = math.exp(min(0.0, view.reach))
        half = part * self._shape[0] / 2, part * self._shape[1] / 2
        x, y = (
            min(1 - margin, max(margin, value))
            for value, margin in zip(view[:2], half, strict=True)
        )
        return View(x, y, min(0.0, view.reach))

    def _crop(self, view: View) -> Crop:
        part = math.exp(view.reach)
        wide, high = part * self._shape[0], part * self._shape[1]
        left = min(1 - wide, max(0.0, view.x - wide / 2))
        top = min(1 - high, max(0.0, view.y - high / 2))
        return Crop(left, top, wide, high)

    def _between(self, before: Crop, after: Crop, share: float) -> View:
        """On the way from one part to another, both inside the picture, so that it is, too."""
        left, top, wide, high = (
            one + share * (other - one) for one, other in zip(before, after, strict=True)
        )
        return View(left + wide / 2, top + high / 2, math.log(wide / self._shape[0]))


def _shift(before: Crop, after: Crop) -> float:
    """How far the edge moves that moves furthest."""
    ends = [
        (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
        for crop in (before, after)
    ]
    return max(abs(one - other) for one, other in zip(*ends, strict=True))


def framed(matte: Matte, crop: Crop, size: Size) -> Matte:
    """The part ``crop`` of a matte and its frame, with a frame of ``size``."""
    frame = matte.frame
    if crop == WHOLE and size == frame.size:
        return matte
    height, width = matte.alpha.shape
    scale = size[0] / frame.size[0], size[1] / frame.size[1]
    small = max(1, round(width * scale[0])), max(1, round(height * scale[1]))
    foreground, guide = matte.foreground, matte.guide
    return Matte(
        replace(frame, image=cropped(frame.image, crop, size)),
        cropped(matte.alpha, crop, small),
        None if foreground is None else cropped(foreground, crop, small),
        None if guide is None else cropped(guide, crop, small),
        matte.lost,
    )
