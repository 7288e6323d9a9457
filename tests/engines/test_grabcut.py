"""GrabCut without weights: finds a drawn portrait, follows it, forgets it, survives anything."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import graphs

from realtime_bg.engines.classical._portraits import Portraits
from realtime_bg.engines.classical.grabcut import GrabCut
from realtime_bg.errors import EngineError, ModelError, SettingsError
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size, as_image, check_matte, downloaded
from realtime_bg.networks.faces import SIDE, Faces
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import EngineSettings, GrabCutSettings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SHARED = Path(os.environ.get("REALTIME_BG_SHARED", "../shared"))
SIZE = (640, 360)


def engine(size: Size = SIZE, work_size: Size | None = None, **seed: Any) -> GrabCut:
    settings = EngineSettings(
        work_size=work_size,
        offline=True,
        model=seed.pop("model", None),
        grabcut=GrabCutSettings(**seed),
    )
    return GrabCut(settings, size, Stats())


def matte(grabcut: GrabCut, image: Image, index: int = 0) -> Matte:
    return check_matte(grabcut.matte(Frame(image, index, index / 30)))


def room(seed: int = 1) -> Image:
    """A wall of soft blotches with a shelf on the left and a window on the right."""
    noise = np.random.default_rng(seed).normal(0, 1, (360, 640, 3)).astype(np.float32)
    wall = cv2.GaussianBlur(noise, (0, 0), 12) * 200 + (120, 140, 130)
    wall = np.clip(wall + 6 * noise, 0, 255).astype(np.uint8)
    cv2.rectangle(wall, (0, 60), (110, 300), (40, 60, 90), -1)
    cv2.rectangle(wall, (520, 30), (639, 150), (230, 220, 200), -1)
    return wall


def portrait(centre: int = 320, seed: int = 1) -> tuple[Image, Alpha]:
    """A figure with hair, face, striped shirt and a raised arm in `room`, and its true mask."""
    image, mask = room(seed), np.zeros((360, 640), np.float32)
    arm = np.array([[90, 300], [180, 150], [210, 165], [120, 359]]) + np.array([centre, 0])
    for drawn, ink in ((image, False), (mask, True)):

        def paint(colour: tuple[int, int, int], ink: bool = ink) -> tuple[float, ...]:
            return (1.0,) if ink else colour

        cv2.ellipse(drawn, (centre, 135), (58, 75), 0, 0, 360, paint((30, 40, 60)), -1)
        cv2.ellipse(drawn, (centre, 145), (42, 58), 0, 0, 360, paint((130, 160, 215)), -1)
        cv2.rectangle(drawn, (centre - 24, 190), (centre + 24, 240), paint((120, 150, 205)), -1)
        cv2.ellipse(drawn, (centre, 380), (140, 160), 0, 180, 360, paint((150, 40, 40)), -1)
        cv2.fillPoly(drawn, [arm], paint((150, 40, 40)))
        for y in range(250, 360, 25):
            cv2.line(drawn, (centre - 70, y), (centre + 70, y), paint((60, 30, 160)), 5)
    return image, mask


def iou(alpha: Alpha, truth: Alpha) -> float:
    person = cv2.resize(alpha, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return float((person & (truth > 0.5)).sum() / max((person | (truth > 0.5)).sum(), 1))


def test_a_portrait_is_cut_out_better_than_any_outline_could() -> None:
    image, truth = portrait()
    outlines = Portraits((160, 90))
    best = max(iou(shape.reshape(outlines.grid[::-1]), truth) for shape in outlines.persons)
    found = iou(matte(engine(), image).alpha, truth)
    assert best < 0.8
    assert found > 0.95


@pytest.mark.parametrize("centre", [240, 400])
def test_it_need_not_sit_in_the_middle(centre: int) -> None:
    image, truth = portrait(centre, seed=centre)
    assert iou(matte(engine(), image).alpha, truth) > 0.9


def test_history_follows_a_moving_figure() -> None:
    grabcut = engine()
    for index, centre in enumerate(range(260, 400, 7)):
        image, truth = portrait(centre)
        alpha = matte(grabcut, image, index).alpha
        assert iou(alpha, truth) > 0.88, centre


def test_a_still_picture_does_not_flicker() -> None:
    grabcut, (image, _) = engine(), portrait()
    alphas = []
    for index in range(8):
        noise = np.random.default_rng(index).normal(0, 2, image.shape)
        alphas.append(matte(grabcut, np.clip(image + noise, 0, 255).astype(np.uint8), index).alpha)
    assert np.mean(np.abs(np.diff(alphas, axis=0))) < 0.003


def test_reset_forgets() -> None:
    used, (image, _) = engine(), portrait()
    for index, centre in enumerate((220, 227, 234)):
        matte(used, portrait(centre)[0], index)
    used.reset()
    assert np.array_equal(matte(used, image).alpha, matte(engine(), image).alpha)


def test_a_scene_cut_starts_anew() -> None:
    settings = load(flags={"engine.name": "grabcut", "engine.offline": True})
    used, (image, _) = Matting(Live(settings), Stats()), portrait()
    for index in range(3):
        used.matte(Frame(255 - portrait(220, seed=5)[0], index, index / 30))
    after = downloaded(used.matte(Frame(image, 3, 0.1)))
    assert np.array_equal(after.alpha, matte(engine(), image).alpha)


def test_the_room_stays_hidden_while_the_person_is_away() -> None:
    grabcut, (image, truth) = engine(), portrait()
    for index in range(16):
        matte(grabcut, image, index)
    away = [matte(grabcut, room(), index).alpha for index in range(16, 40)]
    assert np.mean(away[1:]) < 0.01
    back = [matte(grabcut, image, index).alpha for index in range(40, 50)]
    assert iou(back[-1], truth) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (33, 17), (97, 301), (641, 359)])
@pytest.mark.parametrize("kind", ["black", "white", "noise", "portrait"])
def test_any_picture_gives_a_matte(size: Size, kind: str) -> None:
    pictures = {
        "black": np.zeros((size[1], size[0], 3), np.uint8),
        "white": np.full((size[1], size[0], 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8),
        "portrait": cv2.resize(portrait()[0], size, interpolation=cv2.INTER_AREA),
    }
    grabcut = engine(size)
    for index, image in enumerate([pictures[kind], pictures["black"], pictures[kind]]):
        alpha = matte(grabcut, image, index).alpha
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert alpha.shape == grabcut.work_size[::-1]


def test_a_picture_without_contrast_hides_everything() -> None:
    assert not matte(engine(), np.full((360, 640, 3), 90, np.uint8)).alpha.any()


def test_4k_works_small_and_a_given_work_size_is_used() -> None:
    large = cv2.resize(portrait()[0], (3840, 2160))
    result = matte(engine((3840, 2160)), large)
    assert result.alpha.shape == (90, 160)
    assert result.guide is not None
    assert matte(engine(work_size=(96, 64)), portrait()[0]).alpha.shape == (64, 96)
    assert engine((40, 30), (96, 64)).work_size == (40, 30)


def test_it_is_deterministic_and_leaves_its_answers_alone() -> None:
    runs = []
    for _ in range(2):
        grabcut = engine()
        alphas = [matte(grabcut, portrait(c)[0], n).alpha for n, c in enumerate((300, 306, 312))]
        runs.append(alphas)
        first = alphas[0].copy()
        matte(grabcut, portrait(318)[0], 3)
        assert np.array_equal(first, alphas[0])
        cv2.setRNGSeed(99)
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_it_times_its_stages() -> None:
    grabcut = engine()
    matte(grabcut, portrait()[0])
    assert len(grabcut.stats.milliseconds("resize")) == 1
    assert len(grabcut.stats.milliseconds("network")) == 1


def test_a_couch_is_nobody() -> None:
    image = room()
    cv2.rectangle(image, (60, 230), (580, 359), (110, 80, 30), -1)
    assert matte(engine(), image).lost


# what a first frame starts from

FACE = (130, 160, 215)  # of `portrait`, BGR


def two() -> tuple[Image, dict[str, Any]]:
    """Two people of like size, in other clothes, before `room`; of each the mask and a box in
    shares, around what the other one leaves of it."""
    image = room()
    known: dict[str, Any] = {}
    for name, centre in (("left", 150), ("right", 480)):
        alone, mask = portrait(centre)
        if name == "right":
            alone = np.ascontiguousarray(alone[..., ::-1])
            known["left"][0][mask > 0] = 0
        image = np.where(mask[..., None] > 0, alone, image)
        known[name] = [mask, ()]
    for name, (mask, _) in known.items():
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        x, y = float(columns[0]) / 640, float(rows[0]) / 360
        known[name] = mask, (x, y, float(columns[-1] + 1) / 640 - x, 1 - y)
    return np.ascontiguousarray(image), known


@pytest.mark.parametrize("who", ["left", "right"])
def test_a_box_says_who_of_two(who: str) -> None:
    image, known = two()
    truth, box = known[who]
    other = known["right" if who == "left" else "left"][0]
    grabcut = engine(box=box)
    for index in range(3):  # carried on, too
        alpha = cv2.resize(matte(grabcut, image, index).alpha, SIZE)
        assert iou(alpha, truth) > 0.7  # shelf and window are in the boxes, coloured like hair
        assert alpha[truth > 0].mean() > 0.95
        assert alpha[other > 0].mean() < 0.02


def test_outside_of_the_box_nothing_is_person() -> None:
    image, known = two()
    alpha = matte(engine(box=known["left"][1]), image).alpha
    assert alpha[:, round(160 * (known["left"][1][0] + known["left"][1][2])) + 3 :].max() == 0


def test_an_asked_for_colour_seed_passes_the_box_over() -> None:
    image, known = two()
    box = known["left"][1]
    by_colour = matte(engine(seed="colour", box=box), image).alpha
    np.testing.assert_array_equal(by_colour, matte(engine(), image).alpha)
    assert not np.array_equal(by_colour, matte(engine(box=box), image).alpha)


@pytest.mark.parametrize(
    "box", ["0.5,0.5,0.6,0.1", "0,0,0,1", "1,2,3", "a,b,c,d", "-0.1,0,0.5,0.5", "nan,0,0.5,0.5"]
)
def test_a_bad_box_is_one_line(box: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags={"engine.grabcut.box": box})
    assert "engine.grabcut.box" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_box_is_wanted_where_it_is_the_seed() -> None:
    with pytest.raises(SettingsError, match="--box"):
        load(flags={"engine.grabcut.seed": "box"})
    box = load(flags={"engine.grabcut.seed": "box", "engine.grabcut.box": "0.1,0.2,0.3,0.4"})
    assert box.engine.grabcut.box == (0.1, 0.2, 0.3, 0.4)


def lonely_corner() -> tuple[Image, Alpha]:
    """A small person far to the right, where nobody is looked for without a face; an orange
    poster hangs where people usually are."""
    image, mask = room(3), np.zeros((360, 640), np.float32)
    cv2.rectangle(image, (230, 60), (380, 359), (60, 90, 150), -1)
    for drawn, ink in ((image, False), (mask, True)):
        for part, colour in (
            (((560, 170), (34, 44)), (30, 40, 60)),
            (((560, 176), (27, 36)), FACE),
            (((560, 222), (14, 30)), (120, 150, 205)),
            (((560, 370), (78, 150)), (150, 40, 40)),
        ):
            cv2.ellipse(drawn, *part, 0, 0, 360, (1.0,) if ink else colour, -1)
    return image, mask


@pytest.mark.parametrize("seed", ["auto", "face"])
def test_a_face_is_what_the_cut_starts_from(tmp_path: Path, seed: str) -> None:
    image, truth = lonely_corner()
    model = graphs.yunet(tmp_path / "yunet.onnx", FACE, face=72)
    grabcut = engine(seed=seed, model=model)
    found = iou(matte(grabcut, image).alpha, truth)
    assert found > 0.85
    assert found > iou(matte(engine(), image).alpha, truth) + 0.3
    assert grabcut.model == model
    assert iou(matte(grabcut, image, 1).alpha, truth) > 0.85


def test_without_a_face_auto_goes_on_by_colour_and_face_hides(tmp_path: Path) -> None:
    model, (image, truth) = graphs.yunet(tmp_path / "yunet.onnx", (0, 255, 0)), portrait()
    assert iou(matte(engine(model=model), image).alpha, truth) > 0.95
    nobody = matte(engine(seed="face", model=model), image)
    assert nobody.lost
    assert not nobody.alpha.any()


def test_the_largest_face_is_found_where_it_is(tmp_path: Path) -> None:
    faces = Faces(graphs.yunet(tmp_path / "yunet.onnx", FACE))
    image = np.zeros((480, 960, 3), np.uint8)
    cv2.rectangle(image, (600, 200), (719, 359), FACE, -1)
    box = faces.found(image)[0]
    assert box.x + box.width / 2 == pytest.approx(660 / 960, abs=0.04)
    assert box.y + box.height / 2 == pytest.approx(280 / 480, abs=0.08)
    assert box.width == pytest.approx(160 / SIDE)
    assert faces.found(np.zeros((1, 1, 3), np.uint8)) == []


def test_where_the_detector_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="realtime-bg models fetch yunet"):
        engine(seed="face")
    assert engine().model is None


def test_a_file_that_is_no_face_detector_is_one_line_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = graphs.person_map(tmp_path / "other.onnx")
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    for path in (other, empty):
        with pytest.raises(EngineError, match="not a face detector") as caught:
            engine(seed="face", model=path)
        assert "\n" not in str(caught.value)
    # The last resort of all engines opens whatever lies there.
    monkeypatch.setenv("REALTIME_BG_MODELS", str(tmp_path))
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"nonsense")
    assert engine().model is None
    assert "faces are not detected" in caplog.text


def test_more_iterations_are_more_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []
    real = cv2.grabCut
    monkeypatch.setattr(cv2, "grabCut", lambda *a: rounds.append(1) or real(*a))
    for iterations in (1, 6):
        rounds.clear()
        matte(engine(iterations=iterations), portrait()[0])
        assert len(rounds) == iterations


def test_real_half_body_portraits() -> None:
    folder = SHARED / "data/people/portraits"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set REALTIME_BG_SHARED to the folder with the data sets")
    scores = []
    for path in sorted((folder / "masks").iterdir())[::6]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        truth = (np.asarray(mask) > 127).astype(np.float32)
        if truth[-1].mean() < 0.2 or truth.mean() < 0.12:
            continue
        picture = next((folder / "images").glob(path.stem + ".*"))
        image = as_image(cv2.imread(str(picture)))
        scores.append(iou(matte(engine((image.shape[1], image.shape[0])), image).alpha, truth))
    assert np.mean(scores) > 0.7
