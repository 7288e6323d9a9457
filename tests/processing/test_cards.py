"""The card that is shown when nothing else is safe to show."""

import cv2
import numpy as np
import pytest

from realtime_bg.processing import cards
from realtime_bg.processing.cards import card, drawable

SIZE = WIDTH, HEIGHT = 640, 360


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


def test_a_cards_text_is_light_grey():
    image = card((1920, 1080), "One moment")
    assert image.max() == 225
    brightest = image[image.max(2) == 225]
    assert len(brightest) > 100
    assert (brightest == 225).all()


@pytest.mark.parametrize("text", ["One moment", "Camera paused " * 5, "."])
@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (300, 1200), (16, 9)])
def test_a_cards_text_takes_seven_tenths_of_the_width_or_a_twelfth_of_the_height(
    monkeypatch, size, text
):
    drawn = []
    monkeypatch.setattr(cards.cv2, "putText", lambda *given: drawn.append(given))
    card.__wrapped__(size, text)
    ((_, shown, place, font, scale, _, thickness, smooth),) = drawn
    width, height = size
    (wide, tall), _ = cv2.getTextSize(text, font, 1.0, 2)
    assert scale == pytest.approx(max(0.1, min(width * 0.7 / wide, height * 0.08 / tall)))
    (wide, tall), _ = cv2.getTextSize(text, font, scale, 1)
    assert place == ((width - wide) // 2, (height + tall) // 2)
    assert thickness == max(1, round(scale * 1.6))
    assert (shown, smooth) == (text, cv2.LINE_AA)


def test_cards_that_are_shown_again_are_not_drawn_again():
    assert card(SIZE, "Camera paused") is card(SIZE, "Camera paused")
    assert card(SIZE, "Camera paused") is not card(SIZE, "One moment")
