"""The codec and pixel format for each kind of video result, and the writer of encoded parts."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

import av
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from realtime_bg.errors import SinkError, reason
from realtime_bg.imaging.geometry import even, trimmed
from realtime_bg.sinks.coding import PRORES, ROUNDED, VP9_ALPHA, Coding, recording
from realtime_bg.videos.clips import FULL, STUDIO, Clip, Colour

AlphaKind: TypeAlias = Literal["prores4444", "vp9", "webm", "png-sequence", "gif", "matte"]
INDEX_CLOCK = Fraction(1, 1000)  # Matroska's; parts count frames with it, see `PartWriter`
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


PNG = Coding("png", "rgba", "bgra", {"compression_level": "4", "pred": "mixed"})
PNG_OPAQUE = PNG._replace(pixels="rgb24", given="bgr24")

# HDR and wide gamut: 10 bits, no B-frames for the same reason as in `opaque`, and finer chroma, of
# which one step is many levels of a dark channel.
DEEP = Coding(
    "libx265",
    "yuv420p10le",
    "rgb48le",
    {
        "preset": "fast",
        "crf": "18",
        "x265-params": "bframes=0:cbqpoffs=-12:crqpoffs=-12:log-level=error",
    },
)

SUFFIXES: dict[AlphaKind | None, tuple[str, ...]] = {
    None: (".mp4", ".mkv", ".mov", ".webm", ".gif"),
    "prores4444": (".mov", ".mkv"),
    "vp9": (".webm", ".mkv"),
    "webm": (".webm",),
    "png-sequence": ("",),
    "gif": (".gif",),
    "matte": (".mp4", ".mkv", ".mov", ".webm"),
}


def opaque(suffix: str) -> Coding:
    """Return the coding for an opaque file with this suffix."""
    if suffix == ".gif":
        return PNG_OPAQUE
    coding = recording(suffix)
    if coding.codec != "libx264":
        return coding
    # Without B-frames packets are in display order, on which joining parts relies.
    return coding._replace(options=coding.options | {"bf": "0"})


def keeps_depth(alpha: AlphaKind | None, suffix: str) -> bool:
    """Whether such a result can have HDR or wide-gamut colours with more than 8 bits. PyAV's VP9
    encoder has 8."""
    return alpha == "prores4444" or (alpha is None and suffix not in (".gif", ".webm"))


def says_aspect(alpha: AlphaKind | None, suffix: str) -> bool:
    """Whether such a result can say that its pixels are not square. Matroska and WebM can only
    where the encoded pictures say it."""
    return suffix in (".mp4", ".mov") or (suffix == ".mkv" and alpha in (None, "matte"))


def codings(alpha: AlphaKind | None, suffix: str, deep: bool = False) -> dict[str, Coding]:
    """Return the tracks of a result by name: one, or foreground and matte. ``deep``: with 10 bits
    if `keeps_depth`."""
    if deep and alpha is None:
        return {"video": DEEP}
    if alpha == "matte":
        return {"foreground": opaque(suffix), "matte": opaque(suffix)}
    if alpha == "prores4444":
        return {"video": PRORES}
    if alpha in ("vp9", "webm"):
        return {"video": VP9_ALPHA}
    return {"video": opaque(suffix) if alpha is None else PNG}


class PartWriter:
    """Encodes some frames of a clip into a file.

    Matroska rounds times to milliseconds, so the file counts frames: frame n has the time n ms. The
    true times, which the encoder receives, are kept beside it (see `Parts`).
    """

    def __init__(self, path: Path, coding: Coding, clip: Clip, target: Path) -> None:
        """``target``: the result, which errors name. Raises SinkError."""
        self._target, self._coding, self._colour = target, coding, clip.colour
        self._size = clip.size if coding.codec == "png" else even(clip.size)
        self._indices: dict[int, int] = {}
        try:
            self._container = av.open(str(path), "w", format=coding.container)
        except (OSError, av.FFmpegError) as error:
            raise self._failed(error) from None
        stream: Any = self._container.add_stream(
            coding.codec, rate=clip.rate.limit_denominator(1001), options=dict(coding.options)
        )
        stream.width, stream.height = self._size
        stream.pix_fmt = coding.pixels
        context = stream.codec_context
        context.time_base = clip.time_base
        context.sample_aspect_ratio = clip.aspect
        if coding.codec == "libx265":
            context.codec_tag = "hvc1"  # the tag that Apple's players want
        if coding.pixels.startswith("yuv"):
            context.color_range = FULL if clip.colour.full else STUDIO
            context.colorspace = clip.colour.matrix
            context.color_primaries = clip.colour.primaries
            context.color_trc = clip.colour.transfer
        if "a" in coding.pixels and coding.codec == "libvpx-vp9":
            stream.metadata["alpha_mode"] = "1"
        self._stream, self._time_base = stream, clip.time_base

    def add(self, pixels: NDArray[Any], pts: int) -> None:
        """Encode a frame at a tick of the clip. Raises SinkError."""
        picture = av.VideoFrame.from_ndarray(trimmed(pixels, self._size), self._coding.given)
        if self._coding.pixels.startswith("yuv"):
            picture = _reformatted(picture, self._coding.pixels, self._colour)
            # ProRes says it in each picture.
            picture.color_primaries = self._colour.primaries
            picture.color_trc = self._colour.transfer
        picture.pts, picture.time_base = pts, self._time_base
        self._indices[pts] = len(self._indices)
        self._write(picture)

    def _write(self, picture: Any) -> None:
        try:
            for packet in self._stream.encode(picture):
                packet.pts = packet.dts = self._indices[packet.pts]
                packet.duration, packet.time_base = 1, INDEX_CLOCK
                self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise self._failed(error) from None

    def finish(self) -> None:
        """Flush the encoder and close the file. Raises SinkError."""
        self._write(None)
        try:
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            raise self._failed(error) from None

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._container.close()

    def _failed(self, error: Exception) -> SinkError:
        return SinkError(f"{self._target}: cannot be written ({reason(error)})")


def _reformatted(picture: Any, pixels: str, colour: Colour) -> Any:
    return picture.reformat(
        format=pixels,
        dst_colorspace=MATRICES.get(colour.matrix, Colorspace.ITU601),
        dst_color_range=ColorRange.JPEG if colour.full else ColorRange.MPEG,
        interpolation=ROUNDED,
    )
