"""The types that travel through the program, and the one form pixels have.

Pixels, everywhere inside the program:

* an **image** is BGR ``uint8 (H, W, 3)``, C-contiguous;
* an **alpha** is ``float32 (h, w)`` in [0, 1]: 1 is person, 0 is room;
* a **foreground** is an image that holds the colour of the person without the old room;
* a **size** is ``(width, height)`` in pixels, the order OpenCV uses;
* a **time** is seconds on the monotonic clock (live) or on the source's own clock (files).

Arrays are never changed once they are inside one of these types: stages share them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Alpha: TypeAlias = NDArray[np.float32]
Size: TypeAlias = tuple[int, int]

TOLERANCE = 1e-3  # by which rounding may carry an alpha out of [0, 1]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    ``image``: BGR ``uint8 (H, W, 3)``. ``index``: position in the source, from 0; gaps are
    frames that were dropped. ``time``: seconds; when it was captured, or its timestamp in a file.
    ``epoch``: grows whenever the picture jumps (a device came back, a clip began again), so
    that whoever keeps history knows it is void.
    """

    image: Image
    index: int
    time: float
    epoch: int = 0

    @property
    def size(self) -> Size:
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True)
class Matte:
    """What an engine says about one frame; the alpha always belongs to ``frame``.

    ``alpha``: ``float32 (h, w)`` in [0, 1], at the frame's size or smaller. ``foreground``: BGR
    ``uint8 (h, w, 3)`` or None where the engine predicts no colour. ``guide``: the frame itself
    at the alpha's size, BGR ``uint8 (h, w, 3)``; needed when that is smaller than the frame,
    because upsampling is guided by it. ``lost``: the engine does not know where the person is,
    and says nothing about who is in the picture; it is then shown as if there were no matte.
    """

    frame: Frame
    alpha: Alpha
    foreground: Image | None = None
    guide: Image | None = None
    lost: bool = False


class DeviceMatte(ABC):
    """A `Matte` of full size whose pixels are still on the engine's device.

    The compositor blends it there where nothing has to be done to it first.
    """

    lost = False
    guide = None

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    @abstractmethod
    def downloaded(self) -> Matte:
        """The same as arrays of this machine."""

    @abstractmethod
    def over(self, background: Image) -> Image:
        """The person before a background, BGR ``uint8 (H, W, 3)`` of the frame's size, within 1
        grey level of exact arithmetic."""


Item: TypeAlias = Matte | DeviceMatte | Frame
"""What the compositor makes a picture of; a bare frame where the user asked to see the camera."""


def downloaded(matte: Matte | DeviceMatte) -> Matte:
    """The matte as arrays of this machine."""
    return matte if isinstance(matte, Matte) else matte.downloaded()


@dataclass(frozen=True, slots=True)
class Composite:
    """A finished picture. Sinks accept nothing else, and only `processing/compositor.py` makes it.

    ``image``: BGR ``uint8 (H, W, 3)``, what the world may see. ``preview``: the same with
    overlays and comparison views, for a window on this machine only. ``index`` and ``time``
    are those of the frame it was made from (for a card: the last index and the present time).
    """

    image: Image
    index: int
    time: float
    preview: Image | None = None


class Cutout(NamedTuple):
    """A matted picture at full size: ``image`` and ``foreground`` BGR ``uint8 (H, W, 3)``, the
    latter the image itself where the engine predicts no colour; ``alpha`` ``float32 (H, W)`` in
    [0, 1]; ``lost``: the engine cannot tell the person, and the alpha is 0 everywhere."""

    image: Image
    alpha: Alpha
    foreground: Image
    lost: bool = False


def as_image(array: object, what: str = "image") -> Image:
    """Check an array that enters the program: BGR ``uint8 (H, W, 3)``, made C-contiguous."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{what}: expected a uint8 array, got {kind}")
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"{what}: expected the shape (H, W, 3), got {array.shape}")
    return np.ascontiguousarray(array)


def check_matte(matte: Matte | DeviceMatte) -> Matte | DeviceMatte:
    """Check what an engine hands over; raises ValueError, so a broken engine fails closed. What
    is on a device is in order by the way it is made."""
    if isinstance(matte, DeviceMatte):
        return matte
    alpha, (width, height) = matte.alpha, matte.frame.size
    if alpha.dtype != np.float32 or alpha.ndim != 2 or 0 in alpha.shape:
        raise ValueError(f"alpha: expected float32 (h, w), got {alpha.dtype} {alpha.shape}")
    if alpha.shape[0] > height or alpha.shape[1] > width:
        raise ValueError(f"alpha {alpha.shape} is larger than its frame {(height, width)}")
    for name in ("foreground", "guide"):
        image = getattr(matte, name)
        if image is not None and (image.dtype != np.uint8 or image.shape != (*alpha.shape, 3)):
            raise ValueError(f"{name}: expected uint8 {(*alpha.shape, 3)}, got {image.shape}")
    # Beyond [0, 1] a blend would show the room, as a negative or brightened. NaN fails too.
    low, high = float(alpha.min()), float(alpha.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise ValueError(f"alpha: expected values in [0, 1], got {low:g} to {high:g}")
    return matte
