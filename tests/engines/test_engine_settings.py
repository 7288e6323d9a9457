"""Every setting of the engines without weights, from its key to the matte."""

import cv2
import numpy as np
import pytest

from realtime_bg.engines import open_engine
from realtime_bg.engines.classical import grabcut
from realtime_bg.frames import Frame
from realtime_bg.settings import flattened, load
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 320, 180
ENGINES = ("edges", "kmeans", "threshold", "region", "motion", "plate", "chroma", "grabcut")
SCREEN = (64, 177, 0)  # BGR of a green screen


def noisy(image, seed=0):
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def room(seed=0, colour=(170, 180, 175)):
    return noisy(np.full((HEIGHT, WIDTH, 3), colour, np.float32), seed)


def figure(image, strength=1.0):
    """Somebody before ``image``: hair, a face, a pullover; ``strength`` 0 makes them invisible."""
    image = image.copy()
    for centre, axes, colour in (
        ((160, 66), (30, 38), (30, 35, 50)),
        ((160, 76), (21, 29), (115, 140, 200)),
        ((160, 190), (72, 82), (120, 50, 30)),
    ):
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
        mixed = strength * np.array(colour) + (1 - strength) * image[mask > 0]
        image[mask > 0] = mixed.astype(np.uint8)
    return image


def opened(name, **settings):
    flags = {"engine.name": name} | {f"engine.{name}.{key}": v for key, v in settings.items()}
    return open_engine(load(flags=flags).engine, SIZE, Stats())


def matte(engine, *images):
    for index, image in enumerate(images):
        last = engine.matte(Frame(np.ascontiguousarray(image), index, index / 10))
    return last


def area(name, image, **settings):
    """The share of the picture that an engine takes for a person; 0 if it is lost."""
    return float(matte(opened(name, **settings), image).alpha.mean())


def test_these_are_all_the_settings_of_engines_without_weights():
    keys = {key.removeprefix("engine.") for key in flattened(load().model_dump())}
    found = {key for key in keys if key.partition(".")[0] in ENGINES}
    assert found == {
        *("chroma.colour", "chroma.pick", "chroma.tolerance", "chroma.softness", "chroma.despill"),
        *("edges.canny_low", "edges.canny_high", "edges.dilate_iter", "edges.erode_iter"),
        *("edges.blur", "edges.min_area", "edges.max_area"),
        *("grabcut.seed", "grabcut.box", "grabcut.iterations"),
        *("kmeans.clusters", "kmeans.position"),
        *("motion.method", "motion.learning_rate", "motion.hold"),
        *("plate.file", "plate.tolerance", "plate.shadow"),
        *("region.seeds", "region.tolerance"),
        *("threshold.method", "threshold.block", "threshold.offset"),
    }


@pytest.mark.parametrize(
    ("key", "values", "grows"),
    [
        ("dilate_iter", (0, 2, 6), True),
        ("erode_iter", (0, 2, 6), False),
        ("min_area", (0.02, 0.6), False),
        ("max_area", (0.1, 0.9), True),
    ],
)
def test_edges_widen_shrink_and_choose_by_area(key, values, grows):
    areas = [area("edges", figure(room()), **{key: value}) for value in values]
    steps = np.diff(areas)
    assert (steps > 0.01).all() if grows else (steps < -0.01).all()


def test_edges_that_are_too_faint_for_both_limits_are_none():
    """Between the limits an edge counts only where it goes on from a strong one."""
    faint = figure(room(), 0.25)
    low = area("edges", faint, canny_low=10, canny_high=20)
    assert low > 0.1
    assert area("edges", faint, canny_low=10, canny_high=900) == 0
    half = figure(room(), 0.35)
    half[:, :160] = figure(room())[:, :160]  # strong at the left
    assert area("edges", half, canny_low=20, canny_high=200) > 0.2
    assert area("edges", half, canny_low=190, canny_high=200) == 0


def test_edges_are_softened_by_a_blur():
    hard, soft = (matte(opened("edges", blur=blur), figure(room())).alpha for blur in (0, 8))
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 3 * ((hard > 0.05) & (hard < 0.95)).sum()


def test_kmeans_makes_as_many_clusters_as_it_is_told():
    for clusters in (3, 12):
        engine = opened("kmeans", clusters=clusters)
        matte(engine, figure(room()))
        assert len(engine._centres) == clusters


