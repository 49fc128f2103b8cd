"""The rows of a benchmark that is stopped and called again: a CSV file, written after each row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any


class KeptRows(list[dict[str, str]]):
    """The rows of earlier calls, and those that are added.

    Args:
        path: The file.
        keys: The columns that tell rows apart.
    """

    def __init__(self, path: Path, *keys: str) -> None:
        self._path = path
        self._keys = keys
        if path.is_file():
            with path.open(newline="") as file:
                super().__init__(csv.DictReader(file))

    def has(self, *values: str) -> bool:
        """Whether there is a row with these values of the keys."""
        return values in {tuple(row[key] for key in self._keys) for row in self}

    def add(self, row: dict[str, str]) -> None:
        """Print and keep a row."""
        print(row, flush=True)
        self.append(row)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", newline="") as file:
            table = csv.DictWriter(file, self[0])
            table.writeheader()
            table.writerows(self)

    def fill(
        self, names: Sequence[str], seeds: int, work: Callable[[str, int], dict[str, str]]
    ) -> None:
        """Add the rows that are missing, each name with a seed before the next seed begins.

        Args:
            names: The values of the first key.
            seeds: The number of seeds, which are the second key.
            work: Makes the row of a name and a seed.
        """
        for seed in range(seeds):
            for name in names:
                if not self.has(name, str(seed)):
                    self.add(work(name, seed))


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do work in a process of its own, which has this one's modules, and return its result.

    Its memory is then that of the work alone.
    """
    with get_context("fork").Pool(1) as pool:
        return pool.apply(work, arguments)
