"""ResNet-50 as an encoder with stride 16 (He et al. 2015, arXiv 1512.03385).

The last stage uses dilation instead of a stride; names match torchvision's checkpoints.
"""

from torch import Tensor, nn

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1 reduce, 3x3, 1x1 expand, added to a (projected) identity."""

    def __init__(self, channels_in: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels_in, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride != 1 or channels_in != out
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        out: Tensor = self.relu(self.bn3(self.conv3(y)) + identity)
        return out


def _stage(
    channels_in: int, width: int, blocks: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    # The first block of a dilated stage has dilation 1: its receptive field is unchanged.
    first = Bottleneck(channels_in, width, stride)
    rest = (Bottleneck(width * EXPANSION, width, dilation=dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


class ResNet50Encoder(nn.Module):
    """RGB float (N, 3, H, W) in 0..1 -> four maps at strides 2, 4, 8, 16."""

    channels = (64, 256, 512, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(64, 64, 3)
        self.layer2 = _stage(256, 128, 4, stride=2)
        self.layer3 = _stage(512, 256, 6, stride=2)
        self.layer4 = _stage(1024, 512, 3, dilation=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        half = self.relu(self.bn1(self.conv1(x)))
        quarter = self.layer1(self.maxpool(half))
        eighth = self.layer2(quarter)
        sixteenth = self.layer4(self.layer3(eighth))
        return [half, quarter, eighth, sixteenth]
