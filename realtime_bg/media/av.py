"""Opening video files and streams with PyAV, and the times of their pictures."""

import os
from typing import Any

import av
from av.stream import Disposition

from realtime_bg.errors import SourceError, reason
from realtime_bg.media.codecs import VIDEO, WHITELIST
from realtime_bg.system.urls import without_password

# What files are opened as, by FFmpeg's names of demuxers. Playlists, lists of files (concat, image
# sequences) and anything that opens other files or addresses are left out on purpose: a file of 33
# bytes that names itself would use up every file handle.
FORMATS = (
    "aac,ac3,aiff,apng,asf,av1,avi,dv,flac,flv,gif,h261,h263,h264,hevc,ivf,m4v,matroska,webm,"
    "mjpeg,mov,mp4,mp3,mpeg,mpegts,mpegvideo,mxf,nsv,nut,obu,ogg,rawvideo,rm,swf,vc1,vivo,wav,wtv,"
    "yuv4mpegpipe"
)


def open_video(target: str, pixels: int | None = None, **options: Any) -> tuple[Any, Any]:
    """The container and its video stream, decoding on several threads.

    The stream is the default one, or the first; cover pictures do not count. ``pixels``: a video
    with more pixels in a frame is refused before one is decoded. Files are opened only in the
    formats of `FORMATS`, and cannot refer to other files. Only the decoders in `codecs.py` run,
    also while the file is examined. Raises SourceError if it cannot be read or contains no video.
    """
    shown = without_password(target)
    is_file = os.path.isfile(target)
    limits = {"codec_whitelist": WHITELIST}
    if pixels is not None:
        limits["max_pixels"] = str(pixels)
    only = {"format_whitelist": FORMATS, "protocol_whitelist": "file"} if is_file else {}
    options["options"] = options.get("options", {}) | only | limits
    try:
        # FFmpeg would take the part of a bare file name before a colon for a protocol.
        container = av.open(os.path.abspath(target) if is_file else target, **options)
    except (av.FFmpegError, OSError, ValueError) as error:
        why = without_password(reason(error))
        if is_file and isinstance(error, av.ArgumentError):
            why = "not a video file; playlists and lists of files are not opened"
        raise SourceError(f"{shown}: cannot be read as video ({why})") from None
    stream = _video_stream(container)
    if stream is None:
        container.close()
        raise SourceError(f"{shown}: contains no video")
    if stream.codec_context is None:
        container.close()
        raise SourceError(f"{shown}: no decoder for its video format is available")
    codec = stream.codec_context
    if codec.codec.name not in VIDEO:
        container.close()
        raise SourceError(
            f"{shown}: its video codec {codec.codec.name} is not allowed; convert it, for example "
            "to H.264"
        )
    # With a limit, FFmpeg does not even look at larger frames, and states no size.
    if pixels is not None and not 0 < codec.width * codec.height <= pixels:
        container.close()
        raise SourceError(
            f"{shown}: its frames have more than {pixels / 1e6:g} million pixels; reduce its size"
        )
    codec.options = limits
    stream.thread_type = "AUTO"
    return container, stream


def _video_stream(container: Any) -> Any:
    """The default video stream, or the first; None if there are only cover pictures."""
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    default = (stream for stream in moving if stream.disposition & Disposition.default)
    return next(default, moving[0] if moving else None)


class Timeline:
    """The times of pictures that follow each other, in ticks or seconds, for files whose own times
    are missing or step back.

    ``step``: the usual time between two pictures. ``tick``: the least one. ``second``: one second.
    ``offsets``: what has been added to the file's times, first 0, then one value for each place
    where they step back by a second or more, as in joined files.
    """

    def __init__(self, step: float, tick: float, second: float) -> None:
        self._step, self._tick, self._second = step, tick, second
        self.last: Any = None
        self.offsets: list[Any] = [0]

    def place(self, at: Any, first: Any = 0) -> Any:
        """The time of the next picture, whose own time is ``at``, or None if that is missing;
        ``first`` replaces a missing first time.

        A time slightly before the last one becomes the last one plus a tick, so that the following
        pictures stay on time. After a larger step back the pictures continue one step after the
        last one, at their own distances.
        """
        if self.last is None:
            self.last = first if at is None else at
            return self.last
        following = self.last + self._step
        shifted = following if at is None else at + self.offsets[-1]
        if shifted <= self.last - self._second:
            self.offsets.append(following - at)
            shifted = following
        self.last = max(shifted, self.last + self._tick)
        return self.last
