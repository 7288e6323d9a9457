"""The ladder of work sizes, step by step, with frames and durations that are given to it."""

import numpy as np
import pytest

from realtime_bg.frames import Frame
from realtime_bg.runtimes.input_size import (
    EARLY,
    PATIENCE,
    SCALES,
    WINDOW,
    WorkloadController,
    thread_counts,
)

BETWEEN = 1 / 30  # seconds from frame to frame
IMAGE = np.zeros((4, 4, 3), np.uint8)


class Ladder:
    """A controller and the stream of its frames."""

    def __init__(self, **options):
        self.controller, self.index = WorkloadController(**options), 0

    def windows(self, shares, between=BETWEEN, epoch=0):
        """The step after each of some windows, whose frames take ``shares`` of the interval."""
        steps = []
        for share in shares:
            for _ in range(WINDOW):
                self.index += 1
                frame = Frame(IMAGE, self.index, self.index * between, epoch)
                self.controller.update(frame, share * between)
            steps.append(self.controller.step)
        return steps


def test_just_above_the_interval_is_too_slow_and_just_below_is_not():
    assert Ladder().windows([0.98, 0.98]) == [0, 0]
    assert Ladder().windows([1.02]) == [1]
    assert Ladder().windows([1.02] * 4) == [1, 2, 2, 2]


def test_only_a_change_is_told_and_only_after_a_window():
    controller, told = WorkloadController(), []
    for index in range(3 * WINDOW + 1):
        if controller.update(Frame(IMAGE, index, index * BETWEEN), 2 * BETWEEN):
            told.append(index)
    assert told == [WINDOW - 1, 2 * WINDOW - 1]  # and not at the end of the ladder
    assert controller.scale == SCALES[-1]


def test_the_larger_size_is_estimated_by_its_area():
    """A step of 0.75 in the sides is 0.56 of the pixels: 0.7 x 0.56 is easy enough."""
    for share, climbs in ((0.36, True), (0.43, False), (0.5, False)):
        ladder = Ladder()
        assert ladder.windows([1.1]) == [1]
        assert (ladder.windows([share] * PATIENCE)[-1] == 0) is climbs, share


def test_it_must_be_easy_for_many_windows_in_succession():
    ladder = Ladder()
    ladder.windows([1.1])
    assert ladder.windows([0.2] * (PATIENCE - 1)) == [1] * (PATIENCE - 1)
    assert ladder.windows([0.6]) == [1]  # not easy
    assert ladder.windows([0.2] * (PATIENCE - 1)) == [1] * (PATIENCE - 1)
    assert ladder.windows([0.2]) == [0]


def test_what_was_easy_before_a_step_down_does_not_count_after_it():
    ladder = Ladder()
    ladder.windows([1.1])
    ladder.windows([0.2] * (PATIENCE - 1))
    assert ladder.windows([1.1]) == [2]
    assert ladder.windows([0.2] * PATIENCE) == [2] * (PATIENCE - 1) + [1]


def test_patience_doubles_with_every_climb_and_is_counted_anew():
    ladder = Ladder()
    ladder.windows([1.1, 1.1])
    steps = ladder.windows([0.2] * 3 * PATIENCE)
    assert steps == [2] * (PATIENCE - 1) + [1] * 2 * PATIENCE + [0]
    ladder.windows([1.1])
    assert ladder.windows([0.2] * 4 * PATIENCE) == [1] * (4 * PATIENCE - 1) + [0]


@pytest.mark.parametrize(
    ("smallest", "last"), [(0.0, 2), (0.5625, 2), (0.6, 1), (0.75, 1), (0.8, 0), (1.0, 0)]
)
def test_it_ends_where_the_engine_finds_nobody_any_more(smallest, last):
    assert Ladder(smallest_scale=smallest).windows([9.0] * 4)[-1] == last


def test_a_jump_and_frames_out_of_order_are_no_intervals():
    controller = WorkloadController()
    for index in range(WINDOW):  # each from another epoch: nothing is known of the rate
        assert not controller.update(Frame(IMAGE, index, 9.0 * index, epoch=index), 5.0)
    assert controller.step == 0
    again = WorkloadController()
    for index in range(2 * WINDOW):
        again.update(Frame(IMAGE, 7, index * BETWEEN), 5.0)
    assert again.step == 0


def test_threads_are_tried_in_powers_of_two():
    assert [thread_counts(most) for most in (1, 2, 4, 6, 8)] == [
        (1,),
        (1, 2),
        (1, 2, 4),
        (1, 2, 4, 6),
        (1, 2, 4, 8),
    ]


def test_a_slow_network_gets_threads_before_a_smaller_input():
    ladder = Ladder(threads=(1, 2))
    states = []
    for _ in range(4):
        states.append((ladder.controller.threads, ladder.controller.scale))
        ladder.windows([1.02])
    assert states == [(1, SCALES[0]), (2, SCALES[0]), (2, SCALES[1]), (2, SCALES[2])]


@pytest.mark.parametrize(("times", "threads"), [(1.5, 2), (3.0, 4), (3.9, 4), (5.5, 6), (9.0, 6)])
def test_a_network_that_needs_many_threads_gets_them_at_once(times, threads):
    """One that takes ``times`` the interval with one thread, and shares its work evenly."""
    controller, seen = WorkloadController(threads=(1, 2, 4, 6)), []
    for index in range(2 * WINDOW):
        busy = times * BETWEEN / controller.threads
        if controller.update(Frame(IMAGE, index, index * BETWEEN), busy):
            seen.append((controller.threads, controller.scale))
    assert seen[0] == (threads, 1)
    assert len(seen) == (2 if times > 6 else 1)  # then a smaller input


def test_only_threads_are_given_before_a_window_is_over():
    for threads, early in (((1, 2), True), ((2,), False), ((), False)):
        controller = WorkloadController(threads=threads)
        frames = [Frame(IMAGE, index, index * BETWEEN) for index in range(EARLY + 1)]
        changed = [controller.update(frame, 2.1 * BETWEEN) for frame in frames]
        assert any(changed) is early, threads
    slower = WorkloadController(threads=(1, 2))
    frames = [Frame(IMAGE, index, index * BETWEEN) for index in range(WINDOW - 1)]
    assert not any(slower.update(frame, 1.9 * BETWEEN) for frame in frames)


def test_threads_are_taken_away_when_half_of_them_would_do():
    for share, fewer in ((0.34, True), (0.36, False)):
        ladder = Ladder(threads=(1, 2))
        ladder.windows([1.02])
        ladder.windows([share] * PATIENCE)
        assert ladder.controller.threads == (1 if fewer else 2), share


def test_without_threads_to_try_none_are_named():
    assert Ladder().controller.threads is None
    assert Ladder(threads=(4,)).controller.threads == 4
