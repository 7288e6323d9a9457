"""Synthesises webcam scenes from photos of people: framing, lighting, other backgrounds, occluders.

The embedded network is trained on scenes. ``rng`` is the only source of randomness; images are BGR
``uint8 (H, W, 3)``, masks ``uint8 (H, W)``, alphas ``float32 (H, W)`` in [0, 1].
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.training.augment import recoloured

EMPTY = 0.03  # fraction of scenes without people
SWAPPED = 0.35  # fraction with another background
PASSING = 0.3  # fraction with another person, smaller and behind the first
LAMPS = 0.15  # fraction lit by a single lamp
FURNISHED = 0.35  # fraction of backgrounds with an added object that resembles a person
SPECKS = 0.001  # of the image's area; smaller pieces and holes of a mask are noise
TALL = 2.2  # ratio of height to width from which a person is seen at full length
PATTERNED = 0.15  # fraction with striped, checked or printed clothes
OCCLUDED = 0.12  # fraction with a table or a post in front of the people
# smallest height of a scene, in pixels of the photo; also of a person for `add_passer_by`
MIN_HEIGHT = 90

Matrix = NDArray[np.float32]
Mask = NDArray[np.uint8]


def tidied(mask: Mask) -> Mask:
    """Return a binary mask, 0 or 255, without specks and pinholes."""
    person = (mask > 127).astype(np.uint8)
    for value in (0, 1):
        _, labels, table, _ = cv2.connectedComponentsWithStats(
            (person == value).astype(np.uint8), connectivity=4
        )
        speck = table[:, cv2.CC_STAT_AREA] < SPECKS * mask.size
        speck[0] = False
        person[speck[labels]] = 1 - value
    return np.asarray(person * 255, np.uint8)


def scene(
    image: Image,
    mask: Mask,
    other: tuple[Image, Mask],
    size: Size,
    rng: np.random.Generator,
    cut: bool = False,
) -> tuple[Image, Alpha]:
    """Make a scene of ``size`` (width, height) from a photo; ``other``, another photo with its
    mask, provides the background and a passer-by. ``cut``: whether what surrounds the person is
    unknown, so that there must be another background."""
    if rng.random() < EMPTY:
        return recoloured(room(*other, size, rng), rng), np.zeros(size[::-1], np.float32)
    matrix, scale = framing(mask, size, rng)
    image, mask = softened(image, mask, scale)
    warped = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)
    alpha = cv2.warpAffine(mask, matrix, size)
    inside = cv2.warpAffine(np.full_like(mask, 255), matrix, size)
    swap = rng.random() < SWAPPED or cut
    if not swap and inside.mean() < 0.98 * 255:  # the frame extends beyond the photo
        swap = rng.random() < 0.5
        if not swap:
            alpha = cv2.warpAffine(mask, matrix, size, borderMode=cv2.BORDER_REFLECT)
    alpha = (alpha / 255).astype(np.float32)
    if swap:
        warped, alpha = composite(warped, alpha, room(*other, size, rng), rng)
    if rng.random() < PASSING:
        warped, alpha = add_passer_by(warped, alpha, *other, rng)
    if rng.random() < PATTERNED:
        warped = patterned(warped, alpha, rng)
    if rng.random() < OCCLUDED:
        warped, alpha = add_occluder(warped, alpha, other[0], rng)
    if rng.random() < LAMPS:
        warped = lamplit(warped, rng)
    return recoloured(warped, rng), alpha


def softened(image: Image, mask: Mask, scale: float) -> tuple[Image, Mask]:
    """Blur both before they are warped to ``scale``, because warping only interpolates 4 source
    pixels."""
    if scale >= 0.7:
        return image, mask
    spread = 0.5 / scale - 0.3
    return cv2.GaussianBlur(image, (0, 0), spread), cv2.GaussianBlur(mask, (0, 0), spread)


def framing(mask: Mask, size: Size, rng: np.random.Generator) -> tuple[Matrix, float]:
    """Return the affine map from photo to scene and its scale. Mostly people are cut off at the
    lower edge, as webcams show them; otherwise the frame is any part of the photo."""
    (width, height), (rows, columns) = size, mask.shape
    ys, xs = (np.flatnonzero((mask > 127).any(axis)) for axis in (1, 0))
    close = len(ys) >= 8 and len(xs) >= 8
    wide = width > 1.2 * height and columns < 0.9 * rows
    if close and rng.random() < (0.75 if wide else 0.2):
        top, tall = ys[0], ys[-1] - ys[0]
        full = tall > TALL * (xs[-1] - xs[0])
        part = max(12.0, tall * (rng.uniform(0.2, 0.75) if full else rng.uniform(0.45, 1)))
        above = rng.uniform(0.02, 0.35) if rng.random() < 0.9 else -rng.uniform(0, 0.1)
        high = max(MIN_HEIGHT, part / (1 - above) if above > 0 else part * (1 + above))
        head = np.flatnonzero((mask[top : top + max(4, int(0.2 * part))] > 127).any(0))
        middle = head.mean() + rng.normal(0, 0.13) * high * width / height
        centre = middle, top + part - high / 2
    else:
        share = rng.uniform(0.55, 1.15)
        high = rows * share
        if rng.random() < 0.5 or high * width > 1.6 * columns * height:
            high = columns * share * height / width
        free = rng.uniform(size=2) * (columns - high * width / height, rows - high)
        held = np.array([(xs[0] + xs[-1]) / 2, (ys[0] + ys[-1]) / 2]) if close else free
        held = held - rng.uniform(0.3, 0.7, 2) * (high * width / height, high)
        pull = rng.uniform() if close else 0.0
        corner = (1 - pull) * free + pull * held
        centre = corner[0] + high * width / height / 2, corner[1] + high / 2
    scale = height / high
    turn, stretch = math.radians(rng.normal(0, 7)), math.exp(rng.normal(0, 0.06))
    cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
    matrix = np.array([[cosine * stretch, -sine, 0], [sine, cosine, 0]], np.float32)
    matrix[:, 2] = np.array([width / 2, height / 2]) - matrix[:, :2] @ np.array(centre)
    if rng.random() < 0.5:
        matrix[0] *= -1
        matrix[0, 2] += width
    return matrix, scale


def composite(
    image: Image, alpha: Alpha, behind: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Composite the person over another background, with its lighting to a degree; the edge is
    shrunk and softened, so that no rim of the old background remains."""
    soft = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 1.2))
    shrink = rng.uniform(0, 0.35)
    alpha = np.asarray(np.clip((soft - shrink) / (1 - shrink), 0, 1), np.float32)
    light = np.ones(3)
    if rng.random() < 0.5:
        there, here = (one.reshape(-1, 3).mean(0) for one in (behind, image))
        light += 0.4 * rng.random() * (np.clip(there / (here + 1), 0.5, 2) - 1)
    lit = np.clip(image * light, 0, 255).astype(np.uint8)
    return cv2.blendLinear(lit, behind, alpha, 1 - alpha), alpha


