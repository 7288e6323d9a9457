"""The verdict of benchmarks/soak.py: growth is found in noise, and noise is no growth."""

import importlib.util
import random

import pytest
from helpers import ROOT

pytest.importorskip("websockets")


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks/soak.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples(soak, growth, seed=1, hours=2.0):
    """70 rounds of 16 samples; what a round needs depends on the settings. ``growth``: MB, threads
    and handles per hour."""
    rng = random.Random(seed)
    count = 70 * 16
    return [
        soak.Sample(
            at,
            400 + 30 * (n % 16) / 16 + rng.gauss(0, 8) + growth[0] * at,
            20 + (n % 2) + int(growth[1] * at),
            14 + (n % 3) + int(growth[2] * at),
        )
        for n in range(count)
        for at in (hours * n / count,)
    ]


def judged(soak, *growth, seed=1):
    return soak.growing(soak.whole_rounds(samples(soak, growth, seed), 16), soak.TOLERANCES)


def test_the_line_through_exact_values_is_exact(soak):
    slope, error = soak.line([0, 1, 2, 3], [5, 7, 9, 11])
    assert (slope, error) == (pytest.approx(2), pytest.approx(0))


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_growth(soak, seed):
    assert not any("GROWS" in text for text in judged(soak, 0, 0, 0, seed=seed).values())


@pytest.mark.parametrize(
    ("name", "growth"), [("memory", (15, 0, 0)), ("threads", (0, 4, 0)), ("handles", (0, 0, 6))]
)
def test_growth_is_found_and_said_of_what_grows(soak, name, growth):
    found = judged(soak, *growth)
    assert [one for one, text in found.items() if "GROWS" in text] == [name]


def test_a_round_that_was_cut_short_does_not_count(soak):
    assert len(soak.whole_rounds(samples(soak, (0, 0, 0))[:40], 16)) == 2
