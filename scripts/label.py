"""Label photos and clips with an engine, to get training masks without drawing any.

    python scripts/label.py --engine rvm --out labelled photos/
    python scripts/label.py --engine rvm --out labelled --every 5 walk.mkv book.mkv

Folders are searched for images and clips. OUT gets images/ and masks/, the layout of `--data
folder:OUT`: copies of the photos, and every Nth frame of the clips as PNG. Masks are greyscale
alphas, processed as for files. Photos for which the engine is unsure (the mean of 4 a (1 - a),
relative to the person's area, is above --unsure) or finds no person are left out and counted. The
labels are only as good as the engine: inspect some before training on them.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from realtime_bg.app.files import WARM_UP
from realtime_bg.errors import DataError, RealtimeBgError, SettingsError, reason
from realtime_bg.frames import Alpha, Image
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.system.console import say, show_logs
from realtime_bg.training.labelled import Pair, frames, is_clip, pairs, read_image

log = logging.getLogger("realtime_bg.label")

MIN_AREA = 0.01  # fraction of the image below which it counts as having no person


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|CLIP")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--offline", action="store_true", default=None)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="label every Nth frame of a clip"
    )
    parser.add_argument(
        "--unsure",
        type=float,
        default=0.45,
        help="leave photos out above this uncertainty (default %(default)s)",
    )
    options = parser.parse_args(arguments)
    show_logs(False)
    try:
        label(options)
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def label(options: argparse.Namespace) -> None:
    """Label all sources. Raises RealtimeBgError."""
    if options.every < 1:
        raise DataError(f"--every {options.every}: must be at least 1")
    found = [pair for source in options.sources for pair in _pairs(source)]
    seen: dict[str, Pair] = {}
    for pair in found:
        if pair.name in seen:
            raise DataError(
                f"{pair.image} and {seen[pair.name].image} would get the same name; "
                "rename one, or use two --out folders"
            )
        seen[pair.name] = pair
        if pair.image.resolve().parent == (options.out / "images").resolve():
            raise DataError(
                f"{pair.image} is in --out, whose masks would be overwritten; choose another"
            )
    flags = {
        "engine.name": options.engine,
        "engine.model": options.model,
        "engine.device": options.device,
        "engine.offline": options.offline,
    }
    labelled = skipped = existing = 0
    with closing(PictureMatter.of(flags, None)) as matter:
        for pair in found:
            clip = is_clip(pair.image)
            try:
                if not clip and (options.out / "images" / pair.image.name).exists():
                    existing += 1
                    continue
                for name, image, alpha in _labelled(matter, pair, options.every):
                    if (options.out / "images" / f"{name}.png").exists():
                        existing += 1
                    elif _is_sure(alpha, options.unsure):
                        _write(options.out, name, image, alpha, None if clip else pair.image)
                        labelled += 1
                    else:
                        skipped += 1
            except DataError as error:  # the previous frames of a clip are kept
                log.warning("%s; left out", error)
                skipped += 1
    kept = f", {existing} kept from before (delete their images to label them again)"
    say(
        f"{labelled} images labelled in {options.out}, {skipped} left out{kept if existing else ''}"
    )


def _pairs(source: Path) -> list[Pair]:
    if source.is_dir():
        return pairs(source, masks=False)
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder")
    return [Pair(source.stem, source, None)]


def _labelled(matter: PictureMatter, pair: Pair, every: int) -> Iterator[tuple[str, Image, Alpha]]:
    """Yield the name, BGR ``uint8 (H, W, 3)`` and alpha of a photo or of every Nth frame."""
    if not is_clip(pair.image):
        image = read_image(pair.image)
        yield pair.name, image, matter.matte_photo(image, WARM_UP).alpha
        return
    matter.forget()
    for index, (image, _) in enumerate(frames(pair)):
        alpha = matter.matte_next(image, index).alpha  # the engine needs every frame
        if index % every == 0:
            yield f"{pair.name}-{index:05d}", image, alpha


def _is_sure(alpha: Alpha, unsure: float) -> bool:
    area = float(alpha.mean())
    return area > MIN_AREA and float((4 * alpha * (1 - alpha)).mean()) < unsure * area


def _write(out: Path, name: str, image: Image, alpha: Alpha, photo: Path | None) -> None:
    """Write the mask first: a mask without its image is ignored, an image without mask causes a
    warning."""
    try:
        for folder in ("images", "masks"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        mask = cv2.imencode(".png", np.rint(alpha * 255).astype(np.uint8))[1]
        (out / "masks" / f"{name}.png").write_bytes(mask.tobytes())
        if photo is not None:
            shutil.copyfile(photo, out / "images" / photo.name)
        else:
            picture = cv2.imencode(".png", image)[1]
            (out / "images" / f"{name}.png").write_bytes(picture.tobytes())
    except OSError as error:
        raise SettingsError(f"{out}: cannot be written ({reason(error)})") from None


if __name__ == "__main__":
    sys.exit(main())
