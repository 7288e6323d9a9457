"""Inpainting with partial convolutions (Liu et al. 2018, arXiv 1804.07723).

A mask is float (N, C, H, W): 1 where the image's value is known and 0 in the hole.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Kernel and channels (in units of the width, 64) of the encoder's levels, table 1
ENCODER = ((7, 1), (5, 2), (5, 4), (3, 8), (3, 8), (3, 8), (3, 8), (3, 8))


class PartialConv2d(nn.Module):
    """A convolution over the known values only, rescaled for the missing ones (equations 1 and 2).

    Where a window has no known value the result is 0 and stays unknown.
    """

    ones: Tensor

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.register_buffer("ones", torch.ones(1, channels, kernel, kernel), persistent=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` and ``mask`` (N, channels, H, W) -> the same, (N, out, h, w) and (N, 1, h, w)."""
        conv = self.conv
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            # In float32: sums of thousands of ones are not exact in half precision.
            counted = F.conv2d(mask.float(), self.ones, None, conv.stride, conv.padding)
            known = (counted > 0.5).float()
            share = known * self.ones.numel() / counted.clamp(min=1)
        y = conv(x * mask.to(x.dtype)) * share
        if self.bias is not None:
            y = y + self.bias.view(-1, 1, 1)
        return y * known, known


class _Block(nn.Module):
    """Partial convolution, optional batch norm, activation."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, norm: bool, activation: nn.Module
    ) -> None:
        super().__init__()
        self.conv = PartialConv2d(channels, out, kernel, stride, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()
        self.activation = activation

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        y, known = self.conv(x, mask)
        y = self.activation(self.norm(y))
        return y, known.expand(-1, y.shape[1], -1, -1)


class PartialConvUNet(nn.Module):
    """The network of table 1: an encoder and a decoder of eight partial convolutions each.

    ``levels``: how many of them, 8 in the paper for 512x512. ``width``: channels of the first one,
    64 in the paper. While ``freeze_encoder`` is True the encoder's batch norms keep their
    statistics in training: the paper's second stage.
    """

    def __init__(self, levels: int = len(ENCODER), width: int = 64) -> None:
        super().__init__()
        shapes = [(kernel, times * width) for kernel, times in ENCODER[:levels]]
        inputs = [3, *(out for _, out in shapes)]
        self.down = nn.ModuleList(
            _Block(channels, out, kernel, 2, norm=level > 0, activation=nn.ReLU(inplace=True))
            for level, (channels, (kernel, out)) in enumerate(zip(inputs, shapes, strict=False))
        )
        self.up = nn.ModuleList()
        for level in reversed(range(levels)):
            out = inputs[level]  # at the top: the image itself
            activation = nn.LeakyReLU(0.2, inplace=True) if level else nn.Identity()
            self.up.append(_Block(inputs[level + 1] + out, out, 3, 1, level > 0, activation))
        self.freeze_encoder = False

    def train(self, mode: bool = True) -> "PartialConvUNet":
        super().train(mode)
        if self.freeze_encoder:
            for module in self.down.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` RGB float (N, 3, H, W) in 0..1, ``mask`` (N, 1, H, W) -> the whole image
        predicted, RGB (N, 3, H, W), about 0..1. Any size. Values in the hole have no effect."""
        height, width = image.shape[-2:]
        step = 1 << len(self.down)
        more = (0, -width % step, 0, -height % step)
        # The padding counts as hole.
        x, known = F.pad(image, more), F.pad(mask, more).expand(-1, 3, -1, -1)
        skips = []
        for block in self.down:
            skips.append((x, known))
            x, known = block(x, known)
        for block in self.up:
            near, near_known = skips.pop()
            x = torch.cat([F.interpolate(x, scale_factor=2.0), near], 1)
            known = torch.cat([F.interpolate(known, scale_factor=2.0), near_known], 1)
            x, known = block(x, known)
        return x[..., :height, :width]
