"""Batches: the order in which examples are drawn, and how unreadable ones are replaced."""

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Sampler

from realtime_bg.training.datasets import Example, Position

Batch: TypeAlias = tuple[Tensor, ...]


class Order(Sampler[list[Position]]):
    """Yields batches of positions from step ``start`` to ``total``, shuffled by seed and epoch.

    Examples that do not fill a batch at the end of an epoch are skipped in that epoch.
    """

    def __init__(self, count: int, batch: int, seed: int, start: int, total: int) -> None:
        self._count, self._batch, self._seed = count, min(batch, count), seed
        self._start, self._total = start, total
        self.per_epoch = count // self._batch

    def __len__(self) -> int:
        return max(0, self._total - self._start)

    def __iter__(self) -> Iterator[list[Position]]:
        step = self._start
        while step < self._total:
            epoch, begin = divmod(step, self.per_epoch)
            rng = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            order = torch.randperm(self._count, generator=rng).tolist()
            for at in range(begin, min(self.per_epoch, begin + self._total - step)):
                yield [(epoch, i, step) for i in order[at * self._batch : (at + 1) * self._batch]]
                step += 1


def collate(items: list[Example], fill: bool) -> tuple[Batch | None, list[str]]:
    """Stack the examples that could be read (None if there are none); return also why others could
    not.

    ``fill``: repeat them, so that the batch keeps its size.
    """
    problems = [item for item in items if isinstance(item, str)]
    readable = [item for item in items if not isinstance(item, str)]
    if readable and fill:
        readable = (readable * len(items))[: len(items)]
    return (
        tuple(torch.stack(parts) for parts in zip(*readable, strict=True)) if readable else None
    ), problems
