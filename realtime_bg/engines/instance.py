"""Detectors with masks: Mask R-CNN (torchvision, Detectron2, mmdetection), panoptic, YOLO-seg.

He et al. 2017, arXiv 1703.06870; Bolya et al. 2019, arXiv 1904.02689 (prototype masks). What the
user holds or sits on is kept by naming its COCO class beside "person"; the chosen person is
followed from frame to frame by box overlap, so that the subject does not jump.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines import coco as _coco
from realtime_bg.engines.base import Engine
from realtime_bg.engines.detections import Detections, edged, overlap, read
from realtime_bg.engines.dialects import Dialect, recognise
from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Frame, Image, Labels, Matte, Size
from realtime_bg.networks import IMAGENET_MEAN, IMAGENET_STD
from realtime_bg.runtimes.feed import Feed, dtype_of
from realtime_bg.runtimes.input_size import as_fixed, strided, work_size
from realtime_bg.runtimes.onnx import open_session, running
from realtime_bg.settings import EngineSettings, NetworkSettings
from realtime_bg.stats import Stats

PERSON = "person"
FOLLOWED = 0.3  # box overlap with the last frame above which it is the same person
PATIENCE = 15  # frames a person may be missed before another one is chosen
SOMEBODY = 0.2  # probability from which a pixel is somebody's at all
PADDING = 114  # YOLO's grey around the picture
DETAIL = 4  # times the area a semantic net would get: masks of small things need it
# What each dialect's network takes: channel order, mean and deviation of the picture in 0..1.
FEEDS: dict[Dialect, NetworkSettings] = {
    "torchvision": NetworkSettings(order="rgb"),
    "yolo": NetworkSettings(order="rgb"),
    "detectron2": NetworkSettings(order="bgr", std=(1 / 255,) * 3),
    "panoptic": NetworkSettings(order="bgr", std=(1 / 255,) * 3),
    "mmdet": NetworkSettings(order="rgb", mean=IMAGENET_MEAN, std=IMAGENET_STD),
}


class Instance(Engine):
    """Keeps the chosen instances of the chosen classes."""

    description = "ONNX detectors with masks (Mask R-CNN, YOLO-seg): classes, one person of many"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = self._path = zoo.resolve("instance", settings, (".onnx",))
        self._session, self.provider = open_session(self._path, settings.device, settings.threads)
        self._input = self._session.get_inputs()[0]
        self._dialect, self._names = recognise(self._session.get_outputs(), self._path)
        sparse = self._dialect == "torchvision"
        self._wanted = _coco.indices(settings.instance.classes, sparse)
        self._persons = _coco.indices((PERSON,), sparse)
        feed = settings.network.over(zoo.network_of(self._path)).over(FEEDS[self._dialect])
        fixed = as_fixed(self._input.shape[-1], self._input.shape[-2], self._path)
        free = self._free_size()
        self._canvas = feed.size or (fixed[0] or free[0], fixed[1] or free[1])
        self._feed = Feed(feed, dtype_of(self._input, self._path))
        # The picture keeps its shape and lies at the canvas's upper left.
        scale = min(self._canvas[0] / size[0], self._canvas[1] / size[1], 1.0)
        self.work_size = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        if settings.work_size is not None and self._canvas == free:
            self.work_size = work_size(settings.work_size, size, cuda=False)
        self.reset()

    def reset(self) -> None:
        self._followed: list[NDArray[np.float32]] = []
        self._missed = 0

    def _free_size(self) -> Size:
        width, height = work_size(self.settings.work_size, self.size, not self.on_cpu)
        if self.settings.work_size is None:
            width, height = width * int(DETAIL**0.5), height * int(DETAIL**0.5)
        return strided((width, height))

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
            feed = self._prepared(small)
        with self.stats.stage("network"), running(self._path):
            values = self._session.run(list(self._names.values()), {self._input.name: feed})
            roles = dict(zip(self._names, values, strict=True))
            found = read(self._dialect, roles, self.settings.instance.score, self._canvas)
            chosen, others = self._chosen(found)
            alpha, people = self._alpha(found, chosen, others)
        return Matte(frame, alpha, guide=small, lost=not chosen, people=people)

    def _prepared(self, small: Image) -> NDArray[np.float32]:
        canvas = np.full((self._canvas[1], self._canvas[0], 3), PADDING, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        values = self._feed(canvas, channels_first=True)
        return values[None] if len(self._input.shape) == 4 else values

    def _chosen(self, found: Detections) -> tuple[list[int], list[int]]:
        """The indices to keep, and those of other people that must not show through."""
        wanted = [i for i, kind in enumerate(found.classes) if int(kind) in self._wanted]
        people = [i for i in wanted if int(found.classes[i]) in self._persons]
        objects = [i for i in wanted if i not in people]
        how = self.settings.instance.instances
        if how != "all" and people:
            number = how if isinstance(how, int) else 1
            kept = self._follow(found, people, number)
            others = [i for i in people if i not in kept]
            return kept + [i for i in objects if self._nearest(found, i, people) in kept], others
        return people + objects, []

    def _nearest(self, found: Detections, thing: int, people: list[int]) -> int:
        """Whose thing it is: the person whose box holds most of it."""
        return people[int(np.argmax(overlap(found.boxes[thing], found.boxes[people])))]

    def _follow(self, found: Detections, people: list[int], number: int) -> list[int]:
        """``number`` people: those of the last frame where they are still there."""
        kept: list[int] = []
        for box in self._followed:
            free = [i for i in people if i not in kept]
            if free:
                shared = overlap(box, found.boxes[free])
                if shared.max() > FOLLOWED:
                    kept.append(free[int(shared.argmax())])
        missing = min(number, len(people)) - len(kept)
        self._missed = self._missed + 1 if self._followed and missing > 0 else 0
        if not self._followed or self._missed > PATIENCE:
            ranked = sorted(
                (i for i in people if i not in kept), key=lambda i: self._rank(found, i)
            )
            kept += ranked[: max(0, missing)]
            self._missed = 0
        if kept:
            self._followed = [found.boxes[i] for i in kept]
        return kept

    def _rank(self, found: Detections, index: int) -> float:
        """Smaller is chosen first: nearest to the centre line, or largest."""
        x1, y1, x2, y2 = (float(v) for v in found.boxes[index])
        if self.settings.instance.instances == "centre":
            return abs((x1 + x2) / 2 - self.work_size[0] / 2)
        return -(x2 - x1) * (y2 - y1)

    def _alpha(
        self, found: Detections, chosen: list[int], others: list[int]
    ) -> tuple[Alpha, Labels]:
        """The union of the chosen masks, minus where another person's mask is stronger; and whose
        mask is the strongest, a thing's being that of the person it is nearest to."""
        probable = np.zeros(self.work_size[::-1], np.float32)
        people = np.zeros(probable.shape, np.uint8)
        persons = [i for i in chosen if int(found.classes[i]) in self._persons]
        for index in chosen:
            mask = found.paste(index, self.work_size)
            owner = self._nearest(found, index, persons) if persons else index
            people[mask > np.maximum(probable, np.float32(SOMEBODY))] = 1 + owner % 255
            np.maximum(probable, mask, out=probable)
        if not np.isfinite(probable).all():
            raise EngineError(f"{self._path}: gives masks with NaN or infinity")
        for index in others:
            probable[found.paste(index, self.work_size) > probable] = 0
        return edged(np.clip(probable, 0, 1)), people
