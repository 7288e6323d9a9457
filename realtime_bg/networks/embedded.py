"""The embedded model's network: EfficientNet-Lite0, attention and a small decoder; the last alpha
is an input.

Backbone: Tan and Le, EfficientNet, ICML 2019, in the Lite0 variant (no squeeze-and-excitation,
ReLU6), then two attention blocks at stride 32, where they cost little. Decoder: skip connections as
in U-Net, depthwise separable, gated by globally pooled features as in LR-ASPP (Howard et al.,
Searching for MobileNetV3, ICCV 2019). The alpha of the last frame is a further input to the
decoder: memory that costs nothing and can be learned from photos.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Per block: expansion, kernel, stride, output channels.
BLOCKS = (
    (1, 3, 1, 16),
    (6, 3, 2, 24),
    (6, 3, 1, 24),
    (6, 5, 2, 40),
    (6, 5, 1, 40),
    (6, 3, 2, 80),
    (6, 3, 1, 80),
    (6, 3, 1, 80),
    (6, 5, 1, 112),
    (6, 5, 1, 112),
    (6, 5, 1, 112),
    (6, 5, 2, 192),
    (6, 5, 1, 192),
    (6, 5, 1, 192),
)
"""EfficientNet-Lite0 without its last two blocks, which would make the file larger than 5 MB."""
JOINED = 96  # channels at stride 16, where the decoder starts
SKIPS = (0, 2, 4, 10, 13)  # blocks whose outputs the decoder uses: strides 2, 4, 8, 16, 32


class Block(nn.Module):
    """An inverted residual block: expand, depthwise, project. (B, C, H, W) -> (B, C', H/s, W/s).

    There is no batch norm: `Embedded.load_backbone` folds the original one into the convolutions.
    """

    def __init__(self, channels: int, expand: int, kernel: int, stride: int, out: int) -> None:
        super().__init__()
        inner, side = channels * expand, kernel // 2
        self.expand = nn.Conv2d(channels, inner, 1) if expand > 1 else nn.Identity()
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, side, groups=inner)
        self.project = nn.Conv2d(inner, out, 1)
        self.expands, self.residual = expand > 1, stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expands else x
        # On CPUs the gradient of a depthwise convolution takes three times as long in bfloat16.
        with torch.autocast("cpu", enabled=False):
            y = self.depthwise(y.float() if y.dtype == torch.bfloat16 else y)
        y = self.project(F.relu6(y))
        return x + y if self.residual else y


class Join(nn.Module):
    """Concatenates upsampled coarse features, a skip connection and the last alpha, and mixes them
    with a depthwise separable convolution."""

    def __init__(self, coarse: int, skip: int, lateral: int, out: int, kernel: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(skip, lateral, 1, bias=False)
        self.bn0 = nn.BatchNorm2d(lateral)
        inner = coarse + lateral + 1
        self.depthwise = nn.Conv2d(inner, inner, kernel, 1, kernel // 2, groups=inner, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.mix = nn.Conv2d(inner, out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)

    def forward(self, coarse: Tensor, skip: Tensor, last: Tensor) -> Tensor:
        size = skip.shape[-2:]
        up = F.interpolate(coarse, size, mode="bilinear", align_corners=False)
        hint = F.interpolate(last, size, mode="bilinear", align_corners=False)
        x = torch.cat([up, self.bn0(self.lateral(skip)), hint.to(up.dtype)], 1)
        return F.relu(self.bn2(self.mix(F.relu(self.bn1(self.depthwise(x))))))


class Attention(nn.Module):
    """A transformer block on a map (B, C, H, W): a depthwise convolution as positional encoding
    (Chu et al., Conditional positional encodings, ICLR 2023), self-attention (Vaswani et al.,
    NeurIPS 2017) and two layers per position, each with a residual connection."""

    def __init__(self, channels: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (inner // heads) ** -0.5
        self.around = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * inner)
        self.proj = nn.Linear(inner, channels)
        self.up, self.down = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        for last in (self.around, self.proj, self.down):  # the block starts as the identity
            nn.init.zeros_(last.weight)
            nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, x: Tensor) -> Tensor:
        places = (x + self.around(x)).flatten(2).transpose(1, 2)  # (B, H * W, C)
        qkv = self.qkv(self.norm1(places)).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()  # (B, heads, H * W, C)
        weights = torch.softmax(query @ key.transpose(-1, -2) * self.scale, -1)
        places = places + self.proj((weights @ value).transpose(1, 2).flatten(2))
        places = places + self.down(F.relu(self.up(self.norm2(places))))
        return places.transpose(1, 2).reshape(x.shape)


class Embedded(nn.Module):
    """RGB in 0..1, ``(B, 3, H, W)``, and the last alpha, ``(B, 1, H, W)``, zeros if there is none
    -> logits of alpha, ``(B, 1, H, W)``. Any H and W; multiples of 32 are best."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        blocks, channels = [], 32
        for expand, kernel, stride, out in BLOCKS:
            blocks.append(Block(channels, expand, kernel, stride, out))
            channels = out
        self.blocks = nn.ModuleList(blocks)
        self.attention = nn.Sequential(*(Attention(192, 96, 4) for _ in range(2)))
        self.context = nn.Conv2d(192, 96, 1, bias=False)
        self.context_bn = nn.BatchNorm2d(96)
        self.gate = nn.Conv2d(192, 96, 1)
        self.join16 = Join(96, 112, 64, 96, 5)
        self.join8 = Join(96, 40, 32, 64, 5)
        self.join4 = Join(64, 24, 24, 32, 3)
        self.join2 = Join(32, 16, 16, 16, 3)
        self.reduce = nn.Conv2d(16, 8, 3, 1, 1)
        self.detail = nn.Conv2d(11, 8, 3, 1, 1)
        self.out = nn.Conv2d(8, 1, 1)
        self.coarse = nn.Conv2d(64, 1, 1)  # used in training only
        self.teacher: Any = None  # set by a training with a teacher

    def forward(self, picture: Tensor, last: Tensor) -> Tensor:
        return self.parts(picture, last)[0]

    def parts(self, picture: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits, coarse logits from the features at stride 8, ``(B, 1, H/8, W/8)``, and
        the features at stride 16, ``(B, JOINED, H/16, W/16)``. The last two are for training."""
        x = picture * 2 - 1
        y = F.relu6(self.stem(x))
        skips = []
        for index, block in enumerate(self.blocks):
            y = block(y)
            if index in SKIPS:
                skips.append(y)
        s2, s4, s8, s16, s32 = skips
        s32 = self.attention(s32)
        gate = torch.sigmoid(self.gate(s32.mean((2, 3), keepdim=True)))
        y = F.relu(self.context_bn(self.context(s32))) * gate
        at16 = self.join16(y, s16, last)
        at8 = self.join8(at16, s8, last)
        y = self.join2(self.join4(at8, s4, last), s2, last)
        y = F.interpolate(
            F.relu(self.reduce(y)), x.shape[-2:], mode="bilinear", align_corners=False
        )
        y = self.out(F.relu(self.detail(torch.cat([y, x.to(y.dtype)], 1))))
        return cast(Tensor, y), cast(Tensor, self.coarse(at8)), cast(Tensor, at16)

    def load_backbone(self, tensors: dict[str, Tensor]) -> None:
        """Initialise the backbone from an ImageNet classifier with the tensor names of
        `efficientnet_lite_pytorch`; its batch norms (epsilon 1e-3) are folded into the
        convolutions.

        Raises KeyError for the tensors of another network.
        """
        layers = [(self.stem, "_conv_stem", "_bn0")]
        for index, block in enumerate(self.blocks):
            name, layer = f"_blocks.{index}.", cast(Block, block)
            if layer.expands:
                layers.append((cast(nn.Conv2d, layer.expand), f"{name}_expand_conv", f"{name}_bn0"))
            layers.append((layer.depthwise, f"{name}_depthwise_conv", f"{name}_bn1"))
            layers.append((layer.project, f"{name}_project_conv", f"{name}_bn2"))
        for conv, name, norm in layers:
            gain = tensors[f"{norm}.weight"] / (tensors[f"{norm}.running_var"] + 1e-3).sqrt()
            bias = tensors[f"{norm}.bias"] - gain * tensors[f"{norm}.running_mean"]
            weight = tensors[f"{name}.weight"] * gain[:, None, None, None]
            conv.load_state_dict({"weight": weight, "bias": bias})
