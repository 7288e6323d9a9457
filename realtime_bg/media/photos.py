"""Photos as files: read upright with their colour profile, written with or without an alpha."""

import io
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from realtime_bg.errors import DataError, MissingPackageError, RealtimeBgError, reason
from realtime_bg.frames import Alpha, Cutout, Image

NOBODY = 0.5 / 255  # below this alpha nobody is seen
PIXELS = 200_000_000  # more is refused: a small file can unpack to fill the memory
READ = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

Format: TypeAlias = Literal["png", "webp", "jpg", "tiff"]
FORMATS: dict[str, Format] = {
    ".png": "png",
    ".webp": "webp",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".tif": "tiff",
    ".tiff": "tiff",
}
EXIF_IFD, GPS_IFD, MAKER_NOTE = 0x8769, 0x8825, 0x927C
# Description, make, model, resolution, software, date, artist, copyright. A TIFF's other tags tell
# of its own pixels, or hold them once more.
KEPT = {270, 271, 272, 282, 283, 296, 305, 306, 315, 33432, EXIF_IFD, GPS_IFD}

# We check sizes ourselves, by the header, before anything is unpacked.
Pillow.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo. ``image``: BGR ``uint8 (H, W, 3)``, upright. ``alpha``: ``float32 (H, W)`` in
    [0, 1] where the file has one, its transparent parts then being white in ``image``. ``icc``:
    the colour profile of these pixels. ``exif``: what the camera wrote, without orientation,
    thumbnail and maker's notes (the last two can hold the whole picture once more)."""

    image: Image
    alpha: Alpha | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    def in_srgb(self) -> "Photo":
        """The photo in sRGB and without a profile; itself where it has none."""
        if self.icc is None:
            return self
        rgb = Pillow.fromarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB))
        turned = _as_srgb(rgb, self.icc)
        if turned is rgb:  # a profile that cannot be read
            return self
        return replace(self, image=cv2.cvtColor(np.asarray(turned), cv2.COLOR_RGB2BGR), icc=None)

    def limit(self, cutout: Cutout) -> Cutout:
        """What was transparent before stays so."""
        if self.alpha is None:
            return cutout
        return cutout._replace(alpha=cutout.alpha * self.alpha)


def read_photo(data: bytes | Path, pixels: int = PIXELS, name: str = "the picture") -> Photo:
    """The (first) picture of a file, or of its bytes, which errors call ``name``. Raises
    DataError: unreadable, damaged, or more than ``pixels`` pixels; MissingPackageError for HEIC
    without its package."""
    name = str(data) if isinstance(data, Path) else name
    try:
        raw = data.read_bytes() if isinstance(data, Path) else data
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({reason(error)})") from None
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIC:
        _learn_heic(name)
    try:
        with Pillow.open(io.BytesIO(raw), formats=_formats()) as file:
            if file.width * file.height > pixels:
                raise DataError(
                    f"{name}: {file.width}x{file.height} is more than {pixels / 1e6:g} million "
                    "pixels; make it smaller"
                )
            file.load()
            return _decoded(file)
    except RealtimeBgError:
        raise
    except Exception as error:  # decoders raise anything on damaged files
        unknown = isinstance(error, UnidentifiedImageError)
        why = "no picture of a known kind" if unknown else reason(error)
        raise DataError(
            f"{name}: cannot be read ({why}); give a complete JPEG, PNG, WebP, TIFF or HEIC file"
        ) from None


def _learn_heic(name: str) -> None:
    try:
        import pillow_heif
    except ImportError:
        raise MissingPackageError(
            f"{name}: HEIC needs the package 'pillow-heif'; run: pip install \"realtime-bg[heif]\""
        ) from None
    pillow_heif.register_heif_opener()


def _formats() -> list[str]:
    Pillow.init()
    return [name for name in READ if name in Pillow.OPEN]


