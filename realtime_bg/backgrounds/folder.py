"""A folder as a slideshow: every few seconds the next picture or clip."""

import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.still import is_still
from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.media.suffixes import MOVING_BACKGROUNDS, STILL_BACKGROUNDS
from realtime_bg.settings import BackgroundSettings

log = logging.getLogger(__name__)

SUFFIXES = frozenset((*STILL_BACKGROUNDS, *MOVING_BACKGROUNDS))


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """A sort key under which ``2.png`` comes before ``10.png``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part
    ]


def media(folder: Path) -> list[Path]:
    """The pictures and clips in ``folder``, selected by suffix, in natural order. Hidden files are
    left out; a folder that cannot be read counts as empty."""
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
        return sorted((p for p in files if p.name[0] != "." and p.is_file()), key=natural)
    except OSError:
        return []


class FolderBackground(Background):
    """Shows each file for ``settings.interval`` seconds; the next one is opened in advance.

    In live use, if the next file is not open yet when its turn comes, the previous one stays.
    """

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._files = media(Path(target))
        if not self._files:
            raise BackgroundError(
                f"background folder {target!r}: no pictures or clips in it; "
                "put JPEG, PNG, WebP, GIF or MP4 files there or give another folder"
            )
        self._warned: set[Path] = set()
        self._place = -1
        self._size: Size = (1280, 720)
        first = self._open_next()
        if first is None:
            raise BackgroundError(
                f"background folder {target!r}: none of its {len(self._files)} files can be "
                "read; give another folder"
            )
        self._current = first
        self._turn = 0
        self._start: float | None = None
        self._next: Future[Background | None] | None = None
        self._pool = ThreadPoolExecutor(1, "background-folder")
        self._closed = False

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        self._size = size
        if self._start is None:
            self._start = time
        if not self._closed and len(self._files) > 1:
            self._turn_to(int((time - self._start) // self.settings.interval))
        return self._current.render(size, time)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        ahead = None if self._next is None or self._next.cancelled() else self._next.result()
        for background in (ahead, self._current):
            if background is not None:
                background.close()

    def _turn_to(self, turn: int) -> None:
        """Make the file of ``turn`` the current one, if it is open or waiting for it is allowed."""
        while self._turn < turn:
            ready = self._next or self._pool.submit(self._open_next)
            self._next = ready
            if not self.wait and not ready.done():
                return
            opened, self._next = ready.result(), None
            # In live use one step catches up with any number of missed turns, which nobody has
            # seen.

            self._turn = self._turn + 1 if self.wait else turn
            if opened is not None:
                self._pool.submit(self._current.close)
                self._current = opened
        if self._next is None:
            self._next = self._pool.submit(self._open_next)

    def _open_next(self) -> Background | None:
        """Open the next file that can be read; None if there is no other one."""
        from realtime_bg.backgrounds import open_background

        for _ in range(len(self._files)):
            self._place = (self._place + 1) % len(self._files)
            path = self._files[self._place]
            if path in self._warned:
                continue
            try:
                opened = open_background(str(path.absolute()), self.settings, self.wait)
            except BackgroundError as error:
                self._warned.add(path)
                log.warning("%s (skipped)", error)
                continue
            if is_still(path):
                opened.render(self._size, 0.0)  # fit it here instead of between two frames
            return opened
        return None
