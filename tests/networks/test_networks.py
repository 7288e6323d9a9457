"""Networks written from papers: their sizes as published, any picture size, and partial
convolutions against a slow reading of the definition."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs the extra "torch"')

from realtime_bg.errors import ModelError  # noqa: E402
from realtime_bg.networks.fcdensenet import FCDenseNet, FCDenseNet103  # noqa: E402
from realtime_bg.networks.partial_conv import PartialConv2d, PartialConvUNet  # noqa: E402
from realtime_bg.networks.unet import UNet  # noqa: E402
from realtime_bg.networks.vgg16 import VGG16Features, load_vgg16  # noqa: E402


def parameters(network, statistics=False):
    count = sum(one.numel() for one in network.parameters())
    if statistics:  # batch norm's running means and variances
        count += sum(one.numel() for name, one in network.named_buffers() if "running" in name)
    return count


def test_unet_has_the_papers_layers():
    # by hand: 3x3 convolutions (with bias) down and up, 2x2 up-convolutions, 1x1 at the end
    sides = [64, 128, 256, 512, 1024]
    pairs = [(3, 64), *pairwise(sides)]
    down = sum(9 * (i * o + o * o) + 2 * o for i, o in pairs)
    up = sum(4 * 2 * o * o + o + 9 * (2 * o * o + o * o) + 2 * o for o in sides[:-1])
    assert parameters(UNet(2, norm=False)) == down + up + 64 * 2 + 2 == 31_031_810
    assert parameters(UNet()) == 31_037_633


def test_fcdensenet103_has_the_papers_parameters_and_maps():
    network = FCDenseNet103(classes=11)
    # the paper's 9.4 M count batch norm's statistics, as its framework did
    assert round(parameters(network, statistics=True) / 1e6, 1) == 9.4
    assert network.last.in_channels == 256  # table 2, and 896 and 1088 around the bottleneck
    assert network.pool[-1][0].num_features + 15 * 16 == 896
    assert network.up[0].layers[0][0].num_features == 240 + 656
    convolutions = [
        m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    ]
    assert len(convolutions) == 103


def test_partial_conv_unet_has_the_papers_layers():
    network = PartialConvUNet()
    kernels = [block.conv.conv.kernel_size[0] for block in network.down]
    assert kernels == [7, 5, 5, 3, 3, 3, 3, 3]
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    assert [block.conv.conv.out_channels for block in network.down] == widths
    inputs = [block.conv.conv.in_channels for block in network.up]
    assert inputs == [1024, 1024, 1024, 1024, 768, 384, 192, 67]  # PConv9 to PConv16 in table 1


@pytest.mark.parametrize("size", [(48, 64), (45, 77), (33, 32)])
@pytest.mark.parametrize(
    "network",
    [
        UNet(width=4),
        UNet(2, width=4, norm=False),
        FCDenseNet(1, (1, 2, 1), growth=4, width=8),
    ],
    ids=["unet", "unet-plain", "tiramisu"],
)
def test_any_size_comes_back(network, size):
    network.eval()
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        out = network(x)
    assert out.shape[-2:] == size
    assert out.isfinite().all()


def slow_partial_conv(x, mask, weight, bias, stride):
    """Equations 1 and 2 of the paper, window by window."""
    out, channels, kernel, _ = weight.shape
    half = kernel // 2
    height, width = (-(-side // stride) for side in x.shape[1:])
    y, known = np.zeros((out, height, width)), np.zeros((height, width))
    for row, column in np.ndindex(height, width):
        total, seen = np.zeros(out), 0
        for c, i, j in np.ndindex(channels, kernel, kernel):
            at = row * stride + i - half, column * stride + j - half
            if 0 <= at[0] < x.shape[1] and 0 <= at[1] < x.shape[2] and mask[c, at[0], at[1]]:
                seen += 1
                total += weight[:, c, i, j] * x[c, at[0], at[1]]
        if seen:
            y[:, row, column] = total * channels * kernel**2 / seen + bias
            known[row, column] = 1
    return y, known


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (7, 2)])
def test_partial_convolutions_are_what_the_paper_defines(kernel, stride):
    torch.manual_seed(kernel)
    layer = PartialConv2d(2, 3, kernel, stride)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(1, 2, 12, 14)
    mask = torch.ones(1, 2, 12, 14)
    mask[:, :, 2:11, 3:13] = 0
    mask[:, 1, 5, 5] = 1  # channels may know different things
    with torch.no_grad():
        y, known = layer(x, mask)
    weight, bias = (one.detach().numpy() for one in (layer.conv.weight, layer.bias))
    slow, slow_known = slow_partial_conv(x[0].numpy(), mask[0].numpy(), weight, bias, stride)
    assert np.allclose(y[0], slow, atol=1e-4)
    assert np.array_equal(known[0, 0], slow_known)
    assert 0 < slow_known.mean() < 1 or kernel == 7


def test_what_lies_in_the_hole_is_not_seen():
    torch.manual_seed(0)
    network = PartialConvUNet(levels=3, width=4).eval()
    image, mask = torch.rand(1, 3, 45, 51), torch.ones(1, 1, 45, 51)
    mask[..., 10:30, 12:40] = 0
    other = torch.where(mask > 0, image, torch.rand_like(image))
    with torch.no_grad():
        out = network(image, mask)
        assert out.shape == image.shape
        assert torch.equal(out, network(other, mask))
        assert not torch.equal(out, network(image, torch.ones_like(mask)))


def test_a_frozen_encoder_keeps_its_statistics():
    network = PartialConvUNet(levels=3, width=4)
    picture = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    network.freeze_encoder = True
    network.train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(*picture)
    for name, value in network.named_buffers():
        if "running_mean" in name:
            assert torch.equal(value, before[name]) == name.startswith("down"), name


def test_vgg16_takes_the_published_names_and_refuses_others(tmp_path):
    shapes = {
        0: (64, 3),
        2: (64, 64),
        5: (128, 64),
        7: (128, 128),
        10: (256, 128),
        12: (256, 256),
        14: (256, 256),
    }
    state = {f"features.{n}.weight": torch.randn(*shape, 3, 3) for n, shape in shapes.items()}
    state |= {f"features.{n}.bias": torch.randn(shape[0]) for n, shape in shapes.items()}
    state["classifier.0.weight"] = torch.zeros(2, 2)
    torch.save(state, tmp_path / "vgg.pth")
    network = load_vgg16(tmp_path / "vgg.pth")
    assert torch.equal(network.features[14].weight, state["features.14.weight"])
    maps = network(torch.rand(1, 3, 32, 32))
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 16, 16), (128, 8, 8), (256, 4, 4)]
    assert parameters(VGG16Features()) == sum(9 * o * i + o for o, i in shapes.values())
    assert not any(one.requires_grad for one in network.parameters())
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="not the weights of VGG-16"):
        load_vgg16(tmp_path / "other.pth")
