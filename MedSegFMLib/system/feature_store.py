"""Encoded regions on disk, by content: a later program need not encode the same image again.

The key is a digest of what the features depend on: the image as the network gets it, the network's
weights, its settings and the version of this program. A file is an uncompressed .npz, whose arrays
have checksums and may hold numbers alone; one that is damaged is removed and written again.
Nothing that fails here is an error: the features are computed as without the store.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .. import __version__
from ..errors import OutputError
from .atomic_files import atomic_path
from .folder_lock import folder_lock
from .npz_files import open_npz

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]

# Incremented when the features of the same image change within a version.
_FORMAT = 1
DEFAULT_BUDGET_BYTES = 2 << 30
# The switch for processes that this one starts.
_SWITCH = "MEDSEGFM_NO_CACHE"
_ENDING = ".features.npz"

_active: FeatureStore | None = None


class FeatureStore:
    """A folder of features with a size limit; the least recently used ones are removed.

    Args:
        folder: The folder, for this user alone; it is made with the first features.
        budget_bytes: The size limit.
    """

    def __init__(self, folder: Path, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays under a key; None if there are none, or they are damaged."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with open_npz(path, OutputError, "it is written again") as file:
                arrays = {name: file.read(name) for name in file.names}
            # The time of the last use decides what is removed.
            os.utime(path)
            return arrays
        except (OSError, ValueError) as error:
            logger.warning("%s", error)
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, items: Mapping[str, Arrays]) -> None:
        """Store the arrays of each key, unless another program is storing some."""
        nbytes = sum(array.nbytes for arrays in items.values() for array in arrays.values())
        if not items or nbytes > self._budget_bytes:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with folder_lock(self._folder, "or use --no-cache"):
                self._make_room(nbytes)
                for key, arrays in items.items():
                    with atomic_path(self._path(key)) as beside:
                        _write(beside, arrays)
        except (OSError, OutputError) as error:
            logger.info("The features are not stored on disk: %s", error)

    def _make_room(self, nbytes: int) -> None:
        """Remove the least recently used files until `nbytes` more fit."""
        files = [(path, path.stat()) for path in self._folder.glob(f"*{_ENDING}")]
        used_bytes = sum(state.st_size for _, state in files)
        for path, state in sorted(files, key=lambda item: item[1].st_mtime):
            if used_bytes + nbytes <= self._budget_bytes:
                return
            with suppress(OSError):
                path.unlink()
                used_bytes -= state.st_size

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_ENDING}"


def key_of(identity: str, image: NDArray[Any], *settings: object) -> str:
    """The key of an image's features.

    Args:
        identity: The network: its name, the SHA-256 of its weights, and what runs it on which
            device, as their arithmetic differs.
        image: The image as the network gets it.
        settings: Whatever else the features depend on, as texts and numbers.
    """
    described = (_FORMAT, __version__, identity, image.dtype.str, image.shape, settings)
    digest = hashlib.sha256(repr(described).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def use(store: FeatureStore | None) -> None:
    """Use a store in this process from now on; None for none."""
    global _active
    _active = store


def active() -> FeatureStore | None:
    """The store that this process uses; None if there is none."""
    return _active


def switch_off() -> None:
    """Use no store in this process and in those that it starts."""
    os.environ[_SWITCH] = "1"
    use(None)


def is_switched_off() -> bool:
    """Whether the user wants no store."""
    return bool(os.environ.get(_SWITCH))


def _write(path: Path, arrays: Arrays) -> None:
    """Write an uncompressed .npz of numbers."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
