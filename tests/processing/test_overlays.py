"""The preview's overlays and the card: what is written, and where."""

import time

import cv2
import numpy as np
import pytest

from realtime_bg.processing import overlays
from realtime_bg.processing.cards import card, drawable
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
def written(monkeypatch, styles):
    """The (text, place) of everything that is written."""
    usual, calls = cv2.putText, []

    def put(image, text, place, font, scale, colour, thickness, line):
        calls.append((text, place))
        styles.append((colour, thickness))
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


# The card


def test_what_the_font_does_not_have_is_a_question_mark():
    assert drawable("Über 5 µm \udcff") == "?ber 5 ?m ?"
    assert (card(SIZE, "ä") == card(SIZE, "?")).all()


@pytest.mark.parametrize("text", ["One moment", "Camera paused", "Camera paused " * 3 + "now"])
@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (360, 640)])
def test_a_cards_text_is_in_the_middle_and_fits(size, text):
    width, height = size
    image = card(size, text)
    assert image.shape == (height, width, 3)
    bright = image.max(2) > 120
    rows, columns = np.nonzero(bright)
    assert abs(columns.min() + columns.max() - width) <= 0.04 * width + 4
    assert abs(rows.min() + rows.max() - height) <= 0.06 * height
    assert np.ptp(columns) <= 0.73 * width
    assert np.ptp(rows) <= 0.13 * height
    assert max(np.ptp(columns) / (0.7 * width), np.ptp(rows) / (0.06 * height)) > 0.8


def test_a_card_without_text_is_a_dark_slope_that_nobody_changes():
    image = card(SIZE, "")
    assert (image[0] == np.uint8(np.array([1.1, 0.95, 0.85]) * 58)).all()
    assert (image[-1] == np.uint8(np.array([1.1, 0.95, 0.85]) * 30)).all()
    assert (np.diff(image[:, 0].astype(int), axis=0) <= 0).all()
    assert card(SIZE, "") is image
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0
    assert card((1, 1), "One moment").shape == (1, 1, 3)
