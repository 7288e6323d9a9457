"""What the tests in tests/fuzz share: strategies, and intact files to damage."""

import os
import sys

import pytest

from helpers import ROOT

pytest.importorskip("hypothesis", reason="needs Hypothesis, from the extra dev")
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "benchmarks"))  # as Python does for a script
from _fuzzing import damaged, samples, served

__all__ = ["JSON", "bounded", "files", "samples", "served"]

# REALTIME_BG_FUZZ=10 makes ten times as many examples; read before the fixtures clean it up.
TIMES = float(os.environ.get("REALTIME_BG_FUZZ", "1"))


def bounded(examples):
    """Always the same examples, and none kept on the disk."""
    return settings(
        max_examples=round(examples * TIMES),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class Data(bytes):
    """A file, of which a failing test does not print everything."""

    def __repr__(self):
        return f"<{len(self)} bytes that begin with {self[:16]!r}>"


def files(intact):
    """Damaged versions of the files, and bytes that were never a file."""
    choice = st.tuples(st.integers(0, len(intact) - 1), st.randoms(use_true_random=False))
    versions = choice.map(lambda pair: Data(damaged(intact[pair[0]], pair[1])))
    headers = st.sampled_from([data[:16] for data in intact])
    invented = st.tuples(headers, st.binary(max_size=2000)).map(lambda parts: Data(b"".join(parts)))
    return st.one_of(versions, versions, versions, invented, st.binary(max_size=200).map(Data))


NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 1e308, 2**63, float("nan")])
)
WORDS = st.one_of(st.text(max_size=20), st.sampled_from(["", "none", "camera", "/etc/passwd", "m"]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)
