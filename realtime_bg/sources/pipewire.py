"""A camera of PipeWire, where no driver offers it directly: libcamera, sandboxes."""

from realtime_bg.devices.libpipewire import START
from realtime_bg.devices.pipewire_capture import CapturedCamera, Node, pipewire_cameras
from realtime_bg.errors import SourceError
from realtime_bg.frames import Image
from realtime_bg.sources.camera import DEFAULT_FPS, DEFAULT_SIZE
from realtime_bg.sources.reopening import ReopeningSource

SLICE = 0.3  # seconds that one read may wait; requests to close are noticed in between
READS = 10  # after this many reads without a picture the camera counts as gone
REMEDY = (
    f"start it: {START}; or install it: sudo apt install pipewire-bin wireplumber (Fedora: sudo "
    "dnf install pipewire-utils)"
)


class PipeWireSource(ReopeningSource):
    """``target`` is part of the camera's name, or empty for the first one. A camera that this
    program publishes itself is never taken."""

    takes_target = True

    def _connect(self) -> None:
        node = self._node()
        size, fps = self.settings.size or DEFAULT_SIZE, self.settings.fps or DEFAULT_FPS
        try:
            self._camera = CapturedCamera(node, size, fps)
        except OSError as error:
            raise self._without_pipewire(error) from None
        image = self._read()
        if image is None:
            self._disconnect()
            raise SourceError(
                f"{self.spec}: {node.label} sends no pictures; it may be busy, or WirePlumber may "
                "not run: systemctl --user start wireplumber"
            )
        self.size, self.fps = (image.shape[1], image.shape[0]), self._camera.fps
        self.description = (
            f"PipeWire camera {node.label}: {self.size[0]}x{self.size[1]} at {self.fps:g} fps, "
            f"{self._camera.pixels}"
        )

    def _node(self) -> Node:
        """The camera to open. Raises SourceError if there is none."""
        try:
            found = pipewire_cameras()
        except OSError as error:
            raise self._without_pipewire(error) from None
        wanted = self.target.lower()
        for node in found:
            if wanted in node.label.lower() or wanted in node.name.lower():
                return node
        there = ", ".join(node.label for node in found) or "none"
        raise SourceError(
            f"{self.spec}: PipeWire has no such camera (there is: {there}); name one of them, or "
            "use --source camera"
        )

    def _without_pipewire(self, error: OSError) -> SourceError:
        return SourceError(f"{self.spec}: no PipeWire ({error}); {REMEDY}")

    def _read(self) -> Image | None:
        for _ in range(READS):
            image = self._camera.read(SLICE)
            if image is not None or self.closed.is_set() or self._camera.lost:
                return image
        return None

    def _disconnect(self) -> None:
        self._camera.close()
