"""Datasets of photos with person masks, from folders or COCO: reading, splitting and cropping.

`Photos` are sequences of `Sample`; reading one may raise DataError. Datasets for the `loop` are
indexed by ``(epoch, index, step)``, so that random augmentation depends on nothing else, and return
tensors, or a text if the photo cannot be read.
"""

import contextlib
import io
import json
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor

from realtime_bg.errors import DataError, MissingPackageError, reason
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.fill import fill
from realtime_bg.installing import add_extra
from realtime_bg.training import augment
from realtime_bg.training.labelled import (
    Mask,
    data_root,
    is_clip,
    pairs,
    read_cutout,
    read_image,
    read_mask,
    warn_left_out,
)

PERSON = "person"
COCO_SPLITS = ("train2017", "val2017")
FRAME = re.compile(r"-(\d{5}|[1-9]\d{5,})$")  # of a clip

Position: TypeAlias = tuple[int, int, int]  # epoch, index, step
Example: TypeAlias = tuple[Tensor, ...] | str  # a str says why it could not be read


class Examples(Protocol):
    """The interface of a dataset for the `loop`."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: Position, /) -> Example: ...


class Sample(NamedTuple):
    """``image``: BGR ``uint8 (H, W, 3)``. ``mask``: ``uint8 (H, W)``, 255 is person. ``valid``:
    ``uint8 (H, W)``, 0 where the mask is unknown; None if all of it is known. ``cut``: whether it
    is a cut-out, whose colours beyond the person are made up."""

    image: Image
    mask: Mask
    valid: Mask | None = None
    cut: bool = False


Photos: TypeAlias = Sequence[Sample]


class NamedPhotos(Sequence[Sample]):
    """Photos with a unique name each, in ``names``."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)


class FolderPhotos(NamedPhotos):
    """The photos of ``root/images`` with their masks in ``root/masks``; clips are left out."""

    def __init__(self, root: Path) -> None:
        """Raises DataError."""
        found = pairs(root)
        warn_left_out(
            [pair.name for pair in found if is_clip(pair.image)],
            f"{root}: clips cannot be used for training:",
        )
        self._pairs = [pair for pair in found if not is_clip(pair.image)]
        if not self._pairs:
            raise DataError(f"{root / 'images'}: holds no photos")
        self.names = [pair.name for pair in self._pairs]

    def __getitem__(self, index: Any) -> Any:
        _, image, mask = self._pairs[index]
        assert mask is not None
        picture = read_image(image)
        return Sample(picture, read_mask(mask, picture))


class CutoutPhotos(NamedPhotos):
    """The PNG files of a folder whose alpha channel is the mask: people without a background."""

    def __init__(self, root: Path) -> None:
        """Raises DataError."""
        self._files = sorted(root.glob("*.png"))
        if not self._files:
            raise DataError(f"{root}: holds no PNG files")
        self.names = [path.stem for path in self._files]

    def __getitem__(self, index: Any) -> Any:
        path = self._files[index]
        image, mask = read_cutout(path)
        return Sample(fill(image, (mask / 255).astype(np.float32)), mask, cut=True)


class CocoPhotos(NamedPhotos):
    """The photos with a person in one split of COCO (Lin et al. 2014, arXiv 1405.0312).

    ``root/train2017`` (or ``root/images/train2017``) holds the photos, and
    ``root/annotations/instances_train2017.json`` the outlines. The mask is the union of all people;
    regions marked as a crowd, which are outlined roughly, are invalid except for people in them.
    Photos that show only a crowd are left out.
    """

    def __init__(self, root: Path, split: str) -> None:
        """Raises DataError, and MissingPackageError without pycocotools."""
        try:
            from pycocotools.coco import COCO
        except ModuleNotFoundError:
            raise MissingPackageError(
                f"COCO needs the package pycocotools; run: {add_extra('train')}"
            ) from None
        file = coco_annotations(root, split)
        self._folder = next(
            (folder for folder in (root / split, root / "images" / split) if folder.is_dir()), None
        )
        if self._folder is None:
            raise DataError(f"{root / split}: no such folder; unpack {split}.zip there")
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress there
                self._coco = COCO(str(file))
            people = self._coco.getCatIds(catNms=[PERSON])
            if not people:
                raise DataError(f"{file}: has no category {PERSON!r}")
            found = self._coco.loadAnns(self._coco.getAnnIds(catIds=people))
            self._people: dict[int, list[dict[str, Any]]] = {}
            for annotation in found:
                self._people.setdefault(annotation["image_id"], []).append(annotation)
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: cannot be read ({reason(error)})") from None
        except (KeyError, TypeError, AssertionError) as error:
            raise DataError(f"{file}: not instance annotations of COCO ({error!r})") from None
        self._ids = sorted(
            key
            for key, group in self._people.items()
            if not all(one.get("iscrowd") for one in group)
        )
        if not self._ids:
            raise DataError(f"{file}: no photo has a person")
        self.names = [str(key) for key in self._ids]

    def __getitem__(self, index: Any) -> Any:
        key = self._ids[index]
        try:
            return self._sample(key)
        except DataError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(f"COCO photo {key}: annotation cannot be read ({error!r})") from None

    def _sample(self, key: int) -> Sample:
        assert self._folder is not None
        path = self._folder / self._coco.imgs[key]["file_name"]
        image = read_image(path)
        mask = np.zeros(image.shape[:2], np.uint8)
        valid = np.full_like(mask, 255)
        for annotation in self._people[key]:
            region = self._coco.annToMask(annotation)
            if region.shape != mask.shape:
                raise DataError(
                    f"{path}: is {image.shape[1]}x{image.shape[0]}, but its annotation is "
                    f"{region.shape[1]}x{region.shape[0]}"
                )
            if annotation.get("iscrowd"):
                valid[region > 0] = 0
            else:
                mask[region > 0] = 255
        valid[mask > 0] = 255
        return Sample(image, mask, valid)


