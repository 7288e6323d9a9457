"""What the preview window shows on top of, or instead of, the result; no other output sees it."""

import cv2

from realtime_bg.frames import Alpha, Image
from realtime_bg.keys import HELP
from realtime_bg.settings import ViewSettings
from realtime_bg.stats import Stats

STAGES = ("capture", "resize", "network", "upsample", "composite", "hand-over")
FONT = cv2.FONT_HERSHEY_SIMPLEX


def preview(
    image: Image, before: Image | None, alpha: Alpha | None, view: ViewSettings, stats: Stats
) -> Image | None:
    """The preview's own picture, or None where it is the result itself.

    ``image``: the result; ``before``: the camera's frame and ``alpha`` ``float32 (H, W)``, both
    None when they may not be shown.
    """
    notice = stats.current_notice()
    if not (notice or view.alpha or view.split or view.stats or view.help):
        return None
    shown = image.copy()
    if view.alpha and alpha is not None:
        shown = cv2.cvtColor(cv2.convertScaleAbs(alpha, alpha=255.0), cv2.COLOR_GRAY2BGR)
    if view.split and before is not None:
        half = shown.shape[1] // 2
        shown[:, :half] = before[:, :half]
        cv2.line(shown, (half, 0), (half, shown.shape[0]), (255, 255, 255), 1)
    if view.stats:
        _panel(shown, statistics(stats), top=True)
    if view.help:
        _panel(shown, [f"{keys:<10}{text}" for keys, text in HELP], top=not view.stats)
    elif notice:
        _panel(shown, [notice], top=False)
    return shown


def statistics(stats: Stats) -> list[str]:
    """The lines of the statistics overlay."""
    times = "  ".join(f"{name} {stats.median(name):.1f}" for name in STAGES)
    width, height = stats.work_size
    return [
        f"{stats.fps:.1f} fps   {stats.dropped} dropped   {stats.failures} failures",
        f"{stats.engine} on {stats.provider or '-'} at {width}x{height}",
        f"latency {stats.median('latency'):.0f} ms",
        f"ms: {times}",
    ]


def _panel(image: Image, lines: list[str], top: bool) -> None:
    """Write lines on a darkened box at the top or bottom of ``image``, in place."""
    height, width = image.shape[:2]
    widest = max(cv2.getTextSize(line, FONT, 1.0, 1)[0][0] for line in lines)
    scale = min(0.55, height / (45.0 * len(lines)), (width - 20) / max(widest, 1))
    step = max(6, round(34 * scale))
    tall = min(height, step * len(lines) + step // 2)
    start = 0 if top else height - tall
    image[start : start + tall] = image[start : start + tall] // 3
    for number, line in enumerate(lines, start=1):
        place = (10, start + number * step)
        cv2.putText(image, line, place, FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
