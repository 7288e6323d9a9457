"""Scenes of people as networks find them hardest: arms held out, very close, without a face in
view, entering the picture, and beside things that touch them.

Conventions as in `scenes`. Photos whose background is unknown are called cut-outs: what surrounds
the person in them is made up and never shown.
"""

import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.training.augment import recoloured
from realtime_bg.training.scenes import TALL, Mask, Matrix, composite, room, softened

SHARP = 0.5  # fraction of the rooms of these scenes that are not a part of a photo, but drawn
SKIN = ((196, 222, 241), (140, 180, 224), (95, 134, 198), (60, 92, 141), (40, 60, 90))  # BGR
STRETCHED = 0.4  # fraction of the scenes of arms in which what is thin is held out further
LIMB = 0.12  # what is thinner than this fraction of the person's size is a limb
CELL = 16  # pixels of a map of splines that are interpolated
REACH = 0.3  # how far a limb is moved at most, as the same fraction
HEAD = 0.14  # height of a head, as a fraction of a person's seen at full length
LENGTH = 1.35  # of a head, to its width
THINGS = 3  # largest number of things beside a person

Framing = Callable[[Mask, Size, np.random.Generator], Matrix]


def hard_scene(
    kind: str,
    image: Image,
    mask: Mask,
    other: tuple[Image, Mask],
    size: Size,
    rng: np.random.Generator,
    cut: bool = False,
) -> tuple[Image, Alpha]:
    """Make a scene of a ``kind`` of `KINDS`, of ``size`` (width, height). ``other``: a photo with
    its mask, from which the room may be taken. ``cut``: whether the photo is a cut-out."""
    if kind == "faceless":
        image = without_face(image, mask, rng)
    elif kind == "patch":
        image = patched(image, mask, rng)
    elif kind == "arms" and rng.random() < STRETCHED:
        image, mask = limbs_out(image, mask, rng)
    matrix = KINDS[kind](mask, size, rng)
    scale = float(np.hypot(*matrix[:, 0]))
    image, mask = softened(image, mask, scale)
    shown = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)
    alpha = cv2.warpAffine(mask, matrix, size).astype(np.float32) / 255
    inside = cv2.warpAffine(np.full_like(mask, 255), matrix, size).mean() > 0.98 * 255
    if cut or not inside or kind in ("arms", "touching") or rng.random() < 0.5:
        behind = hard_room(other, size, rng)
        if kind == "touching":
            behind = with_things(behind, alpha, other[0], rng)
        shown, alpha = composite(shown, alpha, behind, rng)
    return recoloured(shown, rng), alpha


# ------------------------------------------------------------------------------------ framings


