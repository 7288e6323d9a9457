"""Cameras that are read through PipeWire: which ones there are, and their pixel formats."""

import json

import cv2
import numpy as np
import pytest

from realtime_bg.devices import pipewire_capture
from realtime_bg.devices.pipewire import OWN
from realtime_bg.devices.pipewire_capture import Node, Picture, pipewire_cameras, to_bgr
from realtime_bg.devices.pods import Pixels

SIZE = WIDTH, HEIGHT = 8, 6


def picture():
    """Blocks of 2x2 pixels of one colour, which 4:2:0 keeps."""
    small = np.random.default_rng(3).integers(40, 200, (HEIGHT // 2, WIDTH // 2, 3), np.uint8)
    return small.repeat(2, 0).repeat(2, 1)


def padded(rows, padding):
    """Rows ``uint8 (H, bytes)`` with some bytes after each, and the stride."""
    wide = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return wide.tobytes(), wide.shape[1]


def packed(image, pixels):
    if pixels in (Pixels.YUY2, Pixels.UYVY):
        codes = {Pixels.YUY2: cv2.COLOR_BGR2YUV_YUY2, Pixels.UYVY: cv2.COLOR_BGR2YUV_UYVY}
        return cv2.cvtColor(image, codes[pixels]).reshape(HEIGHT, -1)
    code = {
        Pixels.RGBX: cv2.COLOR_BGR2RGBA,
        Pixels.RGBA: cv2.COLOR_BGR2RGBA,
        Pixels.BGRX: cv2.COLOR_BGR2BGRA,
        Pixels.BGRA: cv2.COLOR_BGR2BGRA,
        Pixels.RGB: cv2.COLOR_BGR2RGB,
    }
    made = image if pixels == Pixels.BGR else cv2.cvtColor(image, code[pixels])
    return made.reshape(HEIGHT, -1)


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("pixels", sorted(pipewire_capture.PACKED))
def test_packed_formats(pixels, padding):
    image = picture()
    block, stride = padded(packed(image, pixels), padding)
    for given in (block, block[: len(block) - padding]):  # the last padding may lack
        seen = to_bgr(Picture([given], [stride]), pixels, SIZE)
        assert np.abs(seen.astype(int) - image).max() <= 6


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("pixels", [Pixels.I420, Pixels.NV12])
def test_planar_formats(pixels, padding, split):
    image = picture()
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    luma, rest = planes[:HEIGHT], planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    blocks = [padded(luma, padding)[0]]
    if pixels == Pixels.I420:
        blocks += [padded(plane, padding // 2)[0] for plane in rest]
    else:
        blocks += [padded(np.dstack(list(rest)).reshape(HEIGHT // 2, WIDTH), padding)[0]]
    strides = [WIDTH + padding] * len(blocks)
    given = Picture(blocks, strides) if split else Picture([b"".join(blocks)], strides[:1])
    seen = to_bgr(given, pixels, SIZE)
    assert np.abs(seen.astype(int) - image).max() <= 6


def test_motion_jpeg():
    image = np.full((HEIGHT, WIDTH, 3), (10, 120, 230), np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    assert np.abs(to_bgr(Picture([data], [0]), None, SIZE).astype(int) - image).max() <= 6


@pytest.mark.parametrize("pixels", [None, *Pixels])
@pytest.mark.parametrize("block", [b"", b"\xff\xd8\xff", b"x" * 20])
def test_what_is_cut_off_is_an_error(pixels, block):
    with pytest.raises((ValueError, cv2.error)):
        to_bgr(Picture([block], [0]), pixels, SIZE)


def node(number, kind="Node", **properties):
    kind = f"PipeWire:Interface:{kind}"
    return {
        "id": number,
        "type": kind,
        "info": {"props": {"media.class": "Video/Source", **properties}},
    }


WEBCAM = node(1, **{"node.name": "v4l2_input.usb", "node.description": "Webcam"})
OTHERS = [
    node(2, **{"node.name": "realtime-bg", OWN: "true"}),
    node(3, **{"node.name": "loop", "api.v4l2.cap.driver": "v4l2 loopback"}),
    node(4, **{"node.name": "speaker", "media.class": "Audio/Sink"}),
    node(7, "Client", **{"node.name": "v4l2_input.usb", "node.description": "Webcam"}),
    {"id": 5, "info": None},
    {"id": 6},
]
GONE = {"id": 1, "info": None}


@pytest.mark.parametrize(
    "lists", [[[WEBCAM, *OTHERS]], [OTHERS, [WEBCAM]], [[GONE], [WEBCAM], [WEBCAM]]]
)
def test_cameras_are_listed_without_our_own_and_virtual_ones(tmp_path, monkeypatch, lists):
    """`pw-dump` prints several lists if something changes meanwhile."""
    text = "\n".join(json.dumps(each) for each in lists)
    (tmp_path / "answer").write_text(text)
    tool = tmp_path / "pw-dump"
    tool.write_text(f"#!/bin/sh\nexec cat {tmp_path}/answer\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert pipewire_cameras() == [Node("v4l2_input.usb", "Webcam")]


@pytest.mark.parametrize("does", ["exit 1", "echo '[{'", "sleep 60"])
def test_a_pipewire_that_does_not_answer_is_an_os_error(tmp_path, monkeypatch, does):
    tool = tmp_path / "pw-dump"
    tool.write_text(f"#!/bin/sh\n{does}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(pipewire_capture, "DUMP_SECONDS", 0.2 if does == "sleep 60" else 5.0)
    with pytest.raises(OSError, match="pw-dump"):
        pipewire_cameras()


def test_without_the_tool_it_is_an_os_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="pw-dump"):
        pipewire_cameras()
