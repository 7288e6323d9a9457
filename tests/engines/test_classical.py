"""The engines without weights: each finds a drawn person, and says so when it finds nobody."""

import logging
from functools import cache

import cv2
import numpy as np
import pytest

from realtime_bg.engines import open_engine
from realtime_bg.engines.classical._shared import border, filled, pieces, portrait
from realtime_bg.errors import EngineError, SettingsError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.refine import refine
from realtime_bg.settings import EngineSettings, RefineSettings, Settings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = (320, 180)
SEEN_AT_ONCE = ("edges", "kmeans", "threshold", "region")


def room(seed=0):
    """A plain wall, a little shaded, with sensor noise."""
    shade = np.linspace(0.92, 1.05, 320)[None, :, None] * np.array([170, 180, 175.0])
    wall = np.repeat(shade, 180, axis=0)
    cv2.rectangle(wall, (10, 60), (50, 120), (150, 150, 165), -1)
    return noisy(wall, seed)


def noisy(image, seed):
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def scene(centre=160, seed=0):
    """A figure with hair, face and pullover in `room`, and its true mask."""
    image, mask = room(seed), np.zeros((180, 320), np.uint8)
    for part, colour in (
        (((centre, 66), (30, 38)), (30, 35, 50)),
        (((centre, 76), (21, 29)), (115, 140, 200)),
        (((centre, 190), (72, 82)), (120, 50, 30)),
    ):
        cv2.ellipse(image, *part, 0, 0, 360, colour, -1)
        cv2.ellipse(mask, *part, 0, 0, 360, 1, -1)
    return noisy(image, seed + 100), mask > 0


def engine(name, size=SIZE, **changes):
    settings = load(flags={f"engine.{key}": value for key, value in changes.items()}).engine
    return open_engine(settings.model_copy(update={"name": name}), size, Stats())


def run(opened, image, index=0, fps=10):
    return check_matte(opened.matte(Frame(np.ascontiguousarray(image), index, index / fps)))


def iou(matte, truth):
    if matte.lost:
        return 0.0
    person = refine(matte, RefineSettings()).alpha > 0.5
    return (person & truth).sum() / max((person | truth).sum(), 1)


@cache
def trivial_best():
    """The best that all, or a centred ellipse of any size, would reach."""
    truth = scene()[1]
    best = truth.mean()
    for width in range(20, 160, 10):
        for height in range(20, 180, 10):
            ellipse = np.zeros(truth.shape, np.uint8)
            cv2.ellipse(ellipse, (160, 90), (width, height), 0, 0, 360, 1, -1)
            best = max(best, ((ellipse > 0) & truth).sum() / ((ellipse > 0) | truth).sum())
    return best


@pytest.mark.parametrize("name", SEEN_AT_ONCE)
def test_a_figure_is_found_at_once_and_followed(name):
    assert trivial_best() < 0.75
    opened = engine(name)
    for index in range(6):
        image, truth = scene(150 + 4 * index, index)
        assert iou(run(opened, image, index), truth) > 0.88, index


def test_the_adaptive_threshold_finds_it_too():
    image, truth = scene()
    assert iou(run(engine("threshold", **{"threshold.method": "adaptive"}), image), truth) > 0.8


@pytest.mark.parametrize("dark", [True, False])
def test_threshold_takes_its_polarity_from_the_border(dark):
    _, truth = scene()
    levels = np.where(truth, 40, 200) if dark else np.where(truth, 200, 40)
    image = noisy(np.repeat(levels[..., None], 3, axis=2), 1)
    assert iou(run(engine("threshold"), image), truth) > 0.95


@pytest.mark.parametrize("name", SEEN_AT_ONCE)
def test_an_empty_room_and_noise_are_nobody(name):
    rng = np.random.default_rng(4)
    assert run(engine(name), np.full((180, 320, 3), 120, np.uint8)).lost
    if name != "kmeans":  # it always finds colours that the middle has more of
        assert run(engine(name), room()).lost
    if name == "edges":
        assert run(engine(name), rng.integers(0, 255, (180, 320, 3), np.uint8)).lost


@pytest.mark.parametrize("name", SEEN_AT_ONCE)
def test_what_is_not_shaped_like_somebody_is_nobody(name):
    image = room()
    cv2.rectangle(image, (30, 115), (290, 179), (120, 50, 30), -1)  # a couch
    assert run(engine(name), image).lost


def test_edges_obey_their_areas():
    image, _ = scene()
    assert run(engine("edges", **{"edges.min_area": 0.6}), image).lost
    assert run(engine("edges", **{"edges.max_area": 0.1}), image).lost