def add_passer_by(
    picture: Image, alpha: Alpha, image: Image, mask: Mask, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Add the people of another photo to a scene, small and behind the present ones, whole or cut
    off at the lower edge as in their photo. The scene is unchanged if they are cut off at a side.

    Photos of people show little ground in front of them; without this the network takes it for a
    part of them.
    """
    height, width = alpha.shape
    ys, xs = (np.flatnonzero((mask > 127).any(axis)) for axis in (1, 0))
    if len(ys) < MIN_HEIGHT or xs[0] < 2 or xs[-1] > mask.shape[1] - 3:
        return picture, alpha
    tall = height * rng.uniform(0.12, 0.65)
    scale = tall / len(ys)
    image, mask = softened(image, mask, scale)
    cut = ys[-1] > mask.shape[0] - 3
    feet = height if cut else rng.uniform(tall, height)
    sides = scale if rng.random() < 0.5 else -scale
    matrix = np.array(
        [
            [sides, 0, rng.uniform(0, width) - sides * (xs[0] + xs[-1]) / 2],
            [0, scale, feet - scale * ys[-1]],
        ],
        np.float32,
    )
    there = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    further = cv2.warpAffine(mask, matrix, (width, height)) / np.float32(255) * (1 - alpha)
    picture, further = composite(there, further.astype(np.float32), picture, rng)
    return picture, np.asarray(np.minimum(alpha + further, 1), np.float32)


def patterned(image: Image, alpha: Alpha, rng: np.random.Generator) -> Image:
    """Put a striped, checked or printed pattern on the people's clothes, from somewhere below the
    head; sometimes also on a part of the background."""
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    angle, step = rng.uniform(0, math.pi), rng.uniform(0.012, 0.1)
    bend = rng.uniform(0, 0.05) * np.sin(
        x * rng.uniform(3, 20) + y * rng.uniform(3, 20) + rng.uniform(0, 6)
    )
    across = x * math.cos(angle) + y * math.sin(angle) + bend
    down = y * math.cos(angle) - x * math.sin(angle) + bend
    wave = np.sin(2 * math.pi * across / step)
    kind = rng.random()
    if kind > 0.6:
        other = np.sin(2 * math.pi * down / step)
        wave = wave * other if kind > 0.8 else np.maximum(wave, other)
    shape = np.clip(wave * rng.uniform(1, 6) + rng.uniform(-0.5, 0.5), -1, 1) / 2 + 0.5
    rows = np.flatnonzero((alpha > 0.5).any(1))
    top, tall = (rows[0], rows[-1] - rows[0]) if len(rows) else (0, height)
    collar = (top + rng.uniform(0.2, 0.7) * tall) / height
    where = alpha * np.clip((y - collar) * 20, 0, 1)
    if rng.random() < 0.25:
        edge = (y if rng.random() < 0.5 else x) - rng.uniform(0.2, 0.9)
        where = np.maximum(where, (1 - alpha) * (edge > 0))
    share = (shape * where * rng.uniform(0.3, 1)).astype(np.float32)
    colour = np.full_like(image, rng.integers(0, 256, 3))
    return cv2.blendLinear(colour, image, share, 1 - share)


def add_occluder(
    picture: Image, alpha: Alpha, image: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Add a table, the back of a chair or a post between camera and people, with a plain texture or
    ``image`` in other colours."""
    height, width = alpha.shape
    cover = np.zeros((height, width), np.float32)
    if rng.random() < 0.6:  # rises from the lower edge
        high, broad = height * rng.uniform(0.05, 0.35), width * rng.uniform(0.2, 1.3)
        middle = rng.uniform(0, width)
        lean = rng.normal(0, 0.15, 2) * height
        inset = broad * rng.uniform(-0.1, 0.3)
        left, right, top = middle - broad / 2, middle + broad / 2, height - high + lean
        corners = [
            [left, height + 9],
            [left + inset, top[0]],
            [right - inset, top[1]],
            [right, height + 9],
        ]
    else:
        thick = height * rng.uniform(0.015, 0.1)
        ends = rng.uniform(0, width, 2)
        if rng.random() < 0.7:
            ends[1] = ends[0] + rng.normal(0, 0.05) * width
        corners = [
            [ends[0], -9],
            [ends[0] + thick, -9],
            [ends[1] + thick, height + 9],
            [ends[1], height + 9],
        ]
    cv2.fillPoly(cover, [np.round(np.array(corners)).astype(np.int32)], 1.0)
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.5:
        surface = wall((width, height), rng)
    else:
        surface = recoloured(cv2.resize(image, (width, height)), rng)[::-1]
        surface = cv2.GaussianBlur(surface, (0, 0), rng.uniform(2, 20))
    free = 1 - cover
    return cv2.blendLinear(np.ascontiguousarray(surface), picture, cover, free), alpha * free


def lamplit(image: Image, rng: np.random.Generator) -> Image:
    """Darken the image except around a lamp or a screen, somewhere in or beside it."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    lamp = rng.uniform(-0.2, 1.2) * width / height, rng.uniform(-0.2, 1)
    reach = rng.uniform(0.25, 0.8)
    near = np.exp(-((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2) / (2 * reach**2))[..., None]
    warm = np.array([rng.uniform(0.35, 1), rng.uniform(0.7, 1), 1.0])
    colour = warm if rng.random() < 0.75 else warm[::-1]
    rest = rng.uniform(0.05, 0.5) * rng.uniform(0.7, 1, 3)
    light = rest + near * colour * rng.uniform(0.8, 1.4)
    return np.clip(image * light, 0, 255).astype(np.uint8)


def room(image: Image, mask: Mask, size: Size, rng: np.random.Generator) -> Image:
    """Return a background of ``size``: the part of a photo without people, or a drawn wall."""
    part = _empty_part(image, mask)
    if part is None or rng.random() < 0.1:
        return wall(size, rng)
    (height, width), (w, h) = part.shape[:2], size
    scale = min(width / w, height / h) * rng.uniform(0.45, 1)
    left, top = rng.uniform(size=2) * (width - w * scale, height - h * scale)
    matrix = np.array([[1 / scale, 0, -left / scale], [0, 1 / scale, -top / scale]], np.float32)
    if rng.random() < 0.5:
        matrix[0] = -1 / scale, 0, (left + w * scale) / scale
    shown = cv2.warpAffine(part, matrix, size, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < FURNISHED:
        things = (hung, globe, railing, drawn)
        shown = things[rng.integers(len(things))](shown, rng)
    if rng.random() < 0.4:  # out of focus
        shown = cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.5, 6))
    return shown


def _empty_part(image: Image, mask: Mask) -> Image | None:
    """Return the largest strip beside or above the people; None if there is none."""
    person = mask > 60
    if not person.any():
        return image
    columns, rows = np.flatnonzero(person.any(0)), np.flatnonzero(person.any(1))
    left, right, above = columns[0], mask.shape[1] - 1 - columns[-1], rows[0]
    if max(left, right) > 0.22 * mask.shape[1]:
        return image[:, :left] if left >= right else image[:, -right:]
    return image[:above] if above > 0.3 * mask.shape[0] else None


def wall(size: Size, rng: np.random.Generator) -> Image:
    """Return a plain wall or a colour gradient, with a little noise."""
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    if rng.random() < 0.5:
        corners = corners[:1, :1] + rng.normal(0, 15, (2, 2, 3)).astype(np.float32)
    noise = rng.normal(0, rng.uniform(0, 6), (size[1], size[0], 3))
    return np.clip(cv2.resize(corners, size) + noise, 0, 255).astype(np.uint8)


def hung(behind: Image, rng: np.random.Generator) -> Image:
    """Add pictures to the background's walls, in perspective; they show the background itself,
    mirrored and in other colours."""
    height, width = behind.shape[:2]
    behind = behind.copy()
    for _ in range(rng.integers(1, 4)):
        high, broad = height * rng.uniform(0.15, 0.7, 2)
        middle = rng.uniform(size=2) * (width, height)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (broad / 2, high / 2)
        place = (corners * rng.uniform(0.85, 1.15, (4, 2)) + middle).astype(np.float32)
        shown = np.ascontiguousarray(recoloured(behind, rng)[:, ::-1])
        edge = int(rng.uniform(0, 0.08) * height)
        if edge:
            frame = tuple(int(value) for value in rng.integers(0, 256, 3))
            cv2.rectangle(shown, (0, 0), (width - 1, height - 1), frame, 2 * edge)
        inner = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(inner, place)
        cv2.warpPerspective(
            shown, matrix, (width, height), behind, borderMode=cv2.BORDER_TRANSPARENT
        )
    return behind


def globe(behind: Image, rng: np.random.Generator) -> Image:
    """Add a large round object, lit from one side, often before darkness: a globe, a lamp, the back
    of a chair."""
    height, width = behind.shape[:2]
    axes = height * rng.uniform(0.15, 0.6) * np.exp(rng.normal(0, 0.15, 2))
    middle = rng.uniform(size=2) * (width, height)
    y, x = (
        (np.arange(side) - at) / reach
        for side, at, reach in zip((height, width), middle[::-1], axes, strict=True)
    )
    y, x = np.meshgrid(y, x, indexing="ij")
    away = np.sqrt(x**2 + y**2)
    inside = np.clip((1 - away) * axes.min(), 0, 1).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.8) * (x * math.cos(angle) + y * math.sin(angle))
    shown = recoloured(behind, rng)[::-1] * np.clip(light, 0, 2)[..., None]
    shown = np.clip(shown, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        behind = (behind * rng.uniform(0, 0.3)).astype(np.uint8)
    return cv2.blendLinear(shown, behind, inside, 1 - inside)


def railing(behind: Image, rng: np.random.Generator) -> Image:
    """Add bars, blinds or stripes in front of a part of the background."""
    height, width = behind.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.choice((0, math.pi / 2)) + rng.normal(0, 0.12)
    step, share = height * rng.uniform(0.03, 0.2), rng.uniform(0.15, 0.6)
    far = (x * math.cos(angle) + y * math.sin(angle)) % step
    bars = np.clip(np.minimum(far, share * step - far) + 0.5, 0, 1)
    (left, right), (top, foot) = (np.sort(rng.uniform(-0.2, 1.2, 2)) for _ in range(2))
    bars *= (x > left * width) & (x < right * width) & (y > top * height) & (y < foot * height)
    colour = np.full_like(behind, rng.integers(0, 256, 3))
    return cv2.blendLinear(colour, behind, bars, 1 - bars)


def drawn(behind: Image, rng: np.random.Generator) -> Image:
    """Turn the background into an illustration with a few flat colours."""
    step = int(rng.integers(20, 64))
    flat = cv2.medianBlur(behind, int(rng.choice((3, 5, 7))))
    return np.asarray(flat // step * step + step // 2, np.uint8)


def hint(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """Return a plausible alpha of the previous frame: half the time zeros, otherwise the alpha
    slightly displaced, and sometimes wrong."""
    height, width = alpha.shape
    kind = rng.random()
    if kind < 0.5:
        return np.zeros_like(alpha)
    matrix = np.eye(2, 3) + np.c_[rng.normal(0, 0.018, (2, 2)), np.zeros(2)]
    middle = np.array([width / 2, height / 2])
    matrix[:, 2] = rng.normal(0, 0.02, 2) * (width, height) + middle - matrix[:, :2] @ middle
    last = cv2.warpAffine(alpha, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    last = cv2.GaussianBlur(last, (0, 0), rng.uniform(0.3, 1.5))
    if kind > 0.7:
        for _ in range(rng.integers(1, 4)):
            blob = np.zeros_like(last)
            place = int(rng.integers(width)), int(rng.integers(height))
            axes = int(rng.uniform(0.03, 0.2) * width), int(rng.uniform(0.03, 0.25) * height)
            cv2.ellipse(blob, place, axes, rng.uniform(0, 180), 0, 360, 1, -1)
            blob = cv2.GaussianBlur(blob, (0, 0), 2)
            last = last * (1 - blob) + blob * (rng.random() < 0.5)
    if kind > 0.95:
        last = np.roll(last, int(rng.uniform(-0.5, 0.5) * width), 1)
    return np.clip(last, 0, 1).astype(np.float32)
