"""The composite in one pass is the one that separate steps give."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging import kernels
from realtime_bg.processing import fusing
from realtime_bg.processing.compositor import Compositor
from realtime_bg.settings import load
from realtime_bg.stats import Stats

needs_kernels = pytest.mark.skipif(not kernels.compiled, reason="the kernels are not compiled")
FLAGS = [
    {},
    {"output.mirror": True},
    {"refine.threshold": 0.3},
    {"refine.decontaminate": False},
    {"refine.feather": 3},
    {"refine.grow": -2, "output.mirror": True},
    {"refine.grow": 5, "refine.feather": 9, "refine.threshold": 0.6},
    {"harmonise.match": 0.5},
    {"view.alpha": True, "output.mirror": True},
    {"background.current": "blur"},
    {"background.current": "#00b140"},
]


def matte(index=0, size=(203, 117), small=(64, 40), foreground=False):
    """A person before a textured room."""
    chance = np.random.default_rng(3)
    rough = chance.integers(0, 256, (9, 16, 3)).astype(np.float32)
    image = np.clip(cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC), 0, 255)
    image = image.astype(np.uint8)
    guide = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    alpha = np.zeros(small[::-1], np.float32)
    cv2.circle(alpha, (30 + index, 25), 12, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1)
    colours = cv2.GaussianBlur(guide, (0, 0), 2) if foreground else None
    return Matte(Frame(image, index, index / 30), alpha, colours, guide)


def composed(settings, count=3, **options):
    maker = Compositor(settings, Stats(), wait=True)
    images = [maker.compose(matte(index, **options), settings).image for index in range(count)]
    maker.close()
    return images


@needs_kernels
@pytest.mark.parametrize("foreground", [False, True])
@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_one_pass_and_separate_steps_agree(flags, foreground, monkeypatch):
    settings = load(flags={"background.current": "beach", **flags})
    fast = composed(settings, foreground=foreground)
    monkeypatch.setattr(kernels, "compiled", False)
    slow = composed(settings, foreground=foreground)
    for one, other in zip(fast, slow, strict=True):
        # Each is within 1 of exact arithmetic; only one of them rounds grey levels on the way.
        off = np.abs(one.astype(int) - other)
        assert off.max() <= 4
        assert (off > 1).mean() < 0.01


@needs_kernels
def test_it_serves_the_usual_settings_and_no_others():
    for flags in FLAGS:
        settings = load(flags={"background.current": "beach", **flags})
        served = fusing.edge_maps(matte(), settings) is not None
        assert served is not bool({"harmonise.match", "view.alpha"} & set(flags)), flags
    full_size = matte(small=(203, 117))
    assert fusing.edge_maps(full_size, load(flags={})) is None
    assert fusing.edge_maps(Matte(full_size.frame, full_size.alpha), load(flags={})) is None


@needs_kernels
def test_nobody_is_the_background_alone():
    settings = load(flags={"background.current": "#00b140"})
    maker = Compositor(settings, Stats(), wait=True)
    empty = matte()
    empty = Matte(empty.frame, np.zeros_like(empty.alpha), guide=empty.guide)
    image = maker.compose(empty, settings).image
    assert (image == (0x40, 0xB1, 0x00)).all()
    maker.close()


@needs_kernels
def test_a_background_of_another_size_is_refused():
    maps = fusing.edge_maps(matte(), load(flags={}))
    with pytest.raises(ValueError, match="expected"):
        maps.over(np.zeros((10, 10, 3), np.uint8), False, np.empty_like(maps.frame))


def test_composites_that_a_sink_keeps_stay_as_they_were():
    settings = load(flags={"background.current": "beach"})
    maker = Compositor(settings, Stats(), wait=True)
    kept = [maker.compose(matte(index), settings).image for index in range(12)]
    copies = [image.copy() for image in kept]
    for index in range(12, 30):
        maker.compose(matte(index % 20), settings)
    for image, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(image, copy)
    maker.close()
