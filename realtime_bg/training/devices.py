"""Where a training run computes, and in which precision."""

import torch

from realtime_bg.errors import SettingsError, reason


def pick_device(wanted: str) -> torch.device:
    """``auto`` is CUDA where there is one. Raises SettingsError."""
    found = torch.cuda.is_available()
    if wanted.startswith("cuda") and not found:
        raise SettingsError(f"--device {wanted}: PyTorch sees no CUDA here; use --device cpu")
    try:
        return torch.device(("cuda" if found else "cpu") if wanted == "auto" else wanted)
    except RuntimeError as error:
        raise SettingsError(f"--device {wanted}: {reason(error)}") from None


def half_type(device: torch.device) -> torch.dtype | None:
    """The half-precision type that pays on ``device``: bfloat16, float16 on older CUDA devices,
    None on CPUs without bfloat16."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    return torch.bfloat16 if device.type == "cpu" and supported() else None
