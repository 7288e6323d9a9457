"""With which settings engines are opened, in which order, and what is told of the one in use."""

from pathlib import Path

import pytest
from helpers.scripted import SIZE, First, Scripted, Second, bad, frame, matting, scripted

from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame
from realtime_bg.processing import engine_choice
from realtime_bg.processing.engine_choice import AUTO, GOOD_RUN, LAST_RESORTS, asked, named
from realtime_bg.settings import load

SMALL = 32, 36


@pytest.fixture
def log(monkeypatch):
    return scripted(monkeypatch)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    return path


def engine_settings(**flags):
    return load(flags={f"engine.{name}": value for name, value in flags.items()}).engine


def test_auto_prefers_the_network_that_is_downloaded_then_what_is_installed(weights):
    assert named(engine_settings()) == ("rvm", "embedded", "grabcut")
    assert named(engine_settings(model=weights)) == ("rvm",)
    assert named(engine_settings(name="chroma")) == ("chroma",)
    assert named(engine_settings(name="chroma", model=weights)) == ("chroma",)
    assert LAST_RESORTS == ("embedded", "grabcut")
    assert AUTO == ("rvm", "embedded", "grabcut")
    assert GOOD_RUN == 100


@pytest.mark.parametrize(
    ("wanted", "with_model", "name", "own"),
    [
        ("chroma", True, "chroma", True),
        ("chroma", False, "chroma", True),
        ("chroma", True, "embedded", False),
        ("chroma", False, "embedded", False),
        ("auto", True, "rvm", True),
        ("auto", True, "embedded", False),
        ("auto", False, "rvm", True),
        ("auto", False, "embedded", True),
    ],
)
def test_a_fallback_gets_neither_the_weights_nor_the_second_engine(
    weights, wanted, with_model, name, own
):
    flags = {"name": wanted, "device": "cuda:1", "quality": "fine"} | {"combine.engine": "plate"}
    flags |= {"model": weights} if with_model else {}
    given = engine_settings(**flags)
    made = asked(given, name, False, 3)
    expected = {"name": name, "threads": 3}
    if not own:
        expected |= {"model": None, "combine": engine_settings().combine}
    assert made == given.model_copy(update=expected)
    assert (made.combine.engine == "plate") is own
    on_cpu = asked(given, name, True, None)
    assert on_cpu == given.model_copy(update=expected | {"threads": None, "device": "cpu"})


