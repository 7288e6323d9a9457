"""The cell of the present settings: one validation, refusals with their reason, answers."""

import threading

import pytest

from realtime_bg.errors import SettingsError
from realtime_bg.settings import Settings, loading
from realtime_bg.settings import live as module
from realtime_bg.settings.live import Live


def test_a_change_is_validated_once(monkeypatch):
    counted = []

    def validated(values):
        counted.append(values)
        return loading.validated(values)

    monkeypatch.setattr(module, "validated", validated)
    live = Live(Settings())
    live.modify(lambda _: {"refine.feather": 3}, lambda new, now, changes: {})
    assert live.now.refine.feather == 3
    assert len(counted) == 1


def test_a_check_may_refuse_or_add_what_follows():
    live = Live(Settings())

    def refuse(new, now, changes):
        assert (new.paused, now.paused, changes) == (True, False, {"paused": True})
        raise SettingsError("not now")

    with pytest.raises(SettingsError, match="not now"):
        live.modify(lambda _: {"paused": True}, refuse)
    assert not live.now.paused
    live.modify(lambda _: {"paused": True}, lambda *_: {"output.mirror": True})
    assert live.now.paused
    assert live.now.output.mirror


def test_what_is_taken_back_says_why_until_it_is_changed_again():
    live = Live(Settings())
    live.update(engine__name="semantic")
    live.take_back({"engine.name": "semantic"}, {"engine.name": "auto"}, "no model")
    assert live.now.engine.name == "auto"
    assert live.refusals == {"engine.name": "no model"}
    live.update(engine__name="grabcut")
    assert live.refusals == {}


def test_what_was_chosen_meanwhile_is_not_taken_back():
    live = Live(Settings())
    live.update(engine__name="semantic")
    live.update(engine__name="grabcut")
    live.take_back({"engine.name": "semantic"}, {"engine.name": "auto"}, "no model")
    assert live.now.engine.name == "grabcut"
    assert live.refusals == {}


@pytest.mark.parametrize("reason", ["", "no such picture"])
def test_whoever_asked_hears_what_became_of_it(reason):
    live = Live(Settings())
    live.confirm("background.current", "blur")
    live.update(background__current="beach")
    assert live.wait_for_answer("background.current", 0) is None
    tried, before = {"background.current": "beach"}, {"background.current": "blur"}

    def answer():
        if reason:
            live.take_back(tried, before, reason)
        else:
            live.confirm("background.current", "beach")

    threading.Timer(0.02, answer).start()
    assert live.wait_for_answer("background.current", 10) == reason


def test_an_answer_about_another_value_does_not_count():
    live = Live(Settings())
    live.update(background__current="beach")
    live.confirm("background.current", "office")
    assert live.wait_for_answer("background.current", 0) is None
    live.confirm("background.current", "beach")
    live.update(background__current="beach")  # the same again: it is open
    assert live.wait_for_answer("background.current", 0) == ""


def test_followers_are_called_after_each_change_also_one_that_is_taken_back():
    live, seen = Live(Settings()), []
    live.follow(lambda: seen.append(live.now.paused))
    live.update(paused=True)
    with pytest.raises(SettingsError):
        live.update(refine__feather=-1)
    live.take_back({"paused": True}, {"paused": False}, "no")
    assert seen == [True, False]
