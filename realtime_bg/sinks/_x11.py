"""Detecting that an X11 window was destroyed from outside (xkill, or a window manager's last
resort).

Qt does not notice, so the camera would stay on without a window. Uses libX11, which is always
present where OpenCV's window works; without it, nothing is detected.
"""

import ctypes
from collections.abc import Iterator
from typing import Any

DEPTH = 3  # window managers put one or two frames around a window
Ids = ctypes.POINTER(ctypes.c_ulong)
ErrorHandler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class WindowWatch:
    """Watches the window whose title begins with ``title`` and that appears after this object is
    created. For use on one thread."""

    def __init__(self, title: str) -> None:
        self._title = title.encode()
        self._window: int | None = None
        # A window may disappear while it is being examined
        self._ignore = ErrorHandler(lambda display, error: 0)
        self._x = _library()
        self._display = self._x.XOpenDisplay(None) if self._x is not None else None
        self._before = set(self._named())

    def gone(self) -> bool:
        """Whether the window existed once and no longer does."""
        if self._window is None:
            new = [window for window in self._named() if window not in self._before]
            self._window = new[0] if new else None
            return False
        return self._window not in self._all()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._display:
            self._x.XCloseDisplay(self._display)
            self._display = None

    def _named(self) -> list[int]:
        return [window for window in self._all() if self._name(window).startswith(self._title)]

    def _all(self) -> list[int]:
        """All windows of the screen: the frames and the windows inside them."""
        if not self._display:
            return []
        before = self._x.XSetErrorHandler(self._ignore)
        try:
            return list(self._below(self._x.XDefaultRootWindow(self._display), DEPTH))
        finally:
            self._x.XSync(self._display, 0)
            self._x.XSetErrorHandler(before)

    def _below(self, window: int, depth: int) -> Iterator[int]:
        root, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        children = Ids()
        ends = (ctypes.byref(value) for value in (root, parent, children, count))
        if not self._x.XQueryTree(self._display, window, *ends):
            return
        found = [children[index] for index in range(count.value)]
        if children:
            self._x.XFree(children)
        for child in found:
            yield child
            if depth > 1:
                yield from self._below(child, depth - 1)

    def _name(self, window: int) -> bytes:
        before = self._x.XSetErrorHandler(self._ignore)
        name = ctypes.c_char_p()
        try:
            if not self._x.XFetchName(self._display, window, ctypes.byref(name)):
                return b""
            value = name.value or b""
            self._x.XFree(name)
            return value
        finally:
            self._x.XSetErrorHandler(before)


def _library() -> Any:
    """libX11 with the signatures used here, or None."""
    try:
        x = ctypes.CDLL("libX11.so.6")
    except OSError:
        return None
    display, window = ctypes.c_void_p, ctypes.c_ulong
    x.XOpenDisplay.restype, x.XOpenDisplay.argtypes = display, [ctypes.c_char_p]
    x.XDefaultRootWindow.restype, x.XDefaultRootWindow.argtypes = window, [display]
    x.XQueryTree.argtypes = [display, window, *[ctypes.c_void_p] * 4]
    x.XFetchName.argtypes = [display, window, ctypes.c_void_p]
    x.XFree.argtypes = [ctypes.c_void_p]
    x.XSync.argtypes = [display, ctypes.c_int]
    x.XCloseDisplay.argtypes = [display]
    x.XSetErrorHandler.restype, x.XSetErrorHandler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    return x
