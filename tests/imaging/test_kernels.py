"""The compiled kernels, each library of them, against plain arithmetic in float64."""

import cv2
import numpy as np
import pytest
from helpers.scripts import module

from realtime_bg.imaging import kernels
from realtime_bg.imaging.foreground import estimate_foreground
from realtime_bg.imaging.geometry import disc

LIBRARIES = sorted(kernels.FOLDER.glob(f"kernels-*.{kernels.SUFFIX}"))
# (width, height), large and small
SIZES = [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((37, 23), (5, 7)), ((97, 64), (31, 64))]
SIZES += [((160, 90), (32, 18)), ((203, 107), (40, 24)), ((3, 600), (2, 1))]


@pytest.fixture(params=[path.name for path in LIBRARIES] or ["none"], autouse=True)
def library(request, monkeypatch):
    """Each library that this processor can run."""
    if not kernels.compiled:
        pytest.skip("the kernels are not compiled (python hatch_build.py)")
    level = int(request.param.split("-")[1].split(".")[0])
    loaded = kernels._loaded(level)
    if level > loaded.processor_level():
        pytest.skip(f"this processor is not of level {level}")
    monkeypatch.setattr(kernels, "_compiled", loaded)


def upsampled(small, size):
    """Bilinear upsampling of (h, w) or (h, w, C) to (width, height), float64."""
    large = small.astype(np.float64)
    for axis, full in ((0, size[1]), (1, size[0])):
        count = large.shape[axis]
        place = (np.arange(full) + 0.5) * count / full - 0.5
        before = np.floor(place).astype(int)
        shape = [-1 if axis == each else 1 for each in range(large.ndim)]
        share = (place - before).reshape(shape)
        first, second = (
            np.take(large, np.clip(index, 0, count - 1), axis) for index in (before, before + 1)
        )
        large = first * (1 - share) + second * share
    return large


def luma(image):
    return image.astype(np.float64) @ (0.114, 0.587, 0.299)


def pictures(seed, *sizes):
    chance = np.random.default_rng(seed)
    return [chance.integers(0, 256, (height, width, 3), np.uint8) for width, height in sizes]


def soft(size, seed=0):
    """An alpha with room, person and edges."""
    chance = np.random.default_rng(seed)
    rough = chance.random((4, 5)).astype(np.float32) * 3 - 1
    return np.clip(cv2.resize(rough, size), 0, 1)


def areas(full, small):
    """The weight of each of ``full`` pixels in each of ``small``, float64 (small, full)."""
    edges = np.arange(full + 1) * small / full
    index = np.arange(small)[:, None]
    covered = np.clip(edges[1:], index, index + 1) - np.clip(edges[:-1], index, index + 1)
    return covered / covered.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("size", "small"), [*SIZES, ((1279, 721), (256, 144))])
def test_reducing_averages_areas(size, small):
    (image,) = pictures(1, size)
    out = np.empty((small[1], small[0], 3), np.uint8)
    planes = np.empty((3, small[1], small[0]), np.float32)
    kernels.reduce(image, out, planes)
    down, across = areas(size[1], small[1]), areas(size[0], small[0])
    exact = np.einsum("yY,xX,YXc->yxc", down, across, image.astype(np.float64), optimize=True)
    assert np.abs(out - exact).max() <= 0.51
    np.testing.assert_allclose(planes, out[:, :, ::-1].transpose(2, 0, 1) / 255, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (40, 24), (31, 67)])
def test_the_linear_model_is_the_least_squares_fit(size):
    (guide,) = pictures(2, size)
    alpha = soft(size)
    slope, offset = kernels.fit_linear(guide, alpha, 195.0)
    grey, exact = luma(guide), alpha.astype(np.float64)

    def mean(x):
        return cv2.blur(x, (3, 3), borderType=cv2.BORDER_REPLICATE)

    variance = mean(grey * grey) - mean(grey) ** 2
    expected = (mean(grey * exact) - mean(grey) * mean(exact)) / (variance + 195.0)
    np.testing.assert_allclose(slope, expected, atol=1e-6)
    np.testing.assert_allclose(offset, mean(exact) - expected * mean(grey), atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 24), (31, 67), (256, 144)])
