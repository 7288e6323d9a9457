"""The engines that were given up: how long each of them rests, and what is told of it."""

import time

import pytest

from realtime_bg.processing.given_up import GivenUp, described
from realtime_bg.stats import Stats


@pytest.fixture
def now():
    """The time, which stands still until a test moves it."""
    return [1000.0]


@pytest.fixture
def stats():
    return Stats()


@pytest.fixture
def record(stats, now):
    return GivenUp(stats, True, clock=lambda: now[0])


def test_pauses_double_up_to_a_quarter_of_an_hour_and_start_anew_after_a_good_run(
    record, stats, now
):
    def pause():
        record.add("rvm", "bad")
        return stats.given_up["rvm"][1] - now[0]

    assert [pause() for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    assert not record.due(["rvm"])
    now[0] += 900
    assert record.due(["rvm"])
    record.recovered("rvm", ())
    now[0] += 599  # a short run does not count
    assert pause() == 900
    record.recovered("rvm", ())
    now[0] += 600
    assert pause() == 60
    record.clear()
    assert "rvm" not in record
    assert stats.given_up == {}


def test_an_engine_is_due_when_its_pause_is_over_and_not_before(record, now):
    assert record.due(["rvm"]) is None
    record.add("rvm", "bad")
    assert "rvm" in record
    for later, due in ((0, None), (59.9, None), (60, "rvm"), (600, "rvm")):
        now[0] = 1000 + later
        assert record.due(["rvm"]) == due
        assert record.due(["grabcut"]) is None
        assert record.due([]) is None


def test_of_several_the_one_that_has_waited_longest_is_due(record, now):
    record.add("a", "bad")
    record.add("a", "bad")  # its pause is twice as long now
    record.add("b", "bad")
    now[0] += 500
    assert record.due(["a", "b"]) == "b"
    assert record.due(["a"]) == "a"


def test_the_first_other_is_the_first_that_was_not_given_up(record):
    record.add("a", "bad")
    assert record.first_other(["a", "b", "c"]) == "b"
    record.add("b", "bad")
    record.add("c", "bad")
    assert record.first_other(["a", "b", "c"]) is None


def test_an_engine_that_recovers_frees_the_worse_ones_only(record, stats):
    for name in ("best", "middle", "worst"):
        record.add(name, "bad")
    record.recovered("middle", ("middle", "worst"))
    assert list(stats.given_up) == ["best"]


def test_a_good_run_counts_from_when_the_engine_took_over_last(record, stats, now):
    record.add("rvm", "bad")
    record.recovered("rvm", ())
    now[0] += 600
    record.add("rvm", "bad")  # it had worked for long: this is its first failure again
    now[0] += 600
    record.add("rvm", "bad")  # it never took over in between
    assert stats.given_up["rvm"][1] == now[0] + 120


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("no weights", "no weights"),
        ("\n  bad weights\nTraceback\nand more", "bad weights"),
        ("x" * 500, "x" * 200),
        ("", ""),
    ],
)
def test_a_reason_is_one_line_of_at_most_200_characters(record, stats, reason, kept):
    record.add("rvm", reason)
    assert stats.given_up["rvm"][0] == kept


@pytest.mark.parametrize(
    ("retries", "text"),
    [
        (True, "engine rvm is given up; it is tried again in 3 s"),
        (False, "engine rvm is given up"),
    ],
)
def test_the_log_says_when_an_engine_is_tried_again(caplog, stats, retries, text):
    GivenUp(stats, retries, (3.0,)).add("rvm", "bad")
    assert caplog.messages == [text]


def test_a_copy_goes_its_own_way(record, stats, now):
    record.add("rvm", "bad")
    copy = record.copy()
    copy.add("rvm", "worse")
    copy.add("grabcut", "bad")
    assert stats.given_up == {"rvm": ("worse", now[0] + 120), "grabcut": ("bad", now[0] + 60)}
    assert "grabcut" not in record
    record.show()  # the copy is discarded
    assert stats.given_up == {"rvm": ("bad", now[0] + 60)}
    copy.clear()
    record.add("rvm", "bad")
    assert stats.given_up["rvm"] == ("bad", now[0] + 120)


def test_a_copy_remembers_since_when_an_engine_has_worked(record, stats, now):
    record.add("rvm", "bad")
    record.recovered("rvm", ())
    copy = record.copy()
    assert "rvm" not in copy
    now[0] += 600
    copy.add("rvm", "bad")
    assert stats.given_up["rvm"][1] == now[0] + 60


def test_a_new_choice_forgets_how_often_an_engine_failed(record, stats, now):
    record.add("rvm", "bad")
    record.clear()
    assert stats.given_up == {}
    record.add("rvm", "bad")
    assert stats.given_up["rvm"][1] == now[0] + 60


def test_what_was_published_is_never_changed(record, stats):
    """Other threads read it."""
    before = stats.given_up
    record.add("rvm", "bad")
    assert before == {}
    published = stats.given_up
    record.recovered("rvm", ())
    assert list(published) == ["rvm"]


def test_a_new_record_shows_nothing(stats, now):
    stats.given_up = {"rvm": ("bad", now[0])}
    GivenUp(stats, True)
    assert stats.given_up == {}


def test_the_description_says_why_and_when(monkeypatch, stats):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    stats.given_up = {"a": ("bad", 107.4), "b": ("gone", 100.0), "c": ("late", 99.0)}
    assert described(stats) == {
        "a": "bad; tried again in 7 s",
        "b": "gone; tried again now",
        "c": "late; tried again now",
    }
