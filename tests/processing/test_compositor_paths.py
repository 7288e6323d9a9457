"""The compositor's ways: what is blended on a device, what is previewed, what is timed."""

import numpy as np
import pytest

from realtime_bg.frames import DeviceMatte, Frame, Matte
from realtime_bg.imaging import kernels
from realtime_bg.processing.compositor import Compositor
from realtime_bg.settings import load
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 64, 36
GREEN = (0, 255, 0)


def frame(index=0):
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[:, : WIDTH // 4] = 200
    return Frame(image, index, index / 30)


def left(shape=(HEIGHT, WIDTH)):
    """The alpha of a person who fills the left half."""
    alpha = np.zeros(shape, np.float32)
    alpha[:, : shape[1] // 2] = 1
    return alpha


class OnDevice(DeviceMatte):
    """Notes which way it is taken."""

    def __init__(self, shown, ways):
        super().__init__(shown)
        self.ways = ways

    def downloaded(self):
        self.ways.append("downloaded")
        return Matte(self.frame, left())

    def over(self, background):
        self.ways.append("over")
        return np.where(left()[..., None] > 0, self.frame.image, background)


@pytest.fixture
def make():
    made = []

    def make(**flags):
        flags = {"background.current": "#00ff00"} | flags
        settings, stats = (
            load(flags={key.replace("__", "."): to for key, to in flags.items()}),
            Stats(),
        )
        made.append(Compositor(settings, stats, wait=True))
        return made[-1], settings, stats

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("flags", "way"),
    [
        ({}, "over"),
        ({"output__mirror": True}, "over"),
        ({"view__split": True}, "over"),
        ({"view__stats": True}, "over"),
        # What only concerns alphas that are smaller than the frame
        ({"refine__levels": "0.1,0.9", "refine__steady": 0.8, "refine__holes": 0.1}, "over"),
        ({"refine__min_area": 0.1, "refine__hysteresis": 0.5}, "over"),
        ({"background__current": "beach"}, "over"),
        ({"view__alpha": True}, "downloaded"),
        ({"refine__threshold": 0.4}, "downloaded"),
        ({"refine__feather": 1}, "downloaded"),
        ({"refine__grow": -1}, "downloaded"),
        ({"refine__grow": 1}, "downloaded"),
        ({"harmonise__match": 0.5}, "downloaded"),
        ({"harmonise__ambient": 0.5}, "downloaded"),
        ({"harmonise__light_wrap": 0.5}, "downloaded"),
        ({"background__current": "blur"}, "downloaded"),
        ({"background__current": "erase"}, "downloaded"),
    ],
    ids=str,
)
def test_a_matte_is_blended_on_its_device_where_nothing_else_is_needed(make, flags, way):
    maker, settings, _ = make(**flags)
    ways = []
    composite = maker.compose(OnDevice(frame(4), ways), settings)
    assert ways == [way]
    assert (composite.index, composite.time) == (4, 4 / 30)


@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_both_ways_show_the_same(make, device, mirror):
    maker, settings, _ = make(output__mirror=mirror)
    item = OnDevice(frame(), []) if device else Matte(frame(), left())
    image = maker.compose(item, settings).image
    image = image[:, ::-1] if mirror else image
    assert (image[:, : WIDTH // 4] == 200).all()
    assert (image[:, WIDTH // 4 : WIDTH // 2] == 90).all()
    assert (image[:, WIDTH // 2 :] == GREEN).all()


@pytest.mark.parametrize(
    ("item", "stages"),
    [
        ("device", {"composite"}),
        ("matte", {"upsample", "composite"}),
        ("small", {"upsample", "composite"}),
        ("frame", set()),
        ("lost", set()),
    ],
)
def test_every_stage_is_timed_under_its_name(make, item, stages):
    maker, settings, stats = make()
    small = np.ascontiguousarray(frame().image[::2, ::2])
    items = {
        "device": OnDevice(frame(), []),
        "matte": Matte(frame(), left()),
        "small": Matte(frame(), left(small.shape[:2]), guide=small),
        "frame": frame(),
        "lost": Matte(frame(), left(), lost=True),
    }
    maker.compose(items[item], settings)
    assert set(stats._stages) == stages
    assert all(len(stats.milliseconds(name)) == 1 for name in stages)


def test_a_fused_composite_is_mirrored_once(make):
    """By the kernel, where it is compiled."""
    small = np.ascontiguousarray(frame().image[::2, ::2])
    item = Matte(frame(), left(small.shape[:2]), guide=small)
    plain, mirrored = (
        maker.compose(item, settings).image
        for maker, settings, _ in (make(output__mirror=mirror) for mirror in (False, True))
    )
    assert (plain[:, :4] == 200).all()
    assert (plain[:, -4:] == GREEN).all()
    np.testing.assert_allclose(mirrored[:, ::-1].astype(int), plain, atol=1)


# The preview


def preview(make, item=None, **flags):
    maker, settings, _ = make(**flags)
    return maker.compose(item or Matte(frame(), left()), settings).preview


@pytest.mark.parametrize("background", ["blur", "erase", "#00ff00"])
def test_the_alpha_is_previewed_only_on_request(make, background):
    flags = {"background__current": background}
    maker, settings, stats = make(**flags)
    stats.notice("saved")
    composite = maker.compose(Matte(frame(), left()), settings)
    top = slice(0, 8)
    np.testing.assert_array_equal(composite.preview[top], composite.image[top])
    shown = preview(make, view__alpha=True, **flags)
    assert (shown[:, : WIDTH // 2 - 2] == 255).all()
    assert (shown[:, WIDTH // 2 + 2 :] == 0).all()


@pytest.mark.parametrize("view", ["alpha", "split"])
@pytest.mark.parametrize("text", ["", "Camera paused"])
def test_without_the_camera_the_preview_shows_nothing_of_it(make, view, text):
    maker, settings, _ = make(**{f"view__{view}": True})
    composite = maker.without_camera(SIZE, 2, settings, text)
    np.testing.assert_array_equal(composite.preview, composite.image)
    again = maker.again(maker.compose(Matte(frame(), left()), settings), settings)
    np.testing.assert_array_equal(again.preview, again.image)


def test_a_notice_tells_of_a_changed_edge_once(make):
    maker, settings, stats = make()
    item = Matte(frame(), left())
    maker.compose(item, settings)
    assert stats.current_notice() == ""  # the edge of the start is no change
    changed = settings.model_copy(
        update={"refine": settings.refine.model_copy(update={"threshold": 0.3, "feather": 2})}
    )
    maker.compose(item, changed)
    assert stats.current_notice() == "threshold 0.30, feather 2 px"
    stats.notice("something else")
    maker.compose(item, changed)
    assert stats.current_notice() == "something else"


# Backgrounds


def rendered(make, monkeypatch, item, **flags):
    """What the background is given."""
    maker, settings, _ = make(**flags)
    background, given = maker.background.get(settings.background), []
    usual = background.render

    def render(*arguments):
        given.append(arguments)
        return usual(*arguments)

    monkeypatch.setattr(background, "render", render)
    maker.compose(item, settings)
    (arguments,) = given
    return arguments


@pytest.mark.parametrize(
    ("flags", "with_alpha"),
    [({"background__current": "blur"}, True), ({}, False), ({"view__alpha": True}, True)],
    ids=str,
)
def test_a_background_gets_the_full_alpha_only_where_it_is_made_anyway(
    make, monkeypatch, flags, with_alpha
):
    item = Matte(frame(6), left())
    size, at, image, alpha = rendered(make, monkeypatch, item, **flags)
    assert (size, at) == (SIZE, 0.2)
    assert image is item.frame.image
    if with_alpha:
        np.testing.assert_array_equal(alpha, left())
    else:
        assert alpha is None


def test_a_background_of_a_device_matte_gets_nothing_of_the_camera(make, monkeypatch):
    assert rendered(make, monkeypatch, OnDevice(frame(6), [])) == (SIZE, 0.2)


@pytest.mark.skipif(not kernels.compiled, reason="the kernels are not compiled")
def test_composites_in_one_pass_use_their_memory_again(make, monkeypatch):
    maker, settings, _ = make()
    small = np.ascontiguousarray(frame().image[::2, ::2])
    shapes, usual = [], maker._buffers.take
    monkeypatch.setattr(maker._buffers, "take", lambda shape: shapes.append(shape) or usual(shape))
    composite = maker.compose(Matte(frame(), left(small.shape[:2]), guide=small), settings)
    assert shapes == [(HEIGHT, WIDTH, 3)]
    assert composite.preview is None


def test_closing_releases_the_background(make, monkeypatch):
    maker, _, _ = make()
    closed = []
    monkeypatch.setattr(maker.background, "close", lambda: closed.append(1))
    maker.close()
    assert closed == [1]
