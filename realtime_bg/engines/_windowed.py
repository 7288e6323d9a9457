"""An engine whose network looks only at the part of the picture with the people in it."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from realtime_bg.engines._window import Array, Window, Windows, moved_state, pasted
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.imaging.reduction import reduced
from realtime_bg.runtimes.openvino import PROVIDER

log = logging.getLogger(__name__)


class Network(Protocol):
    """A recurrent network for one size of its input. The caller writes ``src`` ``(1, 3, h, w)``,
    RGB in 0..1, before each step."""

    src: Array

    def reset(self) -> None:
        """Forget all previous frames."""

    def state(self) -> list[Array]:
        """The recurrent state after the last step, arrays ``(1, C, h, w)``."""

    def start_from(self, state: list[Array]) -> None:
        """The next step continues this state."""


N = TypeVar("N", bound=Network)


class WindowedEngine(Engine, Generic[N]):
    """An engine that continues the recurrent state of its network when it looks elsewhere.

    A subclass implements `_open` and `_answer`, and calls `_start` at the end of its constructor.
    """

    strides: ClassVar[Sequence[int]]
    """Pixels of the input per pixel of each array of the state."""

    def _start(self, narrows: bool) -> None:
        """Open the network for the whole picture. ``narrows``: whether windows are used."""
        self._networks = {self.work_size: self._open(self.work_size)}
        self._network = self._networks[self.work_size]
        self._windows = Windows(self.work_size, self.size)
        self._seen = self._windows.whole  # by the last step
        self._narrows = narrows
        self._maker: ThreadPoolExecutor | None = None
        self._coming: tuple[Size, Future[N]] | None = None

    @abstractmethod
    def _open(self, shape: Size) -> N:
        """The network for inputs of this (width, height). Called from another thread as well."""

    @abstractmethod
    def _answer(self, network: N, guide: Image | None) -> tuple[Alpha, Image | None]:
        """Run one step: the alpha ``float32 (h, w)`` and the foreground, BGR ``uint8 (h, w, 3)``,
        if there is one, at the size of the input. ``guide``: the whole picture at that size, None
        for a window."""

    def reset(self) -> None:
        self._windows.reset()
        self._seen = self._windows.whole
        self._network = self._networks[self.work_size]
        self._network.reset()

    def matte(self, frame: Frame) -> Matte:
        windows, network = self._windows, self._ready(self._windows.now.shape)
        if windows.now == windows.whole or network is None:
            matte = self._wide(frame)
            if self._narrows:
                assert matte.guide is not None
                windows.restless(matte.guide)
                windows.follow(matte.alpha)
            return matte
        with self.stats.stage("resize"):
            guide = reduced(frame.image, windows.map)
        if not windows.restless(guide):
            return self._narrow(frame, guide, network)
        before, seen = self._network, self._seen
        state = [one.copy() for one in before.state()]
        matte = self._wide(frame)
        if windows.meets(matte.alpha):
            return matte
        self._network, self._seen = before, seen
        before.start_from(state)
        return self._narrow(frame, guide, network)

    def _ready(self, shape: Size) -> N | None:
        """The network for inputs of this size; None while it is made ready. OpenVINO takes up to a
        second to compile one, which nobody waits for in a call."""
        if shape not in self._networks:
            try:
                self._make(shape)
            except Exception as error:  # whatever a runtime raises; the whole picture needs none
                log.warning("windows are not used: %s", error)
                self._narrows = False
                self._windows.reset()
        return self._networks.get(shape)

    def _make(self, shape: Size) -> None:
        if self.provider != PROVIDER or self.settings.quality == "fine":
            self._networks[shape] = self._open(shape)
            return
        if self._coming is None:
            self._maker = self._maker or ThreadPoolExecutor(1, "network")
            self._coming = shape, self._maker.submit(self._open, shape)
        made, future = self._coming
        if future.done():
            self._coming = None
            self._networks[made] = future.result()

    def _wide(self, frame: Frame) -> Matte:
        """The matte of the whole picture."""
        with self.stats.stage("resize"):
            self._turn_to(self._windows.whole, self._networks[self.work_size])
            guide = reduced(frame.image, self.work_size, self._network.src[0])
        alpha, foreground = self._answer(self._network, guide)
        return Matte(frame, alpha, foreground, guide)

    def _narrow(self, frame: Frame, guide: Image, network: N) -> Matte:
        """The matte of what the window shows; nobody is outside of it. ``guide``: the map."""
        window = self._windows.now
        with self.stats.stage("resize"):
            self._turn_to(window, network)
            left, top, right, bottom = window.box
            reduced(guide[top:bottom, left:right], window.shape, network.src[0])
        part, colours = self._answer(network, None)
        alpha = pasted(part, window, np.zeros(guide.shape[:2], np.float32))
        self._windows.follow(alpha)
        foreground = None if colours is None else pasted(colours, window, guide.copy())
        return Matte(frame, alpha, foreground, guide)

    def _turn_to(self, window: Window, network: N) -> None:
        """Continue with what a window shows."""
        if window != self._seen:
            state = [
                moved_state(one, stride, self._seen, window)
                for one, stride in zip(self._network.state(), self.strides, strict=True)
            ]
            self._network, self._seen = network, window
            network.start_from(state)

    def close(self) -> None:
        if self._maker is not None:
            self._maker.shutdown(wait=False, cancel_futures=True)