def _decoded(file: Any) -> Photo:
    picture = ImageOps.exif_transpose(file)
    icc, exif = file.info.get("icc_profile"), _exif(file)  # drops the orientation, now followed
    if picture.mode == "F":
        raise DataError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        deep = np.asarray(picture).astype(np.float32)
        is_8_bit = picture.mode == "I" and deep.max() <= 255  # in a wider type
        grey = np.rint(deep / (1 if is_8_bit else 257)).clip(0, 255).astype(np.uint8)
        return Photo(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), None, None, exif)
    if icc and picture.mode in ("CMYK", "LAB", "L", "LA"):  # a profile of other than RGB pixels
        picture, icc = _as_srgb(picture, icc), None
    alpha: Alpha | None = None
    if picture.has_transparency_data:
        full = np.asarray(picture.convert("RGBA"))
        alpha = np.divide(full[..., 3], np.float32(255), dtype=np.float32)
        white = np.full_like(full[..., :3], 255)
        rgb = cv2.blendLinear(np.ascontiguousarray(full[..., :3]), white, alpha, 1 - alpha)
        alpha = None if alpha.min() == 1 else alpha
    else:
        rgb = np.asarray(picture.convert("RGB"))
    return Photo(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), alpha, icc, exif)


def _as_srgb(picture: Any, icc: bytes) -> Any:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        plain = picture.convert("L") if picture.mode == "LA" else picture
        turned = ImageCms.profileToProfile(
            plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):  # the profile is of another kind of pixel
        return picture
    if picture.mode == "LA" and turned is not None:
        turned.putalpha(picture.getchannel("A"))
    return turned


def _exif(file: Any) -> bytes | None:
    exif = file.getexif()
    if not exif:
        return None
    for tag in set(exif) - KEPT:
        del exif[tag]
    exif.get_ifd(EXIF_IFD).pop(MAKER_NOTE, None)
    return bytes(exif.tobytes())


def encode_rgba(
    cutout: Cutout,
    format: Format = "png",
    *,
    depth: int = 8,
    quality: int = 95,
    icc: bytes | None = None,
    exif: bytes | None = None,
) -> bytes:
    """The person with an alpha channel (straight, not premultiplied) as a file's bytes.

    ``depth`` 16 gives the alpha 65536 levels (PNG only). What is not seen is black: nothing of
    the room is left in the file. Raises DataError for formats without alpha.
    """
    if format == "jpg":
        raise DataError("JPEG has no transparency; choose PNG or WebP, or a background")
    levels = np.rint(cutout.alpha * (65535 if depth == 16 else 255))
    colour = person_colours(cutout)
    if depth == 16:
        pixels: NDArray[Any] = np.dstack([colour * np.uint16(257), levels.astype(np.uint16)])
    else:
        pixels = np.dstack([colour, levels.astype(np.uint8)])
    return encode(pixels, format, quality=quality, icc=icc, exif=exif)


def person_colours(cutout: Cutout) -> Image:
    """The foreground, black where nothing is seen in 8 bits: a network that is nowhere quite sure
    would show the room to whoever looks at the colours alone."""
    return cv2.copyTo(cutout.foreground, (cutout.alpha >= NOBODY).astype(np.uint8))


def encode(
    pixels: NDArray[Any],
    format: Format,
    *,
    quality: int = 95,
    icc: bytes | None = None,
    exif: bytes | None = None,
) -> bytes:
    """Grey (H, W), BGR (H, W, 3) or BGRA (H, W, 4) pixels, uint8, or uint16 for PNG, as a file's
    bytes. ``quality``: of JPEG and WebP, 1 to 100. Raises DataError."""
    icc = None if pixels.ndim == 2 else icc  # it tells of colours
    if pixels.dtype == np.uint16:
        if format != "png":
            raise DataError("16 bits are for PNG only")
        return _with_chunks(cv2.imencode(".png", pixels)[1].tobytes(), icc, exif)
    if pixels.ndim == 3:
        how = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, how)
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if exif:
        options["exif"] = exif
    if format in ("jpg", "webp"):
        options["quality"] = quality
    if format == "tiff" and not exif:  # Pillow cannot put Exif into a compressed one
        options["compression"] = "tiff_adobe_deflate"
    kind = "JPEG" if format == "jpg" else format.upper()
    buffer = io.BytesIO()
    try:
        Pillow.fromarray(pixels).save(buffer, kind, **options)
    except (OSError, ValueError, struct.error) as error:  # WebP ends at 16383 pixels a side
        raise DataError(f"cannot be written as {format} ({reason(error)})") from None
    return buffer.getvalue()


def _with_chunks(png: bytes, icc: bytes | None, exif: bytes | None) -> bytes:
    """OpenCV's PNG with a colour profile and camera data put in behind its header (PNG
    specification, third edition, 11.3.2.3 and 11.3.4.5)."""
    head = 8 + 25  # signature and IHDR
    extra = b""
    if icc:
        extra += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif:
        extra += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return png[:head] + extra + png[head:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
