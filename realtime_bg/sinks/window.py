"""The preview window: shows the preview and reports keys and clicks. It runs on the main thread."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite, Size
from realtime_bg.settings import Point
from realtime_bg.sinks._x11 import WindowWatch
from realtime_bg.sinks.base import Sink
from realtime_bg.system.file_names import readable

NAME = "realtime-bg"
LOOK_SECONDS = 0.5  # between checks whether the window was destroyed from outside
LARGEST = 1280  # initial width of the window in pixels; it can be resized
FIRST = {"win32": 0x700000, "darwin": 0xF704}  # the code of F1; elsewhere that of X11
STEP = 0x10000 if sys.platform == "win32" else 1
FUNCTION_KEYS = {
    FIRST.get(sys.platform, 0xFFBE) + STEP * number: f"F{number + 1}" for number in range(12)
}
CHOICES = "choose --output virtualcam, a file such as out.mp4, or null"


class WindowSink(Sink):
    """`typed` must be called often, because it keeps the window responsive."""

    live = True

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        problem = display_problem()
        if problem:
            raise SinkError(f"no preview window: {problem}; {CHOICES}")
        # Qt's warnings about fonts and wheels do not concern users.
        os.environ.setdefault("QT_LOGGING_RULES", "*=false")
        self._watch = WindowWatch(NAME) if sys.platform.startswith("linux") else None
        self._looked = time.monotonic()
        scale = min(1.0, LARGEST / size[0])
        try:
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(NAME, flags)
            cv2.resizeWindow(NAME, max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        except cv2.error as error:
            raise SinkError(f"no preview window: {error.err}; {CHOICES}") from None
        self._shown: Size = size
        self._clicks: list[Point] = []
        cv2.setMouseCallback(NAME, self._moused)
        self._open = True

    def send(self, composite: Composite) -> None:
        if self.is_open():  # imshow would reopen a closed window
            self._shown = composite.image.shape[1], composite.image.shape[0]
            cv2.imshow(NAME, composite.image if composite.preview is None else composite.preview)

    def _moused(self, event: int, x: int, y: int, *_: object) -> None:
        width, height = self._shown  # OpenCV reports pixels of the picture, even if it is scaled
        if event == cv2.EVENT_LBUTTONDOWN and 0 <= x < width and 0 <= y < height:
            self._clicks.append(((x + 0.5) / width, (y + 0.5) / height))

    def clicked(self) -> list[Point]:
        """The clicks since the last call, in fractions of the picture's width and height. They are
        received while `typed` runs."""
        clicks, self._clicks = self._clicks, []
        return clicks

    def title(self, text: str) -> None:
        """Set the window's title."""
        if self.is_open():
            cv2.setWindowTitle(NAME, readable(text))

    def typed(self) -> Iterator[str]:
        """The keys typed since the last call, characters and "F1" to "F12"; also lets the window
        repaint."""
        code = cv2.waitKeyEx(1)
        # Values above one byte are arrows and function keys, which waitKey would map to letters.
        while 0 < code < 256 or code in FUNCTION_KEYS:
            yield FUNCTION_KEYS.get(code) or chr(code)
            code = cv2.pollKey()

    def is_open(self) -> bool:
        """Whether the window is still open."""
        if self._open:
            try:
                self._open = cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) >= 1
            except cv2.error:  # raised by OpenCV with Qt for a window that is gone
                self._open = False
        if self._open and self._watch and time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._open = not self._watch.gone()
        return self._open

    def close(self, complete: bool = True) -> None:
        if self.is_open():
            cv2.destroyWindow(NAME)
            cv2.waitKey(1)
        self._open = False
        if self._watch:
            self._watch.close()


def display_problem() -> str:
    """Why no window can be opened on this machine, or an empty string.

    Checked in advance, because Qt ends the whole process if it finds no display.
    """
    if not sys.platform.startswith("linux"):
        return ""
    display = os.environ.get("DISPLAY", "")
    if not display:
        return "no display (DISPLAY is not set)"
    host, _, number = display.rpartition(":")
    number = number.partition(".")[0]
    try:
        if host in ("", "unix"):
            path = f"/tmp/.X11-unix/X{number}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(2)
                try:
                    probe.connect(path)
                except OSError:
                    probe.connect("\0" + path)  # the abstract socket, in case /tmp is not shared
        elif not Path(host).exists():  # macOS-style socket paths are left to Qt
            socket.create_connection((host, 6000 + int(number)), 2).close()
    except (OSError, ValueError) as error:
        return f"display {display!r} does not respond ({getattr(error, 'strerror', '') or error})"
    return ""
