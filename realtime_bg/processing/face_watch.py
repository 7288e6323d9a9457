"""Where faces are, a few times a second, where a face detector is on this machine."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from realtime_bg import zoo
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Frame, Image
from realtime_bg.networks.faces import Box, Faces

log = logging.getLogger(__name__)

EVERY = 0.25  # seconds between two looks
STALE = 0.6  # seconds after which a face may be elsewhere


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
        self._seen: tuple[Frame, list[Box]] | None = None

    def __call__(self, frame: Frame) -> list[Box]:
        """The faces that were found last in this view, the largest first."""
        if self._path is None:
            return []
        if self._looking is None and (self._seen is None or self._is_older(frame, EVERY)):
            self._looking = frame, self._worker.submit(self._look, frame.image)
        if self._looking is not None and (self._wait or self._looking[1].done()):
            self._seen, self._looking = (self._looking[0], self._looking[1].result()), None
        return [] if self._seen is None or self._is_older(frame, STALE) else self._seen[1]

    def _is_older(self, frame: Frame, seconds: float) -> bool:
        """Whether what was seen belongs to another view, or is older than so many seconds."""
        assert self._seen is not None
        then = self._seen[0]
        return not frame.same_view(then) or not 0 <= frame.time - then.time < seconds

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
