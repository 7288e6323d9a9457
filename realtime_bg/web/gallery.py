"""The backgrounds of the page: the built-in ones and uploaded pictures, with a picture of what each
of them gives.

An upload is decoded, re-encoded and stored under the hash of its bytes, so neither its name nor its
metadata nor its original encoding reaches the disk.
"""

import hashlib
import re
import threading
from contextlib import suppress
from pathlib import Path

import platformdirs

from realtime_bg.backgrounds import scenes
from realtime_bg.errors import DataError
from realtime_bg.frames import Image, Size
from realtime_bg.media.photos import encode, pixels_of, read_photo
from realtime_bg.system.files import write_whole
from realtime_bg.web.answers import busy, missing, unusable
from realtime_bg.web.examples import over_background
from realtime_bg.web.pixel_gate import PixelGate

LARGEST = 3840  # larger pictures are reduced to this many pixels on the longer side
UPLOAD = "upload:"


class Gallery:
    """The uploaded pictures in a folder."""

    def __init__(self, folder: Path | None, pixels: int, most: int, gate: PixelGate) -> None:
        """``folder``: None means the user's data folder."""
        self._gate = gate
        base = Path(platformdirs.user_data_dir("realtime-bg", appauthor=False))
        self._folder = folder or base / "backgrounds"
        self._pixels, self._most = pixels, most
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The names that `spec` accepts: the scenes, then ``upload:ID``, oldest first."""
        found: list[tuple[float, str]] = []
        for path in self._folder.glob("*.jpg"):
            with suppress(OSError):  # deleted in the meantime
                found.append((path.stat().st_mtime, UPLOAD + path.stem))
        return [*scenes(), *(name for _, name in sorted(found))]

    def add(self, data: bytes) -> str:
        """Store a picture and return its name. Raises Refusal."""
        image = self.decoded(data)
        name = hashlib.sha256(data).hexdigest()[:16]
        path = self._folder / f"{name}.jpg"
        with self._lock:
            if not path.exists():
                if len(list(self._folder.glob("*.jpg"))) >= self._most:
                    raise busy(f"there are already {self._most} backgrounds; delete some")
                write_whole(path, encode(image, "jpg", quality=92))
        return UPLOAD + name

    def decoded(self, data: bytes) -> Image:
        """Decode a picture to BGR ``uint8 (H, W, 3)`` with a longer side of at most `LARGEST`.
        Raises Refusal."""
        try:
            with self._gate.admit(pixels_of(data)):
                return read_photo(data, self._pixels, longest=LARGEST).in_srgb().image
        except DataError as error:
            raise unusable(str(error)) from None

    def spec(self, name: str) -> str:
        """The spec of a background: ``upload:ID`` becomes a path. Raises Refusal."""
        return str(self.path(name)) if name.startswith(UPLOAD) else name

    def name(self, spec: str) -> str:
        """The reverse of `spec`."""
        path = Path(spec)
        return UPLOAD + path.stem if path.parent == self._folder else spec

    def preview(self, name: str, size: Size) -> bytes:
        """The demo's person over a background, as JPEG, or as WebP for ``transparent``. Raises
        Refusal."""
        if name.startswith(UPLOAD):
            path = self.path(name)  # whose name is the hash of its content
            with self._gate.admit(LARGEST * LARGEST):
                return over_background(str(path), size)
        return over_background(name, size)

    def path(self, name: str) -> Path:
        """The file of an upload. Raises Refusal."""
        match = re.fullmatch(rf"{UPLOAD}([0-9a-f]{{16}})", name)
        path = self._folder / f"{match[1]}.jpg" if match else None
        if path is None or not path.is_file():
            raise missing("background")
        return path
