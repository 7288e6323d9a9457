"""Photos as the page sends them: formats, settings, names, and what is remembered between two."""

import io
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

from helpers.serving import served
from helpers.waiting import PATIENCE, until
from PIL import Image as Pillow
from PIL import ImageCms

from realtime_bg.frames import Frame, Matte
from realtime_bg.media.photos import Photo, read_photo
from realtime_bg.photos.photo_matting import PhotoMatting
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.web import known_photos
from realtime_bg.web.known_photos import Key, Known, KnownPhotos


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery")) as client:
        yield client


@pytest.fixture(scope="module")
def image():
    return DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False).image(45)


@pytest.fixture(scope="module")
def photo(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture(scope="module")
def wide(image):
    """A photo with a colour profile in which red and green of sRGB are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 1], profile[green : green + 1] = b"g", b"r"
    buffer = io.BytesIO()
    picture = Pillow.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    picture.save(buffer, "PNG", icc_profile=bytes(profile))
    return buffer.getvalue()


@pytest.fixture
def mattings(monkeypatch):
    """Counts how often a photo is matted."""
    calls, real = [], PhotoMatting.unrefined

    def counted(self, image):
        calls.append(image.shape)
        return real(self, image)

    monkeypatch.setattr(PhotoMatting, "unrefined", counted)
    return calls


@pytest.fixture(autouse=True)
def nothing_known(web):
    web.context.photos._known.close()


def sent(web, photo, status=200, name="me.jpg", files=None, **fields):
    files = {"image": (name, photo)} | (files or {})
    answer = web.post("/api/image", files=files, data=fields)
    assert answer.status_code == status, answer.text[:300]
    return answer.json()["error"] if status != 200 else answer


def pixels(answer):
    data = np.frombuffer(answer.content, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).astype(int)


# formats, names and settings


@pytest.mark.parametrize(
    ("fields", "kind", "media", "name"),
    [
        ({}, "PNG", "image/png", "me-cut-out.png"),
        ({"format": "webp"}, "WEBP", "image/webp", "me-cut-out.webp"),
        ({"color": "red"}, "PNG", "image/png", "me-background.png"),
        ({"color": "red", "format": "webp"}, "WEBP", "image/webp", "me-background.webp"),
        ({"color": "red", "format": "jpg"}, "JPEG", "image/jpeg", "me-background.jpg"),
    ],
)
def test_the_result_has_the_format_and_the_name_asked_for(web, photo, fields, kind, media, name):
    answer = sent(web, photo, name="../me.heic", **fields)
    assert answer.headers["Content-Type"] == media
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=utf-8''{name}"
    with Pillow.open(io.BytesIO(answer.content)) as found:
        assert (found.format, found.size) == (kind, (320, 180))
        assert found.mode == ("RGB" if fields.get("color") else "RGBA")


def test_a_name_cannot_add_headers(web, photo):
    answer = sent(web, photo, name='a"; x=\\évil.png')
    assert answer.headers["Content-Disposition"].endswith("''%C3%A9vil-cut-out.png")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": "jpg"}, "format jpg: has no transparency; choose png or webp, or a background"),
        ({"format": "tiff"}, "format 'tiff': choose png or webp"),
        ({"format": "tiff", "color": "red"}, "format 'tiff': choose png or webp or jpg"),
        ({"settings": '{"engine": {"name": "rvm"}}'}, "settings: engine: only refine, harm"),
        ({"settings": '{"refine": {"grow": 999}}'}, "settings: refine.grow: "),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(web, photo, fields, reason):
    error = sent(web, photo, 422, **fields)
    assert error.startswith(reason)
    assert "\n" not in error


def test_a_picture_behind_it_makes_jpeg_possible(web, photo):
    behind = cv2.imencode(".png", np.full((9, 16, 3), (9, 200, 9), np.uint8))[1].tobytes()
    answer = sent(web, photo, files={"background": ("b.png", behind)}, format="jpg")
    assert np.abs(pixels(answer)[3, 3] - (9, 200, 9)).max() < 4


def test_settings_change_the_edge_of_this_result_only(web, photo):
    plain = pixels(sent(web, photo))
    soft = pixels(sent(web, photo, settings='{"refine": {"feather": 8}}'))
    partial = [((cut[..., 3] > 20) & (cut[..., 3] < 235)).sum() for cut in (plain, soft)]
    assert partial[1] > 2 * partial[0]
    assert (pixels(sent(web, photo)) == plain).all()


@pytest.mark.parametrize("uploaded", [False, True])
def test_the_person_is_relit_for_any_background_if_asked(web, photo, uploaded):
    colour = np.full((18, 32, 3), (255, 0, 0), np.uint8)
    behind = {"background": ("b.png", cv2.imencode(".png", colour)[1].tobytes())}
    fields = {"files": behind} if uploaded else {"color": "#0000ff"}
    plain = pixels(sent(web, photo, **fields))
    relit = pixels(sent(web, photo, **fields, settings='{"harmonise": {"match": 1}}'))
    person = pixels(sent(web, photo))[..., 3] > 250

    def blue(result):
        return (result[person][:, 0] - result[person][:, 2]).mean()

    assert blue(relit) > blue(plain) + 5
    room = pixels(sent(web, photo))[..., 3] == 0
    assert np.abs(relit[room] - (255, 0, 0)).max() < 2


# what is remembered

REQUESTS = [
    {},
    {"style": "beach"},
    {"style": "blur"},
    {"color": "#00ff00", "format": "jpg"},
    {"format": "webp", "settings": '{"refine": {"grow": 4, "feather": 2, "threshold": 0.4}}'},
    {"style": "office", "settings": '{"harmonise": {"match": 0.7, "light_wrap": 0.5}}'},
    {"style": "blur", "settings": '{"light": {"active": true, "key": 1, "angle": 90}}'},
    {"style": "erase"},
]


@pytest.mark.parametrize("which", ["photo", "wide"])
def test_a_photo_sent_again_gives_the_same_without_another_matting(web, which, request, mattings):
    data, known = request.getfixturevalue(which), web.context.photos._known
    fresh = []
    for fields in REQUESTS:
        known.close()
        fresh.append(sent(web, data, **fields).content)
    assert len(mattings) == len(REQUESTS)
    assert read_photo(fresh[0]).icc == read_photo(data).icc
    known.close()
    mattings.clear()
    for fields, expected in zip(REQUESTS, fresh, strict=True):
        assert sent(web, data, **fields).content == expected, fields
    # With a profile: once in its own colours and once in sRGB
    assert len(mattings) == (1 if which == "photo" else 2)


def test_another_engine_and_another_photo_are_matted_for_themselves(web, photo, mattings):
    for fields in ({}, {"engine": "threshold"}, {"engine": "embedded"}):
        sent(web, photo, **fields)
    sent(web, photo + b"\0")
    assert len(mattings) == 3
    assert sent(web, photo).content != sent(web, photo, engine="threshold").content


def known(side):
    image = np.zeros((side, side, 3), np.uint8)
    matte = Matte(Frame(image, 0, 0.0), np.zeros((side, side), np.float32))
    return Known(Photo(image), matte, True)


def key(text, srgb=False):
    return Key(text.encode(), "embedded", srgb)


@pytest.fixture
def memory():
    memory = KnownPhotos(lambda: None)
    yield memory
    memory.close()


def test_what_was_used_last_is_kept_within_the_pixels(memory, monkeypatch):
    monkeypatch.setattr(known_photos, "PIXELS", 300)
    for name in "abc":
        memory.keep(key(name), known(10))
    assert memory.find(key("a"))  # now b is the oldest
    memory.keep(key("d"), known(10))
    assert [bool(memory.find(key(name))) for name in "abcd"] == [True, False, True, True]
    memory.keep(key("large"), known(18))
    assert memory.find(key("large")) is None
    assert memory.find(key("d"))
    memory.keep(key("whole"), known(17))
    assert [bool(memory.find(key(name))) for name in ("a", "c", "d", "whole")] == [False] * 3 + [
        True
    ]


def test_colours_without_a_profile_fit_every_background(memory):
    own = known(2)
    memory.keep(key("plain"), own)
    memory.keep(key("profile"), own._replace(fits_all=False))
    assert memory.find(key("plain", srgb=True))
    assert memory.find(key("profile", srgb=True)) is None


def test_photos_are_forgotten_when_nobody_uses_them(monkeypatch):
    monkeypatch.setattr(known_photos, "SECONDS", 0.2)
    forgotten = threading.Event()
    memory = KnownPhotos(forgotten.set)
    memory.keep(key("a"), known(4))
    assert forgotten.wait(PATIENCE)
    assert not memory._known
    assert memory._timer is None  # nothing is left to wait for
    forgotten.clear()
    memory.keep(key("b"), known(4))
    assert forgotten.wait(PATIENCE)


def test_each_photo_has_a_time_of_its_own(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(known_photos.time, "monotonic", lambda: now[0])
    memory = KnownPhotos(lambda: None)
    memory.keep(key("a"), known(4))
    now[0] = 400.0
    memory.keep(key("b"), known(4))
    now[0] = 601.0
    memory._timer.cancel()
    memory._forget()
    assert memory.find(key("a")) is None
    assert memory._timer.interval == 399.0  # until it is the time of b
    assert memory.find(key("b"))
    memory.close()


def test_no_picture_stays_in_the_engine_either(web, photo, monkeypatch):
    desk = web.context.photos
    sent(web, photo, style="blur")
    matting = desk._open["embedded"]._matter._matting
    assert matting._last is not None
    monkeypatch.setattr(known_photos, "SECONDS", 0.2)
    desk._known.close()
    sent(web, photo, style="blur")
    until(lambda: matting._last is None)
    assert not desk._known._known
    until(lambda: desk._open["embedded"]._compositor._compositor is None)
    monkeypatch.undo()
    assert sent(web, photo, style="blur").status_code == 200
