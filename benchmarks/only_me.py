"""Measures how well `subject.mode: main` keeps to one person, in clips with a known truth.

python benchmarks/only_me.py FOLDER [--seed N]

FOLDER has photos of people with masks, as `people` of the development data: cutouts (RGBA) and ccp
(images and masks). Each clip puts two or three of them into a room, where they cross, touch, leave
and come back, or come in from below. Some clips have 10 or 15 frames a second: people move as fast
there as in the others. They walk with moving legs and bob, the light falls from one side, the
exposure drifts, and every frame has its own noise. Printed for each way of meeting: in how many
frames the right person is shown, how much of the others is visible, how much of the person is
missing, and what it costs; then the same of each clip. Who, where and when depends on the seed.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator
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
NOISE = 2.5  # grey levels
STRIDE, LEAN = 0.35, 0.03  # by which legs move, of their distance, and heads, of the height
SURE = 0.9  # alpha of the truth from which a pixel is somebody's
SIDELIGHT, DRIFT, AUTO = 0.12, 0.04, 0.15  # of the brightness


class Cutout(NamedTuple):
    """``name`` is the same for pictures of the same person."""

    image: Image
    mask: Alpha
    name: str = ""


class Place(NamedTuple):
    """Middle and top of somebody, and their height, in heights of the picture; larger ``near`` is
    in front; ``step`` and ``lean``: how far legs are apart and the head is aside, -1 to 1."""

    x: float
    top: float
    high: float
    near: int
    step: float = 0.0
    lean: float = 0.0


Random = np.random.Generator
Way = Callable[[int, float], Place | None]
"""Where somebody is in a frame; the second argument is the time from 0 to 1."""
Kind = Callable[[Random], Way]


class Meeting(NamedTuple):
    """Who meets in a clip, first the person to be shown; every how many frames is seen."""

    kinds: list[Kind]
    every: int = 1


def me(rng: Random) -> Way:
    """Sitting before the camera, never quite still."""
    x, fast, slow, nod = 0.9 + rng.uniform(-0.1, 0.1), *rng.uniform((9, 14, 20), (14, 20, 40))

    def place(n: int, t: float) -> Place:
        middle = x + 0.03 * math.sin(n / slow)
        return Place(middle, 0.25 + 0.01 * math.sin(n / fast), 1.3, 1, lean=math.sin(n / nod) * 0.5)

    return place


def walks(high: float, near: int, begin: float, stop: float) -> Kind:
    """Walking through the picture, from either side, between two times; absent before and after."""

    def drawn(rng: Random) -> Way:
        start, end = rng.permutation((-0.9, 2.7))
        tall = high * rng.uniform(0.9, 1.1)
        first, last = begin + rng.uniform(0, 0.1), stop - rng.uniform(0, 0.25)
        pace = rng.uniform(2.5, 4)

        def place(n: int, t: float) -> Place | None:
            if not first <= t <= last:
                return None
            x = start + (t - first) / (last - first) * (end - start)
            top = 1 - 0.85 * min(tall, 1) + 0.01 * math.sin(2 * n / pace)
            return Place(x, top, tall, near, math.sin(n / pace), 0.5 * math.sin(n / pace))

        return place

    return drawn


def visits(beside: float, high: float, near: int) -> Kind:
    """Coming in from one side, standing beside the person, and leaving again."""

    def drawn(rng: Random) -> Way:
        left, stand = rng.random() < 0.5, beside + rng.uniform(-0.05, 0.05)
        tall, pace = high * rng.uniform(0.9, 1.1), rng.uniform(2.5, 4)

        def place(n: int, t: float) -> Place | None:
            if not 0.15 <= t <= 0.9:
                return None
            share = min(1.0, (t - 0.15) / 0.25, (0.9 - t) / 0.2)
            x = 2.8 + (stand - 2.8) * share
            step = math.sin(n / pace) if share < 1 else 0
            return Place(1.8 - x if left else x, 0.2, tall, near, step, math.sin(n / 23))

        return place

    return drawn


def leaves(rng: Random) -> Way:
    """The person leaves to the left and comes back."""
    stays = me(rng)

    def place(n: int, t: float) -> Place | None:
        there = stays(n, t)
        assert there is not None
        gone = max(0.0, min(1.0, (t - 0.25) / 0.15, (0.8 - t) / 0.15))
        return None if gone == 1 else there._replace(x=there.x - 2.2 * gone)

    return place


def comes(rng: Random) -> Way:
    """Walking from the right to a place beside the middle."""
    pace = rng.uniform(2.5, 4)

    def place(n: int, t: float) -> Place | None:
        step = math.sin(n / pace)
        return Place(2.6 - 1.2 * (t - 0.05) / 0.95, 0.15, 1, 0, step) if t >= 0.05 else None

    return place


def rises(rng: Random) -> Way:
    """The person comes in from below, as somebody who walks past the camera or sits up."""
    stays, seconds = me(rng), rng.uniform(0.5, 1.5)

    def place(n: int, t: float) -> Place | None:
        there = stays(n, t)
        assert there is not None
        up = (n / FPS - 0.4) / seconds
        return there._replace(top=1 - (1 - there.top) * min(1.0, up)) if up > 0 else None

    return place


CLIPS: dict[str, Meeting] = {
    "crosses behind": Meeting([me, walks(0.9, 0, 0, 1)]),
    "crosses in front": Meeting([me, walks(1.5, 2, 0, 1)]),
    "touches and leaves": Meeting([me, visits(1.28, 1.2, 0)]),
    "larger, stands in front": Meeting([me, visits(1.3, 1.9, 2)]),
    "leaves and comes back": Meeting([leaves, comes]),
    "three people": Meeting([me, walks(0.9, 0, 0, 0.8), walks(1.4, 2, 0.2, 1)]),
    "comes from below": Meeting([rises, walks(0.9, 0, 0.3, 1)]),
    "comes from below, 10 fps": Meeting([rises, walks(0.9, 0, 0.3, 1)], 3),
    "crosses behind, 10 fps": Meeting([me, walks(0.9, 0, 0, 1)], 3),
    "crosses in front, 15 fps": Meeting([me, walks(1.5, 2, 0, 1)], 2),
}


def cutouts(folder: Path) -> list[Cutout]:
    """The people of the folder who are complete enough, in a fixed order."""
    found = []
    for path in sorted((folder / "cutouts").glob("*.png"))[::3]:
        picture: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        who = path.stem.lower()[:4]
        found.append(Cutout(picture[..., :3], picture[..., 3].astype(np.float32) / 255, who))
    for path in sorted((folder / "ccp" / "images").iterdir())[::12]:
        masks = list((folder / "ccp" / "masks").glob(f"{path.stem}.*"))
        picture = cv2.imread(str(path))
        if not masks or picture is None:
            continue
        mask: Any = cv2.imread(str(masks[0]), cv2.IMREAD_GRAYSCALE)
        if isinstance(mask, np.ndarray) and mask.shape == picture.shape[:2]:
            found.append(Cutout(picture, largest(mask).astype(np.float32), path.stem))
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
    image, mask = np.ascontiguousarray(one.image[box]), np.ascontiguousarray(one.mask[box])
    small = min(1.0, 2 * SIZE[1] / mask.shape[0])
    size = max(1, round(small * mask.shape[1])), max(1, round(small * mask.shape[0]))
    return Cutout(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(mask, size, interpolation=cv2.INTER_AREA),
        one.name,
    )


def put(one: Cutout, place: Place) -> tuple[Image, Alpha]:
    """Somebody at a place: the colours and the mask at the size of the picture."""
    scale = place.high * SIZE[1] / one.mask.shape[0]
    rows = ((np.arange(SIZE[1]) + 0.5) / SIZE[1] - place.top)[:, None] / place.high  # 0 to 1
    legs = 1 + STRIDE * place.step * np.clip(2 * rows - 1, 0, 1)
    aside = place.x + LEAN * place.high * place.lean * np.clip(1 - 2 * rows, 0, 1)
    x = ((np.arange(SIZE[0]) + 0.5)[None] - aside * SIZE[1]) / (scale * legs)
    x = (x + one.mask.shape[1] / 2 - 0.5).astype(np.float32)
    y = np.broadcast_to(rows * one.mask.shape[0] - 0.5, x.shape).astype(np.float32)
    how = cv2.INTER_LINEAR
    return cv2.remap(one.image, x, y, how), cv2.remap(one.mask, x, y, how)


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


def matted(seen: list[Alpha]) -> Alpha:
    """The matte of all people together, as an engine gives it."""
    alpha = np.clip(sum(seen), 0, 1).astype(np.float32)
    return cv2.GaussianBlur(cv2.resize(alpha, WORK, interpolation=cv2.INTER_AREA), (0, 0), SOFT)


def clip(
    people: list[Cutout], meeting: Meeting, rng: Random
) -> Iterator[tuple[Matte, list[Alpha]]]:
    """The mattes of a clip, and the visible part of everybody at their size."""
    grain = rng.normal(128, 50, (18, 32, 3)).clip(0, 255).astype(np.uint8)
    room = cv2.resize(grain, SIZE, interpolation=cv2.INTER_CUBIC)
    noises = [rng.normal(0, NOISE, room.shape).round().astype(np.int16) for _ in range(8)]
    ways, drift = [kind(rng) for kind in meeting.kinds], rng.uniform(20, 60)
    side = 1 + rng.choice((-1, 1)) * np.linspace(-SIDELIGHT, SIDELIGHT, SIZE[0])[None, :, None]
    exposure = 1.0
    for n in range(0, FRAMES, meeting.every):
        image, seen = scene(people, [way(n, n / FRAMES) for way in ways], room)
        covered = float(sum(one.mean() for one in seen[1:]))
        exposure += 0.1 * meeting.every * (1 - AUTO * covered - exposure)
        light = side * (exposure + DRIFT * math.sin(n / drift))
        image = cv2.multiply(image, np.broadcast_to(light, image.shape), dtype=cv2.CV_8U)
        noise = np.roll(noises[n % 8], 977 * int(rng.integers(100)))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
        guide = cv2.resize(image, WORK, interpolation=cv2.INTER_AREA)
        matte = Matte(Frame(image, n, n / FPS), matted(seen), guide=guide)
        yield matte, [cv2.resize(one, WORK, interpolation=cv2.INTER_AREA) for one in seen]


class Figures(NamedTuple):
    """``right``: share of the frames in which the person is shown, and more so than others.
    ``others``: share of the others' visible pixels that is shown. ``lost``: share of the person's
    own that is not. ``ms``: processor time of a frame, the median of those with several people."""

    right: float
    others: float
    lost: float
    ms: float


def measured(frames: Iterable[tuple[Matte, list[Alpha]]]) -> Figures:
    subject, settings = Subject(0), SubjectSettings(mode="main")
    right, counted, shown, of, lost, mine = 0, 0, 0.0, 0.0, 0.0, 0.0
    spent = []
    for matte, (me, *rest) in frames:
        start = time.thread_time()
        result = subject(matte, settings).alpha
        passed = time.thread_time() - start
        other = np.clip(sum(rest), 0, 1)
        of += float(other.sum())
        shown += float((result * (other > SURE)).sum())
        if other.any():
            spent.append(passed)
        if me.mean() >= PRESENT:
            own = me > SURE
            mine += float(matte.alpha[own].sum())
            lost += float((matte.alpha - result)[own].sum())
            good = float((result * me).sum())
            counted += 1
            right += good > 0.5 * float(me.sum()) and good > float((result * other).sum())
    ms = 1000 * float(np.median(spent))
    return Figures(right / counted, shown / max(of, 1), lost / mine, ms)


def chosen(people: list[Cutout], number: int, rng: Random) -> list[Cutout]:
    """Different people; nobody is in a room twice."""
    found: list[Cutout] = []
    for at in rng.permutation(len(people)).tolist():
        if len(found) < number and people[at].name not in [one.name for one in found]:
            found.append(people[at])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=4, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="the kinds whose name contains this")
    arguments = parser.parse_args()
    people = cutouts(arguments.folder)
    print(f"{len(people)} people, seed {arguments.seed}")
    totals: list[Figures] = []
    for name, meeting in CLIPS.items():
        if arguments.only not in name:
            continue
        found = []
        for number in range(arguments.clips):
            rng = np.random.default_rng((arguments.seed, number))
            who = chosen(people, len(meeting.kinds), rng)
            found.append(measured(clip(who, meeting, rng)))
        totals += found
        print(line(name, found))
        print(" " * 8 + "  ".join(f"{x.right:.2f}/{x.others:.3f}/{x.lost:.3f}" for x in found))
    print(line("all", totals))


def line(name: str, found: list[Figures]) -> str:
    """The mean of each figure, and the worst of all clips."""
    mean = Figures(*np.mean(found, axis=0).tolist())
    right = min(one.right for one in found)
    others, lost = max(one.others for one in found), max(one.lost for one in found)
    return (
        f"{name:26} right {mean.right:6.1%} (worst {right:6.1%})   others {mean.others:6.2%} "
        f"({others:6.2%})   lost {mean.lost:6.2%} ({lost:6.2%})   {mean.ms:.1f} ms"
    )


if __name__ == "__main__":
    main()
