"""Where faces are, a few times a second, where a face detector is on this machine."""

import logging
import math
from concurrent.futures import Future, ThreadPoolExecutor

from realtime_bg import zoo
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Frame, Image
from realtime_bg.networks.faces import Box, Faces

log = logging.getLogger(__name__)

EVERY = 0.25  # seconds between two looks
HOLD = 5.0  # seconds for which a face that is not found again is believed to be where it was


class FaceWatch:
    """Looks for faces in a thread of its own, so that no frame waits. Without the weights of YuNet
    there are none to be found; they are not fetched."""

    def __init__(self, wait: bool) -> None:
        """``wait``: every look is waited for, so that a file always gives the same result."""
        self._wait = wait
        self._path = zoo.find(zoo.row("yunet"))
        self._worker = ThreadPoolExecutor(1, "faces")
        self._faces: Faces | None = None
        self._looking: tuple[Frame, Future[list[Box]]] | None = None
        self._looked: Frame | None = None
        self._known: list[tuple[Box, Frame]] = []  # the newest first; when each was seen

    def __call__(self, frame: Frame) -> list[Box]:
        """The faces in this view, the largest first. One that is not found again, as somebody has
        turned their head, is held; whether somebody is still there, the matte knows."""
        if self._path is None:
            return []
        if self._looking is None and not _is_recent(self._looked, frame, EVERY):
            self._looking = frame, self._worker.submit(self._look, frame.image)
        if self._looking is not None and (self._wait or self._looking[1].done()):
            self._looked = self._looking[0]
            self._update(self._looked, self._looking[1].result())
            self._looking = None
        here = [box for box, seen in self._known if _is_recent(seen, frame, HOLD)]
        return sorted(here, key=lambda box: box.width * box.height, reverse=True)

    def _update(self, frame: Frame, found: list[Box]) -> None:
        """Replace each known face by the nearest of those found in ``frame``."""
        left = [one for one in self._known if _is_recent(one[1], frame, HOLD)]
        for box in found:
            if left:
                left.remove(min(left, key=lambda one: _apart(one[0], box)))
        self._known = [(box, frame) for box in found] + left

    def _look(self, image: Image) -> list[Box]:
        try:
            if self._faces is None:
                assert self._path is not None
                self._faces = Faces(self._path)
            return self._faces.found(image)
        except RealtimeBgError as error:
            log.warning("%s; faces are not detected", error)
            self._path = None
            return []


def _is_recent(seen: Frame | None, now: Frame, seconds: float) -> bool:
    """Whether a frame shows the same view as another one, less than so many seconds before."""
    return seen is not None and now.same_view(seen) and 0 <= now.time - seen.time < seconds


def _apart(one: Box, other: Box) -> float:
    """The distance between the middles of two faces, in fractions of the picture."""
    across = one.x + one.width / 2 - other.x - other.width / 2
    return math.hypot(across, one.y + one.height / 2 - other.y - other.height / 2)