def test_colours_at_the_edge_are_those_of_blur_fusion(size):
    (guide,) = pictures(3, size)
    alpha = soft(size)
    change = kernels.estimate_change(guide, alpha, 0.98)
    expected = estimate_foreground(guide, alpha).astype(int) - guide
    edge = ((alpha > 0) & (alpha <= 0.98)).astype(np.uint8)
    near = cv2.dilate(edge, np.ones((5, 5), np.uint8)) == 1
    assert np.abs(change - expected)[near & (alpha <= 0.98)].max(initial=0) <= 1
    assert not change[alpha > 0.98].any()
    change = kernels.estimate_change(guide, alpha, 0.98, 7)
    near = cv2.dilate(edge, np.ones((15, 15), np.uint8)) == 1
    assert np.abs(change - expected)[near & (alpha <= 0.98)].max(initial=0) <= 1
    assert not kernels.estimate_change(guide, np.ones_like(alpha), 0.98).any()


def exact_blend(frame, slope, offset, change, threshold, background, feather=0, grow=0):
    size = frame.shape[1], frame.shape[0]
    alpha = np.clip(upsampled(slope, size) * luma(frame) + upsampled(offset, size), 0, 1)
    high = 1 - (1 - alpha) * 0.5 / (1 - threshold)
    alpha = np.where(alpha < threshold, alpha * 0.5 / threshold, high)
    if grow:
        alpha = grown(alpha, grow)
    if feather:
        alpha = softened(alpha, feather)
    alpha = alpha[:, :, None]
    colours = frame.astype(np.float64)
    if change is not None:
        colours = np.clip(colours + upsampled(change, size), 0, 255)
    return alpha * colours + (1 - alpha) * background


def grown(alpha, by):
    """The largest alpha in a disc around each pixel, or the least."""
    pick, radius = (np.max, by) if by > 0 else (np.min, -by)
    padded = np.pad(alpha, radius, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2)
    return pick(windows[:, :, disc(radius).astype(bool)], axis=2)


def softened(alpha, radius):
    padded = np.pad(alpha, radius, mode="edge")
    side = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return np.maximum(alpha, np.minimum(2 * windows.mean(axis=(2, 3)), 1))


@pytest.mark.parametrize("threshold", [0.5, 0.05, 0.8])
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(("size", "small"), SIZES)
def test_blending_is_within_one_grey_level_of_exact(size, small, changed, threshold):
    frame, background, guide = pictures(4, size, size, small)
    alpha = soft(small, seed=len(size))
    slope, offset = kernels.fit_linear(guide, alpha, 195.0)
    offset = (offset - np.float32(0.04)) / np.float32(0.92)
    change = kernels.estimate_change(guide, alpha, 0.98) if changed else None
    out, mirrored = np.empty_like(frame), np.empty_like(frame)
    for mirror, target in ((False, out), (True, mirrored)):
        kernels.blend(frame, slope, offset, change, threshold, background, mirror, target)
    exact = exact_blend(frame, slope, offset, change, threshold, background)
    assert np.abs(out - exact).max() <= 1
    np.testing.assert_array_equal(mirrored[:, ::-1], out)


@pytest.mark.parametrize(("feather", "grow"), [(1, 0), (9, 0), (0, 1), (0, -5), (4, 3), (5, -2)])
@pytest.mark.parametrize(("size", "small"), SIZES)
def test_an_edge_that_is_grown_and_feathered_is_exact_too(size, small, feather, grow):
    frame, background, guide = pictures(8, size, size, small)
    alpha = soft(small, seed=len(size))
    slope, offset = kernels.fit_linear(guide, alpha, 195.0)
    change = kernels.estimate_change(guide, alpha, 0.98)
    out, mirrored = np.empty_like(frame), np.empty_like(frame)
    for mirror, target in ((False, out), (True, mirrored)):
        maps = slope, offset, change
        kernels.blend(frame, *maps, 0.4, background, mirror, target, feather, grow)
    exact = exact_blend(frame, slope, offset, change, 0.4, background, feather, grow)
    assert np.abs(out - exact).max() <= 1
    np.testing.assert_array_equal(mirrored[:, ::-1], out)