def test_the_statistics_describe_the_engine_in_use(log, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(First, "model", Path("weights/net.onnx"))
    used = matting(engine__work_size="48x32")
    assert (used.stats.engine, used.stats.provider) == ("loading", "")
    used.matte(frame())
    stats = used.stats
    assert (stats.engine, stats.provider, stats.work_size) == ("first", "CUDA:0", (48, 32))
    assert stats.model == str(Path("weights/net.onnx"))
    assert stats.threads > 0
    assert f"engine first on CUDA:0 at 48x32, {stats.model}" in caplog.messages
    used._live.update(engine__name="second", engine__device="cpu", engine__work_size=None)
    used.matte(frame(1))
    assert (stats.engine, stats.provider, stats.work_size) == ("second", "CPU", SIZE)
    assert (stats.model, stats.threads) == ("", 0)
    assert "engine second on CPU at 64x36" in caplog.messages


def test_an_engine_is_opened_for_the_size_of_the_frames(log, monkeypatch):
    sizes, usual = [], Scripted.__init__

    def opened(self, settings, size, stats):
        sizes.append((settings.name, size))
        usual(self, settings, size, stats)

    monkeypatch.setattr(Scripted, "__init__", opened)
    used = matting()
    for index, size in enumerate((SIZE, SIZE, SMALL)):
        used.matte(frame(index, size=size))
    assert sizes == [("first", SIZE), ("first", SMALL)]
    assert log.closed == ["first"]


@pytest.mark.parametrize("also_another", [False, True])
def test_an_engine_for_another_size_of_frames_cannot_stay(log, also_another):
    used = matting()
    used.matte(frame())
    log.missing = {"first", "second"}
    if also_another:
        used._live.update(engine__name="second")
    with pytest.raises(EngineError, match="is not there"):
        used.matte(frame(1, size=SMALL))


def test_a_model_that_cannot_be_loaded_again_leaves_the_engine_and_bars_none(log, caplog):
    used = matting()
    used.matte(frame())
    log.missing = {"first"}
    used.reload()
    used.matte(frame(1))
    assert log.calls == ["first", "first"]
    assert log.closed == []
    assert used._live.unusable_engines == set()
    assert used._live.refusals == {}
    assert used.stats.current_notice() == "first is not there; first stays in use"
    assert "first is not there; first stays in use" in caplog.messages
    used.matte(frame(2))
    assert [name for name, _ in log.opened] == ["first"]


def test_an_engine_that_opens_is_confirmed_and_usable(log):
    used = matting()
    used._live.note_engine("first", usable=False)
    assert used._live.wait_for_answer("engine.name", 0) is None
    used.matte(frame())
    assert used._live.wait_for_answer("engine.name", 0) == ""
    assert used._live.unusable_engines == set()


def test_what_was_given_up_stays_so_when_a_new_choice_is_refused(log):
    log.failing["first"] = bad(2)
    used = matting()
    used.matte(frame())
    before = used.stats.given_up
    assert set(before) == {"first"}
    log.missing = {"third"}
    used._live.update(engine__name="third")
    used.matte(frame(1))
    assert used.stats.given_up == before
    assert used._live.now.engine.name == "first"
    assert used.stats.engine == "second"
    assert [call for call in log.calls if call != "reset"][-1] == "second"


def test_a_full_gpu_stays_left_when_a_new_choice_is_refused(log):
    log.failing["first"] = [RuntimeError("CUDA out of memory")]
    used = matting(engine__retries=0)
    used.matte(frame())
    assert log.opened[-1] == ("first", "cpu")
    log.missing = {"second"}
    used._live.update(engine__name="second")
    used.matte(frame(1))
    used.reload()
    used.matte(frame(2))
    assert log.opened[-1] == ("first", "cpu")
    assert used.stats.current_notice() == "second is not there; first stays in use"


def test_a_fallback_for_a_full_gpu_is_opened_on_the_cpu_as_well(log):
    log.failing["first"] = [RuntimeError("CUDA out of memory"), RuntimeError("bad")]
    used = matting(engine__retries=0)
    used.matte(frame())
    assert log.opened == [("first", "auto"), ("first", "cpu"), ("second", "cpu")]
    assert used.stats.failures == 2


def test_memory_that_runs_out_leaves_the_retries_to_real_failures(log):
    log.failing["first"] = [RuntimeError("bad"), RuntimeError("CUDA out of memory")]
    used = matting(engine__retries=1)
    used.matte(frame())
    assert log.calls == ["first"] * 3
    log.failing["first"] = bad(1)
    used.matte(frame(1))
    assert log.calls[-1] == "second"


def test_a_failure_is_counted_logged_and_its_reason_kept(log, caplog):
    log.failing["first"] = [ValueError("alpha is wrong"), KeyError("x")]
    used = matting(engine__retries=1)
    used.matte(frame())
    assert "engine first failed: ValueError: alpha is wrong" in caplog.messages
    assert "reopening engine first" in caplog.messages
    assert "falling back to engine second" in caplog.messages
    assert used.stats.given_up["first"][0] == "KeyError: 'x'"
    assert used.stats.failures == 2


def test_an_engine_that_cannot_be_reopened_is_given_up_for_that_reason(log):
    used = matting(engine__retries=3)
    used.matte(frame())
    log.failing["first"], log.missing = bad(1), {"first"}
    used.matte(frame(1))
    assert used.stats.given_up["first"][0] == "first is not there"
    assert log.calls == ["first", "first", "second"]


def test_a_fallback_begins_with_all_its_retries(log):
    log.failing = {"first": bad(2), "second": bad(1)}
    used = matting(engine__retries=1)
    used.matte(frame())
    assert log.calls == ["first"] * 2 + ["second"] * 2
    assert used.stats.failures == 3


def test_a_last_engine_that_was_given_up_has_no_retries_left(log):
    for name in ("first", "second", "third"):
        log.failing[name] = bad(3)
    used = matting(engine__retries=1)
    with pytest.raises(EngineError, match="no other engine left"):
        used.matte(frame())
    log.calls.clear()
    with pytest.raises(EngineError, match="no other engine left"):
        used.matte(frame(1, size=SMALL))
    assert [call for call in log.calls if call != "reset"] == ["third"]
    assert used.engine is None


def test_good_frames_are_counted_anew_after_a_failure_and_a_change(log, monkeypatch):
    monkeypatch.setattr(engine_choice, "GOOD_RUN", 3)
    used = matting(engine__retries=1)
    for index, failing in enumerate((False, False, True, False, True)):
        log.failing["first"] = bad(failing)
        used.matte(frame(index))
    assert log.calls[-1] == "second"


@pytest.mark.parametrize(("count", "kept"), [(GOOD_RUN - 1, False), (GOOD_RUN, True)])
def test_a_hundred_good_frames_make_up_for_a_failure(log, count, kept):
    choice = matting(engine__retries=1)._choice
    live = choice._live
    choice.follow(live.now.engine, SIZE)
    choice.failed(RuntimeError("bad"))
    choice.reopened()
    for _ in range(count):
        choice.succeeded()
    choice.failed(RuntimeError("bad"))
    assert choice.reopened().name == ("first" if kept else "second")


def test_a_choice_suits_its_settings_and_its_size_only(log):
    used = matting()
    choice, wanted = used._choice, used._live.now.engine
    assert not choice.suits(wanted, SIZE)
    choice.follow(wanted, SIZE)
    assert choice.suits(wanted, SIZE)
    assert not choice.suits(wanted, SMALL)
    assert not choice.suits(wanted.model_copy(update={"gate": False}), SIZE)


def test_a_successor_follows_the_same_settings_and_counts_the_failure(log, caplog):
    used = matting(in_time=True)
    used.matte(frame())
    after = used.abandoned("has returned nothing for 10 s")
    assert "engine first has returned nothing for 10 s; it is abandoned" in caplog.messages
    assert after.stats.failures == 1
    assert after.stats.given_up["first"][0] == "has returned nothing for 10 s"
    assert after.engine is None
    after.matte(frame(1))
    assert log.opened == [("first", "auto"), ("second", "auto")]
    assert after._in_time
    again = matting().abandoned("hangs")  # while the first engine was being loaded
    assert "engine (loading) hangs; it is abandoned" in caplog.messages
    again.matte(frame())
    assert again.stats.engine == "first"


# The rate of a live run


class Slow(Second):
    """Has a network whose size and threads can be changed."""

    name, model, provider = "slow", Path("net.onnx"), "CPU"


@pytest.fixture
def slow(log, monkeypatch):
    """A live run with an engine that is always too slow; `opened` lists (threads, work size)."""
    opened = []

    def open_engine(settings, size, stats, work_size=None):
        if log.missing:
            raise EngineError("no memory left")
        opened.append((settings.threads, work_size))
        return Slow(
            settings.model_copy(update={"work_size": work_size, "device": "cpu"}), size, stats
        )

    monkeypatch.setattr(engine_choice, "open_engine", open_engine)
    monkeypatch.setattr("realtime_bg.processing.workload.threads", lambda: 2)
    used = matting(in_time=True, engine__gate=False, engine__every=1)
    choice = used._choice
    choice.follow(used._live.now.engine, SIZE)
    choice.opened = opened
    return choice


def run(choice, count, seconds=0.06):
    for index in range(count):
        choice.succeeded()
        choice.hold_rate(Frame(frame().image, index, index / 30), seconds)


def test_an_engine_that_is_too_slow_gets_more_threads_and_then_a_smaller_picture(slow, caplog):
    caplog.set_level("INFO")
    run(slow, 300)
    assert slow.opened[:3] == [(1, None), (2, None), (2, (48, 27))]
    assert slow._stats.threads == 2
    assert slow._stats.work_size == slow.opened[-1][1]
    assert "the network now runs on 2 threads instead of 1" in caplog.messages
    small = "to maintain the frame rate, the network now runs at 48x27 instead of 64x36"
    assert small in caplog.messages


def test_an_engine_that_is_fast_enough_stays_as_it_is(slow):
    run(slow, 300, seconds=0.01)
    assert slow.opened == [(1, None)]


def test_the_first_frame_does_not_count_because_it_includes_warm_up(slow, monkeypatch):
    seen = []
    monkeypatch.setattr(slow._workload, "update", lambda *given: seen.append(given[2]) or False)
    for seconds in (5.0, 0.01, 0.02):
        slow.succeeded()
        slow.hold_rate(frame(), seconds)
    assert seen == [0.01, 0.02]


def test_an_engine_that_cannot_be_opened_smaller_stays_and_goes_on(slow, log, caplog):
    engine = slow.engine
    log.missing = {"slow"}
    run(slow, 60)
    assert slow.engine is engine
    assert "no memory left; it stays at 64x36" in caplog.messages
    assert log.closed == []
