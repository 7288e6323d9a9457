"""Evaluate an engine's alphas against masks: IoU, MAD, MSE, Grad, Conn, boundary F, thin parts
found, false person; for clips also dtSSD and jumping pixels.

    python scripts/evaluate.py --engine rvm --data folder:photos
    python scripts/evaluate.py --engine semantic --model unet.onnx --data folder:photos --csv a.csv
    python scripts/evaluate.py --engine semantic --data folder:clips --reference rvm --json -

ROOT holds images/ and masks/ with the same names. A photo and its mask: images/anna.jpg,
masks/anna.png. A clip: a folder of frames beside a folder of masks (images/walk/0001.jpg,
masks/walk/0001.png, in alphabetical order), or a video beside a video (images/walk.mp4,
masks/walk.mkv). Masks are greyscale, white is person.

The measured alphas are those that users get: at full size after refinement, as for files (quality
"fine"; `--quality fast` is that of live use). The engine is reset between files. A photo is
repeated until its alpha converges, at most `--repeats` times.

Without masks there is no ground truth. `--reference ENGINE` compares with another engine's alphas
instead, for photos or clips; ROOT may then be the folder of images itself. The metrics then measure
how well the two engines agree, not how good either is.

Every value is a mean over files, and a clip's over its frames. The JSON is an object with `iou`,
`mad`, `mse`, `grad`, `conn`, `boundary_f`, `thin` (if anybody has thin parts), `false`, and `dtssd`
and `jumping` if there are clips; `count` (files), `frames`, `skipped`, `engine`, `model`,
`reference`, `quality`, `work_size` (of the last file) and `data`. The metrics are defined in
realtime_bg/training/metrics.py.
"""

import argparse
import csv
import io
import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from realtime_bg.app.files import WARM_UP
from realtime_bg.errors import DataError, RealtimeBgError, reason
from realtime_bg.frames import Alpha, Image
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.system.console import err, out, say, show_logs
from realtime_bg.training import metrics
from realtime_bg.training.labelled import (
    Pair,
    data_root,
    frames,
    is_clip,
    pairs,
    read_image,
    read_mask,
)

log = logging.getLogger("realtime_bg.evaluate")

COLUMNS = (*metrics.PICTURE_METRICS, *metrics.CLIP_METRICS)
DIGITS = {"iou": 4, "boundary_f": 4, "thin": 3, "jumping": 0}


def measured(
    matter: PictureMatter, reference: PictureMatter | None, pair: Pair, repeats: int
) -> dict[str, float]:
    """Return the metrics of one photo or clip, and its number of ``frames``. Raises
    RealtimeBgError."""
    rows: list[dict[str, float]] = []
    changes: list[dict[str, float]] = []
    before: tuple[Alpha, Alpha] | None = None
    if is_clip(pair.image):
        matter.forget()
        if reference:
            reference.forget()
    for index, (image, mask) in enumerate(_pictures(pair)):
        alpha = _alpha(matter, pair, image, index, repeats)
        if reference:
            truth = _alpha(reference, pair, image, index, repeats)
        else:
            truth = mask.astype(np.float32) / 255
        rows.append(metrics.measure(alpha, truth))
        if before is not None:
            change = metrics.CLIP_METRICS.items()
            changes.append({name: of(alpha, before[0], truth, before[1]) for name, of in change})
        before = alpha, truth
    if not rows:
        raise DataError(f"{pair.image}: contains no readable frames")
    return averaged(rows) | averaged(changes) | {"frames": len(rows)}


