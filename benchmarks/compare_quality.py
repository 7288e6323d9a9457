"""Measure engines and refinements on clips with known alpha and foreground colours.

    python scripts/make_matting_set.py --out set --people folder:ROOT --rooms backgrounds/
    REALTIME_BG_MODELS=... python benchmarks/compare_quality.py set
    ... set --ways "rvm" "rvm: refine.steady=0" "embedded: refine.feather=2 refine.grow=1"

A way is an engine and, after a colon, settings that differ from the default; after a comma, `raw`
blends the camera's own colours, `late` shows each frame with the matte of the previous one, and
`moved` with that matte warped along the motion (output.sync: lowest-latency). `rvm graph` is RVM's
complete graph, refiner included, at the same work size. Prints a Markdown table of means over clips
(lower is better): MAD, MSE, Grad, Conn and dtSSD of the alpha (see
realtime_bg/training/metrics.py); *blend*, the mean absolute difference in grey levels between the
composite and the true composite over another background, where either contains the person; and
*edge*, the same where the true alpha is neither 0 nor 1.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _rvm_graph import RvmGraph
from rich.progress import track

from realtime_bg.backgrounds import open_background
from realtime_bg.frames import Alpha, Frame, Image, Matte, downloaded
from realtime_bg.imaging.flow import Flow, carried
from realtime_bg.processing.cutout import cutout
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats
from realtime_bg.system.console import err, show_logs
from realtime_bg.training import metrics
from realtime_bg.training.labelled import Pair, frames, pairs, read_image

FPS = 30.0
WORK_WIDTH = 256  # of RVM's own graph, as in this program's live use
BEHIND = "beach"
EDGE = 0.004, 0.996  # pixels with true alphas in between are an edge
COLUMNS = ("mad", "mse", "grad", "conn", "dtssd", "blend", "edge")
DEFAULT = ("rvm graph", "rvm", "rvm, raw", "embedded", "embedded, raw")

Look = Callable[[Image, int], tuple[Alpha, Image]]  # image, index -> alpha, the person's colours


class Graph:
    """RVM as its authors run it."""

    def __init__(self) -> None:
        self._graph: RvmGraph | None = None

    def __call__(self, image: Image, index: int) -> tuple[Alpha, Image]:
        if self._graph is None:
            self._graph = RvmGraph(WORK_WIDTH / image.shape[1])
        if index == 0:
            self._graph.reset()
        rgb = image[:, :, ::-1].astype(np.float32) / 255
        fgr, pha = self._graph(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))
        colours = np.rint(fgr[0].transpose(1, 2, 0)[:, :, ::-1] * 255).astype(np.uint8)
        return pha[0, 0], colours


class Ours:
    """An engine and its refinement, as in live use. ``late``: use the previous frame's matte, with
    ``warp`` warped to this frame."""

    def __init__(self, way: str, late: bool, warp: bool) -> None:
        engine, _, changes = way.partition(":")
        flags = dict(change.split("=", 1) for change in changes.split())
        self._settings = load(flags={"engine.name": engine.strip(), **flags}).at_quality("fast")
        self._matting = Matting(Live(self._settings), Stats())
        self._steady, self._flow = Steady(), Flow()
        self._late, self._warp = late, warp
        self._last: Matte | None = None
        self._clip = 0

    def __call__(self, image: Image, index: int) -> tuple[Alpha, Image]:
        if index == 0:
            self._clip, self._last = self._clip + 1, None
        frame = Frame(image, index, index / FPS, self._clip)
        used = matte = downloaded(self._matting.matte(frame))
        if self._late and self._last is not None and not self._last.lost:
            used = replace(self._last, frame=frame, foreground=None)
            if self._warp:
                used = carried(self._last, frame, self._flow)
        self._last = matte
        cut = cutout(used, self._settings.refine, self._steady)
        return cut.alpha, cut.foreground


def open_way(way: str) -> Look:
    """Return the function that mattes images in this way."""
    name, *hows = way.split(", ")
    if name == "rvm graph":
        look: Look = Graph()
    else:
        look = Ours(name, late=bool({"late", "moved"} & set(hows)), warp="moved" in hows)
    if "raw" not in hows:
        return look
    return lambda image, index: (look(image, index)[0], image)


def measured(look: Look, clip: list[tuple[Image, Alpha, Image]], behind: Image) -> dict[str, float]:
    """Return the metrics of one clip."""
    rows: list[dict[str, float]] = []
    before: tuple[Alpha, Alpha] | None = None
    for index, (image, truth, colours) in enumerate(clip):
        alpha, seen = look(image, index)
        row = metrics.measure(alpha, truth)
        if before is not None:
            row["dtssd"] = metrics.dtssd(alpha, before[0], truth, before[1])
        made, wanted = (
            cv2.blendLinear(one, behind, share, 1 - share)
            for one, share in ((seen, alpha), (colours, truth))
        )
        off = cv2.absdiff(made, wanted)
        row["blend"] = float(off[(truth > EDGE[0]) | (alpha > EDGE[0])].mean())
        row["edge"] = float(off[(truth > EDGE[0]) & (truth < EDGE[1])].mean())
        rows.append(row)
        before = alpha, truth
    names = {name for row in rows for name in row}
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def read(root: Path, pair: Pair) -> list[tuple[Image, Alpha, Image]]:
    """Return image, true alpha and true foreground colours of every frame."""
    found = []
    files = sorted((root / "foregrounds" / pair.name).iterdir())
    for (image, mask), file in zip(frames(pair), files, strict=True):
        assert mask is not None
        alpha = (mask / 255).astype(np.float32)
        # Inside the person the image's own noise is part of the true colours.
        colours = np.where(alpha[..., None] > EDGE[1], image, read_image(file))
        found.append((image, alpha, colours))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, help="the folder made by scripts/make_matting_set.py")
    parser.add_argument("--ways", nargs="+", default=DEFAULT, metavar="WAY")
    parser.add_argument("--clips", type=int, help="use only the first N clips")
    parser.add_argument("--json", type=Path, help="write every clip's metrics")
    options = parser.parse_args()
    show_logs(False)
    ways = {way: open_way(way) for way in options.ways}
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    behind = open_background(BEHIND, load().background, True)
    for pair in track(pairs(options.set)[: options.clips], console=err, transient=True):
        clip = read(options.set, pair)
        size = clip[0][0].shape[1], clip[0][0].shape[0]
        picture = behind.render(size, 0.0)
        for way, look in ways.items():
            rows[way].append({**measured(look, clip, picture), "clip": pair.name})
    print("| | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for way, figures in rows.items():
        means = [np.mean([row[name] for row in figures]) for name in COLUMNS]
        print(f"| `{way}` | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
