"""Pauses between attempts grow, the last one repeats, and a success starts anew."""

from realtime_bg.system.backoff import Backoff


def test_pauses_grow_and_the_last_one_repeats():
    backoff = Backoff(0.5, 1.0, 2.0)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert backoff.failures == 5


def test_after_a_success_the_next_failure_is_the_first_again():
    backoff = Backoff(0.5, 1.0)
    backoff.failed()
    backoff.succeeded()
    assert backoff.failures == 0
    assert backoff.failed() == 0.5


def test_the_pause_after_any_number_of_failures_can_be_asked_for():
    assert [Backoff(1.0, 3.0).after(count) for count in (1, 2, 9)] == [1.0, 3.0, 3.0]
