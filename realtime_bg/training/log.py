"""Writes a training run's CSV logs, and TensorBoard logs if it is installed."""

import csv
from pathlib import Path
from typing import Any


class Log:
    """A CSV file to which rows are added; rows after ``step`` are dropped when a run is resumed."""

    def __init__(self, path: Path, step: int, board: Any = None) -> None:
        self._path, self._board = path, board
        self._names: list[str] = []
        if not step or not path.is_file():
            path.unlink(missing_ok=True)
            return
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            self._names = list(reader.fieldnames or [])
            # a row cut off by a crash lacks values
            rows = [row for row in reader if None not in row.values() and int(row["step"]) <= step]
        with path.open("w", newline="", encoding="utf-8") as file:
            self._writer(file).writerows([dict(zip(self._names, self._names, strict=True)), *rows])

    def add(self, step: int, row: dict[str, float]) -> None:
        if not self._names:
            self._names = ["step", *row]
            with self._path.open("w", newline="", encoding="utf-8") as file:
                self._writer(file).writeheader()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            self._writer(file).writerow({"step": step} | {k: f"{v:.6g}" for k, v in row.items()})
        for name, value in row.items():
            if self._board is not None:
                self._board.add_scalar(f"{self._path.stem}/{name}", value, step)

    def _writer(self, file: Any) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, self._names, lineterminator="\n")


def _tensorboard(folder: Path, step: int) -> Any:
    """Return a writer that continues after ``step``, or None if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
