"""TIFF stacks: one slice per page, with a spacing that the user states.

The resolution of a TIFF file is that of a print or a screen, and its pages state no distance, so
that sizes in millimetres are asked for. Pages are read one by one, without the metadata of any
program, which may name other files.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import VolumeError
from ...system.memory.physical_memory import check_fits_memory
from ..geometry import Geometry
from ..volume import Volume
from .decoding_errors import DECODING_ERRORS
from .header_values import check_spacing

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# As ITK places images without a position: patient left and posterior grow with column and row.
_AXES_RAS = np.diag([-1.0, -1.0, 1.0])


def read_tiff(path: Path, spacing_ijk_mm: Sequence[float] | None) -> Volume:
    """Read the pages of a TIFF file as the slices of a volume.

    Args:
        path: the file.
        spacing_ijk_mm: the distance between columns, rows and pages.

    Raises:
        VolumeError: no spacing was given, or the file was cut short, is damaged, or its pages are
            not slices of one grey volume.
        GeometryError: the spacing is not usable.
        OSError: the file cannot be read.
    """
    import tifffile

    if spacing_ijk_mm is None:
        raise VolumeError(
            f"{path} is TIFF, which states no distance between slices; give the spacing of "
            "columns, rows and slices in millimetres with --spacing I J K."
        )
    check_spacing(path, spacing_ijk_mm)
    if min(spacing_ijk_mm) <= 0:
        raise VolumeError(f"The spacing {tuple(spacing_ijk_mm)} mm of {path} has to be above 0.")
    with _damage_named(path), tifffile.TiffFile(str(path), is_ome=False) as file:
        pages = list(file.pages)
        _check_pages(path, pages)
        rows, columns = pages[0].shape
        dtype = pages[0].dtype.newbyteorder("=")
        shape = (len(pages), rows, columns)
        check_fits_memory(str(path), math.prod(shape) * dtype.itemsize, VolumeError)
        array = np.empty(shape, dtype)
        for n, page in enumerate(pages):
            array[n] = page.asarray()
    return Volume(array, Geometry.from_spacing(shape, spacing_ijk_mm, _AXES_RAS))


def _check_pages(path: Path, pages: Sequence[Any]) -> None:
    """Check that all pages are slices of one grey volume, and that their bytes are there."""
    size = path.stat().st_size
    for n, page in enumerate(pages, start=1):
        if page.dtype is None or page.dtype.kind not in "iuf" or page.ndim != 2:
            raise VolumeError(
                f"{path} has the page {n} in colour or of unusual voxels; one grey value per voxel "
                "is needed, so convert it."
            )
        if (page.shape, page.dtype) != (pages[0].shape, pages[0].dtype):
            raise VolumeError(
                f"{path} has the page {n} of another size or type than the first; use a file with "
                "the slices of one volume."
            )
        pairs = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        # tifffile fills what has no bytes with zeros.
        if not pairs or any(count <= 0 or start + count > size for start, count in pairs):
            raise VolumeError(f"{path} ends too early in page {n}; copy or download it again.")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Convert what tifffile raises to a named error, and what it only logs: it leaves pages out."""
    import tifffile

    said = _Records()
    logger = logging.getLogger("tifffile")
    logger.addHandler(said)
    propagate, logger.propagate = logger.propagate, False
    error = VolumeError(f"{path} is a damaged or truncated TIFF file; copy or convert it again.")
    try:
        yield
    except VolumeError:
        raise
    except (*DECODING_ERRORS, tifffile.TiffFileError):
        raise error from None
    finally:
        logger.removeHandler(said)
        logger.propagate = propagate
    if said.has_any:
        raise error


class _Records(logging.Handler):
    """Remembers whether anything was logged."""

    has_any = False

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a warning."""
        self.has_any |= record.levelno >= logging.WARNING
