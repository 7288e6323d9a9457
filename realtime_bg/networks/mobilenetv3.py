"""MobileNetV3-Large as an encoder with stride 16 (Howard et al. 2019, arXiv 1905.02244, table 1).

The last stage uses dilation instead of a stride, as is usual for dense prediction.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realtime_bg.networks import IMAGENET_MEAN, IMAGENET_STD


class Row(NamedTuple):
    """One row of the paper's table 1: an inverted-residual block."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    hardswish: bool
    stride: int = 1
    dilation: int = 1


STEM_CHANNELS = 16
ROWS = (
    Row(3, 16, 16, False, False),
    Row(3, 64, 24, False, False, stride=2),
    Row(3, 72, 24, False, False),
    Row(5, 72, 40, True, False, stride=2),
    Row(5, 120, 40, True, False),
    Row(5, 120, 40, True, False),
    Row(3, 240, 80, False, True, stride=2),
    Row(3, 200, 80, False, True),
    Row(3, 184, 80, False, True),
    Row(3, 184, 80, False, True),
    Row(3, 480, 112, True, True),
    Row(3, 672, 112, True, True),
    Row(5, 672, 160, True, True, dilation=2),
    Row(5, 960, 160, True, True, dilation=2),
    Row(5, 960, 160, True, True, dilation=2),
)
HEAD_CHANNELS = 960
# Indices in `features` whose outputs are returned: strides 2, 4, 8, 16.
TAPS = (1, 3, 6, 16)
TAP_CHANNELS = (16, 24, 40, HEAD_CHANNELS)


def _unit(
    channels_in: int,
    out: int,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """Return a convolution with batch norm and an optional activation."""
    padding = (kernel - 1) // 2 * dilation
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, out, kernel, stride, padding, dilation, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


class SqueezeExcite(nn.Module):
    """Channel attention; squeezes to a quarter of the channels, rounded to a multiple of 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels / 4
        squeezed = max(8, int(quarter + 4) // 8 * 8)
        if squeezed < 0.9 * quarter:
            squeezed += 8
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self.fc2(weight))


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, optional channel attention, project."""

    def __init__(self, channels_in: int, row: Row) -> None:
        super().__init__()
        activation = nn.Hardswish if row.hardswish else nn.ReLU
        layers: list[nn.Module] = []
        if row.expanded != channels_in:
            layers.append(_unit(channels_in, row.expanded, activation=activation))
        depthwise = _unit(
            row.expanded,
            row.expanded,
            row.kernel,
            row.stride,
            row.dilation,
            groups=row.expanded,
            activation=activation,
        )
        layers.append(depthwise)
        if row.squeeze:
            layers.append(SqueezeExcite(row.expanded))
        layers.append(_unit(row.expanded, row.out))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and channels_in == row.out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3Encoder(nn.Module):
    """RGB float (N, 3, H, W) in 0..1 -> four maps at strides 2, 4, 8, 16."""

    channels = TAP_CHANNELS
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_unit(3, STEM_CHANNELS, 3, 2, activation=nn.Hardswish)]
        channels = STEM_CHANNELS
        for row in ROWS:
            layers.append(InvertedResidual(channels, row))
            channels = row.out
        layers.append(_unit(channels, HEAD_CHANNELS, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - self.mean) / self.std
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                taps.append(x)
        return taps
