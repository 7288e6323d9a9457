"""Changing layers by name, and which changes a browser may make."""

import pytest

from realtime_bg.errors import SettingsError
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.steering.changes import apply
from realtime_bg.steering.layers import with_layer, without_layer
from realtime_bg.web import remote
from realtime_bg.web.answers import Refusal


@pytest.fixture
def live():
    items = [{"name": "Logo", "file": "logo.png"}, {"name": "Me", "text": "Ada"}]
    return Live(load(flags={"layers.items": items}))


def layers(live):
    return {item.name: item for item in live.now.layers.items}


def test_a_layer_is_changed_added_and_removed(live):
    texts = {"position": "1,0", "opacity": "0.5", "behind": "true"}
    apply(live, lambda now: with_layer(now, "Logo", texts))
    logo = layers(live)["Logo"]
    assert (logo.position, logo.opacity, logo.behind) == ((1, 0), 0.5, True)
    assert str(logo.file) == "logo.png"
    apply(live, lambda now: with_layer(now, "Clock", {"text": "{time}", "position": "[0, 0]"}))
    assert list(layers(live)) == ["Logo", "Me", "Clock"]
    apply(live, lambda now: with_layer(now, "Me", {"text": "007"}))
    assert layers(live)["Me"].text == "007"
    apply(live, lambda now: without_layer(now, "Me"))
    assert list(layers(live)) == ["Logo", "Clock"]


@pytest.mark.parametrize(
    ("name", "texts", "why"),
    [
        ("Logo", {"size": "1"}, "has no size; choose name, file"),
        ("New", {}, "no layer 'New'; there are: Logo, Me"),
        ("New", {"opacity": "1"}, "either a file or a text"),
        ("Logo", {"opacity": "2"}, "less than or equal to 1"),
        ("Me", {"text": "{user}"}, "no field"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(live, name, texts, why):
    before = live.now
    with pytest.raises(SettingsError, match=why):
        apply(live, lambda now: with_layer(now, name, texts))
    assert live.now is before


def test_a_layer_that_is_not_there_cannot_be_removed():
    live = Live(load())
    with pytest.raises(SettingsError, match="no layer 'Me'; there are none"):
        apply(live, lambda now: without_layer(now, "Me"))


def test_a_browser_moves_and_removes_layers_but_names_no_files(live):
    items = live.now.model_dump(mode="json")["layers"]["items"]
    items[0]["position"] = [0.5, 0.5]
    remote.change(live, None, {"layers": {"items": items}}, remote.Replaced())
    assert layers(live)["Logo"].position == (0.5, 0.5)
    for key in ("file", "font"):
        changed = [{**items[1], "text": None if key == "file" else "a", key: "/etc/passwd"}]
        with pytest.raises(Refusal, match=f"{key} can be set in config.yaml"):
            remote.change(live, None, {"layers": {"items": changed}}, remote.Replaced())
    remote.change(live, None, {"layers": {"items": items[1:], "shown": False}}, remote.Replaced())
    assert list(layers(live)) == ["Me"]


@pytest.mark.parametrize(
    "layers",
    [
        [{"name": "A", "file": "/etc/passwd"}],
        {"items": {"0": {"name": "A", "file": "/etc/passwd"}}},
        {"items": "/etc/passwd"},
        {"items": [["name", "A"], ["file", "/etc/passwd"]]},
    ],
)
def test_no_form_of_a_request_smuggles_a_file_in(live, layers):
    before = live.now
    with pytest.raises(Refusal):
        remote.change(live, None, {"layers": layers}, remote.Replaced())
    assert live.now is before
