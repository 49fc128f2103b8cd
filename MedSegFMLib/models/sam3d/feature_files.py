"""Features of volumes on disk, so that a volume is looked at once, whoever asks and how often."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...errors import OutputError
from ...system.atomic_files import atomic_path
from ...system.npz_files import read_npy_header
from ...system.regular_files import check_regular_file

logger = logging.getLogger(__name__)

Features = NDArray[np.float16]
"""(windows, K, 256, h, w): of each slice of each window."""


class FeatureFiles:
    """A folder of .npy files that takes no more than some bytes; what was used longest ago goes.

    budget_bytes: None for as many as there are.
    """

    def __init__(self, folder: Path, budget_bytes: int | None) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes

    def get(self, key: str, shape: tuple[int, ...]) -> Features | None:
        """What was put under a key, read from disk as it is needed; None where it is not here."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            size = check_regular_file(path, OutputError).st_size
            with path.open("rb") as file:
                header = read_npy_header(file)
            is_right = (header.shape, header.dtype) == (shape, np.dtype("<f2"))
            is_whole = size == header.nbytes_header + header.nbytes
            if is_right and is_whole and not header.is_fortran:
                found: Features = np.memmap(
                    path, np.float16, "r", offset=header.nbytes_header, shape=shape
                )
                # The time of its last use, which decides what is let go.
                os.utime(path)
                return found
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be used (%s); it is made again.", path, error)
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, shape: tuple[int, ...], windows: Iterable[Features]) -> bool:
        """Write the features of each window in turn, all or nothing; whether that could be done."""
        nbytes = 2 * int(np.prod(shape))
        if self._budget_bytes is not None and nbytes > self._budget_bytes:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(nbytes)
            with atomic_path(self._path(key)) as beside, beside.open("wb") as file:
                header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                npy.write_array_header_2_0(file, header)
                for features in windows:
                    file.write(np.ascontiguousarray(features, "<f2").data)
        except (OSError, OutputError) as error:
            logger.warning("Features are not kept on disk: %s", error)
            return False
        return True

    def _make_room(self, nbytes: int) -> None:
        """Remove what was used longest ago until so many bytes more fit."""
        if self._budget_bytes is None:
            return
        files = [(path, path.stat()) for path in self._folder.glob("*.npy")]
        held = sum(state.st_size for _, state in files)
        for path, state in sorted(files, key=lambda item: item[1].st_mtime):
            if held + nbytes <= self._budget_bytes:
                return
            # Another process may read it, which on Windows keeps it.
            with suppress(OSError):
                path.unlink()
                held -= state.st_size

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npy"
