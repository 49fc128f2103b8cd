"""Features of volumes on disk, so that a volume is encoded only once."""

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
"""(windows, K, 256, h, w): the features of each slice of each window."""


class FeatureFiles:
    """A folder of .npy files with a size limit; the least recently used ones are removed.

    Args:
        folder: The folder.
        budget_bytes: The size limit; None for no limit.
    """

    def __init__(self, folder: Path, budget_bytes: int | None) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes

    def get(self, key: str, shape: tuple[int, ...]) -> Features | None:
        """The features under a key, memory-mapped; None if there are none."""
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
                features: Features = np.memmap(
                    path, np.float16, "r", offset=header.nbytes_header, shape=shape
                )
                # Record the time of the last use, which decides what is removed.
                os.utime(path)
                return features
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be used (%s); its features are computed again.", path, error)
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, shape: tuple[int, ...], windows: Iterable[Features]) -> bool:
        """Write the features of each window in turn, all or nothing; return whether that worked."""
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
            logger.warning("The features are not stored on disk: %s", error)
            return False
        return True

    def _make_room(self, nbytes: int) -> None:
        """Remove the least recently used files until `nbytes` more fit."""
        if self._budget_bytes is None:
            return
        files = [(path, path.stat()) for path in self._folder.glob("*.npy")]
        used_bytes = sum(state.st_size for _, state in files)
        for path, state in sorted(files, key=lambda item: item[1].st_mtime):
            if used_bytes + nbytes <= self._budget_bytes:
                return
            # Windows does not remove a file that another process reads.
            with suppress(OSError):
                path.unlink()
                used_bytes -= state.st_size

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npy"
