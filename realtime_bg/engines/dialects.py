"""The output formats ("dialects") of detectors with masks, and recognising the one of a graph.

* torchvision Mask R-CNN: ``boxes`` (N, 4), ``labels`` (N), ``scores`` (N), ``masks`` (N, 1, H, W)
  at the picture's size; classes numbered 1..90; takes RGB in 0..1.
* Detectron2, traced: ``boxes`` (N, 4), ``classes`` (N) int, ``masks`` (N, 1, 28, 28) per box and
  ``scores`` (N) float. Detectron2's own exporter calls them ``boxes.35``, ``value.3``, ``value.7``,
  ``value`` or the like, and adds the picture's size (2) int. Takes BGR in 0..255, (3, H, W).
* mmdetection: ``dets`` (1, N, 5) box and score, ``labels`` (1, N), ``masks`` (1, N, h, w), of the
  picture or of the box; takes RGB normalised by ImageNet's mean and deviation.
* YOLO-seg: boxes, class scores and 32 mask coefficients in one table, and 32 prototype masks;
  v8 and later (1, 4+C+32, A), v5 (1, A, 5+C+32), end to end (1, N, 6+32); takes RGB in 0..1.
* Detectron2 panoptic, its ``panoptic_seg`` pair with the second part as a table: ``panoptic_seg``
  (H, W) int, the segment of each pixel, and ``segments_info`` (S, 3) int: id, category_id, isthing
  (1 for a thing that can be counted, 0 for stuff); takes BGR in 0..255, (3, H, W).

Exporters write an axis as a number, as a name (``n``, ``Castboxes_dim_1``) or not at all. Only a
number can contradict a dialect.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from realtime_bg.errors import EngineError

Dialect = Literal["torchvision", "detectron2", "mmdet", "yolo", "panoptic"]
COEFFICIENTS = 32  # of YOLO's prototype masks


class Role(NamedTuple):
    """The form of an output: ``shape``, with None for an axis of any length, and ``kind``, a part
    of the name of its type in ONNX Runtime, such as ``tensor(int64)``."""

    shape: tuple[int | None, ...]
    kind: Literal["float", "int"]

    def agrees(self, shape: list[Any] | tuple[Any, ...]) -> bool:
        """Whether a shape of numbers, names and None may be this one."""
        return len(shape) == len(self.shape) and all(
            want is None or not isinstance(size, int) or size == want
            for want, size in zip(self.shape, shape, strict=True)
        )


MASK_RCNN = {
    "boxes": Role((None, 4), "float"),
    "labels": Role((None,), "int"),
    "scores": Role((None,), "float"),
    "masks": Role((None, 1, None, None), "float"),
}
ROLES: dict[Dialect, dict[str, Role]] = {
    "torchvision": MASK_RCNN,
    "detectron2": MASK_RCNN,
    "mmdet": {
        "dets": Role((None, None, 5), "float"),
        "labels": Role((None, None), "int"),
        "masks": Role((None, None, None, None), "float"),
    },
    "yolo": {
        "table": Role((None, None, None), "float"),
        "prototypes": Role((None, COEFFICIENTS, None, None), "float"),
    },
    "panoptic": {
        "panoptic_seg": Role((None, None), "int"),
        "segments_info": Role((None, 3), "int"),
    },
}
# What a dialect calls its outputs, by role.
NAMED: tuple[tuple[Dialect, dict[str, str]], ...] = (
    ("panoptic", {"panoptic_seg": "panoptic_seg", "segments_info": "segments_info"}),
    ("mmdet", {"dets": "dets", "labels": "labels", "masks": "masks"}),
    (
        "torchvision",
        {"boxes": "boxes", "labels": "labels", "scores": "scores", "masks": "masks"},
    ),
    ("detectron2", {"boxes": "boxes", "labels": "classes", "scores": "scores", "masks": "masks"}),
)
# Exporters that number their outputs. torchvision's differ from Detectron2's by having no
# ``PICTURE_SIZE``, the shape of a further output; unnamed they are not recognised.
UNNAMED: tuple[Dialect, ...] = ("detectron2", "yolo")
PICTURE_SIZE = (2,)


class Recognised(NamedTuple):
    """A dialect and, by role, the names of the graph's outputs."""

    dialect: Dialect
    names: dict[str, str]


def recognise(outputs: list[Any], path: Path) -> Recognised:
    """The dialect of the graph ``path`` by its ``outputs``, each with ``name``, ``shape`` (sizes as
    numbers, names or None) and ``type``, as ONNX Runtime gives them.

    Known names decide. Otherwise ranks and types do, but only if exactly one dialect fits and each
    of its roles fits exactly one output. Raises EngineError for any other graph.
    """
    named = {value.name.lower(): value for value in outputs}
    for dialect, names in NAMED:
        if set(names.values()) <= set(named):
            roles = {role: named[name] for role, name in names.items()}
            # An output of unknown rank has the shape [].
            if all(
                not v.shape or ROLES[dialect][role].agrees(v.shape) for role, v in roles.items()
            ):
                return Recognised(dialect, {role: value.name for role, value in roles.items()})
    alike = [(dialect, names) for dialect in UNNAMED if (names := _by_form(dialect, outputs))]
    if len(alike) == 1:
        return Recognised(*alike[0])
    shapes = [(value.name, value.shape) for value in outputs]
    raise EngineError(
        f"{path}: not a detector with masks that is known (torchvision, Detectron2, mmdetection, "
        f"YOLO-seg); its outputs are {shapes}; try another --engine"
    )


def _by_form(dialect: Dialect, outputs: list[Any]) -> dict[str, str]:
    """The names of the outputs by role; empty if a role fits none of them, or several."""
    sizes = [v for v in outputs if tuple(v.shape) == PICTURE_SIZE and "int" in v.type]
    if len(sizes) != (1 if dialect == "detectron2" else 0):
        return {}
    names = {}
    for role, wanted in ROLES[dialect].items():
        fitting = [
            value.name
            for value in outputs
            if value not in sizes and wanted.agrees(value.shape) and wanted.kind in value.type
        ]
        if len(fitting) != 1:
            return {}
        names[role] = fitting[0]
    return names


def check_shapes(dialect: Dialect, values: dict[str, NDArray[Any]]) -> None:
    """Raise EngineError for arrays, given by role, whose shapes are not those of the dialect. Empty
    arrays pass."""
    for role, wanted in ROLES[dialect].items():
        shape = values[role].shape
        if values[role].size and not wanted.agrees(shape):
            sizes = ", ".join("any" if size is None else str(size) for size in wanted.shape)
            raise EngineError(f"the detector's {role} have the shape {shape}, not ({sizes})")
