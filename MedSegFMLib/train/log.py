"""The log of a training run: a CSV table, and TensorBoard files if TensorBoard is installed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..system.atomic_files import write_text

FILE = "log.csv"
BOARD_FOLDER = "tensorboard"
_COLUMNS = ["samples", "minutes", "name", "value"]


class TrainingLog:
    """Values by name and number of samples seen.

    Args:
        folder: the folder of the run.
        samples: the samples seen so far; later rows, of a run that was lost, are removed.

    Raises:
        OutputError: the log cannot be written; also raised by the methods.
    """

    def __init__(self, folder: Path, samples: int) -> None:
        self._path = folder / FILE
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(row for row in read_log(folder) if row["samples"] <= samples)
        write_text(self._path, text.getvalue())
        with self._writing():
            self._file = self._path.open("a", newline="", encoding="utf-8")
            self._table = csv.DictWriter(self._file, _COLUMNS, lineterminator="\n")
            self._board: Any = None
            if find_spec("tensorboard"):
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(folder / BOARD_FOLDER), purge_step=samples + 1)

    def write(self, samples: int, minutes: float, **values: float) -> None:
        """Add values; they are on disk when this returns."""
        with self._writing():
            for name, value in values.items():
                row = {"samples": samples, "minutes": f"{minutes:.3f}", "name": name}
                self._table.writerow({**row, "value": value})
                if self._board is not None:
                    self._board.add_scalar(name, value, samples)
            self._file.flush()
            os.fsync(self._file.fileno())
            if self._board is not None:
                self._board.flush()

    def close(self) -> None:
        """Close the files."""
        with self._writing():
            self._file.close()
            if self._board is not None:
                self._board.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self._path} could not be written ({error.strerror or error}); free some space "
                "and run again to continue from the checkpoint."
            ) from error


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of a run's table: samples, minutes, name, value; [] if there is no table.

    Incomplete rows that a crash left are skipped.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        read = (_row(row) for row in csv.DictReader(file))
        return [row for row in read if row is not None]


def _row(row: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return {
            "samples": int(row["samples"]),
            "minutes": float(row["minutes"]),
            "name": str(row["name"]),
            "value": float(row["value"]),
        }
    except (KeyError, TypeError, ValueError):
        return None
