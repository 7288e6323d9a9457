"""FC-DenseNet, "the one hundred layers Tiramisu" (Jegou et al. 2017, arXiv 1611.09326)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from realtime_bg.networks._padding import padded

DROPOUT = 0.2


class Layer(nn.Sequential):
    """Batch norm, ReLU, 3x3 convolution, dropout (table 1, left); outputs ``growth`` maps."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, growth, 3, padding=1),
            nn.Dropout2d(DROPOUT),
        )


class DenseBlock(nn.Module):
    """Each layer takes the input and the outputs of all previous layers; returns the layers'
    outputs."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(channels + index * growth, growth) for index in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        added: list[Tensor] = []
        for layer in self.layers:
            added.append(layer(torch.cat([x, *added], 1)))
        return torch.cat(added, 1)


def _transition_down(channels: int) -> nn.Sequential:
    """Batch norm, ReLU, 1x1 convolution, dropout, 2x2 max pooling (table 1, middle)."""
    return nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1),
        nn.Dropout2d(DROPOUT),
        nn.MaxPool2d(2),
    )


class FCDenseNet(nn.Module):
    """Normalised RGB float (N, 3, H, W) of any size -> logits (N, ``classes``, H, W).

    ``layers``: layers per dense block from the top down, the last one being the bottleneck; the
    decoder mirrors the others. ``width``: channels of the first convolution.
    """

    def __init__(self, classes: int, layers: Sequence[int], growth: int, width: int) -> None:
        super().__init__()
        *levels, bottleneck = layers
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.down, self.pool = nn.ModuleList(), nn.ModuleList()
        channels, skips = width, []
        for count in levels:
            self.down.append(DenseBlock(channels, growth, count))
            channels += growth * count
            skips.append(channels)
            self.pool.append(_transition_down(channels))
        self.bottleneck = DenseBlock(channels, growth, bottleneck)
        channels = growth * bottleneck
        self.unpool, self.up = nn.ModuleList(), nn.ModuleList()
        for count, skip in zip(reversed(levels), reversed(skips), strict=True):
            self.unpool.append(
                nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1)
            )
            self.up.append(DenseBlock(channels + skip, growth, count))
            # Only the block's new maps are upsampled (section 3.3); the last block keeps its input
            # too.

            held, channels = channels + skip, growth * count
        self.last = nn.Conv2d(held + channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return padded(self._levels, x, 1 << len(self.down))

    def _levels(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips: list[Tensor] = []
        for block, pool in zip(self.down, self.pool, strict=True):
            skips.append(torch.cat([x, block(x)], 1))
            x = pool(skips[-1])
        new = self.bottleneck(x)
        for unpool, block in zip(self.unpool, self.up, strict=True):
            x = torch.cat([unpool(new), skips.pop()], 1)
            new = block(x)
        out: Tensor = self.last(torch.cat([x, new], 1))
        return out


class FCDenseNet103(FCDenseNet):
    """FC-DenseNet103 of table 2: 9.4 million parameters, trained on portraits at 224x224."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__(classes, (4, 5, 7, 10, 12, 15), growth=16, width=48)
