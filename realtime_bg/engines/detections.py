"""The detections of a network with masks, converted to one form from any of the dialects of
`dialects.py`."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.dialects import COEFFICIENTS, Dialect, check_shapes
from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Size

Floats = NDArray[np.float32]
YOLO_OVERLAP = 0.6  # boxes that overlap more are the same thing
EDGE = 3.0  # network pixels over which an alpha goes from 0 to 1
SPILL = 0.04  # fraction of a box's sides by which an object may extend beyond a tight box


@dataclass(frozen=True, slots=True)
class Detections:
    """``boxes`` float32 (N, 4): x1, y1, x2, y2 in network pixels. ``classes`` int (N),
    ``scores`` float32 (N) in 0..1. ``masks``: one entry each, whatever `paste` understands."""

    boxes: Floats
    classes: NDArray[np.int64]
    scores: Floats
    masks: Floats
    prototypes: Floats | None = None
    prototype_scale: float = 4.0  # network pixels per prototype pixel

    def only(self, keep: NDArray[Any]) -> "Detections":
        """The detections at the indices, or where the mask is true."""
        return Detections(
            self.boxes[keep],
            self.classes[keep],
            self.scores[keep],
            self.masks[keep],
            self.prototypes,
            self.prototype_scale,
        )

    def paste(self, index: int, size: Size) -> Floats:
        """One mask in network pixels, cropped to ``size`` (width, height): ``float32 (h, w)``, the
        probability in 0..1 that a pixel belongs to the object."""
        if self.prototypes is not None:
            return self._from_prototypes(index, size)
        mask = self.masks[index]
        x1, y1, x2, y2 = self.boxes[index]
        if mask.shape[0] >= size[1] and mask.shape[1] >= size[0]:  # of the whole picture
            return np.ascontiguousarray(mask[: size[1], : size[0]])
        # Mask cells are areas of the box: their centres map to the centres of pixels.
        height, width = mask.shape
        fx, fy = max(x2 - x1, 1e-3) / width, max(y2 - y1, 1e-3) / height
        matrix = np.array([[fx, 0, x1 + (fx - 1) / 2], [0, fy, y1 + (fy - 1) / 2]], np.float32)
        return cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)

    def _from_prototypes(self, index: int, size: Size) -> Floats:
        assert self.prototypes is not None
        logits = np.tensordot(self.masks[index], self.prototypes, 1).astype(np.float32)
        scale = self.prototype_scale
        matrix = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]], np.float32)
        enlarged = cv2.warpAffine(
            logits, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        probable = 1 / (1 + np.exp(-np.clip(enlarged, -30, 30)))
        inside = np.zeros_like(probable)
        low, high = self.boxes[index, :2], self.boxes[index, 2:]
        spill = SPILL * (high - low)
        (x1, y1), (x2, y2) = (np.round(v).astype(int) for v in (low - spill, high + spill))
        inside[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 1
        return (probable * inside).astype(np.float32)


def edged(probable: Floats) -> Alpha:
    """The alpha of a mask of probabilities, ``float32 (h, w)`` in 0..1: a soft edge, `EDGE` pixels
    wide, along the line where ``probable`` is 0.5, and opaque inside. An uncertain network does not
    mean that an arm is transparent."""
    above = probable - np.float32(0.5)
    # The distance to that line is the value divided by its slope; ksize=1 gives twice the slope.
    slope = cv2.magnitude(
        cv2.Sobel(above, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(above, cv2.CV_32F, 0, 1, ksize=1)
    )
    distance = above / np.maximum(slope * np.float32(EDGE / 2), np.float32(1e-6))
    return np.clip(distance + np.float32(0.5), 0, 1)


def read(dialect: Dialect, values: dict[str, NDArray[Any]], score: float, size: Size) -> Detections:
    """Bring a graph's outputs, by role, to one form; weaker detections than ``score`` go.
    ``size`` is the (width, height) the network saw. Raises EngineError for arrays that are not the
    dialect's, or do not fit each other."""
    check_shapes(dialect, values)
    if dialect == "yolo":
        found = _yolo(values["table"], values["prototypes"], score)
        return replace(found, prototype_scale=size[0] / values["prototypes"].shape[-1])
    if dialect == "panoptic":
        return _panoptic(values["panoptic_seg"], values["segments_info"])
    if dialect == "mmdet":
        table = values["dets"].reshape(-1, 5).astype(np.float32)
        boxes, scores = table[:, :4], table[:, 4]
        masks = values["masks"].reshape(len(boxes), *values["masks"].shape[-2:])
    else:
        boxes = values["boxes"].reshape(-1, 4).astype(np.float32)
        scores = values["scores"].reshape(-1).astype(np.float32)
        masks = values["masks"].reshape(len(boxes), *values["masks"].shape[-2:])
    classes = values["labels"].reshape(-1).astype(np.int64)
    if not (len(boxes) == len(classes) == len(scores) == len(masks)):
        raise EngineError(
            f"the detector gives {len(boxes)} boxes, {len(classes)} classes, {len(scores)} scores "
            f"and {len(masks)} masks"
        )
    found = Detections(boxes, classes, scores, masks.astype(np.float32))
    # NaN compares false: what is not a number is no detection.
    return found.only((scores >= score) & np.isfinite(boxes).all(axis=1))


