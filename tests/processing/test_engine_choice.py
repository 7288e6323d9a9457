"""The way from engine to engine: failures, fallbacks, switches, memory, and engines that hang."""

import time

import pytest
from helpers.scripted import First, Scripted, bad, frame, matting, scripted

from realtime_bg import engines
from realtime_bg.errors import EngineError
from realtime_bg.processing import engine_choice


@pytest.fixture
def log(monkeypatch):
    return scripted(monkeypatch)


def test_an_engine_that_fails_is_reopened_and_asked_again(log):
    log.failing["first"] = bad(1)
    used = matting()
    used.matte(frame())
    assert log.calls == ["first", "first"]
    assert [name for name, _ in log.opened] == ["first", "first"]
    assert log.closed == ["first"]
    assert used.stats.failures == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_its_retries_another_engine_takes_over(log, retries):
    log.failing["first"] = bad(retries + 1)
    used = matting(engine__retries=retries)
    used.matte(frame())
    assert log.calls == ["first"] * (retries + 1) + ["second"]
    assert used.stats.engine == "second"
    assert used.stats.failures == retries + 1
    assert used.stats.current_notice() == "first failed, using second"


def test_failures_long_ago_are_forgiven(log, monkeypatch):
    monkeypatch.setattr(engine_choice, "GOOD_RUN", 3)
    log.failing["first"] = bad(1)
    used = matting()
    for index in range(3):
        used.matte(frame(index))
    log.failing["first"] = bad(1)
    used.matte(frame(3))
    assert set(log.calls) == {"first"}
    log.failing["first"] = bad(1)  # too soon after the last one
    used.matte(frame(4))
    assert log.calls[-1] == "second"


def test_where_every_engine_fails_it_ends_with_a_reason(log):
    for name in ("first", "second", "third"):
        log.failing[name] = bad(9)
    used = matting()
    with pytest.raises(EngineError, match="third keeps failing and there is no other engine left"):
        used.matte(frame())
    # Each has as many retries as the first
    assert log.calls == ["first"] * 2 + ["second"] * 2 + ["third"] * 2
    assert used.engine is None


def test_a_last_resort_that_cannot_be_opened_is_passed_over(log):
    log.failing["first"], log.missing = bad(9), {"second"}
    used = matting()
    used.matte(frame())
    assert log.calls == ["first", "first", "third"]


def test_a_failed_engine_is_used_again_when_the_user_chooses_anew(log):
    log.failing["first"] = bad(2)
    used = matting()
    used.matte(frame())
    assert log.calls[-1] == "second"
    used._live.update(engine__gate=False)
    used.matte(frame(1))
    assert log.calls[-1] == "first"


def test_a_failed_engine_stays_barred_when_the_picture_changes_its_size(log):
    log.failing["first"] = bad(2)
    used = matting()
    used.matte(frame())
    used.matte(frame(1, size=(32, 36)))
    assert [call for call in log.calls if call != "reset"] == ["first"] * 2 + ["second"] * 2
    assert [name for name, _ in log.opened] == ["first", "first", "second", "second"]


def test_the_old_engine_is_closed_on_a_switch(log):
    used = matting()
    used.matte(frame())
    assert log.closed == []
    used._live.update(engine__name="second")
    used.matte(frame(1))
    assert log.closed == ["first"]
    assert used.engine.name == "second"
    used.close()
    used.close()
    assert log.closed == ["first", "second"]


def test_an_engine_that_cannot_be_opened_leaves_the_old_one_and_the_setting(log):
    used = matting()
    used.matte(frame())
    log.missing = {"second"}
    used._live.update(engine__name="second")
    used.matte(frame(1))
    assert log.calls == ["first", "first"]
    assert log.closed == []
    assert used._live.now.engine.name == "first"
    assert used._live.refusals == {"engine.name": "second is not there"}
    assert used._live.unusable_engines == {"second"}
    assert used.stats.current_notice() == "second is not there; first stays in use"
    used.matte(frame(2))
    assert [name for name, _ in log.opened] == ["first"]  # it is not tried with every frame
    log.missing = set()
    used._live.update(engine__name="second")
    used.matte(frame(3))
    assert used._live.wait_for_answer("engine.name", 0) == ""
    assert used._live.unusable_engines == set()


