"""Every background keeps the contract of `backgrounds/base.py`, and its own promises."""

import logging
import os
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.waiting import PATIENCE, until
from PIL import Image as Pillow
from PIL import ImageOps

from realtime_bg import backgrounds
from realtime_bg.backgrounds import BACKGROUNDS, built_in, cycle, open_background, scenes
from realtime_bg.backgrounds import video as video_module
from realtime_bg.backgrounds.blur import BlurBackground
from realtime_bg.backgrounds.current import CurrentBackground
from realtime_bg.backgrounds.folder import media
from realtime_bg.backgrounds.still import read_image
from realtime_bg.errors import BackgroundError
from realtime_bg.imaging.colours import parse_colour
from realtime_bg.imaging.geometry import fit, scaled_size
from realtime_bg.imaging.orientation import upright
from realtime_bg.settings import BackgroundSettings
from realtime_bg.stats import Stats
from realtime_bg.testing import BackgroundContract

SETTINGS = BackgroundSettings()
SCENES, SCENE = ("beach", "office", "studio", "gradient"), (2560, 1440)
SIZES = [(64, 36), (33, 17), (1, 1), (17, 40)]


def flat(level, size=(32, 18)):
    return np.full((size[1], size[0], 3), level, np.uint8)


def write_clip(path, levels, rate=10, size=(32, 18), codec="mpeg4"):
    """One picture of each grey level."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        if codec != "gif":
            stream.bit_rate = 4_000_000
        for level in levels:
            picture = av.VideoFrame.from_ndarray(flat(level, size), format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def write_animation(path, levels, milliseconds):
    animation = cv2.Animation()
    animation.frames = [flat(level) for level in levels]
    animation.durations = np.array(milliseconds, np.int32)
    assert cv2.imwriteanimation(str(path), animation)
    return path


@pytest.fixture
def specs(tmp_path):
    """One spec of each kind in the registry."""
    cv2.imwrite(str(tmp_path / "still.png"), flat(90))
    show = tmp_path / "show"
    show.mkdir()
    for number in (1, 2, 10):
        cv2.imwrite(str(show / f"{number}.png"), flat(number))
    write_clip(tmp_path / "clip.mp4", range(0, 250, 50))
    paths = {"image": "still.png", "video": "clip.mp4", "folder": "show"}
    found = {kind: str(tmp_path / name) for kind, name in paths.items()}
    return {name: name for name in BACKGROUNDS} | found | {"colour": "#00b140"}


def threads():
    return {thread.name for thread in threading.enumerate() if "background" in thread.name}


def render(background, size, moment=0.0):
    frame, alpha = flat(120, size), np.zeros((size[1], size[0]), np.float32)
    return background.render(size, moment, frame, alpha)


# -------------------------------------------------------------------------------- contract


class TestContract(BackgroundContract):
    """Of every registered background."""

    @pytest.fixture(autouse=True, params=list(BACKGROUNDS))
    def _given(self, request, specs):
        self._spec = specs[request.param]
        yield
        assert threads() == set()

    def open(self, wait):
        return open_background(self._spec, SETTINGS, wait)


@pytest.mark.parametrize("kind", ["image", "colour", *scenes()])
def test_stills_do_no_work_after_the_first_render(kind, specs):
    background = open_background(specs[kind], SETTINGS, True)
    first = background.render((40, 30), 0.0)
    assert background.render((40, 30), 9.0) is first
    assert background.render((41, 30), 9.0).shape == (30, 41, 3)


@pytest.mark.parametrize("name", scenes())
def test_scenes_are_deterministic_and_rich(name):
    first = open_background(name, SETTINGS, True).render((160, 90), 0.0)
    second = open_background(name, SETTINGS, True).render((160, 90), 1.0)
    assert np.array_equal(first, second)
    assert first.std() > 5
    assert 40 < first.mean() < 225


def test_a_scene_is_ready_before_the_first_live_frame(monkeypatch):
    background = open_background("studio", SETTINGS, False)
    monkeypatch.setattr(background, "draw", lambda size: pytest.fail("drawn on the frame path"))
    assert background.render((1280, 720), 0.0).shape == (720, 1280, 3)


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (480, 640), (3840, 2160), (7, 300)])
def test_a_scene_fills_any_size_from_its_middle(size):
    background = open_background("beach", BackgroundSettings(fit="contain"), True)
    shown = background.render(size, 0.0)
    assert shown.shape == (size[1], size[0], 3)
    whole = background.render(SCENE, 0.0)
    assert np.array_equal(shown, fit(whole, size, "cover"))
    assert shown[:, 0].any()  # no border


def test_scenes_have_the_size_of_large_screens_and_cost_little_in_the_package():
    files = [Path(backgrounds.__file__).with_name(f"{name}.webp") for name in SCENES]
    for path in files:
        with Pillow.open(path) as picture:
            assert picture.size == SCENE
    assert sum(path.stat().st_size for path in files) < 1_500_000


@pytest.mark.parametrize("broken", [b"RIFF", None])
def test_a_scene_that_is_damaged_is_named(monkeypatch, tmp_path, broken):
    if broken is not None:
        (tmp_path / "beach.webp").write_bytes(broken)
    monkeypatch.setattr(built_in, "__file__", str(tmp_path / "built_in.py"))
    with pytest.raises(BackgroundError, match=r"beach\.webp.*install the program again"):
        open_background("beach", SETTINGS, True)


# -------------------------------------------------------------------------------- geometry


def test_fit_returns_the_input_when_nothing_is_to_do():
    image = flat(3)
    assert all(fit(image, (32, 18), mode) is image for mode in ("cover", "contain", "stretch"))


def test_fit_modes():
    image = np.zeros((10, 40, 3), np.uint8)
    image[:, :10], image[:, 10:30], image[:, 30:] = 200, 100, 50
    assert np.unique(fit(image, (20, 10), "cover")).tolist() == [100]
    contained = fit(image, (40, 30), "contain")
    assert contained.shape == (30, 40, 3)
    assert contained[:10].max() == contained[20:].max() == 0
    assert np.array_equal(contained[10:20], image)
    assert fit(image, (4, 4), "stretch")[0, :, 0].tolist() == [200, 100, 100, 50]


@pytest.mark.parametrize("mode", ["cover", "contain", "stretch"])
@pytest.mark.parametrize("source", [(1, 1), (3, 500), (500, 3), (33, 17)])
@pytest.mark.parametrize("size", [(1, 1), (64, 36), (2, 300), (301, 1)])
def test_fit_any_shape(mode, source, size):
    fitted = fit(flat(77, source), size, mode)
    assert fitted.shape == (size[1], size[0], 3)
    assert fitted.flags.c_contiguous
    assert fitted.max() == 77


def test_scaled_size():
    assert scaled_size((1920, 1080), (1280, 1280), "cover") == (2276, 1280)
    assert scaled_size((1920, 1080), (1280, 1280), "contain") == (1280, 720)
    assert scaled_size((1000, 1), (10, 10), "contain") == (10, 1)


# -------------------------------------------------------------------------- stills, colours


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#00b140", (0x40, 0xB1, 0)),
        ("#F0a", (0xAA, 0, 0xFF)),
        ("teal", (128, 128, 0)),
        ("RebeccaPurple", (0x99, 0x33, 0x66)),
    ],
)
def test_colours(text, expected):
    assert parse_colour(text) == expected
    image = open_background(text, SETTINGS, True).render((2, 2), 0.0)
    assert tuple(image[0, 0].tolist()) == expected


def test_all_css_names():
    from realtime_bg.imaging.colours import COLOURS

    assert len(COLOURS) == 148
    assert all(parse_colour(name) == parse_colour("#" + COLOURS[name]) for name in COLOURS)


def test_exif_orientation_is_honoured(tmp_path):
    picture = flat(0, (40, 20))
    picture[:, :20] = 255  # white on the left; turned clockwise, white is on top
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    tag = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"  # orientation 6
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + tag + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:])
    image = open_background(str(path), SETTINGS, True).render((20, 40), 0.0)
    assert image[:15].min() > 200
    assert image[25:].max() < 50


def test_transparency_lies_over_black_and_16_bits_become_8(tmp_path):
    clear = np.full((4, 6, 4), 200, np.uint8)
    clear[:, :3, 3] = 0
    clear[:, 3:, 3] = 255
    deep = np.full((4, 6, 3), 0x8000, np.uint16)
    cv2.imwrite(str(tmp_path / "clear.png"), clear)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    image = open_background(str(tmp_path / "clear.png"), SETTINGS, True).render((6, 4), 0.0)
    assert image[0, :, 0].tolist() == [0, 0, 0, 200, 200, 200]
    assert (
        open_background(str(tmp_path / "deep.png"), SETTINGS, True).render((6, 4), 0.0)[0, 0, 0]
        == 128
    )


def test_huge_pictures_are_kept_small(tmp_path):
    cv2.imwrite(str(tmp_path / "long.png"), flat(9, (9000, 2)))
    background = open_background(str(tmp_path / "long.png"), SETTINGS, True)
    assert background._image.shape == (1, 4096, 3)


# ---------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("beech", ["'beech'", "did you mean 'beach'?", "#00b140"]),
        ("/no/such/file.jpg", ["'/no/such/file.jpg'", "give a path to an image", "beach, office"]),
        ("#12", ["'#12'", "not a colour", "#rrggbb"]),
        ("#gggggg", ["'#gggggg'", "not a colour"]),
        ("blur:0", ["'blur:0'", "1 to 200", "blur:24"]),
        ("blur:nan", ["'blur:nan'", "1 to 200"]),
        ("blur:soft", ["'blur:soft'", "1 to 200"]),
        ("blur:24:soft", ["'blur:24:soft'", "'soft'", "bokeh and depth"]),
        ("", ["''", "give a path to"]),
        ("{tmp}/damaged.png", ["damaged.png", "damaged or not a picture", "give a JPEG"]),
        ("{tmp}/text.mp4", ["text.mp4", "give a picture"]),
        ("{tmp}/empty.gif", ["empty.gif", "give a picture"]),
        ("{tmp}/nothing", ["nothing", "no pictures or clips", "another folder"]),
    ],
)
def test_errors_are_one_helpful_line(spec, parts, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    (tmp_path / "text.mp4").write_text("not a clip")
    (tmp_path / "empty.gif").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BackgroundError) as caught:
        open_background(spec.format(tmp=tmp_path), SETTINGS, False)
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts), caught.value


def test_names_come_before_files_unless_written_as_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("plain.png", flat(7))
    Path("plain.png").rename("beach")
    assert open_background("beach", SETTINGS, True).render((8, 8), 0.0).std() > 0
    assert open_background("./beach", SETTINGS, True).render((8, 8), 0.0).max() == 7


# ----------------------------------------------------------------------------------- clips


def shown(background, moments, size=(32, 18)):
    return [int(background.render(size, moment).mean()) for moment in moments]


def close_to(values, expected):
    return values == pytest.approx(expected, abs=6)


def test_clip_gives_exactly_the_picture_due_and_loops_without_a_seam(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [20, 60, 100, 140, 180])
    background = open_background(str(path), SETTINGS, True)
    moments = [40 + 0.1 * step for step in range(13)]
    assert close_to(shown(background, moments), ([20, 60, 100, 140, 180] * 3)[:13])
    assert close_to(shown(background, [41.29, 41.31]), [100, 140])
    assert close_to(shown(background, [40.0, 40.2]), [20, 100])  # time may run backwards
    assert close_to(shown(background, [40.3], (60, 60)), [140])  # and the size may change
    background.close()


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_durations_of_animations_are_honoured(suffix, tmp_path):
    path = write_animation(tmp_path / f"a.{suffix}", [0, 85, 170, 255], [100, 300, 50, 200])
    background = open_background(str(path), SETTINGS, True)
    moments = [0.0, 0.09, 0.11, 0.39, 0.41, 0.44, 0.46, 0.64, 0.66, 0.74, 0.76]
    expected = [0, 0, 85, 85, 170, 170, 255, 255, 0, 0, 85]
    assert close_to(shown(background, [7 + moment for moment in moments]), expected)
    background.close()


def test_animation_is_found_by_content_not_by_name(tmp_path):
    write_animation(tmp_path / "a.gif", [0, 255], [100, 100]).rename(tmp_path / "a.png")
    background = open_background(str(tmp_path / "a.png"), SETTINGS, True)
    assert close_to(shown(background, [0.0, 0.1]), [0, 255])
    background.close()


def test_a_single_picture_needs_no_thread(tmp_path):
    path = write_clip(tmp_path / "one.gif", [200], codec="gif")
    background = open_background(str(path), SETTINGS, False)
    assert len(set(shown(background, [0.0, 5.0, 5.5]))) == 1
    assert threads() == set()
    background.close()


def test_a_damaged_end_just_loops(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", range(0, 250, 10))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    background = open_background(str(path), SETTINGS, True)
    values = shown(background, [step / 10 for step in range(40)])
    assert values[0] < 10
    assert min(values[10:]) < 10  # came round
    background.close()


def test_turned_clips_stand_upright(tmp_path):
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stored = flat(0, (64, 32))
        stored[:, :32] = 255  # white on the left; turned clockwise, white is on top
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="bgr24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    header = data.index(b"tkhd") + 44  # what phones write: the track's matrix, 16.16 fixed point
    assert data[header : header + 4] == b"\x00\x01\x00\x00"
    turn = b"".join(v.to_bytes(4, "big", signed=True) for v in (0, 65536, 0, -65536, 0, 0))
    path.write_bytes(data[:header] + turn + data[header + len(turn) :])
    background = open_background(str(path), SETTINGS, True)
    image = background.render((32, 64), 0.0)
    assert image[:28].min() > 200
    assert image[36:].max() < 50
    background.close()


def test_live_render_never_waits_for_the_decoder(tmp_path, monkeypatch):
    gate, asked = threading.Event(), threading.Event()

    def stalled(path):
        yield video_module.Picture(0.0, 0.1, flat(10))
        asked.set()
        gate.wait()
        yield video_module.Picture(0.1, 99.0, flat(20))

    monkeypatch.setattr(video_module, "loop", stalled)
    background = open_background(str(write_clip(tmp_path / "c.mp4", [0])), SETTINGS, False)
    assert shown(background, [0.0]) == [10]
    assert asked.wait(PATIENCE)
    assert shown(background, [0.1, 0.5, 0.9], (20, 20)) == [10, 10, 10]
    assert threads() == {"background-video"}
    gate.set()
    until(lambda: shown(background, [0.9]) == [20])
    background.close()
    assert threads() == set()


def test_live_takes_the_newest_due_picture_and_prefetches_few(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [20, 60, 100, 140, 180, 220])
    background = open_background(str(path), SETTINGS, False)
    shown(background, [3.0])
    until(lambda: len(background._ahead) == video_module.PREFETCH)
    assert close_to(shown(background, [3.05, 3.21]), [20, 100])
    background.close()


def test_live_clip_goes_on_where_it_was_after_a_pause(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [20, 60, 100, 140])
    background = open_background(str(path), SETTINGS, False)
    assert close_to(shown(background, [1.0, 500.0]), [20, 20])
    background.close()


# --------------------------------------------------------------------------------- folders


def test_slideshow_turns_by_time_in_natural_order(specs):
    settings = BackgroundSettings(interval=2.0)
    background = open_background(specs["folder"], settings, True)
    assert shown(background, [50, 51.9, 52, 54, 55.9, 56, 60.5]) == [1, 1, 2, 10, 10, 1, 10]
    background.close()


def test_live_slideshow_keeps_the_picture_until_the_next_is_open(specs, monkeypatch):
    settings = BackgroundSettings(interval=2.0)
    background = open_background(specs["folder"], settings, False)
    gate, original = threading.Event(), background._open_next

    def slow():
        gate.wait()
        return original()

    monkeypatch.setattr(background, "_open_next", slow)
    assert shown(background, [0.0, 2.5]) == [1, 1]
    gate.set()
    until(lambda: shown(background, [2.6]) == [2])
    background.close()
    assert threads() == set()


def test_slideshow_mixes_clips_and_skips_the_unreadable_with_one_warning(tmp_path, caplog):
    cv2.imwrite(str(tmp_path / "1.png"), flat(10))
    (tmp_path / "2.jpg").write_text("no picture")
    write_clip(tmp_path / "3.mp4", [200, 200, 200])
    (tmp_path / "notes.txt").write_text("left alone")
    background = open_background(str(tmp_path), BackgroundSettings(interval=1.0), True)
    with caplog.at_level(logging.WARNING):
        assert close_to(shown(background, range(5)), [10, 200, 10, 200, 10])
    assert [record.getMessage().count("2.jpg") for record in caplog.records] == [1]
    background.close()


def test_a_folder_of_unreadable_files_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(BackgroundError, match="none of its 1 files can be read"):
        open_background(str(tmp_path), SETTINGS, True)


def test_cycle_expands_folders(specs):
    folder = specs["folder"]
    one, two, ten = map(str, media(Path(folder)))
    assert [Path(path).name for path in (one, two, ten)] == ["1.png", "2.png", "10.png"]
    items = ("blur", folder, "beach")
    walk = ["blur"]
    for _ in range(5):
        walk.append(cycle(items, walk[-1], 1))
    assert walk == ["blur", one, two, ten, "beach", "blur"]
    assert cycle(items, "blur", -1) == "beach"
    assert cycle(items, two, -1) == one
    assert cycle(items, "#fff", 1) == "blur"
    assert cycle(items, "#fff", -1) == "beach"
    assert cycle(items, folder, 1) == one
    assert cycle(items, folder, -1) == "blur"
    assert cycle(("blur", "beach", "blur"), "beach", 1) == "blur"
    assert cycle((), "beach", 1) == "beach"


@pytest.mark.parametrize("spec", ["~nosuchuser/p.png", "p" * 300 + ".png"])
def test_a_path_that_the_system_refuses_is_our_error(spec):
    with pytest.raises(BackgroundError, match="give an image, video"):
        open_background(spec, SETTINGS, True)
    assert cycle(("blur", spec), "blur", 1) == spec


@pytest.mark.parametrize("pixels", ["rgba64be", "yuva444p10le", "bgra"])
def test_the_transparent_part_of_a_clip_is_black(pixels):
    picture = np.full((8, 8, 4), 200, np.uint8)
    picture[:, :4, 3], picture[:, 4:, 3] = 0, 255
    frame = av.VideoFrame.from_ndarray(picture, "bgra").reformat(format=pixels, threads=1)
    shown = video_module.fitted(frame, (8, 8), "cover")
    assert shown[:, :3].max() < 8
    assert np.abs(shown[:, 5:].astype(int) - 200).max() < 12


# ------------------------------------------------------------------------------------ blur


def scene(size=(320, 180)):
    """A bright red person before a grey room with a white stripe, and the alpha."""
    room = flat(110, size)
    room[20:30] = 230
    alpha = np.zeros((size[1], size[0]), np.float32)
    cv2.ellipse(alpha, (160, 140), (60, 100), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    red = np.array([0, 0, 255])
    mixed = room * (1 - alpha[..., None]) + red * alpha[..., None]
    return mixed.astype(np.uint8), alpha


@pytest.mark.parametrize("radius", [1, 6, 24, 90, 200, "24:bokeh", "90:bokeh:depth", "6:depth"])
@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
def test_blur_shows_nothing_of_the_person(radius, size):
    frame, alpha = (cv2.resize(part, size) for part in scene())
    image = open_background(f"blur:{radius}", SETTINGS, True).render(size, 0.0, frame, alpha)
    excess = image[..., 2].astype(int) - image[..., :2].max(-1)
    assert excess.max() <= 2


def test_blur_blurs_by_the_radius_at_any_height():
    size = (640, 360)
    frame = flat(0, size)
    frame[:, 320:] = 255
    alpha = np.zeros((360, 640), np.float32)
    rows = [
        BlurBackground(str(radius), SETTINGS, True).render(size, 0.0, frame, alpha)[180, :, 0]
        for radius in (2, 24, 96)
    ]
    spread = [int(((row > 26) & (row < 230)).sum()) for row in rows]
    assert spread[0] <= 4
    assert spread[1] == pytest.approx(2 * 1.28 * 6, abs=4)  # a spread of 12 at 720 is 6 at 360
    assert spread[2] == pytest.approx(2 * 1.28 * 24, abs=8)


def test_blur_of_a_frame_full_of_person_is_a_card():
    frame = flat(0, (64, 36))
    frame[..., 2] = 255
    for level in (1.0, 0.97):
        alpha = np.full((36, 64), level, np.float32)
        image = open_background("blur", SETTINGS, True).render((64, 36), 0.0, frame, alpha)
        assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0
        assert image[0, 0, 2] < 120


def test_frame_backgrounds_follow_another_size_and_refuse_to_guess():
    frame, alpha = scene()
    for spec in ("blur", "none"):
        background = open_background(spec, SETTINGS, True)
        assert background.needs_frame
        assert background.render((100, 100), 0.0, frame, alpha).shape == (100, 100, 3)
        with pytest.raises(ValueError, match="needs the frame"):
            background.render((64, 36), 0.0)


def test_none_is_the_frame_itself():
    frame, alpha = scene()
    background = open_background("none", SETTINGS, True)
    assert background.passthrough
    assert background.render((320, 180), 0.0, frame, alpha) is frame


def lamp(width=640, height=360):
    """A dark room with a lamp, far from where the person stands."""
    frame = np.full((height, width, 3), 40, np.uint8)
    cv2.circle(frame, (140, 80), 3, (255, 255, 255), -1)
    alpha = np.zeros((height, width), np.float32)
    cv2.rectangle(alpha, (380, 150), (520, height), 1.0, -1)
    return frame, alpha


def test_bokeh_shows_a_lamp_as_a_disc():
    frame, alpha = lamp()
    plain, discs = (
        open_background(spec, SETTINGS, True).render((640, 360), 0.0, frame, alpha).astype(int)
        for spec in ("blur:24", "blur:24:bokeh")
    )
    row = discs[80, 100:180, 1]
    inside, outside = row[40 - 7 : 40 + 8], np.r_[row[: 40 - 20], row[40 + 20 :]]
    assert inside.min() > 90  # a disc of 12 pixels at this height, evenly lit
    assert np.ptp(inside) < 40
    assert outside.max() < 45
    assert plain[80, 140, 1] < inside.min()


def test_depth_blurs_less_below():
    rng = np.random.default_rng(4)
    frame = cv2.resize(
        rng.integers(0, 255, (36, 64, 3), np.uint8), (640, 360), interpolation=cv2.INTER_NEAREST
    )
    alpha = np.zeros((360, 640), np.float32)
    even, falling = (
        open_background(spec, SETTINGS, True).render((640, 360), 0.0, frame, alpha)
        for spec in ("blur:40", "blur:40:depth")
    )
    above, below = slice(0, 120), slice(300, 360)
    assert falling[below].std() > 1.5 * even[below].std()
    assert falling[above].std() < 1.15 * even[above].std()
    assert open_background("blur:depth:bokeh", SETTINGS, True).radius == 24.0


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_keeps_its_transparency_where_it_is(tmp_path, suffix, orientation):
    """Above left opaque and grey, the rest transparent over white."""
    stored = np.full((12, 20, 4), 255, np.uint8)
    stored[..., 3] = 0
    stored[:6, :10] = (90, 90, 90, 255)
    path = tmp_path / f"room.{suffix}"
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(stored).save(
        path, exif=exif, **({"lossless": True, "exact": True} if suffix == "webp" else {})
    )
    turned = upright(stored, orientation)
    if suffix != "tiff":  # which Pillow turns once more
        with Pillow.open(path) as file:
            assert (np.asarray(ImageOps.exif_transpose(file).convert("RGBA")) == turned).all()
    seen = read_image(path)
    expected = turned[..., :3] * (turned[..., 3:] > 0)
    assert seen.shape == expected.shape
    assert np.abs(seen[..., ::-1].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("spec", ["blur:nan", "blur:0", "blur:24:shiny", "#12345", "#nonsense"])
def test_a_target_that_cannot_work_is_known_without_opening_it(spec):
    with pytest.raises(BackgroundError):
        backgrounds.check(spec)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_background(tmp_path):
    """Opening it would wait for somebody to write into it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackgroundError, match="not a regular file"):
        backgrounds.classify(str(tmp_path / "pipe"))


def test_a_lack_of_handles_is_a_failure_to_open(monkeypatch):
    """What `ctl` and the page are told, instead of a thread that ends with an OSError."""
    answers = []
    current = CurrentBackground(
        BackgroundSettings(), Stats(), False, lambda *answer: answers.append(answer)
    )
    monkeypatch.setattr(
        "realtime_bg.backgrounds.current.open_background",
        lambda *_: (_ for _ in ()).throw(OSError(24, "Too many open files")),
    )
    current.get(BackgroundSettings(current="beach"))
    until(lambda: answers)
    assert answers == [("beach", "blur", "Too many open files")]
    current.close()
