"""The data types passed through the program (frames, mattes, composites) and their pixel formats.

Conventions for pixels everywhere in the program:

* an **image** is BGR ``uint8 (H, W, 3)``, C-contiguous;
* an **alpha** is ``float32 (h, w)`` in [0, 1]: 1 is person, 0 is background;
* a **foreground** is an image with the person's colours, free of the old background;
* a **size** is ``(width, height)`` in pixels, the order OpenCV uses;
* a **time** is in seconds, on the monotonic clock (live) or on the source's clock (files).

Arrays inside one of these types are never modified, because stages share them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Alpha: TypeAlias = NDArray[np.float32]
Layer: TypeAlias = NDArray[np.uint8]
"""BGRA, ``uint8 (H, W, 4)``; the alpha is not multiplied into the colours, which are 0 where it is
0."""
Planes: TypeAlias = NDArray[np.uint8]
"""I420, ``uint8 (H * 3 / 2, W)``: Y, then U and V at half the size; BT.601, limited range."""
Labels: TypeAlias = NDArray[np.uint8]
"""``uint8 (h, w)``: the number of the person at each pixel, or 0."""
Size: TypeAlias = tuple[int, int]

TOLERANCE = 1e-3  # rounding may exceed [0, 1] by this much


@dataclass(frozen=True, slots=True)
class Frame:
    """One image from a source.

    ``image``: BGR ``uint8 (H, W, 3)``. ``index``: position in the source, from 0; gaps are dropped
    frames. ``time``: seconds; when it was captured, or its timestamp in a file. ``epoch``:
    increases at every discontinuity (a device was reconnected, a clip restarted), where any history
    of earlier frames becomes invalid.
    """

    image: Image
    index: int
    time: float
    epoch: int = 0

    @property
    def size(self) -> Size:
        return self.image.shape[1], self.image.shape[0]

    def same_view(self, other: "Frame") -> bool:
        """Whether a place in this frame is the same place in the other: there is no discontinuity
        between them, and they have the same size."""
        return self.epoch == other.epoch and self.size == other.size


@dataclass(frozen=True, slots=True)
class Matte:
    """An engine's result for one frame; the alpha always belongs to ``frame``.

    ``alpha``: ``float32 (h, w)`` in [0, 1], at the frame's size or smaller. ``foreground``: BGR
    ``uint8 (h, w, 3)`` or None if the engine predicts no colours. ``guide``: the frame itself at
    the alpha's size, BGR ``uint8 (h, w, 3)``; needed when that is smaller than the frame, because
    it guides the upsampling. ``lost``: the engine does not know where the person is, so the alpha
    means nothing; the frame is then shown as if there were no matte. ``people``: whose each pixel
    is, ``uint8 (h, w)`` like the alpha, if the engine tells people apart: 0 is nobody, and the
    other numbers mean nothing in the next frame.
    """

    frame: Frame
    alpha: Alpha
    foreground: Image | None = None
    guide: Image | None = None
    lost: bool = False
    people: Labels | None = None


class DeviceMatte(ABC):
    """A `Matte` at full size whose pixels are still on the engine's device.

    The compositor blends it there if no other processing is needed first.
    """

    lost = False
    guide = None

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    @abstractmethod
    def downloaded(self) -> Matte:
        """Copy it to arrays in main memory."""

    @abstractmethod
    def over(self, background: Image) -> Image:
        """Composite the person over a background, BGR ``uint8 (H, W, 3)`` of the frame's size,
        within 1 grey level of exact arithmetic."""


Item: TypeAlias = Matte | DeviceMatte | Frame
"""The compositor's input; a bare frame if the user chose to see the unchanged camera image."""


def downloaded(matte: Matte | DeviceMatte) -> Matte:
    """Return the matte as arrays in main memory."""
    return matte if isinstance(matte, Matte) else matte.downloaded()


@dataclass(frozen=True, slots=True)
class Composite:
    """A finished image. Sinks accept nothing else, and only `processing/compositor.py` makes it.

    ``image``: BGR ``uint8 (H, W, 3)``, what others may see. ``preview``: the same with overlays and
    comparison views, for a window on this machine only. ``index`` and ``time`` are those of the
    source frame (for a card: the last index and the current time). ``person``: the person alone,
    made only while an output asks for it; None also if nobody may be shown.
    """

    image: Image
    index: int
    time: float
    preview: Image | None = None
    person: Layer | None = None


class Cutout(NamedTuple):
    """A matted image at full size: ``image`` and ``foreground`` BGR ``uint8 (H, W, 3)``, the latter
    the image itself if the engine predicts no colours; ``alpha`` ``float32 (H, W)`` in [0, 1];
    ``lost``: the engine cannot find the person, and the alpha is 0 everywhere."""

    image: Image
    alpha: Alpha
    foreground: Image
    lost: bool = False


def as_image(array: object, what: str = "image") -> Image:
    """Check that an input array is BGR ``uint8 (H, W, 3)``, and make it C-contiguous."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{what}: expected a uint8 array, got {kind}")
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"{what}: expected the shape (H, W, 3), got {array.shape}")
    return np.ascontiguousarray(array)


def check_matte(matte: Matte | DeviceMatte) -> Matte | DeviceMatte:
    """Check an engine's result; raises ValueError, so a broken engine fails closed. A `DeviceMatte`
    is not checked, because it is valid by construction."""
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
    if matte.people is not None and (
        matte.people.dtype != np.uint8 or matte.people.shape != alpha.shape
    ):
        raise ValueError(
            f"people: expected uint8 {alpha.shape}, got {matte.people.dtype} {matte.people.shape}"
        )
    # Outside [0, 1] blending would show the room, inverted or brightened. NaN fails too.
    low, high = float(alpha.min()), float(alpha.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise ValueError(f"alpha: expected values in [0, 1], got {low:g} to {high:g}")
    return matte
