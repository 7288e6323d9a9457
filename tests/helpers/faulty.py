"""Sources, engines, outputs and backgrounds that fail on command.

Every second column of the camera's image has a colour that nothing else contains; the engine finds
a white person in the middle. A pixel of that colour in an output, however light or dark, is a leak;
white in the middle means that everything works.
"""

import errno
import threading
import time
from typing import ClassVar

import numpy as np

from realtime_bg.backgrounds.still import ImageBackground
from realtime_bg.engines.base import Engine
from realtime_bg.errors import SinkError, SourceError
from realtime_bg.frames import Matte
from realtime_bg.sinks.base import Sink
from realtime_bg.sources.reopening import ReopeningSource

RAW = 255, 0, 255
WHITE = 225  # least of a person in the light of a lamp
SIZE = (64, 36)
STRIPES = 12
LAYER = "rgba:me.mov"  # an output of the person alone


class Bench:
    """The current faults, and what the outputs received."""

    def __init__(self):
        self.camera = ""  # gone, busy, silent, hanging, raising
        self.engine = ""  # raising and lying (once); broken, hanging, oom, and sick: "room" only
        self.output = ""  # gone, blocked
        self.disk = self.stage = ""  # full; raising
        self.size = SIZE
        self.healed = threading.Event()  # releases whatever hangs
        self.healed.set()
        self.opened = set()  # cameras
        self.tries = 0  # attempts to open a camera
        self.engines = []  # (name, device) of the engines opened
        self.leaks = 0
        self.persons = 0  # layers in which somebody was seen
        self.model = None
        self.seen = {}

    def look_at_person(self, person):
        """A layer: what is in it must be the person, whether its alpha is regarded or not."""
        self.persons += bool((person[..., 3] == 255).any())
        self.leaks += has_raw(person)
        self.leaks += bool(person[person[..., 3] == 0].any())

    def look(self, name, image):
        now = time.monotonic()
        seen = self.seen.setdefault(name, Seen(now))
        self.leaks += has_raw(image)
        seen.gap = max(seen.gap, now - seen.at)
        seen.at, seen.count = now, seen.count + 1
        middle = image[image.shape[0] // 2, image.shape[1] // 2]
        seen.well, seen.corner = bool((middle >= WHITE).all()), tuple(map(int, image[0, 0]))


def has_raw(image):
    """Whether any pixel has the colour of the camera's image, in any light, even mixed with as much
    of another colour."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    return bool((np.minimum(blue, red) - green > 40).any())


class Seen:
    """What one output received: the last time, the longest pause, and whether the image was
    right."""

    def __init__(self, at):
        self.at, self.gap, self.count, self.well, self.corner = at, 0.0, 0, False, None


bench = Bench()


class Camera(ReopeningSource):
    """200 frames per second."""

    def _connect(self):
        bench.tries += 1
        if bench.camera in ("gone", "busy"):
            raise SourceError(f"the camera is {bench.camera}")
        self.size, self.fps, self.description = bench.size, 200.0, "faulty"
        bench.opened.add(self)

    def _read(self):
        time.sleep(0.005)  # the frame interval
        if bench.camera == "hanging":  # blocked in its driver
            bench.healed.wait(60)
        while bench.camera == "silent" and not self.closed.is_set():
            time.sleep(0.005)  # as a driver without frames
        if bench.camera == "raising":
            raise ValueError("a JPEG nobody can read")
        if bench.camera in ("gone", "busy") or self not in bench.opened:
            return None  # also if it is well again, but not yet opened again
        image = np.zeros((bench.size[1], bench.size[0], 3), np.uint8)
        # stripes of the same width at every size, so that whoever wears them is known again
        image[:, np.arange(bench.size[0]) * STRIPES // bench.size[0] % 2 == 0] = RAW
        return image

    def _disconnect(self):
        bench.opened.discard(self)  # may run on any thread: one that hung ends late


class Network(Engine):
    """Finds a white person in the middle."""

    description = "test"

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size, self.model = size, bench.model
        self.provider = "CPU" if settings.device == "cpu" else "CUDA:0"
        bench.engines.append((settings.name, settings.device))

    def matte(self, frame):
        if bench.engine in ("raising", "broken"):
            bench.engine = "" if bench.engine == "raising" else bench.engine
            raise RuntimeError("bad weights")
        if bench.engine == "sick" and self.settings.name == "room":
            raise RuntimeError("bad weights")
        if bench.engine == "oom" and self.provider != "CPU":
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if bench.engine == "hanging" and self.settings.name == "room":
            bench.healed.wait(30)
        height, width = frame.image.shape[:2]
        alpha = np.zeros((height, width), np.float32)
        alpha[height // 4 : -height // 4, width // 4 : -width // 4] = 1
        if bench.engine == "lying":
            bench.engine = ""
            alpha *= np.nan
        return Matte(frame, alpha, np.full_like(frame.image, 255))


class Output(Sink):
    """A virtual camera or another output, which checks the images it receives."""

    def __init__(self, spec, size, fps):
        super().__init__(spec, size, fps)
        if spec == "virtualcam" and bench.output == "gone":
            raise SinkError("no virtual camera")

    def send(self, composite):
        if self.target == "virtualcam" and bench.output == "gone":
            raise SinkError("virtual camera: was removed")
        if self.target == "virtualcam" and bench.output == "blocked":
            bench.healed.wait(30)
        bench.look(self.target, composite.image)
        if composite.person is not None:
            bench.look_at_person(composite.person)

    def close(self, complete=True):
        pass


class Recording(Output):
    """A file on a disk that fills up."""

    closed: ClassVar[int] = 0

    def send(self, composite):
        if bench.disk == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        bench.look("recording", composite.image)


class Room(ImageBackground):
    """An image file whose rendering can fail."""

    def render(self, *arguments, **options):
        if bench.stage == "raising":
            raise MemoryError("no picture")
        return super().render(*arguments, **options)


def open_output(spec, size, fps):
    return (Output if spec in ("null", "virtualcam", LAYER) else Recording)(spec, size, fps)
