"""The budget of restarts and the detection of sleep, with clocks that are given to them."""

import pytest

from realtime_bg.daemon import supervisor
from realtime_bg.daemon.supervisor import PAUSES, RESTARTS, SLEPT, WINDOW, Budget, Sleeping


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_pauses_grow_and_the_last_one_repeats(clock):
    budget = Budget(clock=clock)
    pauses = [budget.spend() for _ in range(RESTARTS)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert budget.spend() is None
    assert budget.count == RESTARTS
    assert PAUSES == (0.5, 1.0, 2.0, 4.0, 8.0)


def test_restarts_expire_one_by_one(clock):
    budget = Budget(restarts=2, window=60, clock=clock)
    assert budget.spend() == 0.5
    clock.now += 40
    assert budget.spend() == 1.0
    assert budget.spend() is None
    clock.now += 20  # exactly the window
    assert budget.spend() is None
    clock.now += 0.5  # the first one has expired
    assert budget.spend() == 1.0
    assert budget.spend() is None
    clock.now += 61
    assert budget.spend() == 0.5  # all of them
    assert budget.count == 4


def test_the_usual_budget_is_eight_in_ten_minutes(clock):
    assert (RESTARTS, WINDOW) == (8, 600.0)
    budget = Budget(clock=clock)
    for _ in range(20):
        assert budget.spend() is not None
        clock.now += WINDOW / RESTARTS + 1


def test_a_machine_whose_clock_goes_on_alone_has_slept():
    machine, programs = Clock(), Clock()
    sleeping = Sleeping(machine, programs)
    assert sleeping.slept() == 0
    for clock in (machine, programs):
        clock.now += 0.1
    assert sleeping.slept() == 0
    machine.now += 90
    assert sleeping.slept() == pytest.approx(90)
    assert sleeping.slept() == 0  # it is told once


def test_where_both_clocks_stand_still_or_go_on_the_silence_tells():
    """As on macOS and Windows: both go on during sleep, and nobody calls."""
    clock = Clock()
    sleeping = Sleeping(clock, clock)
    clock.now += SLEPT
    assert sleeping.slept() == 0
    clock.now += SLEPT + 0.1
    assert sleeping.slept() == pytest.approx(SLEPT + 0.1)
    assert SLEPT == 3.0


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_have_one_clock(monkeypatch, system):
    clock = Clock()
    monkeypatch.setattr(supervisor.sys, "platform", system)
    monkeypatch.setattr(supervisor.time, "monotonic", clock)
    assert supervisor._since_boot() == 100.0