def test_kmeans_may_look_at_the_place_too():
    near, far = (opened("kmeans", position=position) for position in (0.0, 2.0))
    for engine in (near, far):
        matte(engine, figure(room()))
    assert np.ptp(near._centres[:, 3:]) == 0  # all at one place
    assert np.ptp(far._centres[:, 3:]) > 20


def test_the_adaptive_threshold_obeys_its_offset_and_its_block():
    image = figure(room())
    areas = [area("threshold", image, method="adaptive", offset=offset) for offset in (0, 20, 60)]
    assert (np.diff(areas) < -0.01).all()
    whole = area("threshold", image, method="adaptive", block=1.0)
    assert abs(area("threshold", image, method="adaptive", block=0.1) - whole) > 0.03


def test_a_region_grows_as_far_as_its_tolerance():
    """A pullover that becomes lighter to the right by 40 levels of L."""
    image = np.full((HEIGHT, WIDTH, 3), (60, 200, 60), np.float32)
    image[60:, 100:220] = (np.linspace(60, 140, 120)[None, :, None] * np.ones(3)).astype(np.uint8)
    areas = [
        area("region", image.astype(np.uint8), tolerance=tolerance, seeds=((0.35, 0.7),))
        for tolerance in (2, 8, 20)
    ]
    assert (np.diff(areas) > 0.02).all()


def test_grabcut_iterates_as_often_as_it_is_told(monkeypatch):
    usual, counts = cv2.grabCut, []

    def counted(*arguments):
        counts.append(1)
        return usual(*arguments)

    monkeypatch.setattr(grabcut.cv2, "grabCut", counted)
    matte(opened("grabcut", iterations=3, seed="box", box=(0.2, 0.1, 0.6, 0.9)), figure(room()))
    assert len(counts) == 3


class Told:
    """A model of the room that notes at which rates it learns."""

    def __init__(self, model):
        self.model, self.rates = model, []

    def apply(self, image, learningRate):  # noqa: N803 - OpenCV's name
        self.rates.append(learningRate)
        return self.model.apply(image, learningRate=learningRate)


def test_motion_learns_at_its_rate():
    engine = opened("motion", learning_rate=0.02)
    matte(engine, room())
    engine._model = told = Told(engine._model)
    matte(engine, *[room(seed) for seed in range(4)])
    assert set(told.rates) == {0, 0.02}  # 0: it only looks


@pytest.fixture
def plate_file(tmp_path):
    path = tmp_path / "plate.png"
    cv2.imwrite(str(path), room())
    return str(path)


def test_the_plate_tolerates_what_it_is_told_to(plate_file):
    image = noisy(room().astype(np.float32) - (0, 40, 0), 1)
    image[:, : WIDTH // 2] = room()[:, : WIDTH // 2]
    areas = [area("plate", image, file=plate_file, tolerance=value) for value in (5, 90)]
    assert areas[0] > 0.4
    assert areas[1] == 0


def test_a_shadow_is_as_dark_as_it_is_told(plate_file):
    light = np.ones((HEIGHT, WIDTH), np.float32)
    light[60:140, 120:260] = 0.72
    light = cv2.GaussianBlur(light, (0, 0), 8)[..., None]
    shaded = (room() * light).astype(np.uint8)
    assert area("plate", shaded, file=plate_file, shadow=0.6) == 0
    assert area("plate", shaded, file=plate_file, shadow=0.9) > 0.1


def on_screen():
    """Somebody at a screen, with soft edges."""
    return cv2.GaussianBlur(figure(room(colour=SCREEN)), (0, 0), 1.5)


def test_the_chroma_key_tolerates_and_softens():
    areas = [area("chroma", on_screen(), tolerance=value) for value in (0.0, 0.3, 0.6)]
    assert (np.diff(areas) < -0.001).all()
    soft = []
    for value in (0.05, 0.4, 0.85):
        alpha = matte(opened("chroma", softness=value), on_screen()).alpha
        soft.append(int(((alpha > 0.02) & (alpha < 0.98)).sum()))
    assert (np.diff(soft) > 100).all()


def test_the_chroma_key_takes_as_much_of_the_screens_light_as_it_is_told():
    greens = []
    for value in (0.0, 0.5, 1.0):
        seen = matte(opened("chroma", despill=value), on_screen())
        greens.append(seen.foreground[seen.alpha < 0.01][:, 1].mean())
    assert greens[0] == pytest.approx(177, abs=3)
    assert greens[1] == pytest.approx(177 / 2, abs=6)
    assert greens[2] < 5
