"""Pads images for networks that need multiples of a size, and crops the result."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def padded(run: Callable[[Tensor], Tensor], x: Tensor, step: int) -> Tensor:
    """Return ``run(x)`` for ``x`` (N, C, H, W) of any size, where ``run`` needs multiples of
    ``step`` and keeps the size. The padding, at the right and the bottom, repeats the border.

    There is no branch on the size, so an exported graph accepts any size.
    """
    height, width = x.shape[-2:]
    wide = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
    return run(wide)[..., :height, :width]
