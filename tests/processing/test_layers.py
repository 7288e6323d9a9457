"""Layers over all and behind the person: where they are, what they show, and what they cost."""

import os
import threading
from datetime import datetime

import av
import cv2
import numpy as np
import pytest
from helpers.waiting import PATIENCE, until
from PIL import Image

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Frame, Matte
from realtime_bg.media.sprites import read_sprite
from realtime_bg.processing import layers as module
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.layers import Layers
from realtime_bg.settings import load
from realtime_bg.settings.layers import LayersSettings, filled
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 100, 60
GREEN, RED = (0, 255, 0), (0, 0, 255)


@pytest.fixture
def logo(tmp_path):
    """A red square, its right half transparent."""
    return picture(tmp_path / "logo.png", RED)


def picture(path, colour):
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:, :10] = (*colour, 255)
    new = path.with_name(f"new{path.suffix}")
    cv2.imwrite(str(new), pixels)
    os.replace(new, path)
    return path


def settings(*items, **more):
    named = [{"name": f"Layer {index}", **item} for index, item in enumerate(items)]
    return LayersSettings(items=named, **more)


def flat(colour=(90, 90, 90)):
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def drawn(given, image=None, at=0.0, **more):
    return Layers(Stats(), wait=True, **more).over(
        flat() if image is None else image, given, at, False
    )


@pytest.mark.parametrize(
    ("position", "left", "top"), [((0, 0), 0, 0), ((1, 1), 80, 40), ((0.5, 0.5), 40, 20)]
)
def test_a_picture_is_where_its_position_says(logo, position, left, top):
    shown = drawn(settings({"file": logo, "position": position, "scale": 1 / 3}))
    expected = flat()
    expected[top : top + 20, left : left + 10] = RED
    np.testing.assert_allclose(shown, expected, atol=1)


def test_the_opacity_is_that_of_the_layer_times_that_of_the_picture(logo):
    shown = drawn(settings({"file": logo, "position": (0, 0), "scale": 1 / 3, "opacity": 0.5}))
    np.testing.assert_allclose(shown[5, 5], (45, 45, 172), atol=2)
    assert (shown[5, 15] == 90).all()


def test_a_layer_larger_than_the_picture_is_cut_off(tmp_path):
    wide = tmp_path / "wide.png"
    cv2.imwrite(str(wide), np.full((10, 100, 3), 200, np.uint8))
    shown = drawn(settings({"file": wide, "position": (0.5, 0), "scale": 0.5}))
    assert (shown[:30] >= 199).all()
    assert (shown[30:] == 90).all()


def test_the_last_one_is_on_top(logo, tmp_path):
    blue = picture(tmp_path / "blue.png", (255, 0, 0))
    place = {"position": (0, 0), "scale": 1 / 3}
    shown = drawn(settings({"file": logo, **place}, {"file": blue, **place}))
    assert (shown[5, 5] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("item", "more"), [({"shown": False}, {}), ({"opacity": 0}, {}), ({}, {"shown": False})]
)
def test_a_hidden_layer_costs_nothing(logo, item, more):
    image = flat()
    assert drawn(settings({"file": logo, **item}, **more), image) is image
    assert drawn(LayersSettings(), image) is image


def test_a_picture_of_others_is_copied_and_an_own_one_is_drawn_into(logo):
    given = settings({"file": logo})
    image, layers = flat(), Layers(Stats(), wait=True)
    assert layers.over(image, given, 0.0, own=False) is not image
    assert (image == 90).all()
    assert layers.over(image, given, 0.0, own=True) is image
    assert not (image == 90).all()


def test_a_text_is_drawn_with_the_time_and_again_when_it_changes():
    now = [datetime(2026, 11, 29, 9, 5, 7)]
    layers = Layers(Stats(), wait=False, clock=lambda: now[0])
    given = settings({"text": "Ada {time:%H:%M}", "scale": 0.5, "position": (0, 0)})
    one = layers.over(flat(), given, 0.0, False)
    assert (one[:30] > 200).any()
    assert (one[:30] < 50).any(), "its plate"
    assert (one[31:] == 90).all()
    stamp = layers._stamps["Layer 0"]
    layers.over(flat(), given, 0.1, False)
    assert layers._stamps["Layer 0"] is stamp, "it is drawn once a minute"
    now[0] = datetime(2026, 11, 29, 9, 6)
    assert not np.array_equal(layers.over(flat(), given, 0.2, False), one)


