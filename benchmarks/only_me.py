"""Measures how well `subject.mode: main` keeps to one person, in clips with a known truth.

python benchmarks/only_me.py FOLDER

FOLDER has photos of people with masks, as `people` of the development data: cutouts (RGBA)
and ccp (images and masks). Each clip puts two or three of them into a room, where they cross,
touch, leave and come back. Printed for each way of meeting: in how many frames the right person is
shown, how much of the others is visible, and what it costs.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image, Matte
from realtime_bg.processing.subject import Subject
from realtime_bg.settings import SubjectSettings

SIZE = 320, 180
WORK = 256, 144  # of the alpha, as an engine gives it
FPS = 30.0
FRAMES = 240
WIDEST = 0.9  # of the height; wider pictures show a group
PRESENT = 0.01  # share of the picture that the person covers in frames that count
SOFT = 0.8  # pixels by which the alpha is softened


class Cutout(NamedTuple):
    image: Image
    mask: Alpha


class Place(NamedTuple):
    """Middle and top of somebody, and their height, in heights of the picture; larger ``near`` is
    in front."""

    x: float
    top: float
    high: float
    near: int


Way = Callable[[int, float], Place | None]
"""Where somebody is in a frame; the second argument is the time from 0 to 1."""
ME: Way = lambda n, t: Place(0.9 + 0.03 * math.sin(n / 17), 0.25 + 0.01 * math.sin(n / 11), 1.3, 1)  # noqa: E731


def walk(start: float, end: float, high: float, near: int, begin: float, stop: float) -> Way:
    """Walking from one place to another between two times; absent before and after."""

    def place(n: int, t: float) -> Place | None:
        if not begin <= t <= stop:
            return None
        share = (t - begin) / (stop - begin)
        step = 0.01 * math.sin(n / 3)
        return Place(start + share * (end - start), 1 - 0.85 * min(high, 1) + step, high, near)

    return place


def visit(beside: float, high: float, near: int) -> Way:
    """Coming in from the right, standing beside the person, and leaving again."""

    def place(n: int, t: float) -> Place | None:
        if not 0.15 <= t <= 0.9:
            return None
        way = min(1.0, (t - 0.15) / 0.25, (0.9 - t) / 0.2)
        return Place(2.8 + (beside - 2.8) * way, 0.2, high, near)

    return place


def away(n: int, t: float) -> Place | None:
    """The person leaves to the left and comes back."""
    there = ME(n, t)
    assert there is not None
    gone = max(0.0, min(1.0, (t - 0.25) / 0.15, (0.8 - t) / 0.15))
    return None if gone == 1 else there._replace(x=there.x - 2.2 * gone)


CLIPS: dict[str, list[Way]] = {
    "crosses behind": [ME, walk(-0.9, 2.7, 0.9, 0, 0.05, 0.95)],
    "crosses in front": [ME, walk(-0.9, 2.7, 1.5, 2, 0.1, 0.9)],
    "touches and leaves": [ME, visit(1.28, 1.2, 0)],
    "larger, stands in front": [ME, visit(1.3, 1.9, 2)],
    "leaves and comes back": [away, walk(2.6, 1.4, 1.0, 0, 0.05, 1.0)],
    "three people": [
        ME,
        walk(-0.9, 2.7, 0.9, 0, 0.02, 0.7),
        walk(2.7, -0.9, 1.4, 2, 0.3, 0.98),
    ],
}


def cutouts(folder: Path) -> list[Cutout]:
    """The people of the folder who are complete enough, in a fixed order."""
    found = []
    for path in sorted((folder / "cutouts").glob("*.png"))[::5]:
        picture: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        found.append(Cutout(picture[..., :3], picture[..., 3].astype(np.float32) / 255))
    for path in sorted((folder / "ccp" / "images").iterdir())[::40]:
        masks = list((folder / "ccp" / "masks").glob(f"{path.stem}.*"))
        picture = cv2.imread(str(path))
        if not masks or picture is None:
            continue
        mask: Any = cv2.imread(str(masks[0]), cv2.IMREAD_GRAYSCALE)
        if isinstance(mask, np.ndarray) and mask.shape == picture.shape[:2]:
            found.append(Cutout(picture, largest(mask).astype(np.float32)))
    people = [trimmed(one) for one in found]
    return [one for one in people if one.mask.shape[1] < WIDEST * one.mask.shape[0]]


def largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest connected part, without holes."""
    contours, _ = cv2.findContours(
        (mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    part = np.zeros_like(mask)
    cv2.drawContours(part, [max(contours, key=cv2.contourArea)], 0, 1, cv2.FILLED)
    return part


def trimmed(one: Cutout) -> Cutout:
    rows, columns = np.flatnonzero(one.mask.max(1) > 0.5), np.flatnonzero(one.mask.max(0) > 0.5)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Cutout(np.ascontiguousarray(one.image[box]), np.ascontiguousarray(one.mask[box]))


def put(one: Cutout, place: Place) -> tuple[Image, Alpha]:
    """Somebody at a place: the colours and the mask at the size of the picture."""
    scale = place.high * SIZE[1] / one.mask.shape[0]
    move = np.array(
        [
            [scale, 0, place.x * SIZE[1] - scale * one.mask.shape[1] / 2],
            [0, scale, place.top * SIZE[1]],
        ]
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(one.image, move, SIZE, flags=how), cv2.warpAffine(one.mask, move, SIZE)


def scene(
    people: list[Cutout], places: list[Place | None], room: Image
) -> tuple[Image, list[Alpha]]:
    """The picture, and the visible part of everybody."""
    image = room
    seen = [np.zeros(SIZE[::-1], np.float32) for _ in people]
    present = [(place.near, at, place) for at, place in enumerate(places) if place is not None]
    for _, at, place in sorted(present):
        colours, mask = put(people[at], place)
        image = cv2.blendLinear(colours, image, mask, 1 - mask)
        seen = [one * (1 - mask) for one in seen]
        seen[at] = mask
    return image, seen


def measured(people: list[Cutout], ways: list[Way], rng: np.random.Generator) -> dict[str, Any]:
    grain = rng.normal(128, 50, (18, 32, 3)).clip(0, 255).astype(np.uint8)
    room = cv2.resize(grain, SIZE, interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 2.5, room.shape).round().astype(np.int16)
    subject, settings = Subject(0), SubjectSettings(mode="main")
    right, counted, shown, of, kept, mine, spent = 0, 0, 0.0, 0.0, 0.0, 0.0, []
    for n in range(FRAMES):
        image, seen = scene(people, [way(n, n / FRAMES) for way in ways], room)
        image = cv2.add(image, np.roll(noise, 977 * n), dtype=cv2.CV_8U)
        alpha = cv2.resize(
            np.clip(sum(seen), 0, 1).astype(np.float32), WORK, interpolation=cv2.INTER_AREA
        )
        alpha = cv2.GaussianBlur(alpha, (0, 0), SOFT)
        guide = cv2.resize(image, WORK, interpolation=cv2.INTER_AREA)
        matte = Matte(Frame(image, n, n / FPS), alpha, guide=guide)
        start = time.thread_time()
        result = subject(matte, settings).alpha
        spent.append(time.thread_time() - start)
        me, *others = (cv2.resize(one, WORK, interpolation=cv2.INTER_AREA) for one in seen)
        other = np.clip(sum(others), 0, 1)
        of += float(other.sum())
        shown += float((result * (other > 0.9)).sum())
        if me.mean() >= PRESENT:
            good = float((result * me).sum())
            kept, mine = kept + good, mine + float((me * me).sum())
            counted += 1
            right += good > 0.5 * float(me.sum()) and good > float((result * other).sum())
    return {
        "right": right / counted,
        "others": shown / max(of, 1),
        "kept": kept / mine,
        "ms": 1000 * float(np.median(spent)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=4, help="of each kind")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    people = cutouts(arguments.folder)
    print(f"{len(people)} people")
    totals: list[dict[str, Any]] = []
    for name, ways in CLIPS.items():
        if arguments.only not in name:
            continue
        found = []
        for number in range(arguments.clips):
            rng = np.random.default_rng(number)
            chosen = rng.choice(len(people), len(ways), replace=False)
            found.append(measured([people[at] for at in chosen], ways, rng))
        totals += found
        print(
            line(name, found), " ".join(f"{one['right']:.2f}/{one['others']:.3f}" for one in found)
        )
    print(line("all", totals))


def line(name: str, found: list[dict[str, Any]]) -> str:
    mean = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    return (
        f"{name:26} right person {mean['right']:6.1%}   of the others shown {mean['others']:6.2%}  "
        f"of the person kept {mean['kept']:6.1%}  {mean['ms']:.1f} ms"
    )


if __name__ == "__main__":
    main()