def test_the_first_engine_must_open(log):
    log.missing = {"first"}
    with pytest.raises(EngineError, match="first is not there"):
        matting().matte(frame())


def test_auto_takes_the_first_that_opens(log, caplog):
    log.missing = {"first", "second"}
    used = matting(engine__name="auto")
    used.matte(frame())
    assert log.calls == ["third"]
    assert "first is not available, using second: first is not there" in caplog.text


def test_auto_says_what_is_missing_once(log, caplog):
    log.missing = {"first"}
    used = matting(engine__name="auto")
    used.matte(frame())
    assert used._live.unusable_engines == {"first"}
    caplog.clear()
    type(used)(used._live, used.stats).matte(frame())  # the camera is started once more
    assert log.calls == ["second", "second"]
    assert not [one for one in caplog.records if one.levelname == "WARNING"]


def test_auto_with_weights_of_its_own_passes_over_none(log, tmp_path):
    log.missing = {"first"}
    (tmp_path / "a.onnx").write_bytes(b"")
    used = matting(engine__name="auto", engine__model=str(tmp_path / "a.onnx"))
    with pytest.raises(EngineError, match="first is not there"):
        used.matte(frame())


def test_a_full_gpu_is_left_without_counting_as_a_failure(log):
    log.failing["first"] = [RuntimeError("CUDA out of memory")]
    used = matting(engine__retries=0)
    used.matte(frame())
    assert log.opened == [("first", "auto"), ("first", "cpu")]
    used._live.update(engine__gate=False)  # a new choice tries the GPU again
    used.matte(frame(1))
    assert log.opened[-1] == ("first", "auto")


def test_an_error_while_blending_counts_at_the_next_frame(log):
    used = matting(engine__retries=0)
    used.matte(frame())
    used.blame(RuntimeError("bad"))
    used.matte(frame(1))
    used.matte(frame(2))
    assert log.calls == ["first", "second", "second"]
    assert used.stats.failures == 1


# Hanging


def test_a_successor_uses_none_of_the_engines_that_were_given_up(log):
    log.failing["first"] = bad(2)
    used = matting()
    used.matte(frame())
    assert used.stats.engine == "second"
    after = used.abandoned("has returned nothing for 10 s")
    after.matte(frame(1))
    assert log.calls[-1] == "third"
    assert set(after.stats.given_up) == {"first", "second"}
    assert used.stats.failures == 3


def test_it_is_known_how_long_the_engine_has_been_busy(log, monkeypatch):
    used, seen = matting(), []
    usual = First.matte
    monkeypatch.setattr(
        First, "matte", lambda self, shown: seen.append(used.busy_since) or usual(self, shown)
    )
    before = time.monotonic()
    used.matte(frame())
    assert before <= seen[0] <= time.monotonic()
    assert used.busy_since is None
    log.failing["first"] = bad(1)
    used.matte(frame(1))
    assert used.busy_since is None


def test_loading_is_no_work(log, monkeypatch):
    used, seen = matting(), []
    usual = First.__init__
    monkeypatch.setattr(
        First,
        "__init__",
        lambda self, *given: seen.append(used.busy_since) or usual(self, *given),
    )
    log.failing["first"] = bad(1)
    used.matte(frame())
    assert seen == [None, None]


def test_after_the_last_failure_the_last_engine_is_tried_with_the_next_size(log):
    for name in ("first", "second", "third"):
        log.failing[name] = bad(2)
    used = matting()
    with pytest.raises(EngineError, match="no other engine left"):
        used.matte(frame())
    log.calls.clear()
    used.matte(frame(1, size=(32, 36)))
    assert [call for call in log.calls if call != "reset"] == ["third"]


