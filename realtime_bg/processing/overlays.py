"""Overlays of the preview window: notices, statistics, help, alpha and split view."""

import time

import cv2

from realtime_bg.frames import Alpha, Image
from realtime_bg.processing.cards import drawable
from realtime_bg.settings import ViewSettings
from realtime_bg.settings.shortcuts import HELP
from realtime_bg.stats import STAGES, Stats

FONT = cv2.FONT_HERSHEY_SIMPLEX


def preview(
    image: Image, before: Image | None, alpha: Alpha | None, view: ViewSettings, stats: Stats
) -> Image | None:
    """The picture for the preview, or None if it equals the result.

    ``image`` is the result. ``before``, the camera's frame, and ``alpha``, ``float32 (H, W)``, are
    None if they must not be shown.
    """
    notice = stats.current_notice()
    recording = stats.recording_since
    if not (notice or recording or view.alpha or view.split or view.stats or view.help):
        return None
    shown = image.copy()
    if view.alpha and alpha is not None:
        shown = cv2.cvtColor(cv2.convertScaleAbs(alpha, alpha=255.0), cv2.COLOR_GRAY2BGR)
    if view.split and before is not None:
        half = shown.shape[1] // 2
        shown[:, :half] = before[:, :half]
        cv2.line(shown, (half, 0), (half, shown.shape[0]), (255, 255, 255), 1)
    if view.stats:
        _panel(shown, [("", line) for line in statistics(stats)], top=True)
    if view.help:
        _panel(shown, list(HELP), top=not view.stats)
    elif notice:
        _panel(shown, [("", notice)], top=False)
    if recording:
        _recording_sign(shown, time.monotonic() - recording)
    return shown


def statistics(stats: Stats) -> list[str]:
    """The lines of the statistics overlay."""
    times = "  ".join(f"{name} {stats.median(name):.1f}" for name in STAGES)
    width, height = stats.work_size
    return [
        f"{stats.fps:.1f} fps   {stats.dropped} dropped   {stats.held} held   "
        f"{stats.failures} failures",
        f"{stats.engine} on {stats.provider or '-'} at {width}x{height}",
        f"latency {stats.median('latency'):.0f} ms",
        f"ms: {times}",
    ]


def _recording_sign(image: Image, seconds: float) -> None:
    """Draw a red dot and the elapsed time at the upper right, in place."""
    text = f"REC {int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    scale = max(0.3, min(0.6, image.shape[1] / 1200))
    (wide, tall), _ = cv2.getTextSize(text, FONT, scale, 1)
    left, base = image.shape[1] - wide - 12, tall + 12
    cv2.circle(image, (left - tall, base - tall // 2), max(2, tall // 2), (40, 40, 230), -1)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, (left, base), FONT, scale, colour, thickness, cv2.LINE_AA)


def _panel(image: Image, rows: list[tuple[str, str]], top: bool) -> None:
    """Write rows of two columns (the first one may be empty) on a darkened box at the top or bottom
    of ``image``, in place."""
    rows = [(drawable(left), drawable(right)) for left, right in rows]
    height, width = image.shape[:2]
    first, second = (
        max(cv2.getTextSize(row[column], FONT, 1.0, 1)[0][0] for row in rows) for column in (0, 1)
    )
    gap = 40 if first else 0
    scale = min(0.55, height / (45.0 * len(rows)), (width - 20) / max(first + gap + second, 1))
    step = max(6, round(34 * scale))
    tall = min(height, step * len(rows) + step // 2)
    start = 0 if top else height - tall
    image[start : start + tall] = image[start : start + tall] // 3
    for number, texts in enumerate(rows, start=1):
        for text, left in zip(texts, (10, 10 + round((first + gap) * scale)), strict=True):
            place = (left, start + number * step)
            cv2.putText(image, text, place, FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
