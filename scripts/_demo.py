"""The demo's person, for pictures in the documents."""

from typing import Any

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats


def opened(flags: dict[str, Any]) -> tuple[DemoSource, Processor, Live]:
    """The demo in front of the office, with the settings ``flags``, and its live settings."""
    settings = load(flags={"source.spec": "demo", "background.current": "office"} | flags)
    source = open_source(settings.source, paced=False)
    assert isinstance(source, DemoSource)
    live = Live(settings)
    return source, Processor(live, Stats(), wait=True), live


def empty_room(source: DemoSource) -> Image:
    """The demo's room without anybody, out of focus."""
    room = cv2.GaussianBlur(source.image(0)[:, :400], (0, 0), 12)
    return cv2.resize(room, source.size)


def placed(room: Image, image: Image, alpha: Alpha, size: float, aside: float) -> Image:
    """The person of ``image`` in front of a room, standing on the lower edge. ``size``: relative to
    that in ``image``; ``aside``: to the right of the middle, as a fraction of the width."""
    height, width = alpha.shape
    move = np.array([[size, 0, width * (0.5 - size / 2 + aside)], [0, size, height * (1 - size)]])
    person, mask = (cv2.warpAffine(one, move, (width, height)) for one in (image, alpha))
    return cv2.blendLinear(person, room, mask, 1 - mask)
