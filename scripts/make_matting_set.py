"""Synthesise clips with known alpha and foreground colours, to evaluate video matting.

    python scripts/make_matting_set.py --out set --people folder:portraits --people folder:street \\
        --clips book.mkv walk.mkv --rooms backgrounds/ --count 16 --frames 36
    python benchmarks/compare_quality.py set

OUT gets images/NAME/*.jpg (as from a webcam), masks/NAME/*.png (the alpha), foregrounds/NAME/*.jpg
(the person's colours, black elsewhere) and about.json.

A frame is alpha * foreground + (1 - alpha) * room by construction, with sensor noise and JPEG:
* people: cutouts from photos with masks (images/ and masks/), framed as by a webcam; the outline is
  shrunk by a pixel and softened unevenly. They lean, turn, come closer and sometimes jump; every
  frame is the mean of several moments while the shutter is open.
* clips: a real moving person, cut out by an engine (--engine) at full resolution, without this
  program's upsampling and refinement. This ground truth favours that engine a little.
* rooms: photos or clips, slowly panned and zoomed; the camera trembles; exposure and white balance
  drift and jump.

The same seed and files give the same set.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds import open_background
from realtime_bg.errors import DataError, RealtimeBgError, reason
from realtime_bg.frames import Alpha, Cutout, Image, Size
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.settings import load
from realtime_bg.system.console import say, show_logs
from realtime_bg.training.command import number, size
from realtime_bg.training.labelled import Pair, data_root, frames, pairs, read_image, read_mask
from realtime_bg.training.scenes import framing, tidied

FPS = 30.0
MOMENTS = 5  # per exposure, which lasts half a frame
MARGIN = 1.25  # of the room's size to the frame's, for panning
NOISE = 1.0, 3.0  # of the sensor, in grey levels
QUALITY = 90  # of the JPEG that a webcam sends

Floats = NDArray[np.float32]
Course = Callable[[float], float]  # a value over time in seconds
Moment = Callable[
    [float], tuple[Floats, Floats]
]  # seconds -> alpha * colour, alpha (three channels)


class Shot(NamedTuple):
    """A frame and its ground truth: BGR ``uint8``, ``float32`` in [0, 1], BGR ``uint8``."""

    image: Image
    alpha: Alpha
    foreground: Image


def waves(
    rng: np.random.Generator, amplitude: float, slow: float = 0.25, fast: float = 0.9
) -> Course:
    """Return a smooth function of time in seconds with zero mean and at most about
    ``amplitude``."""
    rates, phases = rng.uniform(slow, fast, 3), rng.uniform(0, 2 * math.pi, 3)
    shares = rng.dirichlet(np.ones(3)) * amplitude

    def at(time: float) -> float:
        return float((shares * np.sin(2 * math.pi * rates * time + phases)).sum())

    return at


def start(rng: np.random.Generator, amplitude: float) -> Course:
    """Return a function of time that rises quickly once from 0 to about ``amplitude``, or falls."""
    when, far = rng.uniform(0.3, 1.0), rng.choice((-1, 1)) * rng.uniform(0.5, 1) * amplitude

    def at(time: float) -> float:
        return float(far / (1 + math.exp(-(time - when) / 0.04)))

    return at


def softened(mask: NDArray[np.uint8], rng: np.random.Generator) -> Alpha:
    """Make a soft alpha from a binary mask: a pixel smaller, sharp in some places and blurred in
    others, as hair and shoulders are."""
    share = (tidied(mask) / 255).astype(np.float32)
    sharp, blunt = (cv2.GaussianBlur(share, (0, 0), sigma) for sigma in (0.8, 2.2))
    where = cv2.resize(
        rng.uniform(0, 1, (6, 6)).astype(np.float32),
        mask.shape[::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    alpha = sharp + (blunt - sharp) * np.clip(where * 2 - 0.6, 0, 1)
    return np.clip((alpha - 0.25) / 0.7, 0, 1).astype(np.float32)


def photo_person(
    image: Image, mask: NDArray[np.uint8], size: Size, rng: np.random.Generator
) -> Moment:
    """Return a moving cutout of a photo."""
    alpha = softened(mask, rng)
    colour = decontaminated(Cutout(image, alpha, image))
    premultiplied = colour * alpha[..., None]
    base = np.vstack([framing(mask, size, rng)[0], [0, 0, 1]])
    width, height = size
    x, y = waves(rng, 0.05 * width), waves(rng, 0.025 * height)
    lean, turn, near = waves(rng, 0.08), waves(rng, 0.06), waves(rng, 0.04)
    jump = start(rng, 0.15 * width) if rng.random() < 0.5 else waves(rng, 0.0)

    def at(time: float) -> tuple[Floats, Floats]:
        scale, angle = 1 + near(time), turn(time)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        # Around the middle of the lower edge, where people sit; leaning moves the head most.
        linear = np.array([[cosine, -sine - lean(time)], [sine, cosine]])
        pivot = np.array([width / 2, height])
        move = pivot + (x(time) + jump(time), max(0.0, y(time))) - linear @ pivot
        matrix = (np.vstack([np.c_[linear, move], [0, 0, 1]]) @ base)[:2]
        return _warped(premultiplied, alpha, matrix, size)

    return at


def clip_person(cuts: list[Cutout], size: Size) -> Moment:
    """Return a person cut out of a clip; between two frames the nearer one is used."""
    height, width = cuts[0].alpha.shape
    scale = max(size[0] / width, size[1] / height)
    matrix = np.array([[scale, 0, (size[0] - scale * width) / 2], [0, scale, 0]])

    def at(time: float) -> tuple[Floats, Floats]:
        cut = cuts[min(len(cuts) - 1, max(0, round(time * FPS)))]
        return _warped(cut.foreground * cut.alpha[..., None], cut.alpha, matrix, size)

    return at


def _warped(
    premultiplied: Floats, alpha: Alpha, matrix: NDArray[np.float64], size: Size
) -> tuple[Floats, Floats]:
    how = cv2.INTER_LINEAR
    shown = cv2.warpAffine(premultiplied.astype(np.float32), matrix, size, flags=how)
    share = cv2.warpAffine(alpha, matrix, size, flags=how)
    return shown, cv2.merge([share] * 3)


def moving_room(spec: str, size: Size, rng: np.random.Generator) -> Callable[[float], Floats]:
    """Return a room that is panned and zoomed."""
    background = open_background(spec, load().background, True)
    large = int(size[0] * MARGIN), int(size[1] * MARGIN)
    x, y = (waves(rng, (MARGIN - 1) / 2 * side * 0.7, 0.05, 0.3) for side in size)
    zoom = waves(rng, 0.05, 0.05, 0.3)
    blur = rng.uniform(0.1, 3)

    def at(time: float) -> Floats:
        picture = background.render(large, time)
        scale = 1.03 + zoom(time)
        matrix = np.array(
            [
                [scale, 0, size[0] / 2 - scale * large[0] / 2 + x(time)],
                [0, scale, size[1] / 2 - scale * large[1] / 2 + y(time)],
            ]
        )
        shown = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REFLECT)
        return cv2.GaussianBlur(shown, (0, 0), blur).astype(np.float32)

    return at


def shots(
    person: Moment, room: Callable[[float], Floats], count: int, rng: np.random.Generator
) -> Iterator[Shot]:
    """Yield frames of a person in front of a room, as a camera records them."""
    tremble = waves(rng, 1.5, 2, 8), waves(rng, 1.5, 2, 8)
    light, warmth = waves(rng, 0.1, 0.2, 0.7), waves(rng, 0.03, 0.1, 0.4)
    step = start(rng, 0.12) if rng.random() < 0.4 else waves(rng, 0.0)
    noise = rng.uniform(*NOISE)
    for index in range(count):
        times = [(index + 0.5 * moment / MOMENTS) / FPS for moment in range(MOMENTS)]
        seen = [_trembling(person(time), room(time), tremble, time) for time in times]
        premultiplied, share, frame = (np.mean(part, axis=0) for part in zip(*seen, strict=True))
        gain = (1 + light(times[0]) + step(times[0])) * (
            1 + warmth(times[0]) * np.array([-1, 0, 1])
        )
        colour = premultiplied / np.maximum(share, 1e-3) * (share > 0.004) * gain
        frame = frame * gain + rng.normal(0, noise, frame.shape)
        yield Shot(_bytes(frame), share[..., 0].astype(np.float32), _bytes(colour))


def _trembling(
    person: tuple[Floats, Floats],
    room: Floats,
    tremble: tuple[Callable[[float], float], Callable[[float], float]],
    time: float,
) -> tuple[Floats, Floats, Floats]:
    """Shift the person (premultiplied), the alpha and the composite by the camera's shake."""
    shown, share = person
    matrix = np.array([[1, 0, tremble[0](time)], [0, 1, tremble[1](time)]])
    size = room.shape[1], room.shape[0]
    parts = (shown, share, shown + (1 - share) * room)
    return tuple(
        cv2.warpAffine(part, matrix, size, borderMode=cv2.BORDER_REPLICATE) for part in parts
    )


