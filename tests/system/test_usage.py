"""What the process uses: measured at most once a second."""

from realtime_bg.system import usage


def test_a_busy_second_shows_and_readers_share_one_measurement(monkeypatch):
    now = 100.0
    monkeypatch.setattr(usage.time, "monotonic", lambda: now)
    measured = usage.Usage()
    first = measured.measured()
    assert first["cpu_percent"] == 0
    assert first["memory_mb"] > 20
    count = 0
    while count < 2_000_000:
        count += 1
    assert measured.measured() is first
    now += 1.1
    second = measured.measured()
    assert second["cpu_percent"] > 10
    assert measured.measured() is second
