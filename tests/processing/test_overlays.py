"""The preview's overlays: what is written, and where."""

import time

import cv2
import numpy as np
import pytest

from realtime_bg.processing import overlays
from realtime_bg.processing.overlays import preview, statistics
from realtime_bg.settings import ViewSettings
from realtime_bg.settings.shortcuts import HELP
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 640, 360
IMAGE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
BEFORE = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
ALPHA = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)


def shown(*views, stats=None, before=None, alpha=None):
    """The preview of `IMAGE` with some views."""
    view = ViewSettings(**dict.fromkeys(views, True))
    return preview(IMAGE, before, alpha, view, stats or Stats())


@pytest.fixture
def styles():
    """The (colour, thickness) of everything that is written."""
    return []


@pytest.fixture
def scales():
    """The scale of everything that is written."""
    return []


@pytest.fixture
def written(monkeypatch, styles, scales):
    """The (text, place) of everything that is written."""
    usual, calls = cv2.putText, []

    def put(image, text, place, font, scale, colour, thickness, line):
        calls.append((text, place))
        styles.append((colour, thickness))
        scales.append(scale)
        return usual(image, text, place, font, scale, colour, thickness, line)

    monkeypatch.setattr(overlays.cv2, "putText", put)
    return calls


def test_without_a_wish_there_is_no_preview():
    assert shown() is None
    assert shown(before=BEFORE, alpha=ALPHA) is None


@pytest.mark.parametrize("view", ["alpha", "split", "stats", "help"])
def test_each_view_alone_makes_one(view):
    image = shown(view, before=BEFORE, alpha=ALPHA)
    assert image is not None
    assert (image != IMAGE).any()
    assert (IMAGE == 90).all()


def test_what_must_not_be_shown_is_not():
    for view in ("alpha", "split"):
        np.testing.assert_array_equal(shown(view), IMAGE)


