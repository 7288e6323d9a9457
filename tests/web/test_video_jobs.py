"""Videos as the page handles them: names, formats, settings, previews, cancelling and retrying."""

import io
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

import av
from helpers.serving import served
from helpers.waiting import PATIENCE

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.videos.convert import convert
from realtime_bg.web import jobs, video_preview
from realtime_bg.web.limits import Limits
from realtime_bg.web.upload_names import cleaned, result_name

FRAMES, SIZE = 12, (640, 360)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery"), limits=Limits(jobs=3)) as client:
        yield client


@pytest.fixture(scope="module")
def first():
    """The first picture of `clip`."""
    return DemoSource("", SourceSettings(spec="demo", size=SIZE), False).image(0)


@pytest.fixture(scope="module")
def clip():
    demo = DemoSource("", SourceSettings(spec="demo", size=SIZE), False)
    return written([demo.image(index * 3) for index in range(FRAMES)])


def written(pictures, **options):
    """Pictures as the bytes of an MP4."""
    file = io.BytesIO()
    height, width = pictures[0].shape[:2]
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=12, width=width, height=height)
        stream.pix_fmt = "yuv420p"
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def held(monkeypatch):
    """Conversions wait after their fourth picture until `held.go` is set."""

    class Held:
        reached, go = threading.Event(), threading.Event()

    def slowly(settings, source, target, options, progress, stop, watch):
        def counted(done, total, fps):
            progress(done, total, fps or 2.0)  # the first rate is measured after a while
            if done == 4:
                Held.reached.set()
                assert Held.go.wait(PATIENCE)

        return convert(settings, source, target, options, counted, stop, watch)

    monkeypatch.setattr(jobs, "convert", slowly)
    yield Held
    Held.go.set()


def added(web, clip, name="talk.mov", **fields):
    answer = web.post("/api/jobs", files={"video": (name, clip)}, data=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def state(web, job):
    return web.get(f"/api/jobs/{job['id']}").json()


def ended(web, job):
    def end():
        found = state(web, job)
        return found if found["state"] in ("done", "failed", "cancelled") else None

    return web.wait(end)


def picture(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/jpeg"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(autouse=True)
def nothing_left(web):
    yield
    for job in web.get("/api/jobs").json():
        web.delete(f"/api/jobs/{job['id']}")


# names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("talk.mov", "talk.mov"),
        ("C:\\me\\talk.mov", "talk.mov"),
        ("../../etc/.hidden", "hidden"),
        ("a\r\nb\x00\u202ec\ud800.mp4", "abc.mp4"),
        ("Käse & 'Brot'.mp4", "Käse & 'Brot'.mp4"),
        ("x" * 300 + ".webm", "x" * 95 + ".webm"),
        ("a." + "y" * 300, "a." + "y" * 98),
        ("../..", "video"),
        ("", "video"),
        (None, "video"),
    ],
)
def test_a_name_is_cleaned(name, shown):
    assert cleaned(name, "video") == shown


def test_a_result_is_called_after_its_source():
    assert result_name("talk.v2.mov", True, "webm") == "talk.v2-cut-out.webm"
    assert result_name("talk.mov", False, "mp4") == "talk-background.mp4"
    assert result_name("x" * 100, False, "mp4") == "x" * 85 + "-background.mp4"


def test_the_download_has_the_name_and_the_disk_has_not(web, clip):
    job = ended(web, added(web, clip, "../Käse.mov", style="beach"))
    assert (job["source"], job["name"]) == ("Käse.mov", "Käse-background.mp4")
    sent = web.get(f"/api/jobs/{job['id']}/result").headers["Content-Disposition"]
    assert "filename*=utf-8''K%C3%A4se-background.mp4" in sent
    folder = web.context.jobs.get(job["id"]).folder
    assert not [path for path in folder.rglob("*") if "se" in path.stem and "K" in path.stem]


# formats and settings


