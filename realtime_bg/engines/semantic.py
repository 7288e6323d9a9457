"""Any ONNX network for semantic segmentation: U-Net, DeepLab, LRASPP, Tiramisu, MediaPipe ...

Its input and output format is described by its entry in models.yaml, by a YAML file of the same
name beside it, or by the settings `engine.network`. Anything not described there is guessed from
the graph, and the guess is printed.
"""

import logging
import re
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Frame, Matte, Size
from realtime_bg.runtimes.feed import Feed, dtype_of
from realtime_bg.runtimes.input_size import STRIDE, Sides, as_fixed, strided, work_size
from realtime_bg.runtimes.onnx import open_session, running
from realtime_bg.settings import EngineSettings, NetworkSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

# Number of channels of a network -> index of the person, for the common label sets.
PERSON_OF = {1: 0, 2: 1, 19: 11, 21: 15, 81: 1, 91: 1, 150: 12}
LABEL_SETS = {19: "Cityscapes", 21: "Pascal VOC", 81: "COCO", 91: "COCO", 150: "ADE20K"}
LARGEST_LOGIT = 60.0  # far beyond certainty, but its exponential is still finite
Kind = Literal["probability", "sigmoid", "softmax", "classes"]
MEANING = {
    "probability": "probabilities",
    "sigmoid": "logits of the person",
    "softmax": "logits of classes",
    "classes": "class indices",
}


class Semantic(Engine):
    """Runs the network on the whole frame, resized; the probability of "person" is the alpha."""

    description = (
        "any ONNX network for semantic segmentation (U-Net, DeepLab, MediaPipe, SINet ...)"
    )
    stride = STRIDE

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = self._path = zoo.resolve("semantic", settings, (".onnx",))
        self._session, self.provider = open_session(self._path, settings.device, settings.threads)
        known = settings.network.over(zoo.network_of(self._path))
        self._input, self._output = _ends(self._session, self._path)
        self._feed = Feed(known, dtype_of(self._input, self._path))
        self._channels_first, fixed = _layout(self._input.shape, known, self._path)
        fine = settings.quality == "fine"
        wanted = work_size(settings.work_size, size, not self.on_cpu, fine)
        width, height = strided(wanted, self.stride) if settings.work_size is None else wanted
        self.work_size = known.size or (fixed[0] or width, fixed[1] or height)
        self._kind, self._person = known.output, known.person
        # An integer map comes from an argmax and holds the class of each pixel.
        self._bytes = self._output.type == "tensor(uint8)" and self._kind != "classes"
        if self._kind is None and re.fullmatch(r"tensor\(u?int\d+\)", self._output.type):
            self._kind = "probability" if self._bytes else "classes"
        if self._kind == "classes" and self._person is None:
            raise EngineError(
                f"{self._path}: returns class indices; which one is the person? Set "
                "engine.network.person to it"
            )

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
            feed = self._feed(small, self._channels_first)[None]
        with self.stats.stage("network"), running(self._path):
            (maps,) = self._session.run([self._output.name], {self._input.name: feed})
            values = np.asarray(maps, np.float32)
            if self._bytes:
                values /= 255  # in place: the conversion has made a copy
            alpha = self._alpha(values)
        width, height = min(self.work_size[0], frame.size[0]), min(self.work_size[1], frame.size[1])
        if alpha.shape != (height, width):  # the frame is smaller than the network's fixed size
            alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
        if small.shape[:2] != (height, width):
            small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
        return Matte(frame, alpha, guide=small)

    def _alpha(self, maps: NDArray[np.float32]) -> Alpha:
        """The probability of "person", ``float32 (h, w)``, from an output of any shape."""
        if not np.isfinite(maps).all():
            raise EngineError(f"{self._path}: gives NaN or infinity")
        planes = _planes(maps, self.work_size, self._channels_first, self._path)
        person = self._person
        if self._kind == "classes":
            return (planes[0] == person).astype(np.float32)
        if person is None:
            person = self._guess_person(len(planes))
        if not 0 <= person < len(planes):
            raise EngineError(
                f"{self._path}: has {len(planes)} classes, engine.network.person is {person}"
            )
        kind = self._kind or self._guess_kind(planes)
        self._kind, self._person = kind, person  # guessed once
        if kind == "probability":
            alpha = planes[person]
        elif kind == "sigmoid" or len(planes) == 1:
            alpha = 1 / (1 + np.exp(np.minimum(-planes[person], LARGEST_LOGIT)))
        else:  # softmax: the probability of the person among all classes
            alpha = 1 / np.exp(np.minimum(planes - planes[person], LARGEST_LOGIT)).sum(0)
        return np.clip(alpha, 0, 1).astype(np.float32)

    def _guess_person(self, count: int) -> int:
        if count not in PERSON_OF:
            raise EngineError(
                f"{self._path}: returns {count} classes; which one is the person? Set "
                f"engine.network.person to its index"
            )
        if count > 2:
            log.warning(
                "%s: %d classes, assumed to be %s: person is class %d (engine.network.person)",
                self._path.name,
                count,
                LABEL_SETS[count],
                PERSON_OF[count],
            )
        return PERSON_OF[count]

    def _guess_kind(self, planes: NDArray[np.float32]) -> Kind:
        kind: Kind = "probability"
        if planes.min() < -1e-3 or planes.max() > 1 + 1e-3:
            kind = "sigmoid" if len(planes) == 1 else "softmax"
        log.warning(
            "%s: its output is assumed to be %s (engine.network.output)",
            self._path.name,
            MEANING[kind],
        )
        return kind


def _ends(session: ort.InferenceSession, path: Path) -> tuple[Any, Any]:
    """The graph's image input and its first map output. Raises EngineError."""
    inputs = session.get_inputs()
    maps = [value for value in session.get_outputs() if len(value.shape) in (3, 4)]
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not maps:
        shapes = [(value.name, value.shape) for value in (*inputs, *session.get_outputs())]
        raise EngineError(
            f"{path}: not a semantic network (those have one 4-D input and return a map); "
            f"it has {shapes}; try another --engine"
        )
    return inputs[0], maps[0]


def _layout(shape: list[Any], known: NetworkSettings, path: Path) -> tuple[bool, Sides]:
    """Whether channels come first, and the width and height if the graph fixes them."""
    first, last = shape[1] == 3, shape[3] == 3
    if known.layout is None and first == last:
        raise EngineError(f"{path}: input {shape} could be NCHW or NHWC; set engine.network.layout")
    channels_first = known.layout == "nchw" if known.layout else first
    height, width = shape[2:4] if channels_first else shape[1:3]
    return channels_first, as_fixed(width, height, path)


def _planes(maps: NDArray[np.float32], size: Size, first: bool, path: Path) -> NDArray[np.float32]:
    """Convert maps of any common shape to (classes, h, w).

    The two axes with the shape of the input, ``size`` (width, height), are those of the picture. If
    both readings fit, the layout is that of the input (``first``: channels come first).
    """
    if maps.ndim == 4:
        maps = maps[0]
    elif maps.ndim == 3 and maps.shape[0] == 1:  # (1, h, w)
        return maps
    if maps.ndim != 3:
        raise EngineError(f"{path}: an output of shape {maps.shape} is not a map")

    def fits(height: int, width: int) -> bool:
        return abs(height * size[0] - width * size[1]) <= max(size)

    fits_first, fits_last = fits(*maps.shape[1:]), fits(*maps.shape[:2])
    if fits_first != fits_last:
        first = fits_first
    return maps if first else maps.transpose(2, 0, 1)
