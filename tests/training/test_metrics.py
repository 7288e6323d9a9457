"""The metrics against values worked out by hand and against slow, plain readings of the papers."""

import math

import numpy as np
import pytest

from realtime_bg.training import metrics


def alphas(seed, shape=(23, 31)):
    """Two soft, spotty alphas that are alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    base = 0.5 + 0.5 * np.sin(x / 4 + seed) * np.cos(y / 5)
    pair = [np.clip(base + rng.normal(0, 0.15, shape), 0, 1) for _ in range(2)]
    return [np.float32(np.round(alpha * 255) / 255) for alpha in pair]


def half(shape=(40, 60), at=30):
    """Person in the columns left of ``at``."""
    alpha = np.zeros(shape, np.float32)
    alpha[:, :at] = 1
    return alpha


@pytest.mark.parametrize("alpha", [half(), np.zeros((9, 9), np.float32), alphas(1)[0]])
def test_the_truth_is_perfect(alpha):
    perfect = {"iou": 1, "mad": 0, "mse": 0, "grad": 0, "conn": 0, "boundary_f": 1, "false": 0}
    row = metrics.measure(alpha, alpha)
    thin = row.pop("thin")
    assert thin == 1 or math.isnan(thin)
    assert row == pytest.approx(perfect, abs=1e-12)


def test_mad_mse_and_dtssd_by_hand():
    truth = np.float32([[0, 0], [1, 1]])
    alpha = np.float32([[0, 0.5], [1, 0]])
    assert metrics.mad(alpha, truth) == pytest.approx(1.5 / 4 * 1e3)
    assert metrics.mse(alpha, truth) == pytest.approx(1.25 / 4 * 1e3)
    # from a perfect frame: the alpha changed by 0, .5, 0, -1 where the truth stood still
    assert metrics.dtssd(alpha, truth, truth, truth) == pytest.approx(math.sqrt(1.25 / 4) * 100)
    # an error that stands still does not flicker
    assert metrics.dtssd(alpha, alpha, truth, truth) == 0


def test_iou_by_hand():
    assert metrics.iou(half(at=20), half(at=30)) == pytest.approx(2 / 3)
    assert metrics.iou(half(at=0), half(at=30)) == 0
    assert metrics.iou(half(at=0), half(at=0)) == 1
    assert metrics.iou(np.float32([[0.5, 0.49]]), np.float32([[1, 0]])) == 1


def somebody(arms=True):
    """A body 60 pixels broad, with arms 12 pixels thick to both sides."""
    alpha = np.zeros((200, 320), np.float32)
    alpha[40:, 130:190] = 1
    if arms:
        alpha[70:82, 40:280] = 1
    return alpha


def test_thin_parts_by_hand():
    truth, without = somebody(), somebody(arms=False)
    assert metrics.thin_found(truth, truth) == 1
    assert metrics.thin_found(without, truth) < 0.05
    one = without.copy()
    one[70:82, 190:280] = 1  # as much again is missing on the other side
    assert metrics.thin_found(one, truth) == pytest.approx(0.5, abs=0.02)
    assert math.isnan(metrics.thin_found(without, without))  # nothing thin is there
    assert math.isnan(metrics.thin_found(truth, np.zeros_like(truth)))


def test_false_person_by_hand():
    truth = somebody()
    alpha = truth.copy()
    alpha[:20, :32] = 0.6  # 1 % of the picture
    assert metrics.false_person(alpha, truth) == pytest.approx(1.0)
    soft = np.where(truth > 0, truth, np.float32(0.1))
    assert metrics.false_person(alpha, soft) == 0  # partly a person


def test_jumping_pixels_by_hand():
    truth = somebody()
    before, now = truth.copy(), truth.copy()
    now[0, :64] = 0.3  # 64 of 64,000 pixels
    assert metrics.jumping(now, before, truth, truth) == pytest.approx(1000)
    now[0, :64] = 0.15
    assert metrics.jumping(now, before, truth, truth) == 0
    moved = np.roll(truth, 5, 1)
    assert metrics.jumping(moved, truth, moved, truth) == 0  # where the person moves


def test_boundary_f_by_hand():
    shape = (300, 400)  # diagonal 500: the tolerance is 3.75, that is 4 pixels
    truth = half(shape, 200)
    assert metrics.boundary_f(half(shape, 204), truth) == 1
    assert metrics.boundary_f(half(shape, 205), truth) == 0
    both = half(shape, 200)
    both[:, 300:] = 1  # a second outline that is not there: precision 1/2, recall 1
    assert metrics.boundary_f(both, truth) == pytest.approx(2 / 3)
    assert metrics.boundary_f(truth, both) == pytest.approx(2 / 3)
    assert metrics.boundary_f(np.zeros(shape, np.float32), truth) == 0


def test_conn_by_hand():
    truth = np.zeros((10, 10), np.float32)
    truth[:4] = 1
    alpha = truth.copy()
    alpha[8, 3] = 1  # one loose pixel where the truth is 0: the level is 0, the error 1
    assert metrics.conn(alpha, truth) == pytest.approx(1e-3)
    alpha[8, 3] = 0.1  # below theta
    assert metrics.conn(alpha, truth) == 0
    alpha = truth.copy()
    alpha[0, 0] = 0.5  # connected up to 0.5 in both; the truth lies 0.5 above that
    assert metrics.conn(alpha, truth) == pytest.approx(0.5e-3)
    touching = np.zeros((10, 10), np.float32)
    touching[4:6, 4:6] = 1
    corner = touching.copy()
    corner[6, 6] = 1  # touches by its corner only: not connected
    assert metrics.conn(corner, corner) == 0
    assert metrics.conn(corner, touching) == pytest.approx(1e-3)


def slow_conn(alpha, truth):
    """Conn, threshold by threshold and pixel by pixel with a flood fill."""
    height, width = alpha.shape
    level, done = np.ones_like(alpha), np.zeros(alpha.shape, bool)
    for step in range(1, 11):
        threshold = np.float32(step / 10)
        both = (alpha >= threshold) & (truth >= threshold)
        regions, seen = [], np.zeros_like(both)
        for start in zip(*np.nonzero(both), strict=True):
            if seen[start]:
                continue
            region, stack = [], [start]
            seen[start] = True
            while stack:
                y, x = stack.pop()
                region.append((y, x))
                for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    inside = 0 <= near[0] < height and 0 <= near[1] < width
                    if inside and both[near] and not seen[near]:
                        seen[near] = True
                        stack.append(near)
            regions.append(region)
        largest = set(max(regions, key=len, default=[]))
        for place in np.ndindex(alpha.shape):
            if place not in largest and not done[place]:
                done[place] = True
                level[place] = np.float32((step - 1) / 10)
    total = 0.0
    for place in np.ndindex(alpha.shape):
        phi = []
        for value in (alpha[place], truth[place]):
            over = value - level[place]
            phi.append(1 - (over if over >= 0.15 else 0))
        total += abs(phi[0] - phi[1])
    return total / 1000


def slow_grad(alpha, truth):
    """Grad, with the derivative of a Gaussian written out and summed pixel by pixel."""
    sigma, reach = 1.4, 4  # 1.4 * sqrt(-2 ln(sqrt(2 pi) * 1.4 * 0.01)) = 3.62, rounded up
    at = range(-reach, reach + 1)
    kernel = {(i, j): -j * math.exp(-(i * i + j * j) / (2 * sigma**2)) for i in at for j in at}
    length = math.sqrt(sum(value**2 for value in kernel.values()))
    height, width = alpha.shape

    def magnitude(picture):
        low, high = picture.min(), picture.max()
        picture = (picture - low) / (high - low)
        result = np.zeros(picture.shape)
        for y, x in np.ndindex(picture.shape):
            dx = dy = 0.0
            for (i, j), weight in kernel.items():
                rows, columns = min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)
                dx += picture[rows, columns] * weight / length
                rows, columns = min(max(y + j, 0), height - 1), min(max(x + i, 0), width - 1)
                dy += picture[rows, columns] * weight / length
            result[y, x] = math.hypot(dx, dy)
        return result

    return ((magnitude(alpha) - magnitude(truth)) ** 2).sum() / 1000


@pytest.mark.parametrize("seed", range(4))
def test_conn_and_grad_equal_their_slow_definitions(seed):
    alpha, truth = alphas(seed)
    assert metrics.conn(alpha, truth) == pytest.approx(slow_conn(alpha, truth), rel=1e-5)
    assert metrics.grad(alpha, truth) == pytest.approx(slow_grad(alpha, truth), rel=1e-4)
    assert metrics.grad(alpha, truth) > 0.01


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.measure(half(), half((40, 61)))