def coco_annotations(root: Path, split: str) -> Path:
    """Return the annotation file of a split. Raises DataError."""
    name = f"annotations/instances_{split}.json"
    for folder in (root, root / "annotations_trainval2017"):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{root / name}: no such file; unpack annotations_trainval2017.zip in {root}")


class Subset(NamedPhotos):
    """A subset of the photos, by index."""

    def __init__(self, photos: NamedPhotos, indices: Sequence[int]) -> None:
        self._photos, self._indices = photos, list(indices)
        self.names = [photos.names[index] for index in indices]

    def __getitem__(self, index: Any) -> Any:
        return self._photos[self._indices[index]]


def open_photos(data: str, fraction: float, seed: int) -> tuple[NamedPhotos, NamedPhotos]:
    """Return the training and the validation photos of ``coco:ROOT``, ``folder:ROOT`` or
    ``cutouts:ROOT``.

    Validation uses COCO's own split if it exists, otherwise a ``fraction`` of the photos, chosen by
    ``seed``. Raises DataError and MissingPackageError.
    """
    kind, root = data_root(data, ("coco", "folder", "cutouts"))
    photos: NamedPhotos
    if kind != "coco":
        photos = (CutoutPhotos if kind == "cutouts" else FolderPhotos)(root)
        return _parts(photos, *split(photos.names, fraction, seed, data))
    train, val = COCO_SPLITS
    photos = CocoPhotos(root, train)
    if (root / val).is_dir() or (root / "images" / val).is_dir():
        return photos, CocoPhotos(root, val)
    return _parts(photos, *split(photos.names, fraction, seed, data))


def _parts(
    photos: NamedPhotos, train: list[int], val: list[int]
) -> tuple[NamedPhotos, NamedPhotos]:
    return Subset(photos, train), Subset(photos, val)


def split(
    names: Sequence[str], fraction: float, seed: int, what: str
) -> tuple[list[int], list[int]]:
    """Return the indices for training and, for about ``fraction`` of the names, for validation.

    The choice depends only on ``seed`` and a photo's name, so it does not change when other photos
    are added or removed; frames of one clip, as scripts/label.py names them, stay together. Raises
    DataError for fewer than two.
    """
    if len(names) < 2:
        raise DataError(f"{what}: training needs at least 2 pictures, found {len(names)}")
    clips = [FRAME.sub("", name) for name in names]
    if len(set(clips)) == 1:
        clips = list(names)
    draws = [_draw(clip, seed) for clip in clips]
    least, most = min(draws), max(draws)
    val = [draw == least or (draw < fraction and draw < most) for draw in draws]
    return (
        [index for index, one in enumerate(val) if not one],
        [index for index, one in enumerate(val) if one],
    )


def _draw(name: str, seed: int) -> float:
    """Return a hash of the name, uniform in [0, 1)."""
    return int.from_bytes(_hashed(f"{seed}/{name}").digest()[:6]) / 2**48


def fingerprint(*groups: Sequence[str]) -> str:
    """Return the number of names and a short hash of them."""
    text = "\n\n".join("\n".join(names) for names in groups)
    return f"{sum(map(len, groups))} ({_hashed(text).hexdigest()[:8]})"


def _hashed(text: str) -> Any:
    return sha256(text.encode(errors="surrogateescape"))  # file names may not be UTF-8


class Windows:
    """Photos at ``size`` (width, height): randomly cropped and augmented for training, otherwise
    whole.

    An example is RGB ``uint8 (3, H, W)`` and ``uint8 (2, H, W)``: mask and validity.
    """

    def __init__(self, photos: Photos, size: Size, seed: int | None) -> None:
        """``seed``: of the augmentation; None for whole photos."""
        self._photos, self._size, self._seed = photos, size, seed

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, position: Position) -> Example:
        try:
            sample = self._photos[position[1]]
        except DataError as error:
            return str(error)
        planes = [sample.image, sample.mask]
        if sample.valid is not None:
            planes.append(sample.valid)
        if self._seed is None:
            image, mask, *valid = augment.fit_whole(planes, self._size)
        else:
            rng = np.random.default_rng((self._seed, *position[:2]))
            image, mask, *valid = augment.random_window(planes, self._size, rng)
            image = augment.recoloured(image, rng)
        # The loss ignores pixels outside the photo.
        target = np.dstack([mask, np.minimum.reduce(valid)])
        return as_tensor(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)), as_tensor(target)


class JoinedPhotos(NamedPhotos):
    """Several sets of photos as one, each repeated a number of times."""

    def __init__(self, parts: Sequence[tuple[NamedPhotos, int]]) -> None:
        self._places = [
            (photos, index)
            for photos, times in parts
            for index in range(len(photos))
            for _ in range(times)
        ]
        self.names = [photos.names[index] for photos, index in self._places]

    def __getitem__(self, index: Any) -> Any:
        photos, own = self._places[index]
        return photos[own]


def open_all(specs: Sequence[str], fraction: float, seed: int) -> tuple[NamedPhotos, NamedPhotos]:
    """Open and join several datasets; ``SPEC*N`` repeats each of its photos N times per epoch."""
    train, val = [], []
    for spec in specs:
        data, star, times = spec.rpartition("*")
        if not (star and times.isdigit() and int(times)):
            data, times = spec, "1"
        ours, theirs = open_photos(data, fraction, seed)
        train.append((ours, int(times)))
        val.append((theirs, 1))
    return JoinedPhotos(train), JoinedPhotos(val)


def as_tensor(picture: Image) -> Tensor:
    """Copy ``(H, W, C)`` to ``(C, H, W)``."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
