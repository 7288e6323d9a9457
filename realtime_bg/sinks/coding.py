"""The codec and pixel format of each kind of video file, in live runs and for whole files."""

from typing import NamedTuple

from av.video.reformatter import Interpolation

# Without this, colours are truncated, which tints dark ones by up to 4 levels.
ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND


class Coding(NamedTuple):
    """How a track is encoded. ``codec`` and ``options`` are FFmpeg's; ``pixels`` is the encoder's
    pixel format, ``given`` that of the arrays: gray, bgr24 and bgra ``uint8``, rgb48le and rgba64le
    ``uint16``."""

    codec: str
    pixels: str
    given: str
    options: dict[str, str]

    @property
    def container(self) -> str:
        """The container of its parts. Only Matroska keeps VP9's alpha, but it loses the ProRes
        profile."""
        return "matroska" if self.codec == "libvpx-vp9" else "mov"


H264 = Coding("libx264", "yuv420p", "bgr24", {"preset": "veryfast", "crf": "18"})
VP9 = Coding(
    "libvpx-vp9",
    "yuv420p",
    "bgr24",
    {"deadline": "realtime", "cpu-used": "7", "crf": "30", "row-mt": "1"},
)
VP9_ALPHA = VP9._replace(
    pixels="yuva420p", given="bgra", options={**VP9.options, "auto-alt-ref": "0"}
)
PRORES = Coding(
    "prores_ks", "yuva444p10le", "rgba64le", {"profile": "4", "alpha_bits": "16", "vendor": "apl0"}
)
# QuickTime Animation: lossless, and quick enough for a live run, which ProRes is not
ANIMATION = Coding("qtrle", "argb", "bgra", {})


def recording(suffix: str) -> Coding:
    """The coding of an opaque recording with this suffix."""
    return VP9 if suffix == ".webm" else H264
