"""Data sets that are read whole or not at all: pydicom returns what is there of a short file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import VolumeError
from ....system.memory.physical_memory import check_fits_memory

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


def read_whole(path: Path) -> FileDataset:
    """Read every element of a file.

    Raises:
        EOFError: it ends within an element, or within a sequence without a stated length.
        VolumeError: it does not fit memory.
        OSError: it cannot be read.
    """
    from pydicom import config, dcmread

    check_fits_memory(str(path), path.stat().st_size, VolumeError)
    settings = config.settings
    mode, settings.reading_validation_mode = settings.reading_validation_mode, config.RAISE
    try:
        return dcmread(_Whole(path.read_bytes()))
    finally:
        settings.reading_validation_mode = mode


class _Whole(BytesIO):
    """Bytes of which a read returns as many as it asks for, or none: once, at the end."""

    _has_ended = False

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes, and raise EOFError if some are missing."""
        found = super().read(size)
        is_short = size is not None and size > len(found)
        if is_short and (found or self._has_ended):
            raise EOFError
        self._has_ended |= is_short
        return found
