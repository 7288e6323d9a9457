"""Cameras that are read through PipeWire, because no driver offers them directly: those of
libcamera, and those of a sandbox."""

import ctypes
import threading
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.devices import pods
from realtime_bg.devices.libpipewire import Direction, Flags, SpaBuffer
from realtime_bg.devices.pipewire import OWN
from realtime_bg.devices.pipewire_objects import Object, pipewire_objects, properties
from realtime_bg.devices.pipewire_stream import Stream
from realtime_bg.frames import Image, Size

DUMP_SECONDS = 5.0  # how long PipeWire may take to list its objects
PACKED = {  # pixel formats of one block: bytes for each pixel, and the conversion to BGR
    pods.Pixels.YUY2: (2, cv2.COLOR_YUV2BGR_YUY2),
    pods.Pixels.UYVY: (2, cv2.COLOR_YUV2BGR_UYVY),
    pods.Pixels.RGBX: (4, cv2.COLOR_RGBA2BGR),
    pods.Pixels.BGRX: (4, cv2.COLOR_BGRA2BGR),
    pods.Pixels.RGBA: (4, cv2.COLOR_RGBA2BGR),
    pods.Pixels.BGRA: (4, cv2.COLOR_BGRA2BGR),
    pods.Pixels.RGB: (3, cv2.COLOR_RGB2BGR),
    pods.Pixels.BGR: (3, None),
}
PLANAR = {
    pods.Pixels.I420: cv2.COLOR_YUV2BGR_I420,
    pods.Pixels.NV12: cv2.COLOR_YUV2BGR_NV12,
}


class Node(NamedTuple):
    """A camera of PipeWire: ``name`` identifies it, ``label`` is for people."""

    name: str
    label: str


def pipewire_cameras() -> list[Node]:
    """The cameras that PipeWire offers, without those that this program publishes and without
    virtual ones. Raises OSError as `pipewire_objects`."""
    return list(_nodes(pipewire_objects(DUMP_SECONDS)))


def _nodes(objects: list[Object]) -> Iterator[Node]:
    for each in objects:
        given = properties(each)
        is_node = str(each.get("type")).endswith(":Node")  # a client has the same properties
        if not is_node or given.get("media.class") != "Video/Source" or OWN in given:
            continue
        if given.get("api.v4l2.cap.driver") == "v4l2 loopback":
            continue
        name = str(given.get("node.name", ""))
        yield Node(name, str(given.get("node.description") or name))


class Picture(NamedTuple):
    """What arrived: the bytes of each block, and the bytes from one row to the next."""

    blocks: list[bytes]
    strides: list[int]


class CapturedCamera(Stream):
    """Reads a camera of PipeWire. Used by one thread."""

    processes = True

    def __init__(self, node: Node, size: Size, fps: float) -> None:
        """``size`` and ``fps``: what is asked for; the camera may send something else. Raises
        OSError and ConnectionError as `Stream`."""
        self.size, self.fps, self.pixels = size, fps, ""
        self._format: pods.Pixels | None = None  # None for Motion JPEG
        self._arrived = threading.Condition()
        self._picture: Picture | None = None
        super().__init__(
            Direction.INPUT,
            Flags.AUTOCONNECT | Flags.MAP_BUFFERS,
            pods.accepted_formats(size, max(1, round(fps))),
            {
                "media.type": "Video",
                "media.category": "Capture",
                "media.role": "Camera",
                "node.name": "realtime-bg source",
                "target.object": node.name,
                "node.dont-reconnect": "true",  # rather none than another camera
            },
        )

    def read(self, seconds: float) -> Image | None:
        """The newest picture that was not read yet, BGR ``uint8 (H, W, 3)``. None if there is none
        within ``seconds``, or if it is damaged."""
        with self._arrived:
            if self._picture is None:
                self._arrived.wait(seconds)
            picture, self._picture = self._picture, None
        if picture is None:
            return None
        try:
            return to_bgr(picture, self._format, self.size)
        except (ValueError, cv2.error):
            return None

    # on PipeWire's thread

    def _agreed(self, pod: bytes) -> list[bytes]:
        given = pods.properties(pod)
        width, height = given[pods.Key.VIDEO_SIZE]
        self.size = width, height
        counted, seconds = given.get(pods.Key.VIDEO_FRAMERATE, (0, 1))
        self.fps = counted / seconds if counted and seconds else self.fps
        jpeg = given[pods.Key.MEDIA_SUBTYPE][0] == pods.MJPG
        self._format = None if jpeg else pods.Pixels(given[pods.Key.VIDEO_FORMAT][0])
        self.pixels = "MJPG" if self._format is None else self._format.name
        return [pods.accepted_buffers()]

    def _process(self) -> None:
        newest = None
        while buffer := self._library.pw_stream_dequeue_buffer(self._stream):
            if newest:
                self._library.pw_stream_queue_buffer(self._stream, newest)
            newest = buffer
        if not newest:
            return
        picture = _copied(newest.contents.buffer.contents)
        self._library.pw_stream_queue_buffer(self._stream, newest)
        if picture is not None:
            with self._arrived:
                self._picture = picture
                self._arrived.notify()


