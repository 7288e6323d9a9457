"""Contract tests for engines, sources, backgrounds and sinks, for plug-ins in any package.

Subclass a contract in a test module, implement ``open``, and pytest runs its tests::

    class TestRain(BackgroundContract):
        def open(self, wait):
            return RainBackground("", BackgroundSettings(), wait)

This project's tests run the same classes for every registered plug-in. Needs only NumPy.
"""

import time
from abc import ABC, abstractmethod
from itertools import islice, pairwise

import numpy as np

from realtime_bg.backgrounds.base import Background
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Composite, Frame, Image, Size, check_matte, downloaded
from realtime_bg.sinks.base import Sink
from realtime_bg.sources.base import Source

__all__ = ["BackgroundContract", "EngineContract", "SinkContract", "SourceContract"]

SIZES: tuple[Size, ...] = ((320, 180), (64, 36), (33, 65), (1, 1))


def person_like(size: Size = (320, 180)) -> Image:
    """Return a simple figure in front of a grey, noisy room, BGR ``uint8 (H, W, 3)``."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (x + 0.5) / width - 0.5, (y + 0.5) / height
    head = (x / 0.09) ** 2 + ((y - 0.42) / 0.2) ** 2 < 1
    body = (x / 0.22) ** 2 + ((y - 0.97) / 0.42) ** 2 < 1
    image = np.random.default_rng(3).integers(90, 130, (height, width, 3)).astype(np.uint8)
    image[body], image[head] = (170, 60, 30), (130, 160, 220)
    return image


class EngineContract(ABC):
    """The contract of `Engine`: frames in, mattes out."""

    @abstractmethod
    def open(self, size: Size) -> Engine:
        """Return a new engine for frames of ``size``."""

    def test_a_frame_gives_a_valid_matte(self) -> None:
        frame, engine = Frame(person_like(), 0, 0.0), self.open((320, 180))
        matte = downloaded(check_matte(engine.matte(frame)))
        assert matte.frame is frame
        assert 0 <= matte.alpha.min() <= matte.alpha.max() <= 1
        assert matte.alpha.shape[0] < 180 or matte.alpha.shape == (180, 320)
        assert matte.guide is not None or matte.alpha.shape == (180, 320) or matte.lost
        assert engine.provider
        assert len(engine.work_size) == 2
        assert type(engine).description
        engine.close()
        engine.close()

    def test_a_matte_is_not_overwritten_by_the_next(self) -> None:
        engine = self.open((320, 180))
        first = downloaded(engine.matte(Frame(person_like(), 0, 0.0)))
        kept = first.alpha.copy(), None if first.foreground is None else first.foreground.copy()
        engine.matte(Frame(np.zeros((180, 320, 3), np.uint8), 1, 0.1))
        np.testing.assert_array_equal(first.alpha, kept[0])
        if first.foreground is not None:
            np.testing.assert_array_equal(first.foreground, kept[1])
        engine.close()

    def test_reset_forgets(self) -> None:
        engine, frame = self.open((320, 180)), Frame(person_like(), 0, 0.0)
        fresh = downloaded(engine.matte(frame)).alpha
        for index in range(3):
            noise = np.random.default_rng(index).integers(0, 255, (180, 320, 3), np.uint8)
            engine.matte(Frame(noise, index, index / 30))
        engine.reset()
        np.testing.assert_allclose(downloaded(engine.matte(frame)).alpha, fresh, atol=1e-5)
        engine.close()

    def test_a_photo_has_nothing_to_do_with_what_was_before(self) -> None:
        engine, frame = self.open((320, 180)), Frame(person_like(), 0, 0.0)
        first = check_matte(engine.matte_photo(frame, 3))
        engine.matte(Frame(np.ascontiguousarray(frame.image[:, ::-1]), 0, 0.0))
        again = engine.matte_photo(frame, 3)
        assert first.frame is frame
        # The last bit may depend on where the arrays lie in memory.
        np.testing.assert_allclose(downloaded(first).alpha, again.alpha, atol=1e-6)
        engine.close()

    def test_any_size_and_flat_pictures_are_survived(self) -> None:
        for size in SIZES:
            engine = self.open(size)
            for index, level in enumerate((0, 255, 0)):
                image = np.full((size[1], size[0], 3), level, np.uint8)
                check_matte(engine.matte(Frame(image, index, index / 30)))
            engine.close()


class SourceContract(ABC):
    """The contract of `Source`: an iterable of frames that any thread can close."""

    @abstractmethod
    def open(self, paced: bool) -> Source:
        """Return a new source."""

    def test_frames_have_the_one_form_and_grow(self) -> None:
        for paced in (False, True):
            source = self.open(paced)
            frames = list(islice(source, 3))
            assert frames
            assert source.fps > 0
            assert source.description
            for frame in frames:
                assert frame.size == source.size
                assert frame.image.dtype == np.uint8
                assert frame.image.flags.c_contiguous
            for one, two in pairwise(frames):
                assert one.index < two.index
                assert one.time <= two.time
            source.close()

    def test_a_source_that_was_closed_ends(self) -> None:
        source = self.open(True)
        frames = iter(source)
        next(frames)
        begin = time.monotonic()
        source.close()
        source.close()
        assert len(list(islice(frames, 3))) <= 1  # one may have been in transit
        assert time.monotonic() - begin < 2.0
        self.open(True).close()  # before the first frame


class BackgroundContract(ABC):
    """The contract of `Background`: an image of any size, at any time."""

    @abstractmethod
    def open(self, wait: bool) -> Background:
        """Return a new background."""

    def test_any_size_at_any_time(self) -> None:
        for wait in (True, False):
            background = self.open(wait)
            for step, size in enumerate(SIZES):
                image = self.render(background, size, 5.0 + 0.04 * step)
                assert image.shape == (size[1], size[0], 3)
                assert image.dtype == np.uint8
                assert image.flags.c_contiguous
            background.reset()
            background.close()
            background.close()
            # A late frame after closing must do no harm.
            assert self.render(background, (8, 8), 6.0).shape == (8, 8, 3)

    @staticmethod
    def render(background: Background, size: Size, at: float) -> Image:
        """Render one image as the compositor does."""
        if not background.needs_frame:
            return background.render(size, at)
        alpha = np.zeros((size[1], size[0]), np.float32)
        alpha[:, size[0] // 3 : 2 * size[0] // 3] = 1
        return background.render(size, at, person_like(size), alpha)


class SinkContract(ABC):
    """The contract of `Sink`: takes composites one by one, and completes its output on close."""

    @abstractmethod
    def open(self, size: Size, fps: float) -> Sink:
        """Return a new sink."""

    def test_it_takes_composites_and_closes_twice(self) -> None:
        for size in ((64, 36), (33, 17), (2, 2)):
            sink = self.open(size, 10)
            assert (sink.size, sink.fps) == (size, 10)
            image = np.full((size[1], size[0], 3), 90, np.uint8)
            image.flags.writeable = False  # composites are shared: a sink must not modify them
            for index in range(4):
                sink.send(Composite(image, index, index / 10))
            assert sink.has_viewers() in (True, False, None)
            sink.close()
            sink.close()

    def test_one_that_got_nothing_closes(self) -> None:
        self.open((64, 36), 10).close()
