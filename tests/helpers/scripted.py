"""Engines that do what a test tells them, and fail when it wants them to."""

import time

import numpy as np

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Matte
from realtime_bg.processing import engine_choice
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = (64, 36)


class Log:
    """What happened to the engines of one test."""

    def __init__(self):
        self.opened, self.closed, self.calls = [], [], []
        self.failing, self.missing = {}, set()  # name -> its next failures; what cannot be opened


class Scripted(Engine):
    """Does what the `Log` says."""

    name, log = "", Log()
    seconds = 0.0

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = settings.work_size or size
        if self.name in self.log.missing:
            raise EngineError(f"{self.name} is not there")
        self.log.opened.append((self.name, settings.device))
        self.provider = "CPU" if settings.device == "cpu" else "CUDA:0"

    def matte(self, frame):
        self.log.calls.append(self.name)
        time.sleep(self.seconds)
        if self.log.failing.get(self.name):
            raise self.log.failing[self.name].pop(0)
        return Matte(frame, np.full(frame.image.shape[:2], 0.5, np.float32))

    def matte_photo(self, frame, repeats):
        self.log.calls.append(f"{self.name} {repeats}")
        return Matte(frame, np.zeros(frame.image.shape[:2], np.float32))

    def reset(self):
        self.log.calls.append("reset")

    def take_plate(self):
        self.log.calls.append("plate")

    def close(self):
        self.log.closed.append(self.name)


class First(Scripted):
    name = "first"


class Second(Scripted):
    name = "second"


class Third(Scripted):
    name = "third"


def scripted(monkeypatch):
    """Install `first` and two last resorts, `second` and `third`; return their `Log`."""
    log = Log()
    monkeypatch.setattr(Scripted, "log", log)
    for kind in (First, Second, Third):
        monkeypatch.setitem(engines.ENGINES, kind.name, f"{__name__}:{kind.__name__}")
    monkeypatch.setattr(engine_choice, "LAST_RESORTS", ("second", "third"))
    monkeypatch.setattr(engine_choice, "AUTO", ("first", "second", "third"))
    return log


def matting(in_time=False, **flags):
    flags = {"engine.name": "first", "engine.retries": 1} | {
        key.replace("__", "."): value for key, value in flags.items()
    }
    return Matting(Live(load(flags=flags)), Stats(), in_time)


def frame(index=0, seed=1, epoch=0, size=SIZE):
    """A frame of one scene for each seed."""
    rng = np.random.default_rng(seed)
    image = np.kron(rng.integers(0, 256, (9, 16, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    image = np.ascontiguousarray(image[: size[1], : size[0]])
    return Frame(image, index, index / 30, epoch)


def bad(count):
    return [RuntimeError("bad") for _ in range(count)]
