"""The calls that the live room adds: cameras, presets, previews, and what the process uses."""

import cv2
import numpy as np
import pytest
from helpers.serving import served

from realtime_bg.devices.cameras import Camera
from realtime_bg.devices.pipewire_capture import Node
from realtime_bg.web import cameras


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    config = tmp_path_factory.mktemp("mine") / "config.yaml"
    with served(tmp_path_factory.mktemp("gallery"), config=config) as client:
        yield client


@pytest.fixture
def machine(monkeypatch):
    """A machine with a webcam, which PipeWire offers too, a loopback, and another camera."""
    found = [
        Camera("/dev/video0", "HD Webcam"),
        Camera("/dev/video10", "realtime-bg", virtual=True),
    ]
    nodes = [Node("v4l2.0", "HD Webcam (V4L2)"), Node("imx", "Front camera")]
    monkeypatch.setattr(cameras, "cameras", lambda: found)
    monkeypatch.setattr(cameras, "pipewire_cameras", lambda: nodes)


def decoded(answer):
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_cameras_are_those_of_the_machine_the_demo_and_the_one_of_the_start(web, machine):
    assert web.get("/api/cameras").json() == [
        {"spec": "demo", "name": "Demo: a portrait that moves"},
        {"spec": "/dev/video0", "name": "HD Webcam"},
        {"spec": "pipewire:Front camera", "name": "Front camera (PipeWire)"},
    ]


def test_a_stream_that_the_program_was_started_with_keeps_its_password(machine):
    from realtime_bg.settings import SourceSettings

    spec = "rtsp://me:secret@camera/1"
    own = cameras.choices(SourceSettings(spec=spec))[0]
    assert own.name == "rtsp://me:***@camera/1"


@pytest.mark.parametrize("spec", ["/etc/hostname", "/dev/video10", "rtsp://camera", "talk.mp4"])
def test_nothing_else_can_be_opened_from_a_browser(web, machine, spec):
    before = web.get("/api/settings").json()["source"]
    answer = web.post("/api/live", json={"on": True, "camera": spec})
    assert answer.status_code == 422
    assert "there is no camera" in answer.json()["error"]
    assert web.get("/api/settings").json()["source"] == before
    assert web.get("/api/stats").json()["running"] is False


@pytest.mark.parametrize("more", [{"size": "0x0"}, {"size": "big"}, {"fps": 0}, {"fps": "fast"}])
def test_sizes_and_rates_that_cannot_be(web, more):
    answer = web.post("/api/live", json={"on": True, "camera": "demo", **more})
    assert answer.status_code == 422


def test_the_camera_starts_with_what_was_chosen_and_the_report_says_what_it_uses(web):
    answer = web.post(
        "/api/live", json={"on": True, "camera": "demo", "size": "640x360", "fps": 15}
    )
    try:
        assert answer.json()["running"] is True
        assert {"cpu_percent", "memory_mb", "refused", "recorded_seconds"} <= answer.json().keys()
        source = web.get("/api/settings").json()["source"]
        assert (source["spec"], source["size"], source["fps"]) == ("demo", "640x360", 15)
        web.wait(lambda: web.get("/api/stats").json()["fps"] > 0)
        assert decoded(web.post("/api/snapshot")).shape == (360, 640, 3)
    finally:
        web.post("/api/live", json={"on": False})


def test_presets(web):
    web.patch("/api/settings", json={"refine": {"feather": 5}})
    saved = web.post("/api/presets", json={"name": "Soft"})
    assert saved.status_code == 201
    assert [one["name"] for one in saved.json()["presets"]] == ["Soft"]
    web.patch("/api/settings", json={"refine": {"feather": 0}})
    assert web.post("/api/presets/apply", json={"name": "Soft"}).json() == {
        "settings": web.get("/api/settings").json(),
        "before": {"refine": {"feather": 0}},
    }
    assert web.get("/api/settings").json()["refine"]["feather"] == 5
    assert web.post("/api/presets/apply", json={"name": "Hard"}).status_code == 422
    assert web.post("/api/presets", json={"name": "a/b"}).status_code == 422
    forbidden = web.patch("/api/settings", json={"presets": []})
    assert forbidden.status_code == 403
    assert web.post("/api/presets/delete", json={"name": "Soft"}).json()["presets"] == []


