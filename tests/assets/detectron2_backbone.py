"""The backbone of detectron2_person.onnx, for `scripts/export_detectron2.py --parts`: the built-in
network (networks/embedded.py) without its last block, its last joins and its batch norms, which are
folded into the convolutions."""

from typing import Any, ClassVar

import torch
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone.fpn import FPN, LastLevelMaxPool
from torch import Tensor, nn
from torch.nn import functional as F

from realtime_bg.networks.embedded import SKIPS, Embedded

FOLDED = {"lateral": "bn0", "depthwise": "bn1", "mix": "bn2"}  # of each join


class Person(Backbone):
    """Features at strides 4 to 32 of pictures (B, 3, H, W), BGR in -1..1; H and W are multiples of
    32."""

    size_divisibility = 32
    _out_features: ClassVar = ["p4", "p8", "p16", "p32"]
    _out_feature_channels: ClassVar = {"p4": 32, "p8": 64, "p16": 96, "p32": 192}
    _out_feature_strides: ClassVar = {"p4": 4, "p8": 8, "p16": 16, "p32": 32}

    def __init__(self) -> None:
        super().__init__()
        net = Embedded()
        net.blocks = net.blocks[:-1]
        for unused in ("join2", "reduce", "detail", "out", "coarse"):
            delattr(net, unused)
        for join in (net.join16, net.join8, net.join4):
            for convolution, norm in FOLDED.items():
                _fold(join, convolution, norm)
        _fold(net, "context", "context_bn")
        self.net = net

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        net, last = self.net, torch.zeros_like(picture[:, :1])
        y, seen = F.relu6(net.stem(picture)), {}
        for index, block in enumerate(net.blocks):
            y = block(y)
            seen[index] = y
        _, s4, s8, s16, _ = SKIPS
        at32 = net.attention(y.float())
        gate = torch.sigmoid(net.gate(at32.mean((2, 3), keepdim=True)))
        at16 = net.join16(F.relu(net.context(at32)) * gate, seen[s16], last)
        at8 = net.join8(at16, seen[s8], last)
        return {"p4": net.join4(at8, seen[s4], last), "p8": at8, "p16": at16, "p32": at32}


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    """Replace a convolution and its batch norm by a convolution with a bias."""
    old = getattr(module, convolution)
    new = nn.Conv2d(
        old.in_channels, old.out_channels, old.kernel_size, 1, old.padding, groups=old.groups
    )
    setattr(module, convolution, new)
    setattr(module, norm, nn.Identity())


@BACKBONE_REGISTRY.register()
def build_person_fpn_backbone(cfg: Any, input_shape: Any) -> FPN:
    return FPN(
        Person(),
        cfg.MODEL.FPN.IN_FEATURES,
        cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=LastLevelMaxPool(),
    )
