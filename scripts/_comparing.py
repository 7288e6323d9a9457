"""Comparing an exported file with its network, by how well the network repeats its own results.

What PyTorch computes depends, in its last digits, on how many threads add up and on whether oneDNN
does, and a detector magnifies that: with random weights its boxes move by a third of a pixel. So a
tolerance that is right for one network is wrong for the next one. Here the network runs
on a picture several times, and its own differences set the tolerance.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # --help works without PyTorch
    from torch import Tensor
    from torch.nn import Module

MULTIPLE = 4.0  # times the network's own difference a file may be off

Answer = list[NDArray[Any]]  # a network's outputs, in their order


class Tolerance(NamedTuple):
    """What one output may differ by, in its own unit, be it pixels or a probability."""

    floor: float  # allowed where the network repeats itself exactly
    limit: float  # a network that differs more from itself is not to be compared
    mean: bool = False  # over what either is more than 0 for, not the largest difference


def answers(module: "Module", picture: "Tensor") -> list[Answer]:
    """What ``module`` makes of ``picture``, with one thread, with two, and without oneDNN."""
    import torch

    found: list[Answer] = []
    with warnings.catch_warnings():
        # Said of Intel's GPUs whenever the switch of oneDNN is touched.
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        for count, onednn in ((1, True), (2, True), (1, False)):
            with threads(count), torch.backends.mkldnn.flags(enabled=onednn), torch.no_grad():
                outputs = module(picture)
                outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
                found.append([tensor.numpy().copy() for tensor in outputs])
    return found


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch with so many threads, and then with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(
    names: Sequence[str],
    ours: Answer,
    theirs: Sequence[Answer],
    tolerances: Mapping[str, Tolerance],
    tool: str,
) -> None:
    """Print the differences of ``ours``, the file's outputs, from the first of ``theirs``, those of
    its network; ends the program where one is too large, or where nothing can be said."""
    for position, name in enumerate(names):
        floor, limit, mean = tolerances[name]
        got, wants = ours[position], [answer[position] for answer in theirs]
        shapes = {want.shape for want in wants}
        own = None
        if len(shapes) == 1:  # np.max, unlike max, answers NaN where one is
            own = float(np.max([difference(wants[0], want, mean) for want in wants]))
        if own is None or not own <= limit:
            raise SystemExit(
                f"{name}: {tool} differs from itself between two runs, "
                f"{'in how many there are' if own is None else f'by {own:.2g}'}; "
                "nothing can be compared in this picture; give another --photo"
            )
        if got.shape != wants[0].shape:
            raise SystemExit(f"{name}: {got.shape} instead of {wants[0].shape}")
        worst, allowed = difference(wants[0], got, mean), max(floor, MULTIPLE * own)
        print(
            f"{name} {got.shape}: {'mean' if mean else 'largest'} difference {worst:.2e}, "
            f"of {tool} from itself {own:.2e}, allowed {allowed:.2e}"
        )
        if not worst <= allowed:
            raise SystemExit(f"the file differs from {tool}; not to be trusted")


def difference(one: NDArray[Any], other: NDArray[Any], mean: bool) -> float:
    """Between arrays of one shape; not a number where one of them holds such."""
    apart = np.abs(one.astype(np.float64) - other)
    if mean:
        return float(apart.sum() / max(1, np.count_nonzero(np.maximum(one, other))))
    return float(apart.max(initial=0))


def read_photo(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A photo as BGR ``uint8 (h, w, 3)`` of ``size`` (width, height); ends the program for what is
    no picture."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None  # from any path
    if pixels is None:
        raise SystemExit(f"{path}: not a picture; give --photo another one")
    resized: NDArray[np.uint8] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return resized
