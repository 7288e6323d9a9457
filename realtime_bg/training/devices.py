"""Picks the device and the precision of a training run."""

import torch

from realtime_bg.errors import SettingsError, reason


def pick_device(wanted: str) -> torch.device:
    """Return the device; ``auto`` is CUDA if available. Raises SettingsError."""
    found = torch.cuda.is_available()
    if wanted.startswith("cuda") and not found:
        raise SettingsError(
            f"--device {wanted}: PyTorch finds no CUDA device here; use --device cpu"
        )
    try:
        return torch.device(("cuda" if found else "cpu") if wanted == "auto" else wanted)
    except RuntimeError as error:
        raise SettingsError(f"--device {wanted}: {reason(error)}") from None


def half_type(device: torch.device) -> torch.dtype | None:
    """Return the half-precision type that is faster on ``device``: bfloat16, float16 on older CUDA
    devices, None on CPUs without bfloat16."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    return torch.bfloat16 if device.type == "cpu" and supported() else None
