"""Presets: what they hold, and that they survive in config.yaml."""

import os

import pytest

from realtime_bg.errors import SettingsError
from realtime_bg.settings import Preset, load
from realtime_bg.settings.live import Live
from realtime_bg.steering.presets import MOST, Presets, captured, changes, is_active, use


@pytest.fixture
def live():
    return Live(load(flags={"background.current": "office", "refine.feather": 3}))


@pytest.fixture
def presets(live, tmp_path):
    return Presets(live, tmp_path / "config.yaml")


def test_a_preset_holds_what_differs_from_the_defaults_and_concerns_the_look(live):
    live.update(
        source__spec="demo", engine__device="cpu", privacy__max_age=2.0, output__mirror=True
    )
    assert captured(live.now) == {
        "background.current": "office",
        "refine.feather": 3,
        "output.mirror": True,
    }


def test_saving_applying_and_removing(presets, live):
    presets.save(" In a call ")
    assert [one.name for one in live.now.presets] == ["In a call"]
    assert load(presets.path).presets == live.now.presets

    live.update(background__current="blur", refine__feather=0, refine__grow=5, source__spec="demo")
    presets.apply("In a call")
    assert live.now.background.current == "office"
    assert (live.now.refine.feather, live.now.refine.grow) == (3, 0)
    assert live.now.source.spec == "demo"  # no part of a preset

    live.update(refine__feather=9)
    presets.save("In a call")  # in place of the old one
    presets.save("Other")
    assert [one.name for one in load(presets.path).presets] == ["In a call", "Other"]
    assert load(presets.path).presets[0].values["refine.feather"] == 9
    presets.remove("In a call")
    assert [one.name for one in load(presets.path).presets] == ["Other"]
    assert [one.name for one in live.now.presets] == ["Other"]
    for call in (presets.apply, presets.remove):
        with pytest.raises(SettingsError, match="there is no preset 'In a call'"):
            call("In a call")


def test_the_file_keeps_its_comments_and_its_other_settings(presets):
    presets.path.write_text("# mine\nrefine:\n  feather: 2  # soft\n", encoding="utf-8")
    presets.save("One")
    presets.save("Two")
    text = presets.path.read_text(encoding="utf-8")
    assert text.startswith("# mine\nrefine:\n  feather: 2  # soft\n")
    assert load(presets.path).refine.feather == 2


def test_a_preset_that_cannot_be_applied_changes_nothing(presets, live):
    live.update(presets=[{"name": "Gone", "values": {"background.current": "/no/such.jpg"}}])
    before = live.now
    with pytest.raises(SettingsError, match="no such file"):
        presets.apply("Gone")
    assert live.now is before


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a/b", "a\nb"])
def test_names_that_cannot_be(presets, live, name):
    with pytest.raises(SettingsError, match="presets"):
        presets.save(name)
    assert live.now.presets == ()
    assert not presets.path.exists()


def test_their_number_is_limited(presets, live):
    live.update(presets=[{"name": str(number)} for number in range(MOST)])
    with pytest.raises(SettingsError, match="already 50 presets"):
        presets.save("one more")


@pytest.mark.skipif(os.name != "posix", reason="a folder in place of a file")
def test_a_file_that_cannot_be_written_is_named_and_nothing_is_saved(live, tmp_path):
    (tmp_path / "taken").write_text("no folder")
    presets = Presets(live, tmp_path / "taken" / "config.yaml")
    with pytest.raises(SettingsError, match=r"the preset cannot be saved in .*config.yaml"):
        presets.save("One")
    assert live.now.presets == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("presets: [{name: A}, {name: A}]", "two presets called 'A'"),
        ("presets: [{name: A, values: {source.spec: demo}}]", "source.spec cannot be part"),
        ("presets: [{name: A, values: {refine.nothing: 1}}]", "refine.nothing cannot be part"),
        ("presets: [{name: A, values: {refine: 1}}]", "refine cannot be part"),
        ("presets: [{values: {}}]", "presets.0.name"),
    ],
)
def test_a_file_with_presets_that_cannot_be(tmp_path, text, part):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=part):
        load(path)


def test_an_empty_preset_means_the_defaults(live):
    live.modify(lambda _: changes(Preset(name="plain")))
    assert captured(live.now) == {}


def test_a_preset_without_layers_leaves_them_alone(presets, live):
    presets.save("Plain")
    live.update(layers__items=[{"name": "Me", "text": "Ada"}], layers__shown=False)
    presets.apply("Plain")
    assert [item.name for item in live.now.layers.items] == ["Me"]
    assert live.now.layers.shown
    presets.save("Named")
    live.update(layers__items=[])
    presets.apply("Named")
    assert [item.name for item in live.now.layers.items] == ["Me"]


def test_the_preset_whose_settings_are_in_use_is_active(presets, live):
    presets.save("Call")
    (call,) = live.now.presets
    assert is_active(call, live.now)
    live.update(source__spec="demo", layers__items=[{"name": "Me", "text": "Ada"}])
    assert is_active(call, live.now), "which are no part of it"
    live.update(refine__feather=4)
    assert not is_active(call, live.now)
    use(live, "Call")
    assert is_active(call, live.now)
    assert load(presets.path).presets == (call,), "the mark is not saved"