def test_a_video_with_a_background_can_be_webm(web, clip):
    job = ended(web, added(web, clip, style="beach", format="webm"))
    assert (job["state"], job["name"]) == ("done", "talk-background.webm")
    answer = web.get(f"/api/jobs/{job['id']}/result")
    assert answer.headers["Content-Type"] == "video/webm"
    with av.open(io.BytesIO(answer.content)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
        assert container.streams.video[0].frames in (0, FRAMES)
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": "mp4"}, "format mp4: has no transparency; choose webm, or a background"),
        ({"format": "avi"}, "format 'avi': choose webm"),
        ({"format": "avi", "style": "beach"}, "format 'avi': choose mp4 or webm"),
        ({"settings": "{"}, "settings: write JSON"),
        ({"settings": "[" * 100_000}, "settings: write JSON"),
        ({"settings": "[]"}, "settings: write sections as objects"),
        ({"settings": '{"refine": 1}'}, "settings: write sections as objects"),
        ({"settings": '{"source": {"spec": "/etc/passwd"}}'}, "settings: source: only refine, "),
        ({"settings": '{"a\\nb\\ud800": {}}'}, "settings: a b?: only refine, harmonise and light"),
        ({"settings": '{"refine": {"feather": 99}}'}, "settings: refine.feather: "),
        ({"settings": '{"refine": {"feather": NaN}}'}, "settings: refine.feather: "),
        ({"settings": '{"refine": {"x\\n": 1}}'}, "settings: refine.x : no such setting"),
        ({"settings": '{"harmonise": {"match": 2}}'}, "settings: harmonise.match: "),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(web, clip, fields, reason):
    answer = web.post("/api/jobs", files={"video": clip}, data=fields)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"].startswith(reason)
    assert "\n" not in answer.json()["error"]
    assert web.get("/api/jobs").json() == []


def test_settings_are_those_of_one_video_only(web, clip):
    before = web.get("/api/settings").json()
    chosen = '{"refine": {"feather": 7}, "harmonise": {"match": 0.5}}'
    job = added(web, clip, style="beach", settings=chosen)
    own = web.context.jobs.get(job["id"]).settings
    assert (own.refine.feather, own.harmonise.match) == (7, 0.5)
    assert own.refine.threshold == before["refine"]["threshold"]
    assert web.get("/api/settings").json() == before
    other = web.context.jobs.get(added(web, clip, style="beach")["id"]).settings
    assert (other.refine.feather, other.harmonise.match) == (0, 0)


# pictures


def test_the_thumbnail_is_the_first_picture(web, clip, first):
    job = added(web, clip)
    small = picture(web.get(f"/api/jobs/{job['id']}/thumbnail"))
    assert small.shape == (180, 320, 3)
    assert np.abs(small.astype(int) - cv2.resize(first, (320, 180))).mean() < 6


def test_pictures_are_shown_with_square_pixels(web):
    """Stored with 180x360 pixels that are four times as wide as high."""
    tall = [np.full((360, 180, 3), 90, np.uint8)] * 3
    job = ended(web, added(web, written(tall, sample_aspect_ratio=4), style="beach"))
    assert job["state"] == "done", job
    assert picture(web.get(f"/api/jobs/{job['id']}/thumbnail")).shape == (160, 320, 3)
    assert picture(web.get(f"/api/jobs/{job['id']}/preview")).shape == (320, 640, 3)


@pytest.mark.parametrize(("fields", "room"), [({"color": "#0000ff"}, (255, 0, 0)), ({}, None)])
def test_the_preview_grows_with_the_result(web, clip, held, monkeypatch, fields, room):
    monkeypatch.setattr(video_preview, "SECONDS", 0.0)
    job = added(web, clip, **fields)
    assert held.reached.wait(PATIENCE)
    then = state(web, job)
    assert (then["state"], then["done"], then["total"]) == ("running", 4, FRAMES)
    assert isinstance(then["eta"], int)
    assert then["eta"] > 0
    assert then["expires"] is None
    assert then["preview"] == 4
    early = web.get(f"/api/jobs/{job['id']}/preview")
    held.go.set()
    done = ended(web, job)
    assert (done["state"], done["preview"], done["eta"]) == ("done", FRAMES, None)
    late = web.get(f"/api/jobs/{job['id']}/preview")
    assert late.content != early.content
    corner = picture(late)[4, 4].astype(int)
    if room is None:  # the pattern that stands for transparency
        assert corner.min() > 225
    else:
        assert np.abs(corner - room).max() < 12
    result = io.BytesIO(web.get(f"/api/jobs/{job['id']}/result").content)
    if room is not None:
        with av.open(result) as container:
            last = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)][-1]
        assert np.abs(picture(late).astype(int) - last).mean() < 4


