"""Carrying a matte along with the picture between two answers of the network, where that is as good
as a new answer."""

import cv2

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.flow import Flow, Grey, Places, along, motion, moved, searched
from realtime_bg.imaging.reduction import reduced
from realtime_bg.processing.steady import follows

MOST = 2  # frames in succession to which a matte is carried with ``auto``
FAST = 0.012  # of the width per frame: what moves faster is matted by the network, with ``auto``
SAME = 12.0  # grey levels by which a pixel that was carried along may differ
NEW = 0.003  # share of the picture that may differ by more; a hand that comes in is larger
AROUND = 3, 3  # neighbourhood, in small pixels, over which noise is averaged before that
PAUSE = 4  # frames after a refusal before carrying is tried again, because trying costs time, too


class Carrying:
    """For one stream of frames, and engines that can be skipped. The matte it returns is never
    carried over a frame that shows something new, and never from one scene into another."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._last: tuple[Matte, Grey] | None = None
        self._carried = self._pause = 0

    def answered(self, matte: Matte | None) -> None:
        """Called with each matte of the network; None if there is none that can be carried."""
        self._carried, self._last = 0, None
        if matte is not None and matte.guide is not None and not matte.lost:
            self._last = matte, searched(matte.guide)

    def next(self, frame: Frame, every: int | None) -> Matte | None:
        """The matte for a frame, carried along from the previous one; None if the network has to
        run. ``every``: it runs on every frame of this number; None: as the motion needs it."""
        if self._last is None:
            return None
        last, before = self._last
        if not follows(frame, last.frame) or frame.size != last.frame.size:
            return None
        if self._carried >= (MOST if every is None else every - 1):
            return None
        if every is None and self._pause:
            self._pause -= 1
            return None
        height, width = last.alpha.shape
        guide = reduced(frame.image, (width, height))
        seen = searched(guide)
        places = self._flow.places(seen, before)
        fast = every is None and _fastest(motion(places)) > FAST * seen.shape[1]
        if fast or _shows_new(seen, moved(before, places)):
            self._pause = PAUSE
            return None
        matte = along(last, frame, guide, places)
        self._last, self._carried = (matte, seen), self._carried + 1
        return matte


def _shows_new(seen: Grey, expected: Grey) -> bool:
    """Whether a picture shows anything that the previous one, moved along, does not explain."""
    off = cv2.blur(cv2.absdiff(seen, expected), AROUND)
    return cv2.countNonZero(cv2.compare(off, SAME, cv2.CMP_GT)) > NEW * off.size


def _fastest(way: Places) -> float:
    """The speed of the fastest part of the picture, in pixels; single pixels do not count."""
    speed = cv2.magnitude(way[:, :, 0], way[:, :, 1])
    return float(cv2.blur(speed, AROUND).max())
