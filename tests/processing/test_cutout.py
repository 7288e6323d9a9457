"""Pictures one by one: what the engine is asked, what is remembered, and what is shown."""

from contextlib import closing
from typing import ClassVar

import numpy as np
import pytest

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.errors import BackgroundError, EngineError
from realtime_bg.frames import Cutout, Frame, Matte
from realtime_bg.processing import cutout as cutouts
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.cutout import CutoutCompositor, PictureMatter, cutout
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import RefineSettings, load
from realtime_bg.stats import Stats

SIZE = (16, 32)  # rows and columns
RED, GREEN = (0, 0, 255), (0, 255, 0)


class Given(Engine):
    """Answers with the alphas it is given, at half the size."""

    alphas: ClassVar = []
    calls: ClassVar = []

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = size[0] // 2, size[1] // 2
        Given.calls.append(("open", settings.quality))

    def matte(self, frame):
        Given.calls.append(("matte", frame.index, round(frame.time, 4), frame.epoch))
        alpha = Given.alphas.pop(0)
        if isinstance(alpha, Exception):
            raise alpha
        small = np.ascontiguousarray(frame.image[::2, ::2])
        lost = alpha is None
        return Matte(frame, np.full(small.shape[:2], alpha or 0, np.float32), None, small, lost)

    def reset(self):
        Given.calls.append(("reset",))

    def close(self):
        Given.calls.append(("close",))


@pytest.fixture
def matter(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "given", f"{__name__}:Given")
    monkeypatch.setattr(Given, "alphas", [])
    monkeypatch.setattr(Given, "calls", [])
    flags = {
        "engine.name": "given",
        "engine.retries": 0,
        "refine.steady": 0.5,
        "refine.levels": "0,1",
        "refine.hysteresis": 0,
        "refine.decontaminate": False,
    }
    with closing(PictureMatter.of(flags, None)) as opened:
        yield opened


IMAGE = np.full((*SIZE, 3), 77, np.uint8)


def test_the_engine_works_at_its_best_and_is_opened_by_the_first_picture(matter):
    assert Given.calls == []
    Given.alphas[:] = [0.5]
    seen = matter.matte_next(IMAGE)
    assert Given.calls[0] == ("open", "fine")
    assert seen.alpha.shape == SIZE
    np.testing.assert_allclose(seen.alpha, 0.5, atol=1e-3)
    assert seen.foreground is IMAGE
    assert not seen.lost


def test_pictures_in_turn_are_thirty_a_second_and_steadied(matter):
    Given.alphas[:] = [1, 0.8, 0.8]
    seen = [matter.matte_next(IMAGE, index).alpha for index in range(3)]
    times = [call[1:] for call in Given.calls if call[0] == "matte"]
    assert times == [(0, 0.0, 0), (1, 0.0333, 0), (2, 0.0667, 0)]
    for alpha, expected in zip(seen, (1, 0.9, 0.85), strict=True):
        np.testing.assert_allclose(alpha, expected, atol=2e-3)


def test_what_is_forgotten_has_no_part_in_the_next_picture(matter):
    Given.alphas[:] = [1, 0.5]
    matter.matte_next(IMAGE, 0)
    matter.forget()
    np.testing.assert_allclose(matter.matte_next(IMAGE, 1).alpha, 0.5, atol=1e-3)
    assert ("reset",) in Given.calls
    assert Given.calls[-1] == ("matte", 1, 0.0333, 1)


def test_a_photo_is_no_part_of_a_clip(matter):
    Given.alphas[:] = [1, 0.5, 0.5, 0.2, 0.2]
    matter.matte_next(IMAGE, 0)
    np.testing.assert_allclose(matter.matte_photo(IMAGE, 3).alpha, 0.5, atol=1e-3)
    np.testing.assert_allclose(matter.matte_photo(IMAGE, 3).alpha, 0.2, atol=1e-3)
    places = [call[1:] for call in Given.calls if call[0] == "matte"]  # index, time and epoch
    assert places == [(0, 0.0, epoch) for epoch in (0, 1, 1, 2, 2)]


