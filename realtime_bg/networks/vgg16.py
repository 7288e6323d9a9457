"""VGG-16's frozen convolutions (Simonyan and Zisserman 2015, arXiv 1409.1556, table 1, D), for
losses.

Loads the state dict that torchvision publishes, without needing torchvision.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from realtime_bg.errors import ModelError
from realtime_bg.networks import IMAGENET_MEAN, IMAGENET_STD
from realtime_bg.networks.checkpoint import read_tensors

STAGES = ((64, 64), (128, 128), (256, 256, 256))  # up to the third pooling, as in Liu et al.


class VGG16Features(nn.Module):
    """RGB float (N, 3, H, W) in 0..1 -> the outputs of the first three poolings."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage in STAGES:
            for out in stage:
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(inplace=True)]
                channels = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - self.mean) / self.std
        taps = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                taps.append(x)
        return taps


def load_vgg16(path: Path) -> VGG16Features:
    """Return the network with the weights in ``path`` (``vgg16-397923af.pth``). Raises
    ModelError."""
    network = VGG16Features()
    tensors = read_tensors(path)
    wanted = network.state_dict()
    try:
        state = {name: torch.from_numpy(tensors[name]) for name in wanted}
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"{path}: not the weights of VGG-16 ({str(error).splitlines()[0]})"
        ) from None
    return network.eval()
