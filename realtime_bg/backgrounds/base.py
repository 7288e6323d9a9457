"""The contract of a background, and what each one declares about itself: whether it is made from
the camera's picture (`needs_frame`), shows it unchanged (`passthrough`) or erases the person."""

from abc import ABC, abstractmethod

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.settings import BackgroundSettings


class Background(ABC):
    """A source of background pictures of any size for any time, opened by its constructor.

    ``target`` is the part of the spec after the colon (``"24"`` for ``blur:24``), or the whole spec
    for files, colours and built-in names. ``wait`` is True in batch use, where every frame must get
    exactly the picture due at its time, and False in live use, where `render` must never wait for a
    decoder and returns the newest picture available.

    ``needs_frame`` marks a background that is made from the camera's own picture. It cannot be
    shown safely without a matte, so a card replaces it then (see `compositor.py`). ``passthrough``
    marks the background that replaces nothing, ``erases`` the one that the person is not composited
    over. ``takes_target``: whether a spec may be ``NAME:TARGET``. ``target_is_safe``: whether
    anybody may choose that target, because it never names a file.
    """

    needs_frame: bool = False
    passthrough: bool = False
    erases: bool = False
    takes_target: bool = False
    target_is_safe: bool = False

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        """Open the background. This may be slow and happens off the frame path. Raises
        BackgroundError."""
        self.target, self.settings, self.wait = target, settings, wait

    @classmethod  # noqa: B027 - most targets need no check
    def check_target(cls, target: str) -> None:
        """Raise BackgroundError for a ``target`` that cannot work, without opening anything."""

    @abstractmethod
    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        """The background at ``size`` for the moment ``time`` (seconds, see `frames.py`).

        ``frame`` BGR ``uint8 (H, W, 3)`` and ``alpha`` ``float32 (H, W)`` are given when
        ``needs_frame``. The result is BGR ``uint8 (H, W, 3)``; the caller must not change it.
        """

    def reset(self) -> None:  # noqa: B027 - most backgrounds learn nothing
        """Called when the camera's picture jumps: from now on it may show another room."""

    def close(self) -> None:  # noqa: B027 - most backgrounds hold nothing to release
        """Release decoders and threads. Idempotent."""
