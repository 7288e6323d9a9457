"""When the camera opens for a viewer and closes without one, by a clock that is given."""

import pytest

from realtime_bg.live.demand import SLEEP_SECONDS, WAKE_SECONDS, Demand


class Rig:
    def __init__(self, awake):
        self.now = 50.0
        self.demand = Demand(awake, lambda: self.now)

    def after(self, seconds, watched):
        self.now += seconds
        return self.demand.update(watched)


@pytest.mark.parametrize(
    ("awake", "watched", "needed"), [(False, True, WAKE_SECONDS), (True, False, SLEEP_SECONDS)]
)
def test_it_changes_after_its_time_and_no_sooner(awake, watched, needed):
    rig = Rig(awake)
    assert rig.after(0, watched) is awake
    assert rig.after(needed - 0.01, watched) is awake
    assert rig.after(0.02, watched) is watched
    assert rig.demand.awake is watched
    assert rig.after(0, not watched) is watched  # the way back takes its own time


def test_a_short_change_does_not_count_and_begins_anew():
    rig = Rig(awake=False)
    for _ in range(5):
        assert not rig.after(0.2, True)  # a program that lists the cameras
        assert not rig.after(0.01, False)
    assert not rig.after(0.1, True)
    assert rig.after(WAKE_SECONDS + 0.01, True)


def test_waking_is_much_quicker_than_falling_asleep():
    assert (WAKE_SECONDS, SLEEP_SECONDS) == (0.3, 2.0)