def _copied(buffer: SpaBuffer) -> Picture | None:
    blocks, strides = [], []
    for index in range(buffer.n_datas):
        data = buffer.datas[index]
        chunk = data.chunk.contents
        if not data.data or not chunk.size or chunk.offset + chunk.size > data.maxsize:
            return None
        blocks.append(ctypes.string_at(data.data + chunk.offset, chunk.size))
        strides.append(chunk.stride)
    return Picture(blocks, strides) if blocks else None


def to_bgr(picture: Picture, pixels: pods.Pixels | None, size: Size) -> Image:
    """A picture of a pixel format (None: Motion JPEG) as BGR ``uint8 (H, W, 3)``. Raises ValueError
    and cv2.error if it is damaged."""
    if pixels is None:
        image = cv2.imdecode(np.frombuffer(picture.blocks[0], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError("not a JPEG")
        return image
    width, height = size
    if pixels in PACKED:
        depth, code = PACKED[pixels]
        rows = _rows(picture.blocks[0], picture.strides[0] or width * depth, height)
        packed = np.ascontiguousarray(rows[:, : width * depth]).reshape(height, width, depth)
        return packed if code is None else cv2.cvtColor(packed, code)
    return cv2.cvtColor(_planes(picture, pixels, size), PLANAR[pixels])


def _planes(picture: Picture, pixels: pods.Pixels, size: Size) -> NDArray[np.uint8]:
    """The planes one after the other, without padding, ``uint8 (H * 3 / 2, W)``."""
    width, height = size
    stride, rest = picture.strides[0] or width, b"".join(picture.blocks)
    # Of I420 the planes of U and V have half the width, of NV12 there is one of both.
    parts = [(stride, width, height)]
    if pixels == pods.Pixels.I420:
        parts += [(stride // 2, width // 2, height // 2)] * 2
    else:
        parts += [(stride, width, height // 2)]
    found = []
    for across, wide, tall in parts:
        found.append(_rows(rest, across, tall)[:, :wide].reshape(-1))
        rest = rest[across * tall :]
    return np.concatenate(found).reshape(height * 3 // 2, width)


def _rows(block: bytes, stride: int, rows: int) -> NDArray[np.uint8]:
    """The rows of a block, ``uint8 (rows, stride)``; the padding after the last one may lack."""
    data = np.frombuffer(block, np.uint8)[: stride * rows]
    if len(data) <= stride * (rows - 1):
        raise ValueError("the picture is cut off")
    if len(data) < stride * rows:
        data = np.concatenate([data, np.zeros(stride * rows - len(data), np.uint8)])
    return data.reshape(rows, stride)
