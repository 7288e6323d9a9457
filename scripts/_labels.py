"""Panels of the documents' pictures: each with a line of text below."""

import cv2

from realtime_bg.frames import Image


def panel(image: Image, text: str, height: int) -> Image:
    """The image at a height in pixels, with a line of text below."""
    width = round(image.shape[1] * height / image.shape[0])
    return labelled(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), text)


def labelled(image: Image, text: str) -> Image:
    """The image on white paper, with a line of text below."""
    panel = cv2.copyMakeBorder(image, 0, 30, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    place = 8, panel.shape[0] - 9
    return cv2.putText(panel, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