def test_region_grows_from_the_given_seeds():
    image, _ = scene()
    only = engine("region", **{"region.seeds": ((0.5, 0.42),)})
    matte = run(only, image)
    face = np.zeros((180, 320), np.uint8)
    cv2.ellipse(face, (160, 76), (21, 29), 0, 0, 360, 1, -1)
    assert iou(matte, face > 0) > 0.8
    assert run(engine("region", **{"region.seeds": ((0.1, 0.1),)}), image).lost


def test_kmeans_carries_its_centres():
    opened = engine("kmeans")
    run(opened, scene()[0])
    first = opened._centres.copy()
    assert iou(run(opened, scene(150, 3)[0], 1), scene(150)[1]) > 0.88
    assert np.abs(opened._centres - first).mean() < 8


# motion


@pytest.mark.parametrize("method", ["mog2", "knn"])
def test_who_walked_in_stays_through_a_stillness(method):
    opened = engine("motion", **{"motion.method": method, "motion.hold": 6})
    assert all(run(opened, room(index), index).lost for index in range(20))
    for index in range(20, 40):
        image, truth = scene(60 + 5 * (index - 20), index)
        matte = run(opened, image, index)
    assert iou(matte, truth) > 0.85
    for index in range(40, 90):  # five seconds without moving
        matte = run(opened, scene(155, index)[0], index)
    assert iou(matte, scene(155)[1]) > 0.85
    assert run(opened, room(1), 91).alpha.mean() < 0.02  # gone: nothing of the old place stays


def test_what_never_moves_again_becomes_room():
    opened = engine("motion", **{"motion.hold": 2, "motion.learning_rate": 0.05})
    for index in range(20):
        run(opened, room(index), index)
    lost = [run(opened, scene(160, index)[0], index).lost for index in range(20, 100)]
    assert not any(lost[:15])
    assert all(lost[-10:])


def test_a_change_of_exposure_is_no_motion():
    opened = engine("motion")
    for index in range(20):
        run(opened, room(index), index)
    for index in range(20, 30):
        darker = (room(index) * np.array([0.7, 0.75, 0.8])).astype(np.uint8)
        assert run(opened, darker, index).lost


# plate


def with_plate(**changes):
    opened = engine("plate", **changes)
    opened.take_plate()
    for index in range(50):
        run(opened, room(index), index)
    return opened


def test_nobody_is_shown_before_there_is_a_plate(caplog):
    opened, (image, _) = engine("plate"), scene()
    matte = run(opened, image)
    assert matte.lost
    assert not matte.alpha.any()
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "press p" in caplog.text


def test_the_countdown_is_told_and_then_the_person_is_found():
    opened, said = engine("plate"), []
    opened.take_plate()
    for index in range(50):
        run(opened, room(index), index)
        said.append(opened.stats.current_notice())
    told = list(dict.fromkeys(said))
    assert told == ["clean plate in 3", "clean plate in 2", "clean plate in 1", "clean plate taken"]
    assert said.index("clean plate in 2") == 10
    assert said.index("clean plate taken") == 44  # after 3 s, 15 frames
    assert run(opened, room(77), 51).lost
    for index in range(52, 56):
        image, truth = scene(100 + index, index)
        assert iou(run(opened, image, index), truth) > 0.93


def test_somebody_who_walks_through_while_it_is_taken_is_not_in_it():
    opened = engine("plate")
    opened.take_plate()
    for index in range(50):
        image = scene(160, index)[0] if index < 34 else room(index)
        run(opened, image, index)
    assert run(opened, room(88), 51).lost


def test_a_reset_keeps_the_plate_and_begins_the_countdown_anew():
    opened, (image, truth) = with_plate(), scene()
    opened.reset()
    assert iou(run(opened, image, 60), truth) > 0.93
    opened = engine("plate")
    opened.take_plate()
    for index in range(20):
        run(opened, scene()[0], index)
    opened.reset()
    for index in range(20, 70):
        run(opened, room(index), index)
    assert opened.stats.current_notice() == "clean plate taken"
    assert run(opened, room(90), 71).lost


def test_the_clock_of_a_machine_that_runs_for_months():
    opened = engine("motion", **{"motion.hold": 1})
    for index in range(40):
        image = room(index) if index < 20 else scene(60 + 5 * (index - 20), index)[0]
        matte = opened.matte(Frame(image, index, 3e7 + index / 10))
    assert not matte.lost


def test_exposure_and_white_balance_are_not_the_person():
    opened = with_plate()
    image, truth = scene()
    for index, gain in enumerate(([0.75, 0.8, 0.9], [1.2, 1.1, 1.05], [0.6, 0.6, 0.6])):
        assert run(opened, (room(5) * np.array(gain)).clip(0, 255).astype(np.uint8), 60).lost
        changed = (image * np.array(gain)).clip(0, 255).astype(np.uint8)
        assert iou(run(opened, changed, 61 + index), truth) > 0.9