def test_an_engine_that_fails_is_an_error_and_is_tried_anew_with_the_next_picture(matter):
    Given.alphas[:] = [RuntimeError("bad"), 0.5]
    with pytest.raises(EngineError, match="engine given failed; no result without it"):
        matter.matte_next(IMAGE)
    np.testing.assert_allclose(matter.matte_next(IMAGE, 1).alpha, 0.5, atol=1e-3)
    assert [call[0] for call in Given.calls].count("open") == 2


def test_where_the_engine_is_lost_there_is_nobody(matter):
    Given.alphas[:] = [None]
    seen = matter.matte_next(IMAGE)
    assert seen.lost
    assert seen.alpha.shape == SIZE
    assert not seen.alpha.any()
    assert seen.foreground is IMAGE


def test_a_lost_matte_is_not_even_refined():
    """Whatever its alpha says."""
    matte = Matte(Frame(IMAGE, 0, 0.0), np.ones(SIZE, np.float32), lost=True)
    seen = cutout(matte, RefineSettings(), Steady())
    assert seen.lost
    assert not seen.alpha.any()


def test_closing_releases_the_engine_once(matter):
    Given.alphas[:] = [0.5, 0.5]
    matter.close()
    matter.matte_next(IMAGE)
    matter.close()
    matter.close()
    assert [call[0] for call in Given.calls] == ["open", "matte", "close"]


# Over backgrounds


@pytest.fixture
def over():
    settings = load(flags={"refine.feather": 9, "output.mirror": False})
    with closing(CutoutCompositor(settings, Stats())) as opened:
        yield opened


def half():
    """A cutout of the left half, in red, from a grey picture."""
    alpha = np.zeros(SIZE, np.float32)
    alpha[:, :16] = 1
    return Cutout(IMAGE, alpha, np.full((*SIZE, 3), RED, np.uint8))


def test_a_cutout_is_put_over_a_background_as_it_is(over):
    """It has been refined before: no feather is added."""
    image = over.over(half(), "#00ff00", 0, 0)
    assert (image[:, :16] == RED).all()
    assert (image[:, 16:] == GREEN).all()


def test_a_lost_cutout_is_the_background_alone(over):
    lost = half()._replace(lost=True)
    assert (over.over(lost, "#00ff00", 0, 0) == GREEN).all()
    assert not (over.over(lost, "blur", 0, 0) == 77).all(axis=2).any()


def test_the_background_stays_open_until_another_is_named(over, tmp_path):
    over.over(half(), "#00ff00", 0, 0)
    first = over._compositor
    over.over(half(), "#00ff00", 1, 0)
    assert over._compositor is first
    with pytest.raises(BackgroundError):
        over.over(half(), str(tmp_path / "gone.png"), 2, 0)
    assert over._compositor is first
    assert (over.over(half(), "#00ff00", 3, 0)[:, 16:] == GREEN).all()
    over.over(half(), "blue", 4, 0)
    assert over._compositor is not first
    over.close()
    over.close()
    assert (over.over(half(), "blue", 5, 0)[:, 16:] == (255, 0, 0)).all()  # it is opened again


def test_moving_backgrounds_are_exact_and_nobody_looks_at_a_preview(over, monkeypatch):
    made = []

    def compositor(*arguments, **options):
        made.append(options)
        return Compositor(*arguments, **options)

    monkeypatch.setattr(cutouts, "Compositor", compositor)
    over.over(half(), "beach", 0, 0)
    assert made == [{"wait": True, "previews": False}]


def test_the_frame_it_belongs_to_has_its_number_time_and_epoch(over, monkeypatch):
    over.over(half(), "#00ff00", 0, 0)
    seen, usual = [], over._compositor.compose

    def composed(matte, settings):
        seen.append((matte.frame.index, matte.frame.time, matte.frame.epoch))
        return usual(matte, settings)

    monkeypatch.setattr(over._compositor, "compose", composed)
    over.over(half(), "#00ff00", 15, 4)
    assert seen == [(15, 0.5, 4)]
