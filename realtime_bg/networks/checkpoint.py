"""Reads a checkpoint's tensors without executing any code in the file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import MissingPackageError, ModelError
from realtime_bg.installing import add_extra


def read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the float32 arrays of a ``.safetensors`` file or a ``.pth``/``.pt`` state dict, by
    name.

    Raises ModelError for a damaged file and MissingPackageError if PyTorch is needed but not
    installed.
    """
    if path.suffix.lower() == ".safetensors":
        try:
            from safetensors import SafetensorError
            from safetensors.numpy import load_file
        except ModuleNotFoundError:
            raise MissingPackageError(
                f"{path} is a safetensors checkpoint; run: {add_extra('safetensors')}, "
                "or use the ONNX file"
            ) from None

        try:
            return {
                name: np.asarray(tensor, np.float32) for name, tensor in load_file(path).items()
            }
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: not a readable safetensors file ({error})") from None
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingPackageError(
            f"{path} is a PyTorch checkpoint; run: {add_extra('torch')}, or use the ONNX file"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in state.items()}
    except Exception as error:  # torch raises many types for a file of another kind
        reason = str(error).split("\n")[0]
        raise ModelError(f"{path}: not a readable PyTorch checkpoint ({reason})") from None