@pytest.mark.parametrize("feather", [0, 3])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, -3.0, 3.0])
def test_where_all_is_room_or_person_pixels_are_copied(value, feather):
    frame, background = pictures(5, (61, 33), (61, 33))
    slope, offset = np.zeros((5, 9), np.float32), np.full((5, 9), value, np.float32)
    out = np.empty_like(frame)
    kernels.blend(frame, slope, offset, None, 0.5, background, False, out, feather, -feather)
    if value == 0.5 and not feather:
        assert np.abs(out - (frame / 2 + background / 2)).max() <= 1
    else:
        np.testing.assert_array_equal(out, frame if value >= 0.5 else background)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("background", np.zeros((32, 61, 3), np.uint8)),
        ("frame", np.zeros((33, 61, 4), np.uint8)),
        ("out", np.zeros((33, 61, 3), np.float32)),
        ("offset", np.zeros((5, 8), np.float32)),
        ("slope", np.zeros((5, 9))),
        ("slope", np.zeros((0, 9), np.float32)),
        ("change", np.zeros((5, 9), np.int16)),
        ("frame", np.zeros((33, 122, 3), np.uint8)[:, ::2]),
    ],
)
def test_arrays_that_would_be_read_beyond_their_end_are_refused(name, bad):
    frame, background = pictures(6, (61, 33), (61, 33))
    maps = np.zeros((5, 9), np.float32)
    good = {"frame": frame, "slope": maps, "offset": maps, "change": None, "threshold": 0.5}
    good |= {"background": background, "mirror": False, "out": np.empty_like(frame)}
    kernels.blend(**good)
    with pytest.raises(ValueError, match="expected"):
        kernels.blend(**good | {name: bad})


def test_a_picture_is_not_enlarged_by_reducing_it():
    (image,) = pictures(7, (8, 8))
    with pytest.raises(ValueError, match="expected"):
        kernels.reduce(image, np.empty((9, 8, 3), np.uint8), np.empty((3, 9, 8), np.float32))
    with pytest.raises(ValueError, match="expected"):
        kernels.reduce(image, np.empty((4, 4, 3), np.uint8), np.empty((3, 4, 5), np.float32))


def test_the_installation_has_compiled_all_of_them():
    pytest.importorskip("hatchling")
    assert len(LIBRARIES) == len(module("../hatch_build").LEVELS)


@pytest.mark.parametrize(("weight", "noise"), [(1.0, 1.0), (0.6, 3.0), (0.9, 12.0)])
@pytest.mark.parametrize("size", [(1, 1), (37, 23), (203, 107)])
def test_settling_takes_noise_and_nothing_else(weight, noise, size):
    width, height = size
    chance = np.random.default_rng(1)
    whole, kept = (chance.integers(0, 256, (height + 4, width + 6, 3), np.uint8) for _ in range(2))
    kept[::2] = cv2.add(whole, 7)[::2]  # differences of all sizes
    still = chance.integers(0, 256, (height, width), np.uint8)
    still[:, ::2] = 255
    box = np.s_[2:-2, 3:-3]
    before, now = kept.copy(), whole[box].astype(np.float64)
    kernels.settle(whole[box], kept[box], still, weight, noise)
    change = before[box] - now
    trust = np.clip(2 - np.abs(change) / (2 * noise), 0, 1)
    taken = np.abs(change) * weight * trust * still[..., None] / 255
    expected = now + np.sign(change) * taken
    assert np.abs(kept[box] - expected).max() <= 2.01  # rounded down, twice
    assert (np.abs(kept[box] - now) <= np.abs(expected - now) + 0.5).all()
    kept[box] = before[box]
    np.testing.assert_array_equal(kept, before)  # nothing beside it


@pytest.mark.parametrize("size", [(1, 1), (37, 23), (203, 107)])
def test_relighting_mixes_two_tables(size):
    width, height = size
    chance = np.random.default_rng(2)
    whole, out = (chance.integers(0, 256, (height + 4, width + 6, 3), np.uint8) for _ in range(2))
    share = chance.integers(0, 256, (height, width), np.uint8)
    bright, dark = chance.integers(0, 256, (2, 3, 256)).astype(np.uint16)
    box, before = np.s_[2:-2, 3:-3], out.copy()
    kernels.relight(whole[box], bright + 256 * dark, share, out[box])
    for channel in range(3):
        level, part = whole[box][..., channel], share / 255
        expected = bright[channel][level] * part + dark[channel][level] * (1 - part)
        assert np.abs(out[box][..., channel] - expected).max() <= 1
    out[box] = before[box]
    np.testing.assert_array_equal(out, before)


def test_parts_of_wrong_shapes_are_refused():
    image = np.zeros((8, 8, 3), np.uint8)
    share, levels = np.zeros((8, 8), np.uint8), np.zeros((3, 256), np.uint16)
    for part in (image[:, ::2], image[..., ::-1], image[:4], image.astype(float), image[..., :2]):
        with pytest.raises(ValueError, match="expected an array"):
            kernels.relight(image, levels, share, part)
        with pytest.raises(ValueError, match="expected an array"):
            kernels.settle(image, part, share, 1.0, 1.0)
    with pytest.raises(ValueError, match="expected an array"):
        kernels.relight(image, levels[:2], share, image)
