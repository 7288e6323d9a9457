"""Any picture size through networks that halve it several times: pad, run, cut."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def padded(run: Callable[[Tensor], Tensor], x: Tensor, step: int) -> Tensor:
    """``run(x)`` for ``x`` (N, C, H, W) of any size, where ``run`` takes multiples of ``step``
    and keeps the size; what is added repeats the border on the right and at the bottom.

    Written without branches on the size, so that an exported graph is free in it.
    """
    height, width = x.shape[-2:]
    wide = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
    return run(wide)[..., :height, :width]