def test_fields_of_a_text():
    at = datetime(2026, 11, 29, 9, 5, 7)
    assert filled("no field", at) == "no field"
    assert filled("{time}, {time:%H.%M.%S} {}".replace(" {}", ""), at) == "09:05, 09.05.07"
    with pytest.raises(ValueError, match=r"no field \{user\}; write \{time\}"):
        filled("{user}", at)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"name": "A"}, "either a file or a text"),
        ({"name": "A", "file": "a.png", "text": "a"}, "either a file or a text"),
        ({"name": "A", "text": "{user}"}, "no field"),
        ({"name": "A", "text": "a", "colour": "shiny"}, "not a colour"),
        ({"name": "A", "text": "a", "scale": 0}, "greater than 0"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(item, why):
    with pytest.raises(SettingsError, match=why):
        load(flags={"layers.items": [item]})


def test_names_are_unique():
    with pytest.raises(SettingsError, match="two layers called 'A'"):
        load(flags={"layers.items": [{"name": "A", "text": "a"}, {"name": "A", "text": "b"}]})


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_moves_in_a_loop(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    frames = [Image.new("RGBA", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)
    given = settings({"file": path, "position": (0, 0), "scale": 0.5})
    layers = Layers(Stats(), wait=True)
    seen = [
        layers.over(flat(), given, at, False)[5, 5].argmax() for at in (0.0, 0.15, 0.25, 0.35, 0.45)
    ]
    assert seen == [2, 1, 0, 2, 1]


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("b.mov", "qtrle", "argb"),
    ],
)
def test_a_clip_keeps_its_transparency(tmp_path, name, codec, pixels):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, pixels
        if codec == "libvpx-vp9":
            stream.metadata["alpha_mode"] = "1"
        image = np.zeros((32, 64, 4), np.uint8)
        image[:, :32] = (200, 200, 200, 255)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgra")))
        container.mux(stream.encode(None))
    sprite = read_sprite(path, 32)
    assert sprite.ends == pytest.approx((0.1, 0.2, 0.3))
    for shown in sprite.pictures:
        assert (shown[:, 4:28, 3] > 245).all()
        assert (shown[:, 36:, 3] < 10).all()
        assert abs(int(shown[16, 16, 1]) - 200) < 8


def test_a_broken_file_is_left_out_with_one_line(tmp_path, caplog):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing of the kind")
    text = tmp_path / "clip.mp4"
    text.write_text("no video")
    files = (broken, tmp_path / "missing.png", text)
    given = settings(*[{"file": file} for file in files], {"text": "a", "font": broken})
    layers, image = Layers(Stats(), wait=True), flat()
    for _ in range(3):
        assert layers.over(image, given, 0.0, False) is image
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert all("is left out: " in line and "\n" not in line for line in told)
    assert "no such file" in told[1]
    assert "is no font" in told[3]


def test_a_clip_that_is_too_large_is_left_out(logo, monkeypatch, caplog):
    monkeypatch.setattr("realtime_bg.media.sprites.MOST_BYTES", 100)
    image = flat()
    assert drawn(settings({"file": logo}), image) is image
    assert "too long or too large for a layer" in caplog.text


@pytest.mark.parametrize("wait", [True, False])
def test_whatever_reading_raises_a_layer_is_left_out_with_one_line(logo, monkeypatch, caplog, wait):
    def damaged(path, height):
        raise IndexError("list index out of range")

    monkeypatch.setattr(module, "read_sprite", damaged)
    layers, image, given = Layers(Stats(), wait), flat(), settings({"file": logo})
    assert layers.over(image, given, 0.0, False) is image
    until(lambda: caplog.records)
    for _ in range(20):
        assert layers.over(image, given, 0.0, False) is image
    (told,) = caplog.records
    assert "'Layer 0' is left out: " in told.getMessage()


def test_a_text_that_would_hold_up_the_picture_is_left_out(caplog):
    image = np.zeros((720, 1280, 3), np.uint8)
    assert drawn(settings({"text": "W" * 60, "scale": 1}), image) is image
    assert "its text is too long for its size" in caplog.text


def test_layers_that_are_gone_are_forgotten(logo):
    layers = Layers(Stats(), wait=True)
    layers.over(flat(), settings({"file": logo}, {"text": "Ada"}), 0.0, False)
    assert layers._sprites.keys() == layers._stamps.keys() == {"Layer 0", "Layer 1"}
    layers.over(flat(), settings({"file": logo}), 0.0, False)
    assert layers._sprites.keys() == layers._stamps.keys() == {"Layer 0"}
    layers.over(flat(), settings(), 0.0, False)
    assert not layers._sprites


def test_live_nothing_waits_for_a_file(logo, monkeypatch):
    ready = threading.Event()

    def slow(path, height):
        assert ready.wait(PATIENCE)
        return read_sprite(path, height)

    monkeypatch.setattr(module, "read_sprite", slow)
    layers, given, image = Layers(Stats(), wait=False), settings({"file": logo}), flat()
    assert layers.over(image, given, 0.0, False) is image
    ready.set()
    until(lambda: layers.over(image, given, 0.0, False) is not image)


def test_a_file_that_changed_is_read_again_and_the_old_picture_stays_meanwhile(logo):
    layers = Layers(Stats(), wait=False)
    given = settings({"file": logo, "position": (0, 0), "scale": 1 / 3})

    def corner():
        return tuple(map(int, layers.over(flat(), given, 0.0, False)[5, 5]))

    until(lambda: corner() == RED)
    picture(logo, (255, 0, 0))
    assert corner() == RED
    layers.reload(logo)
    seen = set()
    until(lambda: seen.add(corner()) or corner() == (255, 0, 0))
    assert seen <= {RED, (255, 0, 0)}


# In the composite


def composed(given, alpha=None, background="#00ff00", **flags):
    flags = {"background.current": background, "layers.items": given.items} | flags
    chosen = load(flags=flags)
    maker = Compositor(chosen, Stats(), wait=True)
    frame = Frame(flat((200, 200, 200)), 0, 0.0)
    shown = maker.compose(Matte(frame, alpha if alpha is not None else left()), chosen)
    alone = maker.without_camera(SIZE, 0, chosen, at=0.0)
    maker.close()
    assert (frame.image == 200).all()
    return shown.image, alone.image


def left():
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[:, :50] = 1
    return alpha


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_a_layer_is_in_front_of_the_person_or_behind(tmp_path, behind, mirror):
    wide = tmp_path / "wide.png"
    pixels = np.full((10, 100, 3), RED, np.uint8)
    pixels[:, :10] = (255, 0, 0)  # its left end is blue
    cv2.imwrite(str(wide), pixels)
    given = settings({"file": wide, "position": (0, 0), "scale": 1 / 6, "behind": behind})
    image, alone = composed(given, **{"output.mirror": mirror})
    person = slice(50, 100) if mirror else slice(0, 50)
    room = slice(0, 50) if mirror else slice(50, 100)
    expected = pixels if not behind else pixels.copy()
    if behind:
        expected[:, person] = 200
    np.testing.assert_allclose(image[:10], expected, atol=1)
    assert (image[10:, person] == 200).all()
    assert (image[10:, room] == GREEN).all()
    np.testing.assert_allclose(alone[:10], pixels, atol=1)


@pytest.mark.parametrize("framing", ["off", "auto"])
def test_with_the_plain_camera_picture_only_the_layers_in_front_are_shown(logo, framing):
    place = {"file": logo, "scale": 1 / 3}
    given = settings({**place, "position": (0, 0)}, {**place, "position": (1, 1), "behind": True})
    image, _ = composed(given, background="none", **{"frame.mode": framing})
    assert (image[5, 5] == RED).all()
    assert (image[40:] == 200).all()


def test_a_still_background_with_layers_behind_is_drawn_once(logo):
    layers, still = Layers(Stats(), wait=True), flat()
    given = settings({"file": logo, "behind": True})
    one = layers.under(still, given, 0.0, mirror=False)
    assert one is not still
    assert layers.under(still, given, 0.1, mirror=False) is one
    assert layers.under(flat(), given, 0.2, mirror=False) is not one


def test_the_person_alone_has_no_layers(logo):
    given = settings({"file": logo, "position": (1, 1)})
    flags = {
        "background.current": "#00ff00",
        "layers.items": given.items,
        "output.sinks": ("pipe:rgba",),
    }
    chosen = load(flags=flags)
    maker = Compositor(chosen, Stats(), wait=True)
    shown = maker.compose(Matte(Frame(flat(), 0, 0.0), left()), chosen)
    maker.close()
    assert not shown.person[:, 60:].any()
