"""Faces for framing: found where a detector is, and only then."""

import threading

import cv2
import numpy as np
import pytest
from helpers import graphs
from helpers.waiting import PATIENCE, until

from realtime_bg.frames import Frame
from realtime_bg.networks.faces import Box, Faces
from realtime_bg.processing.busts import busts
from realtime_bg.processing.face_watch import EVERY, HOLD, FaceWatch
from realtime_bg.processing.framing import Framing
from realtime_bg.settings import FrameSettings

SIZE = 640, 360
FACE = (40, 200, 40)
FILE = "face_detection_yunet_2023mar.onnx"


def frame(*middles, at=0.0, epoch=0):
    """A picture with faces, squares of 96 pixels."""
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    for x, y in middles:
        cv2.rectangle(image, (x - 48, y - 48), (x + 47, y + 47), FACE, -1)
    return Frame(image, round(at * 30), at, epoch)


def middle(box):
    return (box.x + box.width / 2) * SIZE[0], (box.y + box.height / 2) * SIZE[1]


@pytest.fixture
def detector(tmp_path, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(tmp_path))
    graphs.yunet(tmp_path / FILE, FACE, face=48)
    return tmp_path / FILE


def test_nothing_is_found_without_the_detector(tmp_path, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(tmp_path))
    assert FaceWatch(wait=True)(frame((200, 160))) == []


def test_a_broken_detector_is_named_once(detector, caplog):
    detector.write_bytes(b"nonsense")
    watch = FaceWatch(wait=True)
    assert [watch(frame((200, 160), at=at)) for at in (0.0, 1.0, 2.0)] == [[], [], []]
    assert len(caplog.messages) == 1
    assert "faces are not detected" in caplog.text


def test_it_looks_again_from_time_to_time_and_in_every_new_view(detector):
    watch = FaceWatch(wait=True)
    assert middle(watch(frame((208, 160)))[0]) == pytest.approx((208, 160), abs=40)
    soon = watch(frame((400, 160), at=EVERY / 2))
    assert middle(soon[0]) == pytest.approx((208, 160), abs=40)
    later = watch(frame((400, 160), at=EVERY))
    assert middle(later[0]) == pytest.approx((400, 160), abs=40)
    assert watch(frame(at=EVERY + 0.01, epoch=1)) == []


def test_no_frame_waits_in_a_call(detector, monkeypatch):
    go_on, find = threading.Event(), Faces.found
    monkeypatch.setattr(
        Faces, "found", lambda self, image: go_on.wait(PATIENCE) and find(self, image)
    )
    watch, first = FaceWatch(wait=False), frame((208, 160))
    assert [watch(first), watch(first)] == [[], []]
    go_on.set()
    until(lambda: watch(first))


def test_who_turns_their_head_is_where_they_were_for_a_while(detector, monkeypatch):
    left, moved, right = (Box(x, 0.3, 0.1, 0.2) for x in (0.2, 0.3, 0.7))
    found = [[left, right], [left], [moved], [moved], [moved]]
    monkeypatch.setattr(Faces, "found", lambda self, image: found.pop(0))
    watch = FaceWatch(wait=True)
    seen = [sorted(watch(frame(at=at))) for at in (0.0, 1.0, 2.0, HOLD - 0.5, HOLD)]
    assert seen == [[left, right], [left, right], [moved, right], [moved, right], [moved]]


def test_faces_say_where_heads_are_of_those_in_the_matte_only():
    alpha = np.zeros(SIZE[::-1], np.float32)
    alpha[60:, 40:420] = 1  # two who touch, without heads that one could see
    faces = [Box(0.1, 0.3, 0.1, 0.2), Box(0.45, 0.25, 0.1, 0.2), Box(0.85, 0.3, 0.1, 0.2)]
    first, second = busts(alpha, SIZE, faces)
    for bust, face in zip((first, second), faces[:2], strict=True):
        assert bust.left < face.x
        assert bust.right > face.x + face.width
        assert bust.top < face.y - 0.3 * face.height
        assert face.y + 1.5 * face.height < bust.bottom < face.y + 4 * face.height
    assert (first.left + first.right) / 2 == pytest.approx(0.15)
    (outline,) = busts(alpha, SIZE, faces[2:])
    assert outline == busts(alpha, SIZE)[0]


def test_the_part_that_is_shown_follows_the_face(detector):
    alpha = np.zeros(SIZE[::-1], np.float32)
    alpha[40:] = 1  # somebody with both arms out, as wide as the picture
    settings = FrameSettings(mode="auto")
    framing = Framing(wait=True)
    for index in range(120):
        shown = framing(frame((160, 130), at=index / 30), alpha, settings)
    assert shown.width < 0.75
    assert shown.left + shown.width / 2 < 0.4
    for index in range(120, 240):
        shown = framing(frame((480, 130), at=index / 30), alpha, settings)
    assert shown.left + shown.width / 2 > 0.6
