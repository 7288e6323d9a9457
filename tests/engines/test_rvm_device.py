"""RVM's step on one device, here the CPU: the same pictures as by way of arrays."""

import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from realtime_bg import engines
from realtime_bg.backgrounds import open_background
from realtime_bg.cli.program import app
from realtime_bg.engines._rvm_device import RvmStep
from realtime_bg.engines.base import Engine
from realtime_bg.engines.rvm_torch import load_rvm
from realtime_bg.frames import DeviceMatte, Frame, Matte, downloaded
from realtime_bg.processing.compositor import Compositor, blend
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import BackgroundSettings, load
from realtime_bg.settings.live import Live
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

SIZE = (320, 192)
RATIO = 0.5


@pytest.fixture(scope="module")
def network(checkpoint):
    return load_rvm(checkpoint).eval()


@pytest.fixture
def step(network):
    return RvmStep(network, SIZE, RATIO, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def shown():
    demo = DemoSource("", load(flags={"source.size": "320x192"}).source, False)
    return [Frame(demo.image(3 * index), index, index / 30) for index in range(4)]


def by_arrays(network, frames):
    """Alphas and colours of the network called directly."""
    state, found = [None] * 4, []
    for frame in frames:
        rgb = np.ascontiguousarray(frame.image[..., ::-1].transpose(2, 0, 1)[None])
        with torch.inference_mode():
            fgr, pha, *state = network(
                torch.from_numpy(rgb).float() / 255, *state, downsample_ratio=RATIO
            )
        found.append((pha[0, 0].numpy(), fgr[0].permute(1, 2, 0).numpy()[..., ::-1] * 255))
    return found


def test_it_says_what_the_network_says(network, step, shown):
    mattes = [step(frame) for frame in shown]  # kept while later frames are matted
    for matte, frame, (alpha, colour) in zip(mattes, shown, by_arrays(network, shown), strict=True):
        assert matte.frame is frame
        got = matte.downloaded()
        np.testing.assert_allclose(got.alpha, alpha, atol=1e-5)
        np.testing.assert_allclose(got.foreground, colour, atol=0.51)
        assert downloaded(got) is got


def test_the_blend_on_the_device_is_that_of_the_cpu(step, shown):
    behind = open_background("beach", BackgroundSettings(), True).render(SIZE, 0.0)
    for frame in shown[:2]:
        matte = step(frame)
        same = matte.downloaded()
        wanted = blend(same.foreground, behind, same.alpha)
        image = matte.over(behind)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert np.abs(image.astype(int) - wanted.astype(int)).max() <= 1
    other = matte.over(np.zeros_like(behind))  # not the one that is there already
    assert other.mean() < image.mean()


def test_reset_forgets(step, shown):
    first = step(shown[0]).downloaded().alpha
    step(shown[1])
    assert not np.array_equal(step(shown[0]).downloaded().alpha, first)
    step.reset()
    np.testing.assert_allclose(step(shown[0]).downloaded().alpha, first, atol=1e-6)


def test_nan_is_nobody(network, shown, monkeypatch):
    step = RvmStep(network, SIZE, RATIO, torch.device("cpu"), torch.float32)

    def poisoned(src, *_, **__):
        alpha = torch.full((1, 1, *src.shape[2:]), float("nan"))
        return src * float("nan"), alpha, *[torch.zeros(1)] * 4

    monkeypatch.setattr(step, "_network", poisoned)
    behind = np.full((*SIZE[::-1], 3), 77, np.uint8)
    assert (step(shown[0]).over(behind) == 77).all()


class Held(DeviceMatte):
    """Counts how it is used."""

    used = ""

    def downloaded(self):
        Held.used += "d"
        size = self.frame.size[::-1]
        return Matte(self.frame, np.ones(size, np.float32), np.full((*size, 3), 50, np.uint8))

    def over(self, background):
        Held.used += "o"
        return np.full_like(background, 50)


@pytest.mark.parametrize(
    ("flags", "used"),
    [
        ({}, "o"),
        ({"refine.feather": 3}, "d"),
        ({"background.current": "blur"}, "d"),
        ({"view.alpha": True}, "d"),
        ({"harmonise.match": 1}, "d"),
        ({"output.mirror": True}, "o"),
    ],
)
def test_it_is_blended_where_it_is_unless_something_is_done_to_it(shown, monkeypatch, flags, used):
    monkeypatch.setattr(Held, "used", "")
    settings = load(flags={"background.current": "beach"} | flags)
    compositor = Compositor(settings, Stats(), wait=True)
    image = compositor.compose(Held(shown[0]), settings).image
    compositor.close()
    assert Held.used == used
    if "harmonise.match" not in flags:
        assert (image == 50).all()


class Full(Held):
    """Its device has no memory left for the picture."""

    def over(self, background):
        raise torch.OutOfMemoryError("CUDA out of memory")


class Rich(Engine):
    """Leaves its mattes on a device that is full; on the CPU it can work."""

    opened: ClassVar = []

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size, self.provider = size, "CPU" if settings.device == "cpu" else "CUDA:0"
        Rich.opened.append(settings.device)

    def matte(self, frame):
        return (Held if self.provider == "CPU" else Full)(frame)


@pytest.mark.parametrize("wait", [False, True])
def test_a_device_that_fails_while_blending_is_left(shown, monkeypatch, caplog, wait):
    monkeypatch.setitem(engines.ENGINES, "rich", f"{__name__}:Rich")
    monkeypatch.setattr(Rich, "opened", [])
    settings = load(flags={"engine.name": "rich", "background.current": "#010203"})
    processor = Processor(Live(settings), Stats(), wait)
    first = processor.process(shown[0]) if wait else processor.compose(processor.matte(shown[0]))
    if wait:  # a file misses no picture
        assert (first.image == 50).all()
    else:
        assert (first.image == (3, 2, 1)).all()
        assert (processor.compose(processor.matte(shown[1])).image == 50).all()
    assert Rich.opened == ["auto", "cpu"]
    assert "out of memory" in caplog.text
    processor.close()


def test_bench_compares_with_the_usual_loop(checkpoint):
    command = [
        "bench",
        "--engine",
        "rvm-torch",
        "--model",
        str(checkpoint),
        "--device",
        "cpu",
        "--frames",
        "3",
        "--sizes",
        "160x96,320x192",
        "--json",
    ]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    reports = json.loads(result.stdout)
    assert [report["size"] for report in reports] == [[160, 96], [320, 192]]
    for report in reports:
        assert report["loop_ms"]["min"] > 0
        ratio = report["loop_ms"]["p50"] / report["step_ms"]["p50"]
        assert abs(report["times_loop"] / ratio - 1) < 0.02


@pytest.mark.cuda
def test_the_recorded_graph_goes_on_as_the_network_does(checkpoint, shown):
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    network = load_rvm(checkpoint).eval()
    wanted = by_arrays(network, shown * 3)
    device = torch.device("cuda:0")
    step = RvmStep(network.to(device).half(), SIZE, RATIO, device, torch.float16)
    behind = np.zeros((*SIZE[::-1], 3), np.uint8)
    for frame, (alpha, _) in zip(shown * 3, wanted, strict=True):
        matte = step(frame)
        same = matte.downloaded()
        assert np.abs(same.alpha - alpha).mean() < 0.01
        off = matte.over(behind).astype(int) - blend(same.foreground, behind, same.alpha)
        assert np.abs(off).max() <= 1
    assert step._graph is not None