def _bytes(picture: NDArray[np.floating]) -> Image:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def cut_clip(path: Path, count: int, engine: str, rng: np.random.Generator) -> list[Cutout]:
    """Return ``count`` cutouts from a clip, by an engine at full resolution."""
    images = [image for image, _ in frames(Pair(path.stem, path, None))]
    if len(images) < count + 8:
        raise DataError(f"{path}: has {len(images)} frames, but {count + 8} are needed")
    first = int(rng.integers(8, len(images) - count + 1))
    height, width = images[0].shape[:2]
    flags = {
        "engine.name": engine,
        "engine.work_size": f"{width}x{height}",
        "refine.hysteresis": 0,
        "refine.decontaminate": False,
    }
    with closing(PictureMatter.of(flags, None)) as matter:
        seen = [
            matter.matte_next(image, index)
            for index, image in enumerate(images[first - 8 : first + count])
        ]
    return [cut._replace(alpha=largest_part(cut.alpha)) for cut in seen[8:]]


def largest_part(alpha: Alpha) -> Alpha:
    """Keep only the alpha's largest connected part."""
    _, labels, table, _ = cv2.connectedComponentsWithStats((alpha > 0.05).astype(np.uint8))
    if len(table) < 3:
        return alpha
    return alpha * (labels == 1 + table[1:, cv2.CC_STAT_AREA].argmax()).astype(np.float32)


