"""Which files are opened as video, and which of their streams."""

from pathlib import Path

import av
import numpy as np
import pytest

from realtime_bg.backgrounds import open_background
from realtime_bg.errors import BackgroundError, SourceError
from realtime_bg.media.av import open_video
from realtime_bg.settings import BackgroundSettings


def clip(path: Path, shade: int = 90, size: tuple[int, int] = (64, 36)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(3):
            pixels = np.full((size[1], size[0], 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        container.mux(stream.encode())
    return path


PLAYLISTS = {
    "list.mp4": "ffconcat version 1.0\nfile list.mp4\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5000 RTP/AVP 96\n",
    "a.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_files_that_name_other_files_are_not_opened(tmp_path, name):
    clip(tmp_path / "real.mp4")
    path = tmp_path / name
    path.write_text(PLAYLISTS[name])
    with pytest.raises(SourceError, match="cannot be read as video"):
        open_video(str(path))
    with pytest.raises(BackgroundError, match="cannot be read as video") as no:
        open_background(str(path), BackgroundSettings(), wait=True)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("target", ["concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4"])
def test_protocols_that_open_other_files_are_no_sources(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "a.mp4")
    from realtime_bg.sources import classify

    with pytest.raises(SourceError, match="no such file"):
        classify(target)


def test_a_frame_beyond_the_limit_is_not_decoded(tmp_path):
    path = str(clip(tmp_path / "large.mkv", size=(320, 180)))
    container, stream = open_video(path, pixels=200_000)
    with container:
        assert next(container.decode(stream)).width == 320
    with pytest.raises(SourceError, match=r"more than 0\.05 million pixels"):
        open_video(path, pixels=50_000)


def covered(path: Path, *, moving: bool) -> Path:
    """A file whose first video stream is a cover picture."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", 1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        streams = [cover]
        if moving:
            video = container.add_stream("mpeg4", 10)
            video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
            streams.append(video)
        sound = container.add_stream("aac", 48000, layout="mono")
        for stream in streams:
            pixels = np.full((stream.height, stream.width, 3), 90, np.uint8)
            for _ in range(1 if stream is cover else 3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
            container.mux(stream.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def test_a_cover_picture_is_not_the_video(tmp_path):
    container, stream = open_video(str(covered(tmp_path / "a.mp4", moving=True)))
    with container:
        assert (stream.width, stream.height) == (64, 36)


def test_music_with_a_cover_contains_no_video(tmp_path):
    with pytest.raises(SourceError, match="contains no video"):
        open_video(str(covered(tmp_path / "song.mp4", moving=False)))