def test_there_is_a_preview_at_most_once_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(video_preview.time, "monotonic", lambda: now[0])
    preview = video_preview.VideoPreview((1280, 720))
    for index in range(30):
        preview(np.full((720, 1280, 3), index, np.uint8))
        now[0] += 0.1
    assert preview.count == 3
    preview.finish()
    assert preview.count == 4
    shown = cv2.imdecode(np.frombuffer(preview.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (360, 640, 3)
    assert abs(int(shown[0, 0, 0]) - 29) <= 1
    preview.finish()
    assert preview.count == 4


def test_without_a_picture_there_is_no_preview(web, clip):
    gate = threading.Event()
    web.context.jobs._worker.submit(gate.wait)
    job = added(web, clip)
    answer = web.get(f"/api/jobs/{job['id']}/preview")
    gate.set()
    assert (answer.status_code, answer.json()) == (404, {"error": "no such preview yet"})
    assert web.get("/api/jobs/none/thumbnail").status_code == 404


# cancelling and retrying


def test_a_running_video_is_cancelled_when_it_has_stopped_and_continues(web, clip, held):
    job = added(web, clip, style="beach")
    assert held.reached.wait(PATIENCE)
    for action in ("retry", "result"):  # not while it is running
        method = "GET" if action == "result" else "POST"
        assert web.request(method, f"/api/jobs/{job['id']}/{action}").status_code == 409
    answer = web.post(f"/api/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelling")
    assert (answer.json()["eta"], answer.json()["can_retry"]) == (None, False)
    held.go.set()
    found = ended(web, job)
    assert (found["state"], found["error"], found["can_retry"]) == ("cancelled", "", True)
    assert found["expires"] - found["created"] >= jobs.KEPT_SECONDS - 1
    own = web.context.jobs.get(job["id"])
    assert own.source.exists()
    again = web.post(f"/api/jobs/{job['id']}/retry")
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    assert again.json()["expires"] is None
    done = ended(web, job)
    assert (done["state"], done["done"], done["total"]) == ("done", FRAMES, FRAMES)
    assert not own.source.exists()
    assert len(web.get("/api/jobs").json()) == 1


def test_a_waiting_video_is_cancelled_at_once(web, clip):
    gate = threading.Event()
    web.context.jobs._worker.submit(gate.wait)
    job = added(web, clip, style="beach")
    assert job["state"] == "queued"
    for _ in range(2):  # a second time changes nothing
        cancelled = web.post(f"/api/jobs/{job['id']}/cancel").json()
        assert (cancelled["state"], cancelled["can_retry"]) == ("cancelled", True)
    assert web.post(f"/api/jobs/{job['id']}/retry").json()["state"] == "queued"
    gate.set()
    assert ended(web, job)["state"] == "done"
    for action in ("cancel", "retry"):
        answer = web.post(f"/api/jobs/{job['id']}/{action}")
        assert (answer.status_code, answer.json()) == (409, {"error": "the video is done"})
        assert web.post(f"/api/jobs/none/{action}").status_code == 404


def test_a_failed_video_can_be_tried_again(web, clip, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(jobs, "convert", broken)
    job = added(web, clip, style="beach")
    failed = ended(web, job)
    assert (failed["state"], failed["can_retry"]) == ("failed", True)
    assert "internal error" in failed["error"]
    monkeypatch.setattr(jobs, "convert", convert)
    assert web.post(f"/api/jobs/{job['id']}/retry").json()["error"] == ""
    assert ended(web, job)["state"] == "done"


def test_a_video_whose_upload_is_gone_cannot_be_tried_again(web, clip):
    gate = threading.Event()
    web.context.jobs._worker.submit(gate.wait)
    job = added(web, clip)
    web.post(f"/api/jobs/{job['id']}/cancel")
    gate.set()
    web.context.jobs.get(job["id"]).source.unlink()
    assert state(web, job)["can_retry"] is False
    answer = web.post(f"/api/jobs/{job['id']}/retry")
    assert (answer.status_code, "send the video again" in answer.json()["error"]) == (409, True)


def test_a_video_that_is_deleted_while_it_runs_leaves_nothing(web, clip, held):
    job = added(web, clip, style="beach")
    folder = web.context.jobs.get(job["id"]).folder
    assert held.reached.wait(PATIENCE)
    assert web.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert web.get("/api/jobs").json() == []
    assert folder.exists()  # its files are still being written
    held.go.set()
    web.wait(lambda: not folder.exists())


def test_a_cancelled_video_goes_after_its_time_with_its_source(web, clip, monkeypatch):
    monkeypatch.setattr(jobs, "KEPT_SECONDS", 0.3)
    gate = threading.Event()
    web.context.jobs._worker.submit(gate.wait)
    job = added(web, clip, style="beach")
    folder = web.context.jobs.get(job["id"]).folder
    web.post(f"/api/jobs/{job['id']}/cancel")
    web.wait(lambda: not folder.exists())
    gate.set()
    assert web.get(f"/api/jobs/{job['id']}").status_code == 404
