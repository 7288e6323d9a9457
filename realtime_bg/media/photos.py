"""Reading photos upright with their colour profile, and writing pictures with or without alpha."""

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
from realtime_bg.installing import add_extra

NOBODY = 0.5 / 255  # pixels with a lower alpha show nobody
PIXELS = 200_000_000  # larger photos are refused: a small file can decompress to fill the memory
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
# Description, make, model, resolution, software, date, artist, copyright. The other tags of a TIFF
# describe its pixels or contain a copy of them.
KEPT = {270, 271, 272, 282, 283, 296, 305, 306, 315, 33432, EXIF_IFD, GPS_IFD}

# Options of Pillow that take a third of the time, for files of up to a third more bytes
QUICK: dict[Format, dict[str, int]] = {"png": {"compress_level": 1}, "webp": {"method": 0}}

# With Pillow's usual blocks of 16 MB, the memory of large pictures would stay with each thread that
# has decoded one: the C library returns only larger blocks to the system.
Pillow.core.set_block_size(64 << 20)  # type: ignore[attr-defined]
# Sizes are checked here, by the header, before anything is decompressed.
Pillow.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo. ``image``: BGR ``uint8 (H, W, 3)``, upright. ``alpha``: ``float32 (H, W)`` in [0, 1]
    if the file has transparency; transparent parts are then white in ``image``. ``icc``: the colour
    profile of these pixels. ``exif``: the camera's metadata without orientation, thumbnail and
    maker notes (the last two may contain a copy of the picture)."""

    image: Image
    alpha: Alpha | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    def in_srgb(self) -> "Photo":
        """The photo converted to sRGB, without a profile; the photo itself if it has no profile."""
        if self.icc is None:
            return self
        rgb = Pillow.fromarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB))
        turned = _as_srgb(rgb, self.icc)
        if turned is rgb:  # the profile cannot be used
            return self
        return replace(self, image=cv2.cvtColor(np.asarray(turned), cv2.COLOR_RGB2BGR), icc=None)

    def limit(self, cutout: Cutout) -> Cutout:
        """Keep transparent whatever was transparent in the file."""
        if self.alpha is None:
            return cutout
        return cutout._replace(alpha=cutout.alpha * self.alpha)


def read_photo(
    data: bytes | Path,
    pixels: int = PIXELS,
    name: str = "the picture",
    longest: int | None = None,
) -> Photo:
    """Read the (first) picture of a file or of its bytes, called ``name`` in errors.

    With ``longest``, a larger picture is reduced to that many pixels on its longer side. Raises
    DataError if it is unreadable, damaged, or has more than ``pixels`` pixels, and
    MissingPackageError for HEIC without its package.
    """
    name = str(data) if isinstance(data, Path) else name
    try:
        raw = data.read_bytes() if isinstance(data, Path) else data
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({reason(error)})") from None
    try:
        with _opened(raw, name) as file:
            if file.width * file.height > pixels:
                raise DataError(
                    f"{name}: {file.width}x{file.height} is more than {pixels / 1e6:g} million "
                    "pixels; reduce its size"
                )
            if longest is not None:
                file.draft("RGB", (longest, longest))  # JPEG: decodes fewer pixels
            file.load()
            if longest is not None:
                file.thumbnail((longest, longest), reducing_gap=2.0)
            return _decoded(file)
    except RealtimeBgError:
        raise
    except Exception as error:  # decoders raise all kinds of errors on damaged files
        unknown = isinstance(error, UnidentifiedImageError)
        why = "not a picture of a known format" if unknown else reason(error)
        raise DataError(
            f"{name}: cannot be read ({why}); give a complete JPEG, PNG, WebP, TIFF or HEIC file"
        ) from None


def pixels_of(data: bytes) -> int:
    """How many pixels an encoded picture has by its header; 0 if that cannot be read."""
    try:
        with _opened(data, "") as file:
            return file.width * file.height
    except Exception:  # `read_photo` reports what is wrong
        return 0


def is_animated(data: bytes) -> bool:
    """Whether the bytes of a file hold several pictures that are shown one after the other."""
    try:
        with _opened(data, "") as file:
            return bool(getattr(file, "is_animated", False)) and file.format != "MPO"
    except Exception:  # `read_photo` reports what is wrong
        return False


def _opened(data: bytes, name: str) -> Any:
    """The picture by its header; its pixels are decoded when they are used."""
    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        _learn_heic(name)
    return Pillow.open(io.BytesIO(data), formats=_formats())


def _learn_heic(name: str) -> None:
    try:
        import pi_heif
    except ImportError:
        raise MissingPackageError(
            f"{name}: HEIC needs the package 'pi-heif'; run: {add_extra('heif')}"
        ) from None
    pi_heif.register_heif_opener()


def _formats() -> list[str]:
    Pillow.init()
    return [name for name in READ if name in Pillow.OPEN]


def _decoded(file: Any) -> Photo:
    ImageOps.exif_transpose(file, in_place=True)
    picture = file
    # Without the orientation, which has been applied
    icc, exif = _profile(file), _exif(file)
    if picture.mode == "F":
        raise DataError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        deep = np.asarray(picture).astype(np.float32)
        is_8_bit = picture.mode == "I" and deep.max() <= 255  # in a wider type
        grey = np.rint(deep / (1 if is_8_bit else 257)).clip(0, 255).astype(np.uint8)
        return Photo(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), None, None, exif)
    if icc and picture.mode in ("CMYK", "LAB", "L", "LA"):  # the profile is not for RGB pixels
        picture, icc = _as_srgb(picture, icc), None
    alpha: Alpha | None = None
    if picture.has_transparency_data:
        full = np.asarray(picture.convert("RGBA"))
        alpha = np.divide(full[..., 3], np.float32(255), dtype=np.float32)
        white = np.full_like(full[..., :3], 255)
        rgb = cv2.blendLinear(np.ascontiguousarray(full[..., :3]), white, alpha, 1 - alpha)
        alpha = None if alpha.min() == 1 else alpha
    else:
        rgb = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return Photo(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), alpha, icc, exif)


def _profile(file: Any) -> bytes | None:
    """The colour profile, unless it is damaged: viewers would show anything."""
    icc = file.info.get("icc_profile")
    try:
        return icc if icc and ImageCms.ImageCmsProfile(io.BytesIO(icc)) else None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _as_srgb(picture: Any, icc: bytes) -> Any:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        plain = picture.convert("L") if picture.mode == "LA" else picture
        turned = ImageCms.profileToProfile(
            plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):  # the profile is for another kind of pixels
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
    quick: bool = False,
) -> bytes:
    """Encode the person with a straight (not premultiplied) alpha channel as the bytes of a file.

    ``depth`` 16 gives the alpha 65536 levels (PNG only). ``quick``: see `encode`. Invisible pixels
    are black, so nothing of the room is left in the file. Raises DataError for formats without
    alpha.
    """
    if format == "jpg":
        raise DataError("JPEG has no transparency; choose PNG or WebP, or a background")
    levels = np.rint(cutout.alpha * (65535 if depth == 16 else 255))
    colour = person_colours(cutout)
    if depth == 16:
        pixels: NDArray[Any] = np.dstack([colour * np.uint16(257), levels.astype(np.uint16)])
    else:
        pixels = np.dstack([colour, levels.astype(np.uint8)])
    return encode(pixels, format, quality=quality, icc=icc, exif=exif, quick=quick)


def person_colours(cutout: Cutout) -> Image:
    """The foreground, black where the 8-bit alpha is 0. Otherwise the room would be visible to
    anybody who looks only at the colour channels."""
    return cv2.copyTo(cutout.foreground, (cutout.alpha >= NOBODY).astype(np.uint8))


def encode(
    pixels: NDArray[Any],
    format: Format,
    *,
    quality: int = 95,
    icc: bytes | None = None,
    exif: bytes | None = None,
    quick: bool = False,
) -> bytes:
    """Encode grey (H, W), BGR (H, W, 3) or BGRA (H, W, 4) pixels, uint8 (or uint16 for PNG), as the
    bytes of a file. ``quality`` of JPEG and WebP: 1 to 100. ``quick``: compress less, for somebody
    who waits. Raises DataError."""
    icc = None if pixels.ndim == 2 else icc  # it describes colours
    if pixels.dtype == np.uint16:
        if format != "png":
            raise DataError("16 bits are supported only by PNG")
        return _with_chunks(cv2.imencode(".png", pixels)[1].tobytes(), icc, exif)
    if pixels.ndim == 3:
        how = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, how)
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if exif:
        options["exif"] = exif
    if format in ("jpg", "webp"):
        options["quality"] = quality
    if quick:
        options |= QUICK.get(format, {})
    if format == "tiff" and not exif:  # Pillow cannot write Exif into a compressed one
        options["compression"] = "tiff_adobe_deflate"
    kind = "JPEG" if format == "jpg" else format.upper()
    buffer = io.BytesIO()
    try:
        Pillow.fromarray(pixels).save(buffer, kind, **options)
    # WebP allows at most 16383 pixels per side
    except (OSError, ValueError, struct.error) as error:
        raise DataError(f"cannot be written as {format} ({reason(error)})") from None
    return buffer.getvalue()


def _with_chunks(png: bytes, icc: bytes | None, exif: bytes | None) -> bytes:
    """A PNG from OpenCV with a colour profile and metadata inserted after its header (PNG
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
