"""One whole step of RVM on the GPU: the only transfers are a uint8 frame up and a uint8 composite
down.

All tensors have fixed addresses in device memory, so that on CUDA the network can be recorded as
one CUDA graph, which avoids the cost of launching kernels: the frame is written to the graph's
input, and the recurrent states are copied back to where the graph expects them.
"""

import logging

import numpy as np
import torch
from torch import Tensor

from realtime_bg.frames import DeviceMatte, Frame, Image, Matte, Size
from realtime_bg.networks.rvm import RVM

log = logging.getLogger(__name__)

WARM_UP = 3  # runs before a graph is recorded, in which libraries choose their kernels


class RvmStep:
    """``network`` on ``device`` in the dtype ``kind``, for frames of ``size``. It runs at the
    downsample ratio ``ratio``, and its own refiner brings the alpha to full size."""

    def __init__(
        self, network: RVM, size: Size, ratio: float, device: torch.device, kind: torch.dtype
    ) -> None:
        self._network, self._ratio, self._kind, self._device = network, ratio, kind, device
        cuda = device.type == "cuda"
        shape = (size[1], size[0], 3)
        self._up = torch.empty(shape, dtype=torch.uint8, pin_memory=cuda)
        self._picture = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._state: list[Tensor] = []
        self._out: tuple[Tensor, Tensor] | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._records, self._runs = cuda, 0
        self._backgrounds = Backgrounds(device)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget the previous frames: without history the recurrent state is zero."""
        for state in self._state:
            state.zero_()

    @torch.inference_mode()
    def __call__(self, frame: Frame) -> "RvmMatte":
        """The matte of ``frame``, computed when it is used."""
        self._up.copy_(torch.from_numpy(frame.image))
        self._picture.copy_(self._up, non_blocking=True)
        if self._records and self._runs == WARM_UP:
            self._record()
        if self._graph is not None:
            self._graph.replay()
        else:
            self._run()
        self._runs += 1
        assert self._out is not None
        # The next frame overwrites these tensors, perhaps while this one is still being blended.
        alpha, colour = (part.clone() for part in self._out)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # errors surface here, as failures of the engine
        return RvmMatte(frame, alpha, colour, self._backgrounds)

    def _run(self) -> None:
        src = self._picture.flip(2).permute(2, 0, 1)[None].to(self._kind) / 255
        src = src.contiguous(memory_format=torch.channels_last)
        states: list[Tensor] | list[None] = self._state or [None] * 4
        fgr, pha, *new = self._network(src, *states, downsample_ratio=self._ratio)
        if self._state:
            for place, state in zip(self._state, new, strict=True):
                place.copy_(state)
        else:
            self._state = [state.clone() for state in new]
        # NaN would let the room show through, so it counts as "no person".
        alpha = pha[0, 0].nan_to_num(0.0).clamp(0, 1)[..., None]
        colour = fgr[0].nan_to_num(0.0).clamp(0, 1).mul(255).flip(0).permute(1, 2, 0)
        self._out = alpha, colour

    def _record(self) -> None:
        """Record the network as a CUDA graph. If that fails, kernels are launched one by one."""
        self._records = False
        before = [state.clone() for state in self._state]
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(stream):
                self._run()
            torch.cuda.current_stream(self._device).wait_stream(stream)
            with torch.cuda.graph(graph):
                self._run()
        except RuntimeError as error:
            log.warning("no CUDA graph (%s); the network will be slower", str(error).split("\n")[0])
        else:
            self._graph = graph
        for place, state in zip(self._state, before, strict=True):  # recording was not a frame
            place.copy_(state)


class RvmMatte(DeviceMatte):
    """Alpha ``(H, W, 1)`` in [0, 1] and the foreground ``(H, W, 3)``, BGR in 0..255."""

    def __init__(
        self, frame: Frame, alpha: Tensor, colour: Tensor, backgrounds: "Backgrounds"
    ) -> None:
        super().__init__(frame)
        self._alpha, self._colour, self._backgrounds = alpha, colour, backgrounds

    @torch.inference_mode()
    def downloaded(self) -> Matte:
        alpha = self._alpha[..., 0].float().contiguous().cpu().numpy()
        colour = self._colour.round().to(torch.uint8).contiguous().cpu().numpy()
        return Matte(self.frame, alpha, colour)

    @torch.inference_mode()
    def over(self, background: Image) -> Image:
        behind = self._backgrounds.on_device(background).to(self._colour.dtype)
        mixed = torch.lerp(behind, self._colour, self._alpha).round().clamp(0, 255)
        result = mixed.to(torch.uint8).contiguous()
        # Page-locked memory comes from PyTorch's cache and returns there when the picture is freed.
        down = torch.empty(result.shape, dtype=torch.uint8, pin_memory=result.is_cuda)
        down.copy_(result)
        return down.numpy()


class Backgrounds:
    """Background pictures on a device; an unchanging one is uploaded once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last: tuple[Image, Tensor] | None = None

    def on_device(self, background: Image) -> Tensor:
        """``uint8 (H, W, 3)``."""
        if self._last is None or self._last[0] is not background:
            self._last = (
                background,
                torch.from_numpy(np.ascontiguousarray(background)).to(self._device),
            )
        return self._last[1]
