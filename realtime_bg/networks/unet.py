"""U-Net (Ronneberger, Fischer, Brox 2015, arXiv 1505.04597, figure 1), with padded convolutions."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from realtime_bg.networks._padding import padded

DEPTH = 4  # times the resolution is halved


def _double(channels_in: int, out: int, norm: bool) -> nn.Sequential:
    """Return two 3x3 convolutions, each with ReLU and optional batch norm."""
    layers: list[nn.Module] = []
    for channels in (channels_in, out):
        layers.append(nn.Conv2d(channels, out, 3, padding=1, bias=not norm))
        layers += [nn.BatchNorm2d(out)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Normalised RGB float (N, 3, H, W) of any size -> logits (N, ``classes``, H, W).

    ``width``: channels of the first level, 64 in the paper (31.0 million parameters); each level
    below has twice as many. ``norm``: batch norm after each convolution; the paper has none.
    """

    def __init__(self, classes: int = 1, width: int = 64, norm: bool = True) -> None:
        super().__init__()
        widths = [width << level for level in range(DEPTH + 1)]
        self.first = _double(3, width, norm)
        self.down = nn.ModuleList(_double(above, below, norm) for above, below in pairwise(widths))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2)
            for level in reversed(range(DEPTH))
        )
        self.merge = nn.ModuleList(
            _double(widths[level + 1], widths[level], norm) for level in reversed(range(DEPTH))
        )
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return padded(self._levels, x, 1 << DEPTH)

    def _levels(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(self.pool(x))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], 1))
        out: Tensor = self.last(x)
        return out
