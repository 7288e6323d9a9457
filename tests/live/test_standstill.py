"""A process that stood still has not hung."""

from types import SimpleNamespace

from realtime_bg.live.inference import Inference
from realtime_bg.live.standstill import LONGEST, Standstill


def test_passes_of_the_watchdog_are_no_standstill_and_a_gap_is_one():
    now = [100.0]
    watched = Standstill(lambda: now[0])
    for _ in range(50):
        now[0] += 0.1
        assert not watched.update()
    assert watched.since == 100.0
    now[0] += LONGEST + 12
    assert watched.update()
    assert watched.since == now[0]
    assert not watched.update()


def test_an_engine_is_not_blamed_for_a_process_that_stood_still(monkeypatch):
    """Thirteen seconds at one frame, of which the process has been running for one."""
    abandoned = []

    class Matting:
        busy_since = 100.0

        def abandoned(self, reason):
            abandoned.append(reason)
            return self

    processor = SimpleNamespace(matting=Matting())
    run = SimpleNamespace(start=lambda target, name: None)
    inference = Inference(run, processor, None, None, lambda: False)
    monkeypatch.setattr("realtime_bg.live.inference.time.monotonic", lambda: 113.0)
    inference.supervise(10.0, running_since=112.0)
    assert not abandoned
    inference.supervise(10.0, running_since=103.0)  # exactly as long as it may
    assert not abandoned
    inference.supervise(10.0, running_since=102.0)
    assert len(abandoned) == 1
