"""The API of the web page: photos, videos, backgrounds, settings and the live picture."""

import io
import json
import re
import shutil
import sys
import tempfile
import threading
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

import av
from helpers import ROOT
from helpers.serving import TOKEN, served
from PIL import Image as Pillow
from websockets.sync.client import connect

from realtime_bg.installing import add_extra
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.videos.sound import ENCODERS
from realtime_bg.web import jobs
from realtime_bg.web.limits import Limits

LIMITS = Limits(
    photo=3_000_000, pixels=1_000_000, seconds=5, photos=2, jobs=2, viewers=2, backgrounds=3
)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery"), limits=LIMITS) as client:
        yield client


@pytest.fixture(scope="module")
def demo():
    return DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)


@pytest.fixture(scope="module")
def photo(demo):
    return encoded(demo.image(45))


@pytest.fixture(scope="module")
def clip(demo, tmp_path_factory):
    """A second of the demo with a tone, as MP4."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("h264", rate=10, width=320, height=180, pix_fmt="yuv420p")
        sound = container.add_stream("aac", rate=44100, layout="mono")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(demo.image(index * 3), format="bgr24")
            container.mux(video.encode(frame))
        wave = np.sin(np.arange(44100) / 20, dtype=np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
        container.mux(sound.encode(frame))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path.read_bytes()


def encoded(image, kind=".png"):
    return cv2.imencode(kind, image)[1].tobytes()


def plain(colour, size=(64, 36)):
    return encoded(np.full((size[1], size[0], 3), colour, np.uint8))


def cut_out(web, photo, status=200, **fields):
    uploads = {name: fields.pop(name) for name in list(fields) if isinstance(fields[name], bytes)}
    uploads["image"] = photo
    answer = web.post("/api/image", files=uploads, data=fields)
    assert answer.status_code == status, answer.text[:300]
    if status != 200:
        return answer.json()["error"]
    assert answer.headers["Content-Type"] == "image/png"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


# photos


def test_a_photo_becomes_a_cut_out(web, photo, demo):
    image = cut_out(web, photo)
    assert image.shape == (180, 320, 4)
    person, truth = image[..., 3] > 127, demo.alpha(45) > 0.5
    assert (person & truth).sum() / (person | truth).sum() > 0.9
    assert not image[image[..., 3] == 0].any()  # nothing of the room is left


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"color": "#0000ff"}, (255, 0, 0)),
        ({"style": "red"}, (0, 0, 255)),
        ({"background": plain((10, 200, 30))}, (10, 200, 30)),
        ({"background": plain((1, 2, 3)), "engine": "grabcut"}, (1, 2, 3)),
    ],
)
def test_a_photo_gets_a_background(web, photo, demo, fields, expected):
    image = cut_out(web, photo, **fields)
    assert image.shape == (180, 320, 3)
    room = cv2.dilate(demo.alpha(45), np.ones((25, 25))) == 0
    assert np.abs(image[room].astype(int) - expected).mean() < 3


def test_a_photo_over_a_built_in_background(web, photo):
    assert cut_out(web, photo, style="beach").shape == (180, 320, 3)


@pytest.mark.parametrize(
    ("data", "fields", "status", "reason"),
    [
        (b"", {}, 422, "cannot be read"),
        (b"no picture", {}, 422, "not a picture of a known format"),
        (plain(0, (2000, 1000)), {}, 413, "million pixels"),
        (b"\x89PNG" + b"x" * 3_000_000, {}, 413, "a photo may have at most 3 MB"),
        (None, {"background": b"rubbish"}, 422, "cannot be read"),
        (None, {"style": "/etc/hostname"}, 422, "background"),
        (None, {"style": "../x.jpg"}, 422, "background"),
        (None, {"style": "blur:/etc"}, 422, "background"),
        (None, {"style": "upload:../../x"}, 404, "no such background"),
        (None, {"color": "nocolour"}, 422, "background"),
        (None, {"color": "red", "style": "beach"}, 422, "not both"),
        (None, {"engine": "nope"}, 422, "unknown engine"),
        (None, {"engine": "rvm"}, 422, "rvm"),
    ],
)
def test_what_cannot_be_is_said(web, photo, data, fields, status, reason):
    assert reason in cut_out(web, photo if data is None else data, status, **fields)


def test_no_photo_at_all(web):
    answer = web.post("/api/image", data={"color": "red"})
    assert answer.status_code == 422
    assert "image" in answer.json()["error"]


def test_too_many_photos_at_a_time_have_to_wait(web, photo):
    desk = web.context.photos
    with desk._turn:  # the first two wait for the engine
        answers = []

        def ask():
            answers.append(web.post("/api/image", files={"image": photo}).status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        web.wait(lambda: answers)
        assert answers == [429]
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 429]


# videos


def finished(web, job):
    def ended():
        found = web.get(f"/api/jobs/{job['id']}").json()
        return found if found["state"] in ("done", "failed", "cancelled") else None

    return web.wait(ended)


@pytest.mark.parametrize(("fields", "suffix"), [({"style": "beach"}, "mp4"), ({}, "webm")])
def test_a_video_is_converted_with_its_sound(web, clip, fields, suffix, tmp_path):
    answer = web.post("/api/jobs", files={"video": ("../../etc/passwd", clip)}, data=fields)
    assert answer.status_code == 201, answer.text
    job = finished(web, answer.json())
    assert (job["state"], job["done"], job["error"]) == ("done", 10, "")
    word = "background" if fields else "cut-out"
    assert (job["name"], job["source"]) == (f"passwd-{word}.{suffix}", "passwd")
    assert (job["total"], job["eta"], job["can_retry"]) == (10, None, False)
    result = web.get(f"/api/jobs/{job['id']}/result")
    (tmp_path / "result").write_bytes(result.content)
    with av.open(str(tmp_path / "result")) as container:
        assert len(list(container.decode(video=0))) == 10
        assert len(container.streams.audio) == 1
    assert web.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert web.get(f"/api/jobs/{job['id']}").status_code == 404
    assert web.get("/api/jobs").json() == []


def three(demo, file, kind, codec=None, rate=8000):
    """Three pictures of the demo, and a tone where a codec is given, into a file object."""
    with av.open(file, "w", format=kind) as container:
        streams = [container.add_stream("mpeg4", rate=10, width=64, height=36, pix_fmt="yuv420p")]
        if codec is not None:
            streams.append(container.add_stream(codec, rate=rate, layout="mono"))
            tone = av.AudioFrame.from_ndarray(np.zeros((1, rate // 4), np.int16), layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = rate, 0, Fraction(1, rate)
            container.mux(streams[1].encode(tone))
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(demo.image(index), format="bgr24")
            container.mux(streams[0].encode(frame.reformat(64, 36)))
        for stream in streams:
            container.mux(stream.encode(None))


def test_a_sound_that_the_result_cannot_hold_is_converted(web, demo, monkeypatch):
    file = io.BytesIO()
    three(demo, file, "avi", "pcm_mulaw")
    phone = file.getvalue()
    job = web.post("/api/jobs", files={"video": phone}, data={"style": "beach"}).json()
    done = finished(web, job)
    assert (done["state"], done["name"]) == ("done", "video-background.mp4")
    result = io.BytesIO(web.get(f"/api/jobs/{job['id']}/result").content)
    with av.open(result) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    web.delete(f"/api/jobs/{job['id']}")
    monkeypatch.setitem(ENCODERS, ".webm", ())
    answer = web.post("/api/jobs", files={"video": phone})  # transparent
    assert (answer.status_code, web.get("/api/jobs").json()) == (422, [])
    assert "sound cannot be converted" in answer.json()["error"]


def test_a_background_that_is_deleted_is_kept_for_a_video_that_waits(web, clip):
    desk = web.context.jobs
    name = web.post("/api/backgrounds", files={"image": plain((9, 9, 200))}).json()["name"]
    gate = threading.Event()
    desk._worker.submit(gate.wait)
    job = web.post("/api/jobs", files={"video": clip}, data={"style": name}).json()
    assert web.delete(f"/api/backgrounds/{name}").status_code == 204
    gate.set()
    assert finished(web, job)["state"] == "done"
    web.delete(f"/api/jobs/{job['id']}")


def test_a_result_goes_after_its_time_also_when_nobody_asks(web, clip, monkeypatch):
    monkeypatch.setattr(jobs, "KEPT_SECONDS", 0.3)
    job = web.post("/api/jobs", files={"video": clip}, data={"style": "beach"}).json()
    folder = web.context.jobs.get(job["id"]).folder
    web.wait(lambda: not folder.exists())


def test_a_video_that_does_not_say_how_long_it_is_has_an_end_too(web, demo, monkeypatch):
    file = io.BytesIO()
    three(demo, SimpleNamespace(write=file.write), "matroska")  # as a browser records
    desk = web.context.jobs
    short = desk._limits.model_copy(update={"seconds": 0.1})
    monkeypatch.setattr(desk, "_limits", short)
    monkeypatch.setattr(desk._intake, "_limits", short)
    answer = web.post("/api/jobs", files={"video": file.getvalue()}, data={"style": "beach"})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    done = finished(web, job)
    assert (done["state"], done["total"]) == ("failed", None)
    assert "a video may be at most" in done["error"]
    web.delete(f"/api/jobs/{job['id']}")


def test_a_video_can_be_cancelled_and_too_many_are_refused(web, clip):
    desk = web.context.jobs
    gate = threading.Event()
    desk._worker.submit(gate.wait)  # what comes now has to queue
    jobs = [web.post("/api/jobs", files={"video": clip}).json() for _ in range(2)]
    folders = [desk.get(job["id"]).folder for job in jobs]
    assert web.post("/api/jobs", files={"video": clip}).status_code == 429
    assert web.get(f"/api/jobs/{jobs[0]['id']}/result").status_code == 409
    for job in jobs:
        assert web.delete(f"/api/jobs/{job['id']}").status_code == 204
    gate.set()
    web.wait(lambda: not any(folder.exists() for folder in folders))


def test_a_server_survives_that_the_system_empties_its_temporary_folder(
    clip, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with served(tmp_path / "gallery", limits=LIMITS) as web:
        for old in tmp_path.glob("realtime-bg-*"):  # as systemd-tmpfiles does after ten days
            shutil.rmtree(old)
        job = web.post("/api/jobs", files={"video": clip})
        assert job.status_code == 201, job.text
        (own,) = tmp_path.glob("realtime-bg-*")
        assert own.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("realtime-bg-*"))


@pytest.mark.parametrize(
    ("video", "status", "reason"),
    [
        (b"", 422, "the video"),
        (b"nothing", 422, "the video"),
        (None, 422, "the video"),
    ],
)
def test_what_is_no_video_is_said_without_our_paths(web, clip, video, status, reason):
    answer = web.post(
        "/api/jobs", files={"video": clip[: len(clip) // 3] if video is None else video}
    )
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert "/tmp" not in answer.text
    assert web.get("/api/jobs").json() == []


# backgrounds


def test_backgrounds_come_and_go(web, photo):
    names = [one["name"] for one in web.get("/api/backgrounds").json()]
    assert names[:2] == ["beach", "office"]
    answer = web.post("/api/backgrounds", files={"image": ("../../evil.sh", plain((9, 9, 200)))})
    name = answer.json()["name"]
    assert name.startswith("upload:")
    for one in ("beach", name):
        small = web.get(f"/api/backgrounds/{one}/thumbnail")
        assert Pillow.open(io.BytesIO(small.content)).size == (256, 144)
    assert np.abs(cut_out(web, photo, style=name)[0, 0].astype(int) - (9, 9, 200)).max() <= 6
    settings = web.patch("/api/settings", json={"background": {"current": name}}).json()
    assert settings["background"]["current"] == name
    assert web.delete(f"/api/backgrounds/{name}").status_code == 204
    assert web.get("/api/settings").json()["background"]["current"] == "blur"  # not what is gone
    web.patch("/api/settings", json={"background": {"current": "#00ff00"}})


def test_an_upload_keeps_nothing_but_its_pixels(web):
    picture, exif = Pillow.new("RGB", (40, 30), "red"), Pillow.Exif()
    exif[0x010E] = "at home"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    name = web.post("/api/backgrounds", files={"image": buffer.getvalue()}).json()["name"]
    gallery = web.context.gallery
    assert b"at home" not in gallery.path(name).read_bytes()
    web.delete(f"/api/backgrounds/{name}")


def test_backgrounds_have_an_end(web):
    names = [
        web.post("/api/backgrounds", files={"image": plain(n)}).json()["name"] for n in range(3)
    ]
    assert web.post("/api/backgrounds", files={"image": plain(99)}).status_code == 429
    for name in names:
        web.delete(f"/api/backgrounds/{name}")


@pytest.mark.parametrize(
    "name", ["upload:0123456789abcdef", "upload:..%2f..%2fx", "upload:x", "office", "%2e%2e"]
)
def test_only_uploads_can_be_deleted(web, name):
    web.patch("/api/settings", json={"background": {"current": "office"}})
    assert web.delete(f"/api/backgrounds/{name}").status_code in (404, 405)
    assert web.get("/api/settings").json()["background"]["current"] == "office"
    web.patch("/api/settings", json={"background": {"current": "#00ff00"}})
    assert "office" in [one["name"] for one in web.get("/api/backgrounds").json()]


# settings


def test_settings_change_together_or_not_at_all(web):
    before = web.get("/api/settings").json()
    changes = {"refine": {"feather": 3, "threshold": 0.4}, "output": {"mirror": True}}
    after = web.patch("/api/settings", json=changes).json()
    assert after["refine"]["feather"] == 3
    assert after["output"]["mirror"] is True
    bad = {"refine": {"feather": 7, "threshold": 4}}
    answer = web.patch("/api/settings", json=bad)
    assert answer.status_code == 422
    assert "refine.threshold" in answer.json()["error"]
    assert web.get("/api/settings").json() == after
    web.patch("/api/settings", json={"refine": before["refine"], "output": {"mirror": False}})
    assert web.get("/api/settings").json() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {"spec": "/etc/passwd"}},
        {"engine": {"model": "/tmp/x.onnx"}},
        {"engine": {"plate": {"file": "/tmp/x.png"}}},
        {"output": {"folder": "/"}},
        {"output": {"sinks": ["/tmp/x.mp4"]}},
        {"background": {"inpaint": "/x"}},
        {"privacy": {"max_age": 60}},
        {"source": None},
        {"output": {"sinks": []}},
        {"engine": {"combine": {"model": "/x"}}},
    ],
)
def test_what_names_files_and_devices_is_not_for_browsers(web, changes):
    before = web.get("/api/settings").json()
    answer = web.patch("/api/settings", json=changes)
    assert answer.status_code == 403
    assert web.get("/api/settings").json() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"background": {"current": "/etc/hostname"}},
        {"background": {"items": ["beach", "/tmp"]}},
        {"background": {"items": "/tmp"}},
        {"background": {"items": "/tmp", "current": "/tmp"}},
        {"background": {"current": 7}},
        {"background": "beach"},
        {"nothing": 1},
        {"refine": {"x": 1}},
        {"background.current": "beach"},
        {"engine": {"name": "x" * 10_000}},
        {"paused": "maybe"},
    ],
)
def test_settings_that_cannot_be(web, changes):
    before = web.get("/api/settings").json()
    assert web.patch("/api/settings", json=changes).status_code in (403, 422)
    assert web.get("/api/settings").json() == before


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '"x"', "7"])
def test_settings_that_are_no_settings(web, body):
    answer = web.patch("/api/settings", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_keys_are_those_of_the_window(web):
    keys = [one["key"] for one in web.get("/api/about").json()["keys"]]
    assert {"b", "0", "m", " ", "f", "r"} < set(keys)
    assert not set(keys) & {"a", "c", "q"}  # views of the camera are for the window alone
    assert web.post("/api/keys", json={"key": "m"}).json()["output"]["mirror"] is True
    assert web.post("/api/keys", json={"key": "m"}).json()["output"]["mirror"] is False
    for key in ("c", "q", "", "xx"):
        assert web.post("/api/keys", json={"key": key}).status_code == 422


# the live picture


def stream(web):
    """JPEGs of the stream."""
    with web.get("/api/live/stream", stream=True, timeout=120) as answer:
        assert answer.status_code == 200
        rest = b""
        for piece in answer.iter_content(4096):
            rest += piece
            while (end := rest.find(b"\xff\xd9\r\n--frame")) >= 0 or (
                rest.count(b"--frame") > 1 and (end := rest.find(b"\r\n--frame", 5) - 2) >= 0
            ):
                start = rest.find(b"\xff\xd8")
                yield cv2.imdecode(np.frombuffer(rest[start : end + 2], np.uint8), 1)
                rest = rest[end + 2 :]


def test_the_camera_is_off_until_it_is_wanted(web):
    assert web.get("/api/stats").json()["running"] is False
    assert web.post("/api/snapshot").status_code == 409


def test_the_live_picture(web):
    assert web.post("/api/live", json={"on": True}).json()["running"] is True
    try:
        web.wait(lambda: web.get("/api/stats").json()["fps"] > 0)
        pictures = stream(web)
        seen = [next(pictures) for _ in range(3)]
        assert all(image.shape == (180, 320, 3) for image in seen)
        assert np.abs(seen[-1][5, 5].astype(int) - (0, 255, 0)).max() < 20  # never the room
        web.patch("/api/settings", json={"background": {"current": "#0000ff"}})
        web.wait(lambda: np.abs(next(pictures)[5, 5].astype(int) - (255, 0, 0)).max() < 20)
        pictures.close()
        snap = web.post("/api/snapshot")
        assert cv2.imdecode(np.frombuffer(snap.content, np.uint8), 1).shape == (180, 320, 3)
        assert web.get("/api/stats").json()["engine"] == "embedded"
    finally:
        web.patch("/api/settings", json={"background": {"current": "#00ff00"}})
        assert web.post("/api/live", json={"on": False}).json()["running"] is False
    assert web.post("/api/snapshot").status_code == 409


def test_a_camera_that_is_not_there_is_named(tmp_path):
    with served(tmp_path, {"source.spec": "/dev/video77"}) as web:
        answer = web.post("/api/live", json={"on": True})
        assert answer.status_code == 503
        assert "/dev/video77" in answer.json()["error"]
        assert "/dev/video77" in web.get("/api/stats").json()["problem"]


def test_an_engine_without_its_package_is_refused_with_the_command(web, monkeypatch):
    """As from the command line, `ctl` and config.yaml, and before anything has changed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    before = web.get("/api/settings").json()["engine"]["name"]
    answer = web.patch("/api/settings", json={"engine": {"name": "rvm-torch"}})
    assert answer.status_code == 422
    assert add_extra("torch") in answer.json()["error"]
    assert web.get("/api/settings").json()["engine"]["name"] == before


