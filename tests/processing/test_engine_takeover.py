"""How an engine that was given up comes back: which are tried, with what, and what is then void."""

import pytest
from helpers.scripted import SIZE, Scripted, Second, frame, matting, scripted

SMALL = 32, 36


@pytest.fixture
def log(monkeypatch):
    return scripted(monkeypatch)


class Retried:
    """Stands for the trials of engines; hands over what it is told to."""

    def __init__(self):
        self.given, self.found, self.cancelled = None, None, 0

    def update(self, *given):
        self.given = given
        return self.found

    def cancel(self):
        self.cancelled += 1


@pytest.fixture
def choice(log):
    made = matting(in_time=True, engine__hang=7.0, engine__quality="fine")._choice
    made._retries = Retried()
    made.follow(made._live.now.engine, SIZE)
    return made


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("first", []),
        ("second", ["first"]),
        ("third", ["first", "second"]),
        ("", ["first", "second", "third"]),  # after one that hung
    ],
)
def test_only_better_engines_than_the_one_in_use_are_tried(choice, name, better):
    choice.name = name
    shown = frame(3)
    assert choice.retry(shown) is False
    given_up, names, _, seen, hang = choice._retries.given
    assert (given_up, seen, hang) == (choice._given_up, shown, 7.0)
    assert names == better


@pytest.mark.parametrize(("cpu", "device"), [(False, "auto"), (True, "cpu")])
def test_an_engine_is_tried_as_it_would_be_opened_at_first(choice, log, monkeypatch, cpu, device):
    choice.name, choice._cpu = "third", cpu
    choice.retry(frame())
    opened, usual = [], Scripted.__init__

    def init(self, settings, size, stats):
        opened.append((settings.name, settings.device, settings.threads, settings.quality, size))
        assert stats is choice._stats
        usual(self, settings, size, stats)

    monkeypatch.setattr(Scripted, "__init__", init)
    choice._retries.given[2]("second")()
    assert opened == [("second", device, 1, "fine", SIZE)]


def test_an_engine_that_works_again_takes_over_with_a_clean_record(choice, log, caplog):
    for name in ("first", "second", "third"):
        choice._given_up.add(name, "bad")
    choice._try("third")
    choice._failures, before = 1, choice._workload
    engine = Second(choice._live.now.engine, SIZE, choice._stats)
    choice._retries.found = "second", engine
    log.closed.clear()
    caplog.clear()
    assert choice.retry(frame()) is True
    assert (choice.engine, choice.name, choice._failures) == (engine, "second", 0)
    assert choice._stats.engine == "second"
    assert choice._workload is not before
    assert log.closed == ["third"]
    assert set(choice._stats.given_up) == {"first"}  # what is worse may stand in again
    assert caplog.messages[0] == "engine second works again and takes over from third"


def test_a_new_choice_and_the_end_cancel_a_trial(choice):
    before = choice._retries.cancelled
    choice.follow(choice._live.now.engine, SMALL)
    assert choice._retries.cancelled == before + 1
    choice.stop()
    choice.stop()
    assert choice._retries.cancelled == before + 3
    assert choice.engine is None


def test_a_successor_goes_on_with_the_trial_and_the_old_choice_cannot_end_it(choice):
    retries = choice._retries
    after = choice.successor("hangs")
    assert after._retries is retries
    assert choice._retries is not retries
    choice.stop()
    assert retries.cancelled == 1  # by the first choice of the settings


@pytest.mark.parametrize("every", [None, 3])
def test_an_engine_that_takes_over_sees_a_picture_even_if_it_is_still(log, every):
    used = matting(in_time=True, engine__every=every)
    used.matte(frame(0))
    used.matte(frame(1))
    assert log.calls == ["first"]
    used._choice._retries = retries = Retried()
    retries.found = "second", Second(used._live.now.engine, SIZE, used.stats)
    shown = frame(2)
    assert used.matte(shown).frame is shown
    assert log.calls == ["first", "second"]
    assert retries.given[3] is shown


def test_files_do_not_try_engines_again(log):
    used = matting()
    used.matte(frame(0))
    used._choice._retries = retries = Retried()
    used.matte(frame(1))
    assert retries.given is None
    used.close()
    assert retries.cancelled == 1


def test_an_engine_is_not_tried_while_another_is_chosen(log):
    used = matting(in_time=True)
    used.matte(frame(0))
    used._choice._retries = retries = Retried()
    used._live.update(engine__name="second")
    used.matte(frame(1))
    assert (retries.given, retries.cancelled) == (None, 1)
