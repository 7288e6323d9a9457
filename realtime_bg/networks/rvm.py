"""Robust Video Matting in PyTorch (Lin, Yang, Saleemi, Sengupta 2021, arXiv 2108.11515).

Module names match the released checkpoints, so those load with ``load_state_dict``. Every map is
(B, C, H, W), or (B, T, C, H, W) for a clip: convolutions process B*T images, and the recurrent
cells step along T.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realtime_bg.networks.mobilenetv3 import MobileNetV3Encoder
from realtime_bg.networks.resnet50 import ResNet50Encoder

Backbone = Literal["mobilenetv3", "resnet50"]
RefinerName = Literal["deep_guided_filter", "fast_guided_filter"]
State = Tensor | None

ENCODERS = {"mobilenetv3": MobileNetV3Encoder, "resnet50": ResNet50Encoder}
# The bottleneck's width and the decoder's channels at strides 8, 4, 2, 1 (section 3.2).
WIDTHS = {
    "mobilenetv3": (128, (80, 40, 32, 16)),
    "resnet50": (256, (128, 64, 32, 16)),
}


def _flat(x: Tensor) -> Tensor:
    """(B, T, C, H, W) -> (B*T, C, H, W); maps without T are returned as they are."""
    return x.flatten(0, 1) if x.ndim == 5 else x


def _like(x: Tensor, clip: Tensor) -> Tensor:
    """(B*T, C, H, W) -> (B, T, C, H, W) if ``clip`` has a time axis."""
    return x.unflatten(0, clip.shape[:2]) if clip.ndim == 5 else x


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def _box3(x: Tensor) -> Tensor:
    """Return the 3x3 mean with zero padding: along rows first, then along columns.

    The order matters: the variance below is a small difference of large values, so another order of
    summation changes the result by 3e-4.
    """
    channels = x.shape[1]
    x = F.conv2d(x, x.new_full((channels, 1, 1, 3), 1 / 3), padding=(0, 1), groups=channels)
    return F.conv2d(x, x.new_full((channels, 1, 3, 1), 1 / 3), padding=(1, 0), groups=channels)


class LRASPP(nn.Module):
    """Lite reduced ASPP: a 1x1 projection gated by the global mean of the features."""

    def __init__(self, channels_in: int, out: int) -> None:
        super().__init__()
        self.aspp1 = nn.Sequential(
            nn.Conv2d(channels_in, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )
        self.aspp2 = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels_in, out, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.aspp1(x) * self.aspp2(x)
        return out


class ConvGRU(nn.Module):
    """Gated recurrent unit with 3x3 convolutions (equation 1 of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ih = nn.Sequential(nn.Conv2d(channels * 2, channels * 2, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(channels * 2, channels, 3, padding=1), nn.Tanh())

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        reset, update = self.ih(torch.cat([x, h], 1)).chunk(2, 1)
        candidate = self.hh(torch.cat([x, reset * h], 1))
        out: Tensor = (1 - update) * h + update * candidate
        return out

    def forward(self, x: Tensor, h: State) -> tuple[Tensor, Tensor]:
        """``x`` (B, [T,] C, H, W); ``h`` (B, C, H, W), or None for zeros at the start."""
        if h is None:
            h = x.new_zeros(x.shape[0], *x.shape[-3:])
        h = h.expand(x.shape[0], *x.shape[-3:])  # also takes the ONNX files' (1, 1, 1, 1)
        if x.ndim == 4:
            h = self.step(x, h)
            return h, h
        steps = []
        for moment in x.unbind(1):
            h = self.step(moment, h)
            steps.append(h)
        return torch.stack(steps, 1), h


class RecurrentHalf(nn.Module):
    """Base class of the decoder's blocks: the second half of the channels passes through the
    GRU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = ConvGRU(channels // 2)

    def recur(self, x: Tensor, r: State) -> tuple[Tensor, Tensor]:
        plain, memory = x.chunk(2, -3)
        memory, r = self.gru(memory, r)
        return torch.cat([plain, memory], -3), r


class BottleneckBlock(RecurrentHalf):
    """The decoder's first block, at stride 16."""

    def forward(self, x: Tensor, r: State) -> tuple[Tensor, Tensor]:
        return self.recur(x, r)


def _conv_bn_relu(channels_in: int, out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    ]


def _upsampled(x: Tensor, like: Tensor) -> Tensor:
    """Double the size, then crop to ``like``, because the encoder rounds odd sides up."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x[..., : like.shape[-2], : like.shape[-1]]


class UpsamplingBlock(RecurrentHalf):
    """Upsample, concatenate the skip connection and the pooled image, convolve, recur."""

    def __init__(self, channels_in: int, skip: int, out: int) -> None:
        super().__init__(out)
        self.conv = nn.Sequential(*_conv_bn_relu(channels_in + skip + 3, out))

    def forward(self, x: Tensor, skip: Tensor, src: Tensor, r: State) -> tuple[Tensor, Tensor]:
        joined = torch.cat([_upsampled(_flat(x), src), _flat(skip), _flat(src)], 1)
        return self.recur(_like(self.conv(joined), src), r)


class OutputBlock(nn.Module):
    """The decoder's last block, at the network's input size, without recurrence."""

    def __init__(self, channels_in: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*_conv_bn_relu(channels_in + 3, out), *_conv_bn_relu(out, out))

    def forward(self, x: Tensor, src: Tensor) -> Tensor:
        joined = torch.cat([_upsampled(_flat(x), src), _flat(src)], 1)
        return _like(self.conv(joined), src)


class RecurrentDecoder(nn.Module):
    """Four recurrent scales and an output block (figure 2 of the paper)."""

    def __init__(self, skips: tuple[int, ...], bottleneck: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        half, quarter, eighth = skips[:3]
        self.decode4 = BottleneckBlock(bottleneck)
        self.decode3 = UpsamplingBlock(bottleneck, eighth, widths[0])
        self.decode2 = UpsamplingBlock(widths[0], quarter, widths[1])
        self.decode1 = UpsamplingBlock(widths[1], half, widths[2])
        self.decode0 = OutputBlock(widths[2], widths[3])

    def forward(
        self, src: Tensor, features: list[Tensor], states: tuple[State, ...]
    ) -> tuple[Tensor, ...]:
        f1, f2, f3, f4 = features
        s1 = self._pooled(src)
        s2 = self._pooled(s1)
        s3 = self._pooled(s2)
        x, r4 = self.decode4(f4, states[3])
        x, r3 = self.decode3(x, f3, s3, states[2])
        x, r2 = self.decode2(x, f2, s2, states[1])
        x, r1 = self.decode1(x, f1, s1, states[0])
        return self.decode0(x, src), r1, r2, r3, r4

    @staticmethod
    def _pooled(x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(_flat(x), 2, 2, ceil_mode=True, count_include_pad=False)
        return _like(pooled, x)


class Projection(nn.Module):
    """1x1 convolution to the outputs."""

    def __init__(self, channels_in: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return _like(self.conv(_flat(x)), x)


class _GuidedFilter(nn.Module):
    """y = A x + b per neighbourhood, fitted at low resolution and applied at full resolution.

    The guide x is RGB and its mean, y is the foreground residual and the alpha: 4 channels each, so
    every channel of y has its own guide channel.
    """

    def forward(
        self, src: Tensor, small: Tensor, fgr: Tensor, pha: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        full, x = (self._guide(_flat(image)) for image in (src, small))
        y = torch.cat([_flat(fgr), _flat(pha)], 1)
        mean_x, mean_y = self.box(x), self.box(y)
        cov = self.box(x * y) - mean_x * mean_y
        var = self.box(x * x) - mean_x * mean_x
        a = self.slope(cov, var, _flat(hidden))
        b = mean_y - a * mean_x
        size = (full.shape[2], full.shape[3])
        out = _resize(a, size) * full + _resize(b, size)
        fine_fgr, fine_pha = _like(out, src).split([3, 1], -3)
        return fine_fgr, fine_pha

    @staticmethod
    def _guide(image: Tensor) -> Tensor:
        return torch.cat([image, image.mean(1, keepdim=True)], 1)

    def box(self, x: Tensor) -> Tensor:
        return _box3(x)

    def slope(self, cov: Tensor, var: Tensor, hidden: Tensor) -> Tensor:
        raise NotImplementedError


class FastGuidedFilter(_GuidedFilter):
    """He and Sun 2015 (arXiv 1505.00996): least squares with eps = 1e-5; no weights."""

    eps = 1e-5

    def forward(
        self, src: Tensor, small: Tensor, fgr: Tensor, pha: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        if src.dtype not in (torch.float16, torch.bfloat16):
            return super().forward(src, small, fgr, pha, hidden)
        # A variance is a small difference of large values, for which half precision is too coarse.
        wide = (x.float() for x in (src, small, fgr, pha, hidden))
        fine_fgr, fine_pha = super().forward(*wide)
        return fine_fgr.to(src.dtype), fine_pha.to(src.dtype)

    def slope(self, cov: Tensor, var: Tensor, hidden: Tensor) -> Tensor:
        return cov / (var + self.eps)


class DeepGuidedFilter(_GuidedFilter):
    """Wu et al. 2018 (arXiv 1803.05619): the slope is predicted by a small network that also takes
    the decoder's features."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.box_filter = nn.Conv2d(4, 4, 3, padding=1, bias=False, groups=4)
        nn.init.constant_(self.box_filter.weight, 1 / 9)
        self.conv = nn.Sequential(
            nn.Conv2d(4 * 2 + hidden, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 4, 1),
        )

    def box(self, x: Tensor) -> Tensor:
        out: Tensor = self.box_filter(x)
        return out

    def slope(self, cov: Tensor, var: Tensor, hidden: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.cat([cov, var, hidden], 1))
        return out


REFINERS = {"deep_guided_filter": DeepGuidedFilter, "fast_guided_filter": FastGuidedFilter}


class RVM(nn.Module):
    """The whole matting network.

    ``forward`` takes ``src``: RGB float (B, 3, H, W) or (B, T, 3, H, W) in 0..1; the recurrent
    states of the last call, or None; and ``downsample_ratio`` in (0, 1], the scale at which encoder
    and decoder run (1: without the refiner). It returns the foreground (3 channels) and the alpha
    (1 channel) at the size of ``src``, both in 0..1, and the new states r1..r4.
    """

    def __init__(
        self,
        backbone: Backbone = "mobilenetv3",
        refiner: RefinerName = "deep_guided_filter",
    ) -> None:
        super().__init__()
        if backbone not in ENCODERS or refiner not in REFINERS:
            raise ValueError(
                f"backbone {backbone!r} or refiner {refiner!r} unknown; "
                f"choose from {list(ENCODERS)} and {list(REFINERS)}"
            )
        bottleneck, widths = WIDTHS[backbone]
        skips: tuple[int, ...] = ENCODERS[backbone].channels  # type: ignore[attr-defined]
        self.backbone = ENCODERS[backbone]()
        self.aspp = LRASPP(skips[-1], bottleneck)
        self.decoder = RecurrentDecoder(skips, bottleneck, widths)
        self.project_mat = Projection(widths[-1], 4)
        self.project_seg = Projection(widths[-1], 1)  # used in training only
        self.refiner = REFINERS[refiner]()
        self.register_load_state_dict_pre_hook(_keep_training_head)

    def forward(
        self,
        src: Tensor,
        r1: State = None,
        r2: State = None,
        r3: State = None,
        r4: State = None,
        downsample_ratio: float = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        small = src if downsample_ratio == 1 else self._downsampled(src, downsample_ratio)
        f1, f2, f3, f4 = self.backbone(_flat(small))
        features = [_like(f, src) for f in (f1, f2, f3, self.aspp(f4))]
        hidden, *states = self.decoder(small, features, (r1, r2, r3, r4))
        residual, pha = self.project_mat(hidden).split([3, 1], -3)
        if downsample_ratio != 1:
            residual, pha = self.refiner(src, small, residual, pha, hidden)
        fgr = (residual + src).clamp(0, 1)
        out1, out2, out3, out4 = states
        return fgr, pha.clamp(0, 1), out1, out2, out3, out4

    @staticmethod
    def _downsampled(src: Tensor, ratio: float) -> Tensor:
        small = F.interpolate(
            _flat(src),
            scale_factor=ratio,
            mode="bilinear",
            align_corners=False,
            recompute_scale_factor=False,
        )
        return _like(small, src)


def _keep_training_head(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Keep the current ``project_seg`` for checkpoints without one, which were made for
    inference."""
    head = module.get_submodule("project_seg")
    for name, value in head.state_dict(prefix=f"{prefix}project_seg.").items():
        state.setdefault(name, value)
