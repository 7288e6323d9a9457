"""Small islands and holes of an alpha by evidence over time."""

import numpy as np
import pytest

from realtime_bg.processing.evidence import FRAMES, Evidence


def body(*extra):
    """A person in the middle of 256x144, cut off at the lower edge, and more boxes of person."""
    alpha = np.zeros((144, 256), np.float32)
    alpha[40:, 100:160] = 1
    for rows, columns in extra:
        alpha[rows, columns] = 1
    return alpha


ISLAND = slice(30, 40), slice(200, 212)
HOLE = slice(70, 80), slice(120, 130)


def settled(alpha, frames=3 * FRAMES):
    evidence = Evidence()
    for _ in range(frames):
        evidence(alpha)
    return evidence


def without_hole():
    alpha = body()
    alpha[HOLE] = 0
    return alpha


def test_an_island_of_a_moment_is_dropped_with_its_soft_edge():
    evidence = settled(body())
    alpha = body(ISLAND)
    alpha[29, 200:212] = 0.2
    shown = evidence(alpha)
    assert np.array_equal(shown, body())
    assert alpha[ISLAND].all()  # what it was given stays as it is


def test_an_island_that_stays_is_shown_after_half_the_time():
    evidence, shown = settled(body()), []
    for _ in range(2 * FRAMES):
        shown.append(bool(evidence(body(ISLAND))[ISLAND].all()))
    assert not shown[0]
    assert shown[-1]
    assert FRAMES / 2 < shown.index(True) < FRAMES
    assert shown == sorted(shown)


def test_an_island_that_flickers_is_never_shown():
    evidence = settled(body())
    for index in range(40):
        alpha = body(ISLAND) if index % 3 == 0 else body()
        assert not evidence(alpha)[ISLAND].any()


def test_a_hole_of_a_moment_is_filled_and_one_that_stays_opens():
    evidence = settled(body())
    assert np.array_equal(evidence(without_hole()), body())
    for _ in range(2 * FRAMES):
        shown = evidence(without_hole())
    assert not shown[HOLE].any()


@pytest.mark.parametrize(
    "place",
    [
        (slice(0, 10), slice(200, 212)),  # enters at an edge
        (slice(20, 90), slice(190, 250)),  # as large as somebody
    ],
)
def test_what_may_be_somebody_is_shown_at_once(place):
    evidence = settled(body())
    assert evidence(body(place))[place].all()


def test_the_first_alpha_counts():
    evidence = Evidence()
    assert evidence(body(ISLAND))[ISLAND].all()
    assert evidence(body(ISLAND))[ISLAND].all()
    evidence.forget()
    assert evidence(body(ISLAND))[ISLAND].all()


def test_what_was_seen_counts_at_another_size_of_the_alpha_too():
    evidence = settled(body())
    shown = evidence(np.kron(body(ISLAND), np.ones((2, 2), np.float32)))
    assert np.array_equal(shown, np.kron(body(), np.ones((2, 2), np.float32)))
