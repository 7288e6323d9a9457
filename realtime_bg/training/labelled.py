"""Finds and reads photos and clips with their masks on disk.

Layout: ``ROOT/images`` and ``ROOT/masks``; a photo and its mask have the same stem
(``images/anna.jpg``, ``masks/anna.png``). A clip is a folder of frames in alphabetical order beside
a folder of masks with the same stems (``images/walk/0001.jpg``, ``masks/walk/0001.png``), or a
video beside a video (``images/walk.mp4``, ``masks/walk.mkv``). Masks are greyscale: white is
person, grey is partly person; files that contain only 0 and 1 are read as black and white.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import DataError, SourceError, reason
from realtime_bg.frames import Image
from realtime_bg.media.pictures import read_picture
from realtime_bg.media.suffixes import CLIPS, PICTURES
from realtime_bg.settings import at_home

log = logging.getLogger(__name__)

LISTED = 3  # files named in one warning

Mask = NDArray[np.uint8]


class Pair(NamedTuple):
    """A photo, folder of frames or video, and its mask of the same kind (None if not needed)."""

    name: str
    image: Path
    mask: Path | None


def pairs(root: Path, masks: bool = True) -> list[Pair]:
    """Return the pairs in ``root``, by name. Without ``masks`` masks are ignored, and ``root`` may
    itself be the folder of images.

    A warning names images without a mask, which are left out. Raises DataError if no pair remains.
    """
    images = root / "images"
    if not masks and not images.is_dir():
        images = root
    for folder in (images, root / "masks") if masks else (images,):
        if not folder.is_dir():
            raise DataError(
                f"{folder}: no such folder; {root} needs images/ and masks/ with the same names"
            )
    found = _by_stem(images)
    if not found:
        raise DataError(f"{images}: contains no images or clips")
    if not masks:
        return [Pair(stem, path, None) for stem, path in found.items()]
    others = _by_stem(root / "masks")
    warn_left_out(
        [path.name for stem, path in found.items() if stem not in others],
        f"{images}: no mask in {root / 'masks'} for",
    )
    result = [Pair(stem, path, others[stem]) for stem, path in found.items() if stem in others]
    if not result:
        raise DataError(f"{root}: no image has a mask of the same name in {root / 'masks'}")
    return result


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return images, videos and folders of images by name without suffix, in alphabetical order."""
    known = (*PICTURES, *CLIPS)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.suffix.lower() in known):
            continue
        stem = path.name if path.is_dir() else path.stem
        if stem in found:
            raise DataError(f"{path} and {found[stem].name} have the same name; rename one")
        found[stem] = path
    return found


def warn_left_out(names: list[str], about: str) -> None:
    """Warn in one line about files that are left out; do nothing if there are none."""
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        log.warning("%s %s%s; left out", about, ", ".join(names[:LISTED]), more)


def is_clip(path: Path) -> bool:
    """Whether a path from `pairs` is a folder of frames or a video, not a photo."""
    return path.is_dir() or path.suffix.lower() in CLIPS


def read_image(path: Path) -> Image:
    """Return BGR ``uint8 (H, W, 3)``, upright. Raises DataError."""
    return _decoded(path, cv2.IMREAD_COLOR)


def read_mask(path: Path, like: Image | None = None) -> Mask:
    """Return grey ``uint8 (H, W)``, 255 is person. Raises DataError, also if its size differs from
    the image ``like``."""
    mask: Any = _decoded(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if mask.dtype == np.uint16:  # may hold 8-bit values or 0 and 1 as 16 bits
        mask = (mask // (257 if mask.max() > 255 else 1)).astype(np.uint8)
    elif mask.dtype != np.uint8:
        mask = _decoded(path, cv2.IMREAD_GRAYSCALE)
    if like is not None:
        _check_size(mask, path, like)
    return mask * 255 if mask.max() == 1 else mask


def read_cutout(path: Path) -> tuple[Image, Mask]:
    """Return the colours, BGR ``uint8 (H, W, 3)``, and the alpha, ``uint8 (H, W)``, of a picture
    with an alpha channel. Raises DataError."""
    full: Any = _decoded(path, cv2.IMREAD_UNCHANGED)
    if full.ndim != 3 or full.shape[2] != 4 or full.dtype != np.uint8:
        raise DataError(f"{path}: has no alpha channel of 8 bits; cut-outs are RGBA pictures")
    return np.ascontiguousarray(full[..., :3]), np.ascontiguousarray(full[..., 3])


def _check_size(mask: Mask, path: Path, like: Image) -> None:
    if mask.shape != like.shape[:2]:
        raise DataError(f"{path}: the mask is {_size(mask)}, its image {_size(like)}")


def _size(picture: Image) -> str:
    """WIDTHxHEIGHT."""
    height, width = picture.shape[:2]
    return f"{width}x{height}"


def _decoded(path: Path, how: int) -> Image:
    try:
        image = read_picture(path, how)
    except (OSError, cv2.error) as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})") from None
    if image is None:
        raise DataError(f"{path}: not a readable image")
    return image


def frames(pair: Pair) -> Iterator[tuple[Image, Mask | None]]:
    """Yield the frames of a clip with their masks (None if the pair has none), in order.

    Raises DataError for a frame that is not readable, has no mask, or differs in size from its mask
    or the first frame, and for more masks than frames.
    """
    masks = None if pair.mask is None else _pictures(pair.mask, masks=True)
    first = ""
    for name, image in _pictures(pair.image):
        size = _size(image)
        first = first or size
        if size != first:
            raise DataError(f"{pair.image}: frame {name} is {size}, the first one {first}")
        if masks is None or pair.mask is None:
            yield image, None
            continue
        other, mask = next(masks, ("", None))
        if mask is None or (pair.image.is_dir() and pair.mask.is_dir() and name != other):
            raise DataError(f"{pair.mask}: has no mask for frame {name} of {pair.image}")
        _check_size(mask, pair.mask, image)
        yield image, mask
    if masks is not None and next(masks, None) is not None:
        raise DataError(f"{pair.mask}: has more frames than {pair.image}")


def _pictures(path: Path, masks: bool = False) -> Iterator[tuple[str, Image]]:
    """Yield the name and the image, or the mask, of every frame of a folder or video."""
    if path.is_dir():
        for stem, file in _by_stem(path).items():
            yield stem, read_mask(file) if masks else read_image(file)
        return
    from realtime_bg.media.av import open_video
    from realtime_bg.media.decoding import to_bgr
    from realtime_bg.media.reading import pictures

    try:
        container, stream = open_video(str(path))
    except SourceError as error:
        raise DataError(str(error)) from None
    with container:
        for index, picture in enumerate(pictures(container, stream)):
            image = to_bgr(picture)
            yield str(index), cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if masks else image


def data_root(text: str, kinds: tuple[str, ...]) -> tuple[str, Path]:
    """``folder:ROOT`` -> ("folder", ROOT). Raises DataError: unknown kind or no such folder."""
    kind, colon, root = text.partition(":")
    if kind not in kinds or not colon or not root:
        raise DataError(f"--data {text!r}: write {' or '.join(f'{kind}:ROOT' for kind in kinds)}")
    path = at_home(root)
    if not path.is_dir():
        raise DataError(f"--data {text!r}: no such folder")
    return kind, path