def test_what_a_preset_has_replaced_comes_back_also_files(web, tmp_path):
    logo, room, other = (str(tmp_path / name) for name in ("logo.png", "room.png", "other.png"))
    for file in (logo, room, other):
        cv2.imwrite(file, np.full((36, 64, 3), 77, np.uint8))
    live = web.context.picture.live
    presets = [{"name": "Bare", "values": {"layers.items": [], "background.current": "beach"}}]
    layers = [{"name": "Logo", "file": logo}]
    before, engine = live.now, {"name": "threshold", "quality": "fast", "work_size": "320x180"}
    live.modify(
        lambda _: {
            "presets": presets,
            "layers.items": layers,
            "layers.shown": False,
            "background.current": room,
            "subject.mode": "main",
            **{f"engine.{key}": value for key, value in engine.items()},
        }
    )
    kept = live.now
    try:
        undo = web.post("/api/presets/apply", json={"name": "Bare"}).json()["before"]
        assert live.now.layers.items == ()
        assert live.now.subject.mode == "all"
        assert web.patch("/api/settings", json=undo).ok
        assert live.now == kept
        for strange in (
            {"layers": {"items": [layers[0] | {"file": other}]}},
            {"background": {"current": other}},
        ):
            assert web.patch("/api/settings", json=strange).status_code in (403, 422)
        assert live.now == kept
    finally:
        live.modify(lambda _: before.model_dump())


def test_a_preset_with_an_uploaded_picture_shows_its_name_and_no_path(web):
    picture = cv2.imencode(".png", np.full((36, 64, 3), 77, np.uint8))[1].tobytes()
    name = web.post("/api/backgrounds", files={"image": picture}).json()["name"]
    web.patch("/api/settings", json={"background": {"current": name}})
    saved = web.post("/api/presets", json={"name": "Mine"}).json()
    assert saved["presets"][0]["values"]["background.current"] == name
    assert str(web.context.gallery.path(name)) in web.context.presets.path.read_text()
    web.patch("/api/settings", json={"background": {"current": "blur"}})
    web.post("/api/presets/apply", json={"name": "Mine"})
    assert web.get("/api/settings").json()["background"]["current"] == name
    web.post("/api/presets/delete", json={"name": "Mine"})
    web.delete(f"/api/backgrounds/{name}")


@pytest.mark.parametrize("name", ["beach", "blur", "blur:40", "erase", "none", "gradient"])
def test_a_preview_shows_the_person_of_the_demo_over_the_background(web, name):
    small = decoded(web.get(f"/api/backgrounds/{name}/thumbnail"))
    large = decoded(web.get(f"/api/backgrounds/{name}/thumbnail", params={"large": True}))
    assert (small.shape, large.shape) == ((144, 256, 3), (540, 960, 3))
    plain = decoded(web.get("/api/backgrounds/none/thumbnail", params={"large": True}))
    suit = large[500, 480].astype(int)  # orange, unless the person is erased
    assert (np.abs(suit - plain[500, 480]).max() < 40) == (name != "erase")
    assert (np.abs(large[40:80].astype(int) - plain[40:80]).mean() < 3) == (
        name in ("none", "erase")
    )


def test_the_preview_without_a_background_is_transparent(web):
    picture = decoded(web.get("/api/backgrounds/transparent/thumbnail"))
    assert picture.shape == (144, 256, 4)
    assert picture[5, 5].tolist() == [0, 0, 0, 0]
    assert picture[130, 128, 3] == 255


@pytest.mark.parametrize("name", ["nope", "%2Fetc%2Fhostname", "upload:0123456789abcdef", "image"])
def test_previews_of_what_there_is_not(web, name):
    answer = web.get(f"/api/backgrounds/{name}/thumbnail")
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]


def test_the_sample_is_a_photo_that_can_be_cut_out(web):
    sample = web.get("/api/sample").content
    cut = decoded(web.post("/api/image", files={"image": sample}))
    assert cut.shape == (720, 1280, 4)
    assert 0.1 < (cut[..., 3] > 127).mean() < 0.6
