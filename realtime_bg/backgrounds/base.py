"""The contract of a background: what is shown where the person is not."""

from abc import ABC, abstractmethod

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.settings import BackgroundSettings


class Background(ABC):
    """A picture of any size, at any time, opened by its constructor.

    ``target``: what stands behind the colon of the spec (``blur:24`` gives ``"24"``), or the
    whole spec for files, colours and built-in names. ``wait``: True in batch use, where every
    frame must get exactly its own picture; False in live use, where `render` must never wait
    for a decoder and hands over the newest picture there is.

    ``needs_frame`` marks a background that is made from the camera's own picture; without a
    matte it cannot be shown safely, so a card takes its place (see `compositor.py`).
    ``passthrough`` marks the one that replaces nothing, ``erases`` the one that nobody is put
    before. ``takes_target``: whether a spec may be ``NAME:TARGET``; ``target_is_safe``: whether
    anybody may choose that target, because it names no file.
    """

    needs_frame: bool = False
    passthrough: bool = False
    erases: bool = False
    takes_target: bool = False
    target_is_safe: bool = False

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        """Open it (this may take long and runs off the frame path). Raises BackgroundError."""
        self.target, self.settings, self.wait = target, settings, wait

    @abstractmethod
    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        """The background at ``size`` for the moment ``time`` (seconds, see `frames.py`).

        ``frame`` BGR ``uint8 (H, W, 3)`` and ``alpha`` ``float32 (H, W)`` are given when
        ``needs_frame``. The result is BGR ``uint8 (H, W, 3)``; the caller does not change it.
        """

    def reset(self) -> None:  # noqa: B027 - most backgrounds learn nothing
        """The camera's picture has jumped: it may show another room from now on."""

    def close(self) -> None:  # noqa: B027 - most backgrounds hold nothing to release
        """Release decoders and threads. Idempotent."""