def test_a_soft_shadow_is_room():
    opened, (image, truth) = with_plate(), scene(130)
    y, x = np.mgrid[0:180, 0:320]
    shadow = 1 - 0.35 * np.exp(-(((x - 240) / 30) ** 2 + ((y - 110) / 50) ** 2))
    shaded = np.where(truth[..., None], image, (image * shadow[..., None]).astype(np.uint8))
    matte = run(opened, shaded, 60)
    assert iou(matte, truth) > 0.93
    only = (room(9) * shadow[..., None]).astype(np.uint8)
    assert run(with_plate(), only, 60).lost


def test_a_plate_is_saved_and_loaded(tmp_path):
    path = tmp_path / "new" / "plate.png"
    with_plate(**{"plate.file": path})
    assert path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["plate.png"]
    opened, (image, truth) = engine("plate", **{"plate.file": path}), scene()
    assert iou(run(opened, image), truth) > 0.93


def test_a_plate_that_cannot_be_read_or_saved_is_one_line(tmp_path, caplog):
    bad = tmp_path / "plate.png"
    bad.write_bytes(b"nonsense")
    with pytest.raises(EngineError, match=r"plate\.png: not a picture"):
        engine("plate", **{"plate.file": bad})
    opened = with_plate(**{"plate.file": bad / "x.png"})
    assert "the clean plate is not saved" in caplog.text
    image, truth = scene()
    assert iou(run(opened, image, 60), truth) > 0.93  # it is used all the same


def test_the_counter_takes_a_plate_without_opening_the_engine_again():
    live = Live(load(flags={"engine.name": "plate"}))
    matting = Matting(live, Stats())
    assert matting.matte(Frame(room(), 0, 0.0)).lost
    opened = matting.engine
    live.modify(lambda s: {"plates": s.plates + 1})
    for index in range(1, 52):
        matting.matte(Frame(room(index), index, index / 10))
    assert matting.engine is opened
    image, truth = scene()
    assert iou(matting.matte(Frame(image, 60, 6.0)), truth) > 0.93


def test_a_combined_engine_hands_the_clean_plate_on():
    live = Live(load(flags={"engine.name": "threshold", "engine.combine.engine": "plate"}))
    matting = Matting(live, Stats())
    assert matting.matte(Frame(scene()[0], 0, 0.0)).lost  # the gate has no plate yet
    live.modify(lambda s: {"plates": s.plates + 1})
    for index in range(1, 52):
        matting.matte(Frame(room(index), index, index / 10))
    image, truth = scene()
    assert iou(matting.matte(Frame(image, 60, 6.0)), truth) > 0.85


def test_other_engines_say_that_they_need_no_plate():
    opened = engine("threshold")
    opened.take_plate()
    assert "no clean plate" in opened.stats.current_notice()


# settings and helpers


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edges.min_area", 2),
        ("edges.canny_low", 500),
        ("edges.max_area", 0.01),
        ("kmeans.clusters", 1),
        ("threshold.method", "magic"),
        ("region.seeds", ((2, 0.5),)),
        ("region.tolerance", 0),
        ("motion.method", "x"),
        ("motion.learning_rate", 3),
        ("plate.tolerance", 0),
        ("plate.nonsense", 1),
    ],
)
def test_a_bad_setting_is_one_line(key, value):
    with pytest.raises(SettingsError) as caught:
        load(flags={f"engine.{key}": value})
    assert f"engine.{key.split('.')[0]}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_section_of_an_engine_may_be_commented_out(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("engine:\n  edges:\n  #  blur: 3\n")
    assert load(path) == Settings()


def test_helpers_of_place_and_shape():
    assert portrait((64, 48))[30, 32] > 0.9
    assert portrait((64, 48))[0, 0] < 0.1
    assert border((64, 48))[0].all()
    assert not border((64, 48))[-1].any()
    ring = cv2.circle(np.zeros((40, 40), np.uint8), (20, 20), 10, 1, 2)
    assert filled(ring)[20, 20] == 1
    two = np.zeros((20, 20), np.uint8)
    two[2:12, 2:12], two[15, 15] = 1, 1
    assert pieces(two, np.ones((20, 20), np.float32)).sum() == 100
    assert EngineSettings().motion.method == "mog2"


def test_real_people_before_a_wall(shared_path):
    """A clip without a truth: the person is where any portrait is, and the wall is not."""
    clip = cv2.VideoCapture(str(shared_path("data/clips/walk.mkv")))
    frames = [clip.read()[1] for _ in range(8)]
    for name in SEEN_AT_ONCE:
        opened = engine(name, (640, 480))
        for index, image in enumerate(frames):
            matte = run(opened, image, index, 30)
        assert not matte.lost, name
        alpha = cv2.resize(matte.alpha, (640, 480))
        assert alpha[300:440, 270:370].mean() > 0.9, name  # her pullover
        assert alpha[:60].mean() < 0.05, name
