"""Writes a training run's checkpoints completely or not at all, and reads them with clear
errors."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from realtime_bg.errors import TrainingError, reason
from realtime_bg.system.files import whole


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` in one step: a failure leaves the previous file. Raises TrainingError."""
    try:
        with whole(path) as partial, partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
        raise TrainingError(f"{path}: cannot be written ({reason(error)})") from None


def load_checkpoint(path: Path, advice: str = "") -> dict[str, Any]:
    """Return what `save_checkpoint` wrote, on the CPU. Raises TrainingError, whose text ends with
    ``advice``."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and {"settings", "model", "step"} <= content.keys():
            return content
        problem = "not written by this program"
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        problem = reason(error)
    raise TrainingError(f"{path}: not a readable checkpoint ({problem}){advice}")
