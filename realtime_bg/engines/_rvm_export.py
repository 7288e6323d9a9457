"""Makes the graphs with which the engine `rvm` runs, once each, in the user cache: from checkpoints
and from the released ONNX files."""

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
    from realtime_bg.networks.rvm_graph import build

    target = _target(checkpoint)
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


def rebuilt_cached(released: Path) -> Path:
    """This program's own graph with the weights of a released ONNX file, kept in the user cache. It
    takes three quarters of the time, because it leaves the refiner out at ratio 1. ``released``
    itself if it is any other file, or if nothing can be written there."""
    import onnx

    from realtime_bg.networks.rvm_graph import build
    from realtime_bg.networks.rvm_released import released_tensors

    target = _target(released)
    if target.is_file():
        return target
    try:
        tensors = released_tensors(onnx.load(released, load_external_data=False))
        if tensors is None:
            return released
        with whole(target) as partial:
            partial.write_bytes(build(tensors).SerializeToString())
    # protobuf and onnx raise all kinds of errors; the runtime will say what is wrong with the file
    except Exception as error:
        log.debug("%s is used as it is: %s", released, error)
        return released
    log.info("rebuilt %s as %s", released.name, target)
    return target


def _target(path: Path) -> Path:
    from realtime_bg.networks.rvm_graph import REVISION

    return cache_folder() / "exported" / f"{path.stem}-{digest(path)[:12]}-{REVISION}.onnx"
