"""The model that comes with the program: always at hand, and good on people it never saw."""

import hashlib
from contextlib import closing

import cv2
import numpy as np
import pytest

from realtime_bg import zoo
from realtime_bg.backgrounds import open_background
from realtime_bg.engines import open_engine
from realtime_bg.engines.embedded import AGAIN, Embedded, joined
from realtime_bg.frames import Frame
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.settings import BackgroundSettings, EngineSettings, SourceSettings
from realtime_bg.sources import demo
from realtime_bg.sources._demo_person import portrait
from realtime_bg.stats import Stats
from realtime_bg.training.metrics import iou

BODY = np.zeros((90, 160), bool)
BODY[30:, 60:100] = True


def test_two_sizes_are_joined():
    """The small one knows who is there, the large one where they end."""
    small = np.where(BODY, np.float32(0.98), np.float32(0.02))
    large = small.copy()
    large[50:60, 75:85] = 0.05  # a hole inside
    large[40:46, 100:150] = 0.95  # an arm
    large[5:15, 5:15] = 0.95  # a lamp
    result = joined(small, large)
    assert (result[50:60, 75:85] > 0.9).all()
    assert (result[40:46, 100:150] > 0.9).all()
    assert not result[5:15, 5:15].any()
    assert np.array_equal(joined(np.minimum(small, 0.02), large), large)  # it sees nobody
    edge = small.copy()
    edge[30:34] = 0.05  # at the edge the large one counts
    assert (joined(small, edge)[30:32] < 0.1).all()


class Answers:
    """A network's input and its answers, instead of the network."""

    def __init__(self, view, answer):
        self.size, self.src, self.answer, self.ran = view.size, view.src, answer, 0

    def alpha(self):
        self.ran += 1
        return resize(self.answer, self.size)

    def remember(self, alpha):
        self.remembered = alpha

    def reset(self):
        self.remembered = None


def test_in_a_stream_the_small_size_is_asked_while_they_disagree():
    settings = EngineSettings(name="embedded", device="cpu", work_size=(448, 252))
    engine = Embedded(settings, (640, 360), Stats())
    body = np.where(BODY, np.float32(1), np.float32(0))
    large, small = Answers(engine._network, body), Answers(engine._small, body)
    engine._networks[engine.work_size] = engine._network = large
    engine._small = small
    frame = Frame(np.zeros((360, 640, 3), np.uint8), 0, 0.0)
    for _ in range(2 * AGAIN):
        engine.matte(frame)
    assert (large.ran, small.ran) == (2 * AGAIN, 2)
    large.answer = body.copy()
    large.answer[50:60, 75:85] = 0
    shown = [resize(engine.matte(frame).alpha, (160, 90))[55, 80] for _ in range(2 * AGAIN)]
    assert shown[AGAIN - 1 :] == [1] * (AGAIN + 1)  # from when it is asked, always
    assert small.ran == 2 + AGAIN + 1 + shown[: AGAIN - 1].count(1)
    assert large.remembered[140, 224] > 0.9
    engine.close()


def test_at_the_small_size_there_is_one_size():
    settings = EngineSettings(name="embedded", device="cpu", quality="fast", work_size=(256, 144))
    engine = Embedded(settings, (640, 360), Stats())
    assert engine._small is None
    engine.close()


HELD_OUT = {"portraits": (5, 0.89), "ccp": (8, 0.935)}  # one photo of so many; the mean IoU


@pytest.fixture
def eye():
    """Photos are seen in ONNX Runtime in any case: OpenVINO would only be made ready for each."""
    flags = {
        "engine.name": "embedded",
        "engine.device": "cpu",
        "engine.offline": True,
        "engine.runtime": "onnxruntime",
    }
    with closing(PictureMatter.of(flags, None)) as opened:
        yield opened


def test_it_is_in_the_package_and_as_its_row_says():
    row = zoo.row("embedded")
    path = zoo.find(row)
    assert path is not None
    assert path.parent == zoo.packaged()
    assert path.stat().st_size == row.bytes <= 5_000_000
    assert zoo.digest(path) == row.sha256


def number(photo):
    return int(hashlib.sha1(photo.stem.encode()).hexdigest(), 16)


@pytest.mark.parametrize("kind", HELD_OUT)
def test_it_finds_people_that_were_kept_from_its_training(shared_path, eye, kind):
    """The split of models/README.md, every third photo of it."""
    every, bound = HELD_OUT[kind]
    folder = shared_path("data/people") / kind
    photos = sorted(path for path in (folder / "images").iterdir() if number(path) % every == 0)
    overlaps = []
    for photo in photos[::3]:
        (mask,) = (folder / "masks").glob(f"{photo.stem}.*")
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) / np.float32(255)
        overlaps.append(iou(eye.matte_photo(cv2.imread(str(photo)), 4).alpha, truth))
    assert len(overlaps) >= 12
    assert np.mean(overlaps) > bound


def test_it_finds_a_person_and_not_the_room(eye):
    """NASA's portrait before the built-in office, and the office alone."""
    figure = portrait()
    room = open_background("office", BackgroundSettings(), False).render((640, 360), 0.0)
    alpha = np.zeros(room.shape[:2], np.float32)
    alpha[8:, 120:520] = figure.alpha
    person = np.zeros_like(room)
    person[8:, 120:520] = figure.image
    before = cv2.blendLinear(person, room, alpha, 1 - alpha)
    assert iou(eye.matte_photo(before, 4).alpha, alpha) > 0.95
    assert eye.matte_photo(room, 4).alpha.mean() < 0.01


def test_the_alpha_of_the_frame_before_is_its_memory():
    source = demo.DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)
    frame = Frame(source.image(0), 0, 0.0)
    engine = open_engine(EngineSettings(name="embedded", device="cpu"), source.size, Stats())
    first = engine.matte(frame).alpha
    second = engine.matte(frame).alpha
    assert not np.array_equal(first, second)
    engine.reset()
    assert np.array_equal(engine.matte(frame).alpha, first)
    engine.close()


def test_what_it_only_suspects_does_not_grow():
    """The demo's wall beside its blinds: remembered, a faint alpha there became 1 in a second."""
    source = demo.DemoSource("", SourceSettings(spec="demo", size=(640, 360)), False)
    settings = EngineSettings(name="embedded", device="cpu", quality="fast")
    engine = open_engine(settings, source.size, Stats())
    for index in range(90, 140):
        matte = engine.matte(Frame(source.image(index), index, index / 30))
    assert matte.alpha[:, matte.alpha.shape[1] * 245 // 256 :].max() < 0.5
    assert matte.alpha.max() > 0.95
    engine.close()
