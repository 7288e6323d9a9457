"""Writes PNG sequences and animated GIFs."""

import re
import shutil
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image as Pillow

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Image
from realtime_bg.videos.clips import Span
from realtime_bg.videos.parts import Part, Stopped, packets

# GIF: the transparent palette index, and the number of colours
TRANSPARENT, LEVELS = 255, 254
SEQUENCE = re.compile(r"\d{6,}\.png|frames\.ffconcat")
GIF_CLOCK = Fraction(1, 100)
GIF_LEAST = 2  # smallest duration of a frame, in these units; browsers show shorter ones for ten


def write_sequence(folder: Path, parts: list[Part], span: Span, stop: threading.Event) -> None:
    """Write a PNG for each frame, and a list of times for FFmpeg (``ffmpeg -i frames.ffconcat``).
    Raises OSError and Stopped."""
    lines = ["ffconcat version 1.0"]
    shutil.rmtree(folder, ignore_errors=True)  # left over from a run that was killed
    folder.mkdir()
    for number, (packet, start, end) in enumerate(packets(parts, "video")):
        if stop.is_set():
            raise Stopped
        name = f"{number:06d}.png"
        # a packet of this codec is a complete PNG file
        (folder / name).write_bytes(bytes(packet))
        seconds = float((end - start) * span.clip.time_base)
        lines += [f"file {name}", f"duration {seconds:.6f}"]
    (folder / "frames.ffconcat").write_text("\n".join(lines) + "\n")


def not_of_a_sequence(folder: Path) -> str | None:
    """Return the name of an entry in ``folder`` that `write_sequence` does not make, or None.
    Raises SinkError."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise SinkError(f"{folder}: cannot be read ({reason(error)})") from None
    return next((name for name in names if not SEQUENCE.fullmatch(name)), None)


def write_gif(path: Path, parts: list[Part], span: Span, stop: threading.Event) -> None:
    """Write an animated GIF that loops, with a palette for each frame. Raises Stopped,
    FFmpegError and OSError."""
    clip = span.clip
    with av.open(str(path), "w") as out:  # FFmpeg's GIFs loop without end unless told otherwise
        stream: Any = out.add_stream("gif", rate=clip.rate.limit_denominator(1001))
        stream.width, stream.height = clip.size
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = GIF_CLOCK
        last = -GIF_LEAST
        for packet, start, _ in packets(parts, "video"):
            if stop.is_set():
                raise Stopped
            at = round((start - span.start) * clip.time_base / GIF_CLOCK)
            if at < last + GIF_LEAST:
                continue
            png = np.frombuffer(bytes(packet), np.uint8)
            full: Any = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
            picture = av.VideoFrame.from_ndarray(paletted(full), "pal8")
            last = picture.pts = at  # on the encoder's clock
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def paletted(full: Image) -> tuple[Image, Image]:
    """Convert BGR or BGRA ``uint8`` pixels to indices ``uint8 (H, W)`` into a palette, ARGB ``(256,
    4)``; alphas below one half become transparent."""
    rgb = cv2.cvtColor(full, cv2.COLOR_BGR2RGB)  # also drops the alpha
    reduced = Pillow.fromarray(rgb).quantize(LEVELS, Pillow.Quantize.FASTOCTREE)
    places = np.array(reduced, np.uint8)
    colours = np.frombuffer(reduced.palette.tobytes(), np.uint8).reshape(-1, 3)  # type: ignore[union-attr]
    palette = np.zeros((256, 4), np.uint8)
    palette[: len(colours), 1:] = colours
    palette[:TRANSPARENT, 0] = 255
    if full.shape[2] == 4:
        places[full[..., 3] < 128] = TRANSPARENT
    return places, palette
