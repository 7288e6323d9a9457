"""From items of a data set to batches: their order, and what becomes of bad ones."""

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Sampler

from realtime_bg.training.datasets import Item, Place

Batch: TypeAlias = tuple[Tensor, ...]


class Order(Sampler[list[Place]]):
    """Batches of places from step ``start`` to ``total``; every epoch shuffled by seed and epoch.

    What does not fill a batch is left to the next epoch's chance.
    """

    def __init__(self, count: int, batch: int, seed: int, start: int, total: int) -> None:
        self._count, self._batch, self._seed = count, min(batch, count), seed
        self._start, self._total = start, total
        self.per_epoch = count // self._batch

    def __len__(self) -> int:
        return max(0, self._total - self._start)

    def __iter__(self) -> Iterator[list[Place]]:
        step = self._start
        while step < self._total:
            epoch, begin = divmod(step, self.per_epoch)
            chance = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            order = torch.randperm(self._count, generator=chance).tolist()
            for at in range(begin, min(self.per_epoch, begin + self._total - step)):
                yield [(epoch, i, step) for i in order[at * self._batch : (at + 1) * self._batch]]
                step += 1


def collate(items: list[Item], fill: bool) -> tuple[Batch | None, list[str]]:
    """The tensors of the items that could be read (None: of none), and why the others not.

    ``fill``: they are repeated, so that the batch keeps its size.
    """
    bad = [item for item in items if isinstance(item, str)]
    good = [item for item in items if not isinstance(item, str)]
    if good and fill:
        good = (good * len(items))[: len(items)]
    return (tuple(torch.stack(parts) for parts in zip(*good, strict=True)) if good else None), bad
