"""Label photos and clips with an engine: masks to train on, where nobody has drawn any.

    python scripts/label.py --engine rvm --out labelled photos/
    python scripts/label.py --engine rvm --out labelled --every 5 walk.mkv book.mkv

Folders are searched for images and clips. OUT gets images/ and masks/, the layout of
`--data folder:OUT`: copies of the photos, and every Nth frame of the clips as PNG. Masks are grey,
the alpha as files are processed. Photos of which the engine is unsure (the mean of 4 a (1 - a)
over the person's area is above --unsure), or which show it nobody, are left out and counted.
A labelled photo is as good as the engine: look at some before training on them.
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

NOBODY = 0.01  # share of the picture below which nobody was found


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
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of a clip's frames")
    parser.add_argument("--unsure", type=float, default=0.45, help="(default %(default)s)")
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
    """Raises RealtimeBgError."""
    if options.every < 1:
        raise DataError(f"--every {options.every}: from 1 on")
    found = [pair for source in options.sources for pair in _pairs(source)]
    seen: dict[str, Pair] = {}
    for pair in found:
        if pair.name in seen:
            raise DataError(
                f"{pair.image} and {seen[pair.name].image} would get the same name; "
                "rename one, or use two --out"
            )
        seen[pair.name] = pair
        if pair.image.resolve().parent == (options.out / "images").resolve():
            raise DataError(f"{pair.image} is in --out, whose masks would be lost; choose another")
    flags = {
        "engine.name": options.engine,
        "engine.model": options.model,
        "engine.device": options.device,
        "engine.offline": options.offline,
    }
    kept = left = there = 0
    with closing(PictureMatter.of(flags, None)) as eye:
        for pair in found:
            clip = is_clip(pair.image)
            try:
                if not clip and (options.out / "images" / pair.image.name).exists():
                    there += 1
                    continue
                for name, image, alpha in _labelled(eye, pair, options.every):
                    if (options.out / "images" / f"{name}.png").exists():
                        there += 1
                    elif _is_sure(alpha, options.unsure):
                        _write(options.out, name, image, alpha, None if clip else pair.image)
                        kept += 1
                    else:
                        left += 1
            except DataError as error:  # of a clip what came before it is kept
                log.warning("%s; left out", error)
                left += 1
    stay = f", {there} were there and stay (delete their pictures to label them anew)"
    say(f"{kept} pictures labelled in {options.out}, {left} left out{stay if there else ''}")


def _pairs(source: Path) -> list[Pair]:
    if source.is_dir():
        return pairs(source, masks=False)
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder")
    return [Pair(source.stem, source, None)]


def _labelled(eye: PictureMatter, pair: Pair, every: int) -> Iterator[tuple[str, Image, Alpha]]:
    """The name, BGR ``uint8 (H, W, 3)`` and alpha of a photo or of every Nth frame."""
    if not is_clip(pair.image):
        image = read_image(pair.image)
        yield pair.name, image, eye.matte_photo(image, WARM_UP).alpha
        return
    eye.forget()
    for index, (image, _) in enumerate(frames(pair)):
        alpha = eye.matte_next(image, index).alpha  # the engine sees every frame
        if index % every == 0:
            yield f"{pair.name}-{index:05d}", image, alpha


def _is_sure(alpha: Alpha, unsure: float) -> bool:
    area = float(alpha.mean())
    return area > NOBODY and float((4 * alpha * (1 - alpha)).mean()) < unsure * area


def _write(out: Path, name: str, image: Image, alpha: Alpha, photo: Path | None) -> None:
    """The mask first: a picture without one is named later, a mask alone is not looked at."""
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