def people_of(specs: list[str], seed: int) -> list[tuple[str, Path, Path | None]]:
    """Return name, photo and mask of all people, shuffled by ``seed``, alternating between the
    sets."""
    sets = []
    for spec in specs:
        _, root = data_root(spec, ("folder",))
        found = [(f"{root.name}-{pair.name}", pair.image, pair.mask) for pair in pairs(root)]
        np.random.default_rng(seed).shuffle(found)
        sets.append(found)
    longest = max(map(len, sets), default=0)
    return [found[index] for index in range(longest) for found in sets if index < len(found)]


def rooms_in(folder: Path) -> list[str]:
    """Return everything in a folder that can be a background."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = sorted(
        str(path) for path in folder.iterdir() if path.is_file() and path.suffix != ".md"
    )
    if not found:
        raise DataError(f"{folder}: contains no images")
    return found


def write(out: Path, name: str, made: Iterator[Shot]) -> None:
    """Write a clip's three folders."""
    folders = [out / kind / name for kind in ("images", "masks", "foregrounds")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    jpeg = [cv2.IMWRITE_JPEG_QUALITY]
    for index, shot in enumerate(made):
        alpha = _bytes(shot.alpha * 255)
        for folder, picture, suffix, how in zip(
            folders,
            (shot.image, alpha, shot.foreground),
            ("jpg", "png", "jpg"),
            ([*jpeg, QUALITY], [], [*jpeg, 98]),
            strict=True,
        ):
            _, data = cv2.imencode(f".{suffix}", picture, how)
            (folder / f"{index:04d}.{suffix}").write_bytes(data.tobytes())


def make(options: argparse.Namespace) -> None:
    """Make the whole set. Raises RealtimeBgError and OSError."""
    people = people_of(options.people or [], options.seed)[: options.count]
    if not people and not options.clips:
        raise DataError("no people; give --people folder:ROOT or --clips FILES")
    rooms = rooms_in(options.rooms)
    about = {}
    jobs: list[tuple[str, Path, Path | None]] = [
        *people,
        *((path.stem, path, None) for path in options.clips),
    ]
    for index, (name, source, mask) in enumerate(jobs):
        rng = np.random.default_rng([options.seed, index])
        spec = rooms[index % len(rooms)]
        if mask is None:
            person = clip_person(
                cut_clip(source, options.frames, options.engine, rng), options.size
            )
        else:
            image = read_image(source)
            person = photo_person(image, read_mask(mask, image), options.size, rng)
        title = f"{index:02d}-{name}"
        room = moving_room(spec, options.size, rng)
        write(options.out, title, shots(person, room, options.frames, rng))
        about[title] = {
            "person": source.name,
            "room": Path(spec).name,
            "truth": "photo" if mask else options.engine,
        }
        say(f"{index + 1}/{len(jobs)} {title}")
    text = {"seed": options.seed, "fps": FPS, "size": list(options.size), "clips": about}
    (options.out / "about.json").write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", action="append", metavar="folder:ROOT")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], metavar="FILE")
    parser.add_argument("--rooms", type=Path, required=True, help="a folder of images and clips")
    parser.add_argument(
        "--count", type=number(int, 0), default=16, help="number of people from photos (default 16)"
    )
    parser.add_argument(
        "--frames", type=number(int, 2), default=36, help="frames of each clip (default 36)"
    )
    parser.add_argument("--size", type=size, default=(768, 432))
    parser.add_argument(
        "--engine", default="rvm", help="engine that cuts people out of --clips (default rvm)"
    )
    parser.add_argument("--seed", type=number(int, 0), default=1)
    options = parser.parse_args(arguments)
    show_logs(False)
    try:
        make(options)
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    except OSError as error:
        say(f"{options.out}: {reason(error)}", "red")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