def test_without_an_engine_in_use_a_choice_that_cannot_be_opened_is_an_error(log):
    for name in ("first", "second", "third"):
        log.failing[name] = bad(2)
    used = matting()
    with pytest.raises(EngineError, match="no other engine left"):
        used.matte(frame())
    log.missing = {"second"}
    used._live.update(engine__name="second")
    with pytest.raises(EngineError, match="second is not there"):
        used.matte(frame(1))


class Full(Scripted):
    """Finds no memory when it is opened, except on the CPU; there only ``on_cpu`` times not."""

    name, on_cpu = "full", 0

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        if settings.device != "cpu" or Full.on_cpu:
            Full.on_cpu -= settings.device == "cpu"
            raise MemoryError("out of memory")


def test_an_engine_that_finds_no_memory_on_the_gpu_opens_on_the_cpu(log, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "full", f"{__name__}:Full")
    monkeypatch.setattr(Full, "on_cpu", 0)
    used = matting(engine__name="full")
    used.matte(frame())
    assert [device for _, device in log.opened] == ["auto", "cpu"]
    assert used.stats.current_notice() == "the GPU is out of memory, using the CPU"


def test_an_engine_that_finds_no_memory_on_the_cpu_is_not_opened_twice(log, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "full", f"{__name__}:Full")
    monkeypatch.setattr(Full, "on_cpu", 1)
    with pytest.raises(Exception, match="out of memory"):
        matting(engine__name="full", engine__device="cpu").matte(frame())
    assert [device for _, device in log.opened] == ["cpu"]


def test_what_is_blamed_without_an_engine_counts_for_nothing(log):
    used = matting()
    used.blame(RuntimeError("CUDA out of memory"))
    used.matte(frame())  # the error belonged to an engine that is gone
    assert used.stats.failures in (0, 1)
    assert used.stats.engine == "first"


def test_an_engine_on_the_cpu_that_finds_no_memory_has_failed(log):
    log.failing["first"] = [MemoryError("out of memory")]
    used = matting(engine__retries=0, engine__device="cpu")
    used.matte(frame())
    assert log.calls == ["first", "second"]


def test_a_network_in_openvino_that_finds_no_memory_has_failed(log, monkeypatch):
    monkeypatch.setattr(Scripted, "on_cpu", True)
    log.failing["first"] = [MemoryError("out of memory")]
    used = matting(engine__retries=0)
    used.matte(frame())
    assert log.opened == [("first", "auto"), ("second", "auto")]


def test_weights_that_are_named_are_for_the_engine_that_they_belong_to(log, monkeypatch, tmp_path):
    given = {}
    usual = Scripted.__init__

    def opened(self, settings, size, stats):
        given[self.name] = settings.model
        usual(self, settings, size, stats)

    monkeypatch.setattr(Scripted, "__init__", opened)
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    for name in ("auto", "first"):
        given.clear()
        log.failing["first"] = bad(2)
        matting(engine__name=name, engine__model=str(path)).matte(frame())
        assert given == {"first": path, "second": None}


def test_a_second_engine_is_not_given_to_a_fallback(log, monkeypatch):
    given = {}
    usual = engine_choice.open_engine

    def opened(settings, *rest):
        given[settings.name] = settings.combine.engine
        return usual(settings, *rest)

    monkeypatch.setattr(engine_choice, "open_engine", opened)
    log.failing["first"] = bad(2)
    matting(engine__combine__engine="third").matte(frame())
    assert given == {"first": "third", "second": None}
    given.clear()
    log.missing = {"first"}  # what `auto` takes next is no fallback
    matting(engine__name="auto", engine__combine__engine="third").matte(frame())
    assert given == {"first": "third", "second": "third"}


def test_an_engine_that_hung_is_used_again_when_the_user_chooses_anew(log):
    used = matting()
    used.matte(frame())
    after = used.abandoned("has returned nothing for 10 s")
    after._live.update(engine__gate=False)
    after.matte(frame(1))
    assert log.calls == ["first", "first"]
