"""Memory for composites, used again once nobody refers to it.

A new array of some megabytes costs more than the blend that fills it: the system has to clear and
map every page of it.
"""

import sys

import numpy as np

from realtime_bg.frames import Image

MOST = 8  # arrays that are kept; sinks that hold more get new ones


class Buffers:
    """Lends images of one size. A lent image, or any view of it, may be kept as long as one likes:
    its memory is lent again only after all of them are gone. For one thread."""

    def __init__(self) -> None:
        self._arrays: list[Image] = []

    def take(self, shape: tuple[int, ...]) -> Image:
        """An image of this shape, ``uint8``, with any content."""
        if self._arrays and self._arrays[0].shape != shape:
            self._arrays.clear()
        for index in range(len(self._arrays)):
            if _references(self._arrays, index) == UNUSED:
                return self._arrays[index][:]
        array = np.empty(shape, np.uint8)
        if len(self._arrays) < MOST and UNUSED:
            self._arrays.append(array)
        # A view holds a reference to the array, and so does every view of that view.
        return array[:]


def _references(arrays: list[Image], index: int) -> int:
    return sys.getrefcount(arrays[index])


def _unused() -> int:
    """The count of references to an array that only the list holds; 0 where references are not
    counted exactly, so that nothing is used again."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)
    if sys.implementation.name != "cpython" or not gil():
        return 0
    return _references([np.empty(0, np.uint8)], 0)


UNUSED = _unused()