def _extent(mask: Mask) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the person; of the whole photo if nobody is in it."""
    ys, xs = (np.flatnonzero((mask > 127).any(axis)) for axis in (1, 0))
    if not len(xs):
        return 0.0, 0.0, mask.shape[1] - 1.0, mask.shape[0] - 1.0
    return float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1])


def _matrix(
    centre: tuple[float, float], high: float, size: Size, rng: np.random.Generator
) -> Matrix:
    """The affine map of a window ``high`` pixels of the photo high to the scene; sometimes mirrored
    and a little turned."""
    scale = size[1] / high
    turn = math.radians(rng.normal(0, 5))
    cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0]], np.float32)
    if rng.random() < 0.5:
        matrix[0] *= -1
    matrix[:, 2] = np.array(size) / 2 - matrix[:, :2] @ np.array(centre)
    return matrix


def all_of_it(mask: Mask, size: Size, rng: np.random.Generator) -> Matrix:
    """The person from the head to the hips or the feet, with everything that is held out."""
    left, top, right, bottom = _extent(mask)
    tall = bottom - top
    part = tall * (rng.uniform(0.4, 1.0) if tall > right - left else 1.0)
    broad = (right - left) * size[1] / size[0]
    above = rng.uniform(0.03, 0.2)
    high = max(part / (1 - above), broad * rng.uniform(1.0, 1.3))
    middle = (left + right) / 2 + rng.normal(0, 0.06) * high
    return _matrix((middle, top + high * (0.5 - above)), high, size, rng)


def close(mask: Mask, size: Size, rng: np.random.Generator) -> Matrix:
    """A part of the person two to four times as large as usual; the face may be cut off."""
    left, top, right, bottom = _extent(mask)
    tall, broad = bottom - top, right - left
    usual = min(tall, 1.3 * broad)  # about head and chest
    high = max(60.0, usual / rng.uniform(2.0, 4.0))
    if rng.random() < 0.5:  # around the head
        middle = top + rng.uniform(0.0, 0.5) * usual
    else:
        middle = top + rng.uniform(0.3, 0.8) * usual
    row = mask[int(np.clip(middle, 0, mask.shape[0] - 1))] > 127
    across = np.flatnonzero(row) if row.any() else np.array([left, right])
    at = across.mean() + rng.normal(0, 0.35) * high * size[0] / size[1]
    return _matrix((at, middle), high, size, rng)


def entering(mask: Mask, size: Size, rng: np.random.Generator) -> Matrix:
    """The person partly beyond an edge of the picture."""
    left, top, right, bottom = _extent(mask)
    tall, broad = bottom - top, right - left
    usual = min(tall, 1.6 * broad)
    high = max(90.0, usual * rng.uniform(0.8, 1.6))
    wide = high * size[0] / size[1]
    inside = rng.uniform(0.15, 0.6)
    x, y = (left + right) / 2 + rng.normal(0, 0.2) * wide, top + rng.uniform(0.3, 0.5) * high
    side = rng.integers(4)
    if side < 2:  # from the right or the left
        from_right = rng.random() < 0.5
        x = left + inside * broad - wide / 2 if from_right else right - inside * broad + wide / 2
    elif side == 2:  # leans in from above
        y = top + inside * usual + rng.uniform(0.2, 0.5) * high
    else:  # rises from below
        y = top + inside * usual - high / 2
    return _matrix((x, y), high, size, rng)


def usual(mask: Mask, size: Size, rng: np.random.Generator) -> Matrix:
    """Head and shoulders, or more, as a webcam shows them."""
    left, top, right, bottom = _extent(mask)
    tall = bottom - top
    full = tall > TALL * (right - left)
    part = tall * (rng.uniform(0.22, 0.6) if full else rng.uniform(0.5, 1.0))
    above = rng.uniform(0.03, 0.25)
    high = max(80.0, part / (1 - above))
    head = np.flatnonzero((mask[int(top) : int(top + max(4, 0.2 * part))] > 127).any(0))
    middle = (head.mean() if len(head) else (left + right) / 2) + rng.normal(0, 0.12) * high
    return _matrix((middle, top + high * (0.5 - above)), high, size, rng)


KINDS: Mapping[str, Framing] = {
    "arms": all_of_it,
    "close": close,
    "faceless": usual,
    "patch": usual,
    "entering": entering,
    "touching": usual,
}
"""The kinds of scenes, and how each is framed."""


# ---------------------------------------------------------------------------- people, changed


def head_of(mask: Mask) -> tuple[float, float, float, float]:
    """The middle and the half axes of the head of a person seen upright: (x, y, across, down); in a
    group, that of the person whose head is highest."""
    left, top, right, bottom = _extent(mask)
    tall, broad = bottom - top, right - left
    high = HEAD * tall if tall > TALL * broad else min(0.55 * tall, 0.7 * broad)
    first = int(top)
    crown = float(np.flatnonzero(mask[first] > 127).mean()) if mask[first].any() else 0.0
    spans = list[tuple[int, int]]()  # of one head in each row, from the crown down
    for row in mask[first : int(top + max(3.0, high))] > 127:
        borders = np.flatnonzero(np.diff(row, prepend=False, append=False)).reshape(-1, 2)
        if not len(borders):
            break
        start, end = min(borders, key=lambda span: max(span[0] - crown, crown - span[1], 0))
        spans.append((int(start), int(end)))
        across = float(np.median([end - start for start, end in spans]))
        if len(spans) > max(3.0, LENGTH * across):
            break
    if not spans:
        return (left + right) / 2, top + high / 2, high / 2.6, high / 2
    x = float(np.median([(start + end) / 2 for start, end in spans]))
    return x, top + len(spans) / 2, max(2.0, across / 2), max(2.0, len(spans) / 2)


def without_face(image: Image, mask: Mask, rng: np.random.Generator) -> Image:
    """Cover the face with hair, as if the person were seen from behind: with strands in the colours
    of the upper rim of the head."""
    x, y, across, down = head_of(mask)
    top = int(max(0, y - down))
    strip = image[top : int(top + max(2.0, 0.35 * down))]
    inside = mask[top : top + len(strip)] > 127
    colours = strip[inside] if inside.any() else strip.reshape(-1, 3)
    height, width = mask.shape
    strands = rng.normal(0, 1, (max(2, height // 24), width)).astype(np.float32)
    strands = cv2.resize(strands, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 0.8)
    light = 1 + 0.16 * strands + 0.25 * fine
    base = np.median(colours, axis=0).astype(np.float32)
    hair = np.clip(base * light[..., None], 0, 255).astype(np.uint8)
    cover = np.zeros((height, width), np.float32)
    axes = int(across * rng.uniform(0.95, 1.2)), int(down * rng.uniform(0.85, 1.1))
    cv2.ellipse(cover, (int(x), int(y)), axes, rng.normal(0, 8), 0, 360, 1.0, -1)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.6, 0.06 * across))
    return cv2.blendLinear(hair, image, cover, 1 - cover)


def patched(image: Image, mask: Mask, rng: np.random.Generator) -> Image:
    """Hide the face behind a flat or blurred patch, as censored and masked faces look."""
    x, y, across, down = head_of(mask)
    cover = np.zeros(mask.shape, np.float32)
    half = across * rng.uniform(0.6, 1.0), down * rng.uniform(0.5, 0.9)
    if rng.random() < 0.5:
        corners = (int(x - half[0]), int(y - half[1])), (int(x + half[0]), int(y + half[1]))
        cv2.rectangle(cover, *corners, 1.0, -1)
    else:
        cv2.ellipse(cover, (int(x), int(y)), (int(half[0]), int(half[1])), 0, 0, 360, 1.0, -1)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.5, rng.uniform(0, 0.15) * across))
    if rng.random() < 0.5:
        flat = np.full_like(
            image, rng.integers(0, 256, 3) if rng.random() < 0.5 else SKIN[rng.integers(len(SKIN))]
        )
    else:
        flat = cv2.GaussianBlur(image, (0, 0), max(1.0, rng.uniform(0.15, 0.5) * across))
    return cv2.blendLinear(flat, image, cover, 1 - cover)


def limbs_out(image: Image, mask: Mask, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Move the ends of what is thin in a person, mostly arms and hands, away from the body; the
    body stays. The result is larger, and what surrounds the person in it can't be shown."""
    left, top, right, bottom = _extent(mask)
    large = min(bottom - top, 2 * (right - left))
    margin = int(REACH * large)
    below, beside = (margin + -(side + 2 * margin) % CELL for side in mask.shape)
    pad = (margin, below), (margin, beside)
    mask, image = np.pad(mask, pad), np.pad(image, (*pad, (0, 0)), mode="edge")
    side = max(3, int(LIMB * large) | 1)
    round_one = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    body = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, round_one) > 127)
    inner = np.argwhere(body)
    if not len(inner):
        return image, mask
    height, width = mask.shape
    away = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 5)
    count, parts = cv2.connectedComponents(((mask > 127) & ~body).astype(np.uint8))
    across, down = (np.linspace(0, last, 5) for last in (width - 1, height - 1))
    still = [(x, y) for x in across for y in down if x in across[[0, -1]] or y in down[[0, -1]]]
    still += [(float(x), float(y)) for y, x in inner[rng.integers(len(inner), size=16)]]
    before, after = list(still), list(still)
    for part in range(1, count):
        far = np.where(parts == part, away, 0)
        y, x = np.unravel_index(int(far.argmax()), far.shape)
        if far[y, x] < side:
            continue  # the rim of the body
        root = inner[((inner - (y, x)) ** 2).sum(1).argmin()][::-1].astype(float)
        before.append((float(x), float(y)))
        turn, more = rng.normal(0, 0.4), rng.uniform(1.1, 1.9)
        cosine, sine = math.cos(turn) * more, math.sin(turn) * more
        arm = np.array([x, y]) - root
        move = np.array([[cosine, -sine], [sine, cosine]]) @ arm - arm
        move *= min(1.0, REACH * large / float(np.hypot(*move) + 1e-9))
        end = np.clip(np.array([x, y]) + move, 0, (width - 1, height - 1))
        after.append((float(end[0]), float(end[1])))
        before.append((float(root[0]), float(root[1])))
        after.append(before[-1])
    if len(before) == len(still):
        return image, mask
    maps = splines(np.array(after), np.array(before), (width, height))
    warped = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return warped, np.asarray(cv2.remap(mask, *maps, cv2.INTER_LINEAR), np.uint8)