def averaged(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over the rows that have it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if name in COLUMNS and not math.isnan(value):
                found.setdefault(name, []).append(value)
    return {name: float(np.mean(found[name])) for name in COLUMNS if name in found}


def _alpha(matter: PictureMatter, pair: Pair, image: Image, index: int, repeats: int) -> Alpha:
    seen = (
        matter.matte_next(image, index)
        if is_clip(pair.image)
        else matter.matte_photo(image, repeats)
    )
    return seen.alpha


def _pictures(pair: Pair) -> Iterator[tuple[Image, Any]]:
    if is_clip(pair.image):
        if pair.mask is not None and not is_clip(pair.mask):
            raise DataError(f"{pair.mask}: only one mask for the clip {pair.image}")
        yield from frames(pair)
        return
    image = read_image(pair.image)
    yield image, read_mask(pair.mask, image) if pair.mask else None


def by_size(found: list[Pair]) -> list[Pair]:
    """Sort photos by size, because each new size reopens the engine."""

    def size(pair: Pair) -> tuple[int, ...]:
        if is_clip(pair.image):
            return ()
        try:
            return read_image(pair.image).shape
        except DataError:
            return ()  # reported when it is evaluated

    return sorted(found, key=size)


def evaluate(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Return the summary and every file's row by name. Raises RealtimeBgError."""
    _, root = data_root(options.data, ("folder",))
    found = pairs(root, masks=options.reference is None)
    common = {
        "engine.device": options.device,
        "engine.quality": options.quality,
        "engine.work_size": options.work_size,
        "engine.offline": options.offline or None,
    }
    own = {"engine.name": options.engine, "engine.model": options.model}
    matter = PictureMatter.of(own | common, options.config)
    reference = None
    if options.reference:
        reference = PictureMatter.of({"engine.name": options.reference, **common}, None)
    rows: dict[str, dict[str, float]] = {}
    skipped = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with closing(matter), closing(reference or matter), bar:
        for pair in bar.track(by_size(found), description=options.engine):
            try:
                rows[pair.name] = measured(matter, reference, pair, options.repeats)
            except DataError as error:
                log.warning("%s; left out", error)
                skipped += 1
    if not rows:
        raise DataError(f"{root}: no file could be evaluated")
    means = averaged(rows.values())
    about = {
        "count": len(rows),
        "frames": int(sum(row["frames"] for row in rows.values())),
        "skipped": skipped,
        "engine": matter.stats.engine,
        "model": matter.stats.model or None,
        "reference": options.reference,
        "quality": matter.settings.engine.quality,
        "work_size": list(matter.stats.work_size),
        "data": options.data,
    }
    return means | about, dict(sorted(rows.items()))


def as_table(summary: dict[str, Any], rows: dict[str, dict[str, float]]) -> Table:
    """Return a table of the given files' rows and the means."""
    against = f" against {summary['reference']}" if summary["reference"] else ""
    table = Table(
        title=f"{summary['engine']}{against}: {summary['count']} files, {summary['frames']} frames"
    )
    names = [name for name in COLUMNS if name in summary]
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for label, row in (*rows.items(), ("mean", summary)):
        cells = [f"{row[name]:.{DIGITS.get(name, 2)}f}" if name in row else "" for name in names]
        table.add_row(escape(label), *cells, style="bold" if row is summary else "")
    return table


def by_group(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The means of the files whose names are equal up to the last hyphen."""
    groups: dict[str, list[dict[str, float]]] = {}
    for name, row in rows.items():
        groups.setdefault(name.rpartition("-")[0] or name, []).append(row)
    return {name: averaged(group) for name, group in groups.items()}


def as_csv(summary: dict[str, Any], rows: dict[str, dict[str, float]]) -> str:
    """Return one row per file, and the mean as the last row."""
    names = ["file", *(name for name in COLUMNS if name in summary), "frames"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"file": name, **row} for name, row in rows.items())
    writer.writerow({"file": "mean", **summary})
    return text.getvalue()


def write(path: Path, text: str) -> None:
    """Write the complete file or nothing. Raises DataError."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({reason(error)})") from None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", required=True, help="`realtime-bg models list --engines`")
    parser.add_argument("--data", required=True, metavar="folder:ROOT")
    parser.add_argument("--model", help="a file, or a name from `realtime-bg models list`")
    parser.add_argument("--reference", metavar="ENGINE", help="use its alphas as ground truth")
    parser.add_argument("--quality", choices=("auto", "fast", "fine"), help="auto: fine")
    parser.add_argument("--work-size", help="network input: WxH or auto")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--config", type=Path, help="YAML settings for the evaluated engine")
    parser.add_argument("--offline", action="store_true", help="do not download weights")
    parser.add_argument(
        "--repeats",
        type=int,
        default=WARM_UP + 1,
        help="maximum repetitions of a photo (default %(default)s)",
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write every file's row, and the mean"
    )
    parser.add_argument(
        "--json", metavar="FILE|-", help="write the means; - prints them instead of the table"
    )
    parser.add_argument("--files", action="store_true", help="show every file's row in the table")
    parser.add_argument(
        "--groups",
        action="store_true",
        help="show the means of files whose names are equal up to the last hyphen",
    )
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error("--repeats: must be at least 1")
    show_logs(False)
    try:
        for file in (options.csv, Path(options.json or "-")):  # before a long evaluation
            if file is not None and not file.parent.is_dir():
                raise DataError(f"{file.parent}: no such folder; create it first")
        summary, rows = evaluate(options)
        if options.csv:
            write(options.csv, as_csv(summary, rows))
        text = json.dumps(summary, indent=2)
        if options.json == "-":
            print(text)
            return 0
        if options.json:
            write(Path(options.json), text + "\n")
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    except KeyboardInterrupt:
        return 130
    shown = by_group(rows) if options.groups else {}
    out.print(as_table(summary, shown | (rows if options.files else {})))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    sys.exit(main())