def test_events_tell_what_changes(web):
    address = f"ws://127.0.0.1:{web.port}/api/events"
    with connect(address, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as socket:
        first = {(event := json.loads(socket.recv(10)))["type"]: event["value"] for _ in range(4)}
        assert set(first) == {"stats", "settings", "jobs", "backgrounds"}
        web.post("/api/keys", json={"key": "f"})
        event = json.loads(socket.recv(10))
        while event["type"] != "settings":  # statistics come at any time
            event = json.loads(socket.recv(10))
        assert event["value"]["frozen"]
        web.post("/api/keys", json={"key": "f"})


def test_events_go_on_when_a_picture_is_gone_meanwhile(web, tmp_path_factory):
    folder = web.context.gallery._folder
    folder.mkdir(parents=True, exist_ok=True)
    gone = folder / "0123456789abcdef.jpg"
    gone.symlink_to(folder / "nowhere.jpg")
    try:
        assert web.get("/api/backgrounds").status_code == 200
    finally:
        gone.unlink()


def test_a_recording_is_not_written_over_by_the_next_start(tmp_path):
    flags = {"output.sinks": [str(tmp_path / "talk.mp4")]}
    with served(tmp_path / "gallery", flags) as web:
        for count in (1, 2):
            web.post("/api/live", json={"on": True})
            web.wait(lambda: web.get("/api/stats").json()["fps"] > 0)
            web.post("/api/live", json={"on": False})
            web.wait(lambda n=count: len(list(tmp_path.glob("talk*.mp4"))) == n)
    assert {path.name for path in tmp_path.glob("*.mp4")} == {"talk.mp4", "talk-2.mp4"}


def test_viewers_have_an_end(web):
    web.post("/api/live", json={"on": True})
    try:
        web.wait(lambda: web.get("/api/stats").json()["fps"] > 0)
        watching = [stream(web) for _ in range(2)]
        for one in watching:
            next(one)
        assert web.get("/api/live/stream").status_code == 429
        for one in watching:
            one.close()
        web.wait(lambda: web.context.viewers == 0)
    finally:
        web.post("/api/live", json={"on": False})


def test_the_documentation_knows_every_call(web):
    documented = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    paths = web.get("/api/openapi.json").json()["paths"]
    assert len(paths) > 10
    plain = re.sub(r"(upload:)?[0-9a-f]{4}\.\.\.", "{}", documented)
    for path in paths:
        assert re.sub(r"\{\w+\}", "{}", path) in plain, path