def splines(
    places: NDArray[np.float64], values: NDArray[np.float64], size: Size
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two maps of ``size``, multiples of `CELL`, that are ``values`` (N, 2) at ``places`` (N, 2),
    (x, y), and bend as little as possible between them: thin-plate splines (Bookstein, PAMI 11(6),
    1989), linear within a cell."""
    scale = max(size)
    places = places / scale
    x, y = (np.arange(-0.5, side // CELL + 1) * CELL - 0.5 for side in size)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2) / scale

    def bent(points: NDArray[np.float64]) -> NDArray[np.float64]:
        far = ((points[:, None] - places) ** 2).sum(-1)
        rows = np.c_[far * np.log(far + 1e-12), np.ones(len(points)), points]
        return np.asarray(rows, np.float64)

    count = len(places)
    system = np.zeros((count + 3, count + 3))
    system[:count] = bent(places)
    system[count:, :count] = system[:count, count:].T
    system[range(count), range(count)] += 1e-4  # places may coincide
    right = np.concatenate([values, np.zeros((3, 2))])
    coarse = (bent(grid) @ np.linalg.solve(system, right)).reshape(len(y), len(x), 2)
    whole = cv2.resize(coarse.astype(np.float32), None, fx=CELL, fy=CELL)[CELL:-CELL, CELL:-CELL]
    return np.ascontiguousarray(whole[..., 0]), np.ascontiguousarray(whole[..., 1])


# --------------------------------------------------------------------------- rooms, and things


def hard_room(other: tuple[Image, Mask], size: Size, rng: np.random.Generator) -> Image:
    """A room that is easily taken for a person: sharp, wooden, or in the colours of skin; or any
    other."""
    if rng.random() < SHARP:
        return (wood, skin_coloured)[rng.integers(2)](size, rng)
    return room(*other, size, rng)


def wood(size: Size, rng: np.random.Generator) -> Image:
    """Boards with grain, upright or lying, in colours from maple to walnut."""
    width, height = size
    tall, broad = (height, width) if rng.random() < 0.5 else (width, height)
    grain = rng.normal(0, 1, (max(2, tall // 40), broad)).astype(np.float32)
    grain = cv2.resize(grain, (broad, tall), interpolation=cv2.INTER_CUBIC)
    grain = 0.5 * grain + 0.5 * cv2.GaussianBlur(grain, (0, 0), 3)
    x = np.arange(broad) + 0.02 * broad * np.sin(np.linspace(0, rng.uniform(2, 9), tall))[:, None]
    rings = np.sin(x / max(2.0, rng.uniform(0.01, 0.05) * broad) * 2)
    step = max(6, int(rng.uniform(0.05, 0.3) * broad))
    boards = np.arange(broad) // step
    tones = rng.normal(0, 0.12, boards[-1] + 1)[boards]
    seams = np.where(np.arange(broad) % step < max(1, step // 30), 0.55, 1.0)
    base = np.array([rng.uniform(30, 130), rng.uniform(60, 170), rng.uniform(100, 215)])
    base.sort()  # more red than green, more green than blue
    light = (1 + 0.10 * grain + 0.05 * rings + tones) * seams
    image = np.clip(base * light[..., None], 0, 255).astype(np.uint8)
    if tall != height:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    return image


def skin_coloured(size: Size, rng: np.random.Generator) -> Image:
    """A room of walls, doors and furniture in the colours of skin."""
    width, height = size
    image = np.full((height, width, 3), SKIN[rng.integers(len(SKIN))], np.uint8)
    for _ in range(rng.integers(3, 10)):
        tone = np.array(SKIN[rng.integers(len(SKIN))]) * rng.uniform(0.7, 1.15)
        colour = np.clip(tone + rng.normal(0, 10, 3), 0, 255).tolist()
        corner = rng.uniform(-0.2, 1, 2) * (width, height)
        far = corner + rng.uniform(0.04, 0.6, 2) * (width, height)
        near, away = ((int(x), int(y)) for x, y in (corner, far))
        if rng.random() < 0.6:
            cv2.rectangle(image, near, away, colour, -1)
        else:  # a rail, a lamp's arm: as thin as an arm
            thick = max(2, int(rng.uniform(0.02, 0.09) * height))
            cv2.line(image, near, away, colour, thick, cv2.LINE_AA)
    noise = rng.normal(0, rng.uniform(1, 7), (height, width, 1))
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5))
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)


def with_things(behind: Image, alpha: Alpha, image: Image, rng: np.random.Generator) -> Image:
    """Put posts, sticks, bottles and screens into a room where the person's outline will touch
    them; they belong to the room."""
    height, width = alpha.shape
    behind = behind.copy()
    outline = np.argwhere(cv2.morphologyEx(alpha, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0.5)
    if not len(outline):
        return behind
    texture = recoloured(cv2.resize(image, (width, height)), rng)
    for _ in range(rng.integers(1, THINGS + 1)):
        y, x = outline[rng.integers(len(outline))].astype(float)
        shape = np.zeros((height, width), np.float32)
        kind = rng.integers(3)
        if kind == 0:  # a post or a stick
            lean, thick = rng.normal(0, 0.4), max(1, int(rng.uniform(0.01, 0.06) * height))
            ends = (
                (int(x - lean * height), int(y - height)),
                (int(x + lean * height), int(y + height)),
            )
            cv2.line(shape, *ends, 1.0, thick, cv2.LINE_AA)
        elif kind == 1:  # a bottle, a lamp, a head of a chair
            axes = rng.uniform(0.03, 0.2, 2) * height
            cv2.ellipse(
                shape,
                (int(x), int(y)),
                (int(axes[0]), int(axes[1])),
                rng.uniform(0, 180),
                0,
                360,
                1.0,
                -1,
            )
        else:  # a screen, a shelf
            half = rng.uniform(0.04, 0.25, 2) * height
            corners = (int(x - half[0]), int(y - half[1])), (int(x + half[0]), int(y + half[1]))
            cv2.rectangle(shape, *corners, 1.0, -1)
        shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 1.0))
        surface = texture if rng.random() < 0.5 else np.full_like(behind, rng.integers(0, 256, 3))
        behind = cv2.blendLinear(np.ascontiguousarray(surface), behind, shape, 1 - shape)
    return behind
