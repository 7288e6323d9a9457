"""RVM with random weights."""

import pytest

torch = pytest.importorskip("torch", reason='needs the extra "torch"')
from realtime_bg.networks.rvm import RVM  # noqa: E402


def randomised(backbone="mobilenetv3", refiner="deep_guided_filter"):
    """A network whose batch norms do something, so that folding them is tested."""
    torch.manual_seed(4)
    network = RVM(backbone, refiner).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network
