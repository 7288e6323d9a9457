"""The loss functions for segmentation and inpainting."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def bce_dice(logits: Tensor, truth: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Return binary cross-entropy plus soft Dice loss (Milletari et al. 2016, arXiv 1606.04797).

    ``logits``, ``truth`` in [0, 1] and ``valid`` (0 or 1) are (N, 1, H, W).
    """
    logits = logits.float()
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    bce = (each * valid).sum() / valid.sum().clamp(min=1)
    person, truth = logits.sigmoid() * valid, truth * valid
    both = (person * truth).sum((1, 2, 3))
    sizes = (person**2).sum((1, 2, 3)) + (truth**2).sum((1, 2, 3))
    dice = 1 - ((2 * both + 1) / (sizes + 1)).mean()
    return {"loss": bce + dice, "bce": bce, "dice": dice}


class InpaintWeights(NamedTuple):
    """The weights of the loss's parts (Liu et al. 2018, arXiv 1804.07723, equation 8)."""

    valid: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0
    tv: float = 0.1


def inpaint_loss(
    out: Tensor,
    truth: Tensor,
    known: Tensor,
    features: nn.Module | None,
    weights: InpaintWeights = InpaintWeights(),  # noqa: B008 - immutable
) -> dict[str, Tensor]:
    """Return the weighted sum as ``loss``, and its parts.

    ``out`` and ``truth``: RGB (N, 3, H, W); ``known``: (N, 1, H, W), 0 in the hole. ``features``:
    VGG-16's feature maps for the perceptual and style parts, which are left out if it is None.
    """
    out = out.float()
    filled = torch.where(known > 0, truth, out)
    parts = {
        "valid": (known * (out - truth)).abs().mean(),
        "hole": ((1 - known) * (out - truth)).abs().mean(),
        "tv": total_variation(filled, known),
    }
    if features is not None:
        maps = features(torch.cat([out, filled, truth]))
        parts["perceptual"] = parts["style"] = out.new_zeros(())
        for level in maps:
            ours, mixed, theirs = level.float().chunk(3)
            for one in (ours, mixed):
                parts["perceptual"] = parts["perceptual"] + (one - theirs).abs().mean()
                change = (gram(one) - gram(theirs)).abs().mean()
                parts["style"] = parts["style"] + change
    total = sum(
        (getattr(weights, name) * value for name, value in parts.items()), start=out.new_zeros(())
    )
    return {"loss": total} | parts


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrices of the channels: (N, C, H, W) -> (N, C, C), divided by the number of
    elements. In float32: the sums exceed float16's range, and their differences bfloat16's
    precision."""
    with torch.autocast(maps.device.type, enabled=False):
        flat = maps.float().flatten(2)
        return flat @ flat.transpose(1, 2) / flat[0].numel()


def total_variation(filled: Tensor, known: Tensor) -> Tensor:
    """Return the mean difference between neighbouring pixels in the hole, dilated by one pixel
    (equation 6)."""
    near = F.max_pool2d(1 - known, 3, 1, 1)
    across = near[..., 1:] * near[..., :-1] * (filled[..., 1:] - filled[..., :-1]).abs()
    down = near[..., 1:, :] * near[..., :-1, :] * (filled[..., 1:, :] - filled[..., :-1, :]).abs()
    return across.mean() + down.mean()
