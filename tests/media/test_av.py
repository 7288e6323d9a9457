"""Which files are opened as video, and which of their streams."""

from pathlib import Path

import av
import numpy as np
import pytest

from realtime_bg.backgrounds import open_background
from realtime_bg.errors import BackgroundError, SourceError
from realtime_bg.media.av import open_video
from realtime_bg.media.codecs import VIDEO, WHITELIST
from realtime_bg.media.reading import pictures
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


# encoder -> suffix and pixel format
USUAL = {
    "libx264": (".mp4", "yuv420p"),
    "libx265": (".mp4", "yuv420p"),
    "libsvtav1": (".mp4", "yuv420p"),
    "libvpx": (".webm", "yuv420p"),
    "libvpx-vp9": (".webm", "yuv420p"),
    "mpeg1video": (".mpg", "yuv420p"),
    "mpeg2video": (".mpg", "yuv420p"),
    "mpeg4": (".mp4", "yuv420p"),
    "msmpeg4": (".avi", "yuv420p"),
    "msmpeg4v2": (".avi", "yuv420p"),
    "wmv1": (".asf", "yuv420p"),
    "wmv2": (".asf", "yuv420p"),
    "h263": (".3gp", "yuv420p"),
    "flv": (".flv", "yuv420p"),
    "mjpeg": (".avi", "yuvj420p"),
    "prores_ks": (".mov", "yuv422p10le"),
    "ffv1": (".mkv", "yuv420p"),
    "ffvhuff": (".avi", "yuv420p"),
    "huffyuv": (".avi", "yuv422p"),
    "utvideo": (".avi", "yuv420p"),
    "qtrle": (".mov", "rgb24"),
    "png": (".mov", "rgb24"),
    "apng": (".apng", "rgb24"),
    "gif": (".gif", "rgb8"),
    "cinepak": (".avi", "rgb24"),
    "svq1": (".mov", "yuv410p"),
    "rawvideo": (".avi", "bgr24"),
    "v210": (".mov", "yuv422p10le"),
    "cfhd": (".mov", "yuv422p10le"),
}


def coded(path: Path, encoder: str, pixels: str, frames: int = 3) -> Path:
    """A clip of grey pictures, or a skipped test without this encoder."""
    if encoder not in av.codecs_available:
        pytest.skip(f"no encoder {encoder}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, 25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixels
        for _ in range(frames):
            image = np.full((96, 128, 3), 90, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("encoder", USUAL)
def test_what_peoples_videos_contain_is_decoded(tmp_path, encoder):
    suffix, pixels = USUAL[encoder]
    container, stream = open_video(str(coded(tmp_path / f"a{suffix}", encoder, pixels)))
    with container:
        picture = next(pictures(container, stream))
        assert abs(picture.to_ndarray(format="bgr24").mean() - 90) < 8


RARE = {"flashsv": (".flv", "bgr24"), "zmbv": (".avi", "bgr0"), "snow": (".avi", "yuv420p")}


@pytest.mark.parametrize("encoder", RARE)
def test_a_codec_that_is_not_allowed_is_named(tmp_path, encoder):
    suffix, pixels = RARE[encoder]
    path = str(coded(tmp_path / f"a{suffix}", encoder, pixels))
    with pytest.raises(SourceError, match=f"its video codec {encoder} is not allowed; convert it"):
        open_video(path)
    with pytest.raises(SourceError, match=f"codec {encoder} is not allowed"):
        open_video(path, pixels=50_000_000)
    with pytest.raises(BackgroundError, match=f"codec {encoder} is not allowed") as no:
        open_background(path, BackgroundSettings(), wait=True)
    assert "\n" not in str(no.value)


def test_a_decoder_that_is_not_allowed_does_not_run_while_a_file_is_examined(tmp_path):
    """FFmpeg decodes some frames to find out what a file contains: here, its pixel format."""
    path = str(coded(tmp_path / "a.avi", "zmbv", "bgr0"))
    with av.open(path) as container:
        assert container.streams.video[0].pix_fmt
    with av.open(path, options={"codec_whitelist": WHITELIST}) as container:
        assert not container.streams.video[0].pix_fmt


def test_every_allowed_decoder_is_called_as_ffmpeg_calls_it():
    """A misspelt name would refuse what it should allow."""
    elsewhere = {"libaom-av1", "libtheora", "libopenjpeg", "libwebp"}  # of other builds of FFmpeg
    assert VIDEO - elsewhere <= av.codecs_available