def _panoptic(segments: NDArray[Any], info: NDArray[Any]) -> Detections:
    """Things as detections of score 1, their masks whole pictures of 0 and 1."""
    segments = segments.reshape(segments.shape[-2:])
    things = info.reshape(-1, info.shape[-1] if info.ndim > 1 else 3)
    things = things[things[:, 2] == 1].astype(np.int64)
    masks = (segments[None] == things[:, :1, None]).astype(np.float32)
    seen = masks.any(axis=(1, 2))
    things, masks = things[seen], masks[seen]
    boxes = np.array([_bounds(mask) for mask in masks], np.float32).reshape(-1, 4)
    return Detections(boxes, things[:, 1], np.ones(len(things), np.float32), masks)


def _bounds(mask: Floats) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _yolo(table: NDArray[Any], prototypes: NDArray[Any], score: float) -> Detections:
    rows = table[0].astype(np.float32)
    turned = rows.shape[0] < rows.shape[1] and rows.shape[1] != 6 + COEFFICIENTS
    if turned:
        rows = rows.T  # (4 + C + 32, anchors)
    # End to end: x1, y1, x2, y2, score, class; v5 with one class has its probability there.
    elif rows.shape[1] == 6 + COEFFICIENTS and (rows[:, 5] == np.round(rows[:, 5])).all():
        found = Detections(
            rows[:, :4],
            rows[:, 5].astype(np.int64),
            rows[:, 4],
            rows[:, 6:],
            prototypes[0].astype(np.float32),
        )
        return found.only((found.scores >= score) & np.isfinite(rows).all(axis=1))
    # v5 has an objectness before the classes, and anchors down the table.
    objectness = not turned and rows.shape[1] - COEFFICIENTS - 4 != 80
    chances = rows[:, 5 if objectness else 4 : -COEFFICIENTS]
    if objectness:
        chances = chances * rows[:, 4:5]
    classes = chances.argmax(axis=1)
    scores = chances.max(axis=1)
    strong = (scores >= score) & np.isfinite(rows).all(axis=1)
    centre, extent = rows[strong, :2], rows[strong, 2:4]
    boxes = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1)
    found = Detections(
        boxes,
        classes[strong],
        scores[strong],
        rows[strong, -COEFFICIENTS:],
        prototypes[0].astype(np.float32),
    )
    return found.only(_suppressed(found))


def _suppressed(found: Detections) -> NDArray[np.int64]:
    """Greedy non-maximum suppression per class: the indices that stay, best first."""
    if not len(found.boxes):
        return np.zeros(0, np.int64)
    rectangles = np.concatenate(
        [found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1
    )
    kept = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), found.scores.tolist(), found.classes.tolist(), 0.0, YOLO_OVERLAP
    )
    return np.asarray(kept, np.int64).reshape(-1)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box with many, float32 (N)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared / np.maximum((box[2:] - box[:2]).prod() + areas - shared, 1e-6)
