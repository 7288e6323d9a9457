"""Exports RVM checkpoints to ONNX files, once each, into the user cache."""

import logging
from pathlib import Path

from realtime_bg.errors import ModelError, reason
from realtime_bg.system.files import whole
from realtime_bg.zoo import cache_folder, digest

log = logging.getLogger(__name__)


def export_cached(checkpoint: Path) -> Path:
    """The ONNX file of an RVM checkpoint (``.safetensors``, or ``.pth`` if PyTorch is installed),
    exported once and kept in the user cache under the checkpoint's hash.

    Raises ModelError for a checkpoint that cannot be read or is not RVM's, and
    MissingPackageError (see `networks/checkpoint.py`).
    """
    from realtime_bg.networks.checkpoint import read_tensors
    from realtime_bg.networks.rvm_graph import REVISION, build

    name = f"{checkpoint.stem}-{digest(checkpoint)[:12]}-{REVISION}.onnx"
    target = cache_folder() / "exported" / name
    if target.is_file():
        return target
    try:
        graph = build(read_tensors(checkpoint)).SerializeToString()
    except KeyError as missing:
        raise ModelError(f"{checkpoint}: not an RVM checkpoint (no tensor {missing})") from None
    except (ValueError, IndexError):  # arithmetic on tensors of unexpected shapes
        raise ModelError(
            f"{checkpoint}: not an RVM checkpoint (its tensors have other shapes)"
        ) from None
    try:
        with whole(target) as partial:
            partial.write_bytes(graph)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written ({reason(error)})") from None
    log.info("exported %s to %s", checkpoint.name, target)
    return target