@pytest.mark.parametrize("view", ["stats", "help"])
def test_alpha_and_camera_are_shown_only_where_they_are_asked_for(view):
    """Some backgrounds need the alpha, so that it is at hand without being wanted."""
    np.testing.assert_array_equal(shown(view, before=BEFORE, alpha=ALPHA), shown(view))
    split = shown("split", before=BEFORE, alpha=ALPHA)
    assert (split[:, WIDTH // 2 + 1 :] == 90).all()
    grey = shown("alpha", before=BEFORE, alpha=ALPHA)
    assert (grey[0, : WIDTH // 2] == 0).all()
    both = shown("alpha", "split", before=BEFORE, alpha=ALPHA)
    assert (both[:, : WIDTH // 2] == 200).all()
    np.testing.assert_array_equal(both[:, WIDTH // 2 + 1 :], grey[:, WIDTH // 2 + 1 :])


def test_the_alpha_is_grey_and_the_split_has_a_white_line():
    grey = shown("alpha", alpha=ALPHA)
    np.testing.assert_allclose(grey, np.repeat(255 * ALPHA[..., None], 3, 2), atol=0.51)
    split = shown("split", before=BEFORE)
    half = WIDTH // 2
    assert (split[:, :half] == 200).all()
    assert (split[:, half] == 255).all()
    assert (split[:, half + 1 :] == 90).all()


def test_a_notice_is_written_below_and_help_takes_its_place(written):
    stats = Stats()
    stats.notice("snapshot saved")
    image = shown(stats=stats)
    assert [text for text, _ in written] == ["", "snapshot saved"]
    assert all(y > HEIGHT - 40 for _, (_, y) in written)
    assert (image[: HEIGHT // 2] == 90).all()
    assert (image[-3:, :3] == 30).all()  # a third of the light
    written.clear()
    shown("help", stats=stats)
    texts = [text for text, _ in written]
    assert "snapshot saved" not in texts
    assert texts == [text for line in HELP for text in line]


def test_statistics_are_above_and_move_the_help_down(written):
    image = shown("stats")
    assert (image[0] == 30).all()
    assert (image[-1] == 90).all()
    assert [text for text, _ in written if text] == statistics(Stats())
    alone = shown("help")
    assert (alone[0, :5] == 30).all()
    written.clear()
    both = shown("stats", "help")
    assert (both[-1] == 30).all()
    places = [y for text, (_, y) in written if text in HELP[0]]
    assert min(places) > max(y for text, (_, y) in written if text.startswith("ms: "))


def test_the_columns_of_the_help_do_not_overlap(written):
    shown("help")
    firsts, seconds = written[::2], written[1::2]
    assert {x for _, (x, _) in firsts} == {10}
    (column,) = {x for _, (x, _) in seconds}
    rows = [y for _, (_, y) in firsts]
    assert rows == [y for _, (_, y) in seconds]
    assert (np.diff(rows) >= 6).all()
    assert 0 < rows[0] < rows[-1] <= HEIGHT
    scale = 0.4  # at most; the widest key and the widest text fit at this size
    widest = max(cv2.getTextSize(text, overlays.FONT, scale, 1)[0][0] for text, _ in firsts)
    assert 10 + widest < column < WIDTH / 2


def test_the_statistics_are_those_of_the_run():
    stats = Stats()
    stats.engine, stats.provider, stats.work_size = "rvm", "CPU", (256, 144)
    stats.dropped, stats.held, stats.failures = 3, 4, 5
    for name, seconds in (("latency", 0.05), ("network", 0.012), ("capture", 0.001)):
        stats.add(name, seconds)
    assert statistics(stats) == [
        "0.0 fps   3 dropped   4 held   5 failures",
        "rvm on CPU at 256x144",
        "latency 50 ms",
        "ms: capture 1.0  resize 0.0  network 12.0  upsample 0.0  composite 0.0  hand-over 0.0",
    ]
    stats.provider = ""
    assert statistics(stats)[1] == "rvm on - at 256x144"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "REC 00:00"), (61.5, "REC 01:01"), (3599.5, "REC 59:59")]
)
def test_a_recording_shows_a_red_dot_before_its_time(written, styles, seconds, text):
    stats = Stats()
    stats.recording_since = time.monotonic() - seconds
    image = shown(stats=stats).astype(int)
    assert {one for one, _ in written} == {text}
    assert styles == [((0, 0, 0), 3), ((255, 255, 255), 1)]  # white with a black rim
    red = (image[..., 2] > 200) & (image[..., 1] < 80)
    rows, columns = np.nonzero(red)
    white_columns = np.nonzero((image > 240).all(2))[1]
    assert columns.max() < white_columns.min()
    assert WIDTH * 0.75 < columns.min() < white_columns.max() < WIDTH - 5
    assert 5 < rows.min() < rows.max() < 40
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1  # round
    middle = np.mean([place[1] for _, place in written]) - rows.mean()
    assert 0 < middle < 15  # beside the letters, above their base line


@pytest.mark.parametrize(("width", "scale"), [(640, 640 / 1200), (240, 0.3), (1920, 0.6)])
def test_the_sign_of_a_recording_grows_with_the_picture_within_bounds(monkeypatch, width, scale):
    stats, drawn, circles = Stats(), [], []
    stats.recording_since = time.monotonic()
    monkeypatch.setattr(overlays.cv2, "putText", lambda *given: drawn.append(given))
    monkeypatch.setattr(overlays.cv2, "circle", lambda *given: circles.append(given))
    image = np.zeros((width * 9 // 16, width, 3), np.uint8)
    preview(image, None, None, ViewSettings(), stats)
    (wide, tall), _ = cv2.getTextSize("REC 00:00", overlays.FONT, scale, 1)
    assert [given[4] for given in drawn] == [pytest.approx(scale)] * 2
    assert {given[2] for given in drawn} == {(width - wide - 12, tall + 12)}
    ((_, centre, radius, colour, thickness),) = circles
    assert centre == (width - wide - 12 - tall, tall + 12 - tall // 2)
    assert radius == max(2, tall // 2)
    assert thickness < 0  # filled
    assert colour == (40, 40, 230)


@pytest.mark.parametrize(
    ("size", "rows", "scale"),
    [
        ((640, 360), [("", "short")], 0.55),
        ((640, 360), [("", "w" * 200)], 620 / 200),
        ((640, 360), [("k", "w" * 200)], 620 / 200),
        ((640, 90), [("a", "b")] * 4, 90 / 180),
    ],
)
def test_a_panel_is_as_large_as_it_fits(written, scales, size, rows, scale):
    """At most 0.55; its width has a margin of ten pixels, and its rows fit into the height."""
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    overlays._panel(image, rows, top=True)

    def wide(text):
        return cv2.getTextSize(text, overlays.FONT, 1.0, 1)[0][0]

    first, second = wide(rows[0][0]), wide(rows[0][1])
    gap = 40 if rows[0][0] else 0
    if len(rows[0][1]) > 100:
        scale = 620 / (first + gap + second)
    assert scales == [pytest.approx(scale)] * len(written)
    assert {x for _, (x, _) in written} == {10, 10 + round((first + gap) * scale)}
    step = max(6, round(34 * scale))
    assert sorted({y for _, (_, y) in written}) == [step * n for n in range(1, len(rows) + 1)]
    tall = min(size[1], step * len(rows) + step // 2)
    assert (image[:tall].min(axis=(1, 2)) <= 30).all()
    assert (image[tall:] == 90).all()
    below = np.full((size[1], size[0], 3), 90, np.uint8)
    written.clear()
    overlays._panel(below, rows, top=False)
    assert (below[: size[1] - tall] == 90).all()
    assert min(y for _, (_, y) in written) == size[1] - tall + step


def test_texts_are_white_and_thin(written, styles):
    stats = Stats()
    stats.notice("saved")
    shown("help", "stats", stats=stats)
    assert set(styles) == {((255, 255, 255), 1)}
