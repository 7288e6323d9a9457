"""Outputs of the person alone: files with transparency, grey mattes, and pictures in a pipe."""

import os
import subprocess
from contextlib import contextmanager

import av
import numpy as np
import pytest

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite
from realtime_bg.live.recordings import beside_what_is_there
from realtime_bg.settings import OutputSettings
from realtime_bg.sinks import absolute, classify, file_of, open_sink, wants_person, with_file
from realtime_bg.system import stdout
from realtime_bg.testing import SinkContract

SIZE = (64, 48)
ROOM, SHIRT = (30, 60, 90), (200, 120, 40)


def composite(index=0, person=True):
    """Somebody fills the left half, half transparent in the middle."""
    layer = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    layer[:, :32] = (*SHIRT, 255)
    layer[:, 28:32, 3] = 128
    image = np.full((SIZE[1], SIZE[0], 3), ROOM, np.uint8)
    return Composite(image, index, index / 10, person=layer if person else None)


def read(path, form, decoder=None):
    """The pictures of a file with their times."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = container.demux(stream)
        if decoder is None:
            pictures = [one for packet in packets for one in packet.decode()]
        else:  # FFmpeg's own decoder of VP9 ignores the alpha
            codec = av.CodecContext.create(decoder, "r")
            codec.extradata = stream.codec_context.extradata
            pictures = [one for packet in packets for one in codec.decode(packet)]
    return [one.to_ndarray(format=form) for one in pictures], [one.time for one in pictures]


def close_to(pixels, expected, by=8):
    return np.abs(pixels.astype(int) - np.array(expected)).max() <= by


def written(spec, *composites):
    sink = open_sink(spec, SIZE, 10)
    for one in composites:
        sink.send(one)
    sink.close()


@pytest.mark.parametrize(
    ("name", "decoder"), [("me.mov", None), ("me.webm", "libvpx-vp9"), ("me.mkv", "libvpx-vp9")]
)
def test_a_file_holds_the_persons_colours_and_alpha_and_nothing_else(tmp_path, name, decoder):
    path = tmp_path / name
    written(f"rgba:{path}", composite(0, person=False), composite(1), composite(2))
    pictures, _ = read(path, "bgra", decoder)
    assert not pictures[0][..., 3].any(), "nobody was found yet"
    assert close_to(pictures[0][..., :3], 0)
    for shown in pictures[1:]:
        assert close_to(shown[:, :24], (*SHIRT, 255))
        assert close_to(shown[:, 29:31, 3], 128, 30)
        assert close_to(shown[:, 40:], 0)


@pytest.mark.parametrize("name", ["me.mp4", "me.webm", "me.mkv", "me.mov"])
def test_a_matte_is_white_where_the_person_is(tmp_path, name):
    path = tmp_path / name
    written(f"matte:{path}", composite(0, person=False), composite(1))
    (nobody, somebody), _ = read(path, "bgr24")
    assert close_to(nobody, 0)
    assert close_to(somebody[:, :24], 255)
    assert close_to(somebody[:, 40:], 0)


def test_a_file_without_transparency_is_refused(tmp_path):
    with pytest.raises(SinkError, match=r"no transparency; choose \.mov, \.webm, \.mkv"):
        open_sink(f"rgba:{tmp_path / 'me.mp4'}", SIZE, 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", ["rgba", "rgba:", "rgba:me", "matte:me.txt", "matte:"])
def test_a_cutout_needs_the_name_of_a_video_file(spec):
    with pytest.raises(SinkError, match=r"give the name of a video file|choose window"):
        classify(spec)


def test_specs_of_files_keep_their_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert classify("rgba:~/a.MOV") == ("rgba", "/home/me/a.MOV")
    assert file_of("matte:a.mp4").name == "a.mp4"
    assert absolute("rgba:a.mov") == f"rgba:{tmp_path / 'a.mov'}"
    assert absolute("a.mp4") == str(tmp_path / "a.mp4")
    assert absolute("pipe:rgba") == "pipe:rgba"
    assert with_file("matte:a.mp4", tmp_path / "b.mp4") == f"matte:{tmp_path / 'b.mp4'}"
    (tmp_path / "a.mov").touch()
    assert beside_what_is_there("rgba:a.mov") == "rgba:a-2.mov"


def test_only_outputs_of_the_person_ask_for_it():
    def asked(*specs):
        return wants_person(OutputSettings(sinks=specs))

    assert not asked()
    assert not asked("null", "pipe", "a.mp4")
    for spec in ("rgba:a.mov", "matte:a.mp4", "pipe:rgba", "pipe:matte"):
        assert asked("null", spec)


# The pipe


@contextmanager
def standard_output(handle):
    """Standard output is a copy of ``handle``. Not a fixture, because pytest restores its own
    capture before the test."""
    before = os.dup(1)
    os.dup2(handle, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


@contextmanager
def piped(path):
    with path.open("wb") as file, standard_output(file.fileno()):
        yield


@pytest.mark.parametrize("spec", ["pipe", "pipe:rgba", "pipe:matte"])
class TestPipeContract(SinkContract):
    @pytest.fixture(autouse=True)
    def _given(self, spec):
        self._spec = spec

    def open(self, size, fps):
        return open_sink(self._spec, size, fps)

    def test_it_takes_composites_and_closes_twice(self, spec, tmp_path):
        with piped(tmp_path / "a.nut"):
            super().test_it_takes_composites_and_closes_twice()

    def test_one_that_got_nothing_closes(self, spec, tmp_path):
        with piped(tmp_path / "a.nut"):
            super().test_one_that_got_nothing_closes()


@pytest.mark.parametrize(
    ("spec", "form", "expected"),
    [
        ("pipe", "bgr24", composite().image),
        ("pipe:rgba", "bgra", composite().person),
        ("pipe:matte", "gray", composite().person[..., 3]),
    ],
)
def test_a_pipe_carries_the_very_pixels_and_their_times(tmp_path, spec, form, expected):
    path = tmp_path / "a.nut"
    with piped(path):
        written(spec, composite(0, person=False), composite(1), composite(5))
    pictures, times = read(path, form)
    assert times == [0.0, 0.1, 0.5]
    assert spec == "pipe" or not pictures[0].any()
    for shown in pictures[1:]:
        np.testing.assert_array_equal(shown, expected)


def test_ffmpeg_reads_a_pipe(tmp_path):
    path = tmp_path / "a.nut"
    with piped(path):
        written("pipe:rgba", composite(0), composite(1))
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "bgra", "-"]
    try:
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("ffmpeg is not installed")
    pixels = np.frombuffer(done.stdout, np.uint8).reshape(-1, SIZE[1], SIZE[0], 4)
    np.testing.assert_array_equal(pixels, [composite().person] * 2)


def test_what_others_print_stays_out_of_a_reserved_pipe(tmp_path, capfd):
    path = tmp_path / "a.nut"
    with piped(path):
        with stdout.reserved():
            os.write(1, b"a library's remark\n")
            written("pipe:matte", composite(0))
        assert len(read(path, "gray")[0]) == 1
        assert b"remark" not in path.read_bytes()
        os.write(1, b"after")
    assert path.read_bytes().endswith(b"after")
    assert "a library's remark" in capfd.readouterr().err


def test_a_reader_that_ends_is_one_clear_error():
    reading, writing = os.pipe()
    with standard_output(writing):
        sink = open_sink("pipe:rgba", SIZE, 10)
        os.close(reading)

        def send_until_it_is_noticed():
            for index in range(20):
                sink.send(composite(index))

        with pytest.raises(SinkError, match="pipe:rgba: the program that reads it has ended"):
            send_until_it_is_noticed()
        sink.close(complete=False)
        sink.close()
    os.close(writing)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_gets_no_pixels():
    main, side = os.openpty()
    with (
        standard_output(side),
        pytest.raises(SinkError, match="standard output is a terminal"),
    ):
        open_sink("pipe:rgba", SIZE, 10)
    os.close(main)
    os.close(side)


def test_an_unknown_form_lists_the_forms():
    with pytest.raises(SinkError, match=r"pipe:xyz: there is no such form.*pipe:matte"):
        open_sink("pipe:xyz", SIZE, 10)
