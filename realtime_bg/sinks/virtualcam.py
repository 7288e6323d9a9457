"""The virtual camera: whatever makes this program a webcam for the programs of this machine.

On Linux that is a camera in PipeWire, which browsers and sandboxed programs see, and one of the
driver v4l2loopback, which all others see; where there are both, both get every picture.
"""

import logging
import sys
import time
from collections.abc import Callable
from functools import partial

from realtime_bg.devices.loopback import devices
from realtime_bg.errors import RealtimeBgError, SinkError
from realtime_bg.frames import Composite, Planes, Size
from realtime_bg.sinks.cameras import REMEDIES, CameraSink
from realtime_bg.sinks.pipewire import PipeWireSink
from realtime_bg.system.backoff import Retry

log = logging.getLogger(__name__)

PAUSES = 1.0, 2.0, 5.0, 10.0, 30.0  # seconds between attempts to open what is missing or has failed


class Part:
    """One of the cameras: open, or to be opened again when it is due."""

    def __init__(self, opener: Callable[[], CameraSink]) -> None:
        self._open = opener
        self.sink: CameraSink | None = None
        self.retry = Retry(*PAUSES)
        self._worked = False

    def open(self) -> None:
        """Open it if it is not open and the next attempt is due. Raises nothing."""
        if self.sink is not None or time.monotonic() < self.retry.due:
            return
        try:
            self.sink = self._open()
        except RealtimeBgError as error:
            self.retry.failed(str(error))
            log.debug("%s", error)
            return
        if self._worked:
            log.warning("%s is back", self.sink.description)
        self._worked = True
        self.retry.backoff.succeeded()

    def hand_over(self, planes: Planes) -> bool:
        """Give it a picture, if it is open. Return whether it failed, and was closed."""
        if self.sink is None or not self.sink.takes_pictures:
            return False
        try:
            self.sink.hand_over(planes)
        except SinkError as error:
            self.close()
            self.retry.failed(str(error))
            return True
        return False

    def close(self) -> None:
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.close()


class VirtualCameraSink(CameraSink):
    """Every camera that this machine allows; ``target`` is one device of a driver, such as
    /dev/video10. It fails when none of them is left."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._parts = [Part(opener) for opener in _openers(target, size, fps)]
        self._open_parts()

    def _open_parts(self) -> None:
        for part in self._parts:
            part.open()
        self._demand_one()

    def _demand_one(self) -> None:
        """Raise SinkError if no part is open."""
        if not any(part.sink for part in self._parts):
            raise SinkError("; or else: ".join(part.retry.problem for part in self._parts))

    @property
    def description(self) -> str:
        return " and ".join(part.sink.description for part in self._parts if part.sink)

    def send(self, composite: Composite) -> None:
        self._open_parts()
        super().send(composite)

    @property
    def takes_pictures(self) -> bool:
        return any(part.sink is not None and part.sink.takes_pictures for part in self._parts)

    def hand_over(self, planes: Planes) -> None:
        failed = [part for part in self._parts if part.hand_over(planes)]
        self._demand_one()
        for part in failed:
            log.warning("%s; the other camera goes on", part.retry.problem)

    def viewers(self) -> list[str]:
        sinks = [part.sink for part in self._parts]
        return [name for sink in sinks if sink is not None for name in sink.viewers()]

    def has_viewers(self) -> bool | None:
        answers = [sink.has_viewers() for part in self._parts if (sink := part.sink) is not None]
        if any(answers):
            return True
        return None if None in answers else False

    def close(self, complete: bool = True) -> None:
        for part in self._parts:
            part.close()


def _openers(target: str, size: Size, fps: float) -> list[Callable[[], CameraSink]]:
    if target or not sys.platform.startswith("linux"):
        return [partial(_driver_camera, target, size, fps)]
    return [partial(PipeWireSink, "", size, fps), partial(_loopback_camera, size, fps)]


def _driver_camera(target: str, size: Size, fps: float) -> CameraSink:
    from realtime_bg.sinks.driver_camera import DriverCameraSink  # not needed beside PipeWire

    return DriverCameraSink(target, size, fps)


def _loopback_camera(size: Size, fps: float) -> CameraSink:
    """The first device of v4l2loopback."""
    if not devices():
        raise SinkError(f"no virtual camera of v4l2loopback; {REMEDIES['linux']}")
    return _driver_camera("", size, fps)
