"""A camera in PipeWire, for browsers and sandboxed programs; it needs no kernel module."""

from realtime_bg.devices.libpipewire import START
from realtime_bg.devices.pipewire import PublishedCamera
from realtime_bg.devices.pipewire_objects import pipewire_objects, readers_of
from realtime_bg.errors import SinkError
from realtime_bg.frames import Planes, Size
from realtime_bg.sinks.cameras import CameraSink

NAME = "realtime-bg"
ASK_SECONDS = 3.0  # how long PipeWire may take to say which programs are linked
INSTALL = (
    "install it: sudo apt install pipewire wireplumber (Fedora: sudo dnf install pipewire "
    "wireplumber)"
)


class PipeWireSink(CameraSink):
    """A camera that programs find under the name ``target``, or "realtime-bg"."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._name = target or NAME
        try:
            self._camera = PublishedCamera(self._name, self.even, fps)
        except ConnectionError as error:
            raise SinkError(f"no PipeWire camera ({error}); start it: {START}") from None
        except OSError as error:
            raise SinkError(f"no PipeWire camera ({error}); {INSTALL}") from None

    @property
    def description(self) -> str:
        return f"PipeWire camera {self._name} (for browsers and sandboxed programs)"

    @property
    def takes_pictures(self) -> bool:
        return self._camera.has_readers or self._camera.lost

    def hand_over(self, planes: Planes) -> None:
        if self._camera.lost:
            raise SinkError(f"PipeWire has ended; start it: {START}")
        self._camera.hand_over(planes)

    def viewers(self) -> list[str]:
        try:
            return readers_of(self._name, pipewire_objects(ASK_SECONDS))
        except OSError:
            return []

    def has_viewers(self) -> bool:
        return self._camera.has_readers

    def close(self, complete: bool = True) -> None:
        self._camera.close()
