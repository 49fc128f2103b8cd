"""OME-Zarr images: one level of a pyramid, one channel and one time, read with zarr."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import GeometryError, VolumeError
from ...system.installing import extra_command
from ...system.memory.physical_memory import check_fits_memory
from ..geometry import Geometry
from ..volume import Volume
from .decoding_errors import DECODING_ERRORS
from .frames import check_frame
from .header_values import check_spacing, truncated
from .ome_zarr_header import Level, OmeZarrHeader, parse_ome_zarr

_ZIP_ENDINGS = (".zarr.zip", ".ozx")
_METADATA = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


def is_zarr(path: Path) -> bool:
    """Whether a path is a folder with a Zarr group or array, or a zip file named as one."""
    if path.is_dir():
        return any((path / name).is_file() for name in _METADATA)
    return path.name.lower().endswith(_ZIP_ENDINGS)


def read_ome_zarr(
    path: Path,
    level: int = 0,
    channel: str | int | None = None,
    frame: int | None = None,
    spacing_ijk_mm: Sequence[float] | None = None,
) -> tuple[Volume, Sequence[str]]:
    """Read one volume of an OME-Zarr image.

    Args:
        path: the folder or zip file.
        level: the image of the pyramid; 0 is the largest.
        channel: the name or number, from 1, of the channel; None if there is one only.
        frame: the number of the time, from 1; None if there is one only.
        spacing_ijk_mm: the distance of voxels along x, y and z, if the image has no unit.

    Returns:
        The volume, and clauses on what a user should know.

    Raises:
        VolumeError: zarr is not installed, or the image is damaged, of another version, or needs a
            choice.
        GeometryError: the grid is not usable.
        OSError: a file cannot be read.
    """
    if find_spec("zarr") is None:
        raise VolumeError(
            f"{path} is OME-Zarr, and the package that reads it is not installed; run: "
            f"{extra_command('zarr')}, or convert it to NIfTI."
        )
    with _damage_named(path), _opened(path) as (store, group):
        header = parse_ome_zarr(path, group.attrs.asdict())
        if not 0 <= level < len(header.levels):
            raise VolumeError(
                f"{path} has no level {level}; choose one of 0 to {len(header.levels) - 1}."
            )
        chosen = header.levels[level]
        _check_units(path, header, spacing_ijk_mm)
        array = group[chosen.array]
        _check_array(path, array, chosen)
        store.checks_blosc = _is_blosc(array)
        index = _index(path, array.shape, chosen, header.channels, channel, frame)
        voxels = np.asarray(array[index])
        notes = [*header.notes, *_missing_chunks(array)]
    order = [axis.name for axis in chosen.axes if axis.kind == "space"]
    voxels = voxels.transpose([order.index(name) for name in "zyx"])
    native = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("="))
    try:
        geometry = Geometry(native.shape, header.matrix(chosen, spacing_ijk_mm))
    except GeometryError as error:
        raise GeometryError(f"The grid of {path} cannot be used: {error}") from error
    return Volume(native, geometry), notes


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The store of a path and its group."""
    import zarr

    from .zarr_stores import checked_stores

    folders, files = checked_stores()
    if path.is_dir():
        store, inside = folders(path, read_only=True), ""
    else:
        with zipfile.ZipFile(path) as content:
            inside = _group_folder(content.namelist())
        store = files(path, mode="r", read_only=True)
    try:
        yield store, zarr.open_group(store, path=inside, mode="r")
    finally:
        store.close()


def _is_blosc(array: Any) -> bool:
    """Whether the bytes of a stored chunk are those of Blosc; shards have sums of their own."""
    codecs = array.compressors
    last = type(codecs[-1]).__name__.lower() if codecs else ""
    return "blosc" in last and getattr(array, "shards", None) is None


def _group_folder(names: Sequence[str]) -> str:
    """The folder of a zip file that contains all its files, if its metadata are not at the top."""
    folders = {name.partition("/")[0] for name in names}
    return "" if folders & set(_METADATA) or len(folders) != 1 else folders.pop()


def _check_units(path: Path, header: OmeZarrHeader, spacing_ijk_mm: Sequence[float] | None) -> None:
    lacking = [name for name, unit in header.units_mm.items() if unit is None]
    if spacing_ijk_mm is None:
        if lacking:
            raise VolumeError(
                f"{path} states no unit of length for {', '.join(lacking)}; give the spacing of x, "
                "y and z in millimetres with --spacing I J K."
            )
        return
    if not lacking:
        raise VolumeError(f"{path} states its own spacing; leave --spacing out.")
    check_spacing(path, spacing_ijk_mm)
    if min(spacing_ijk_mm) <= 0:
        raise VolumeError(f"The spacing {tuple(spacing_ijk_mm)} mm of {path} has to be above 0.")


def _check_array(path: Path, array: Any, level: Level) -> None:
    """Check the array's type and that a volume of it and each of its chunks fit memory."""
    if not hasattr(array, "chunks") or len(array.shape) != len(level.axes):
        raise VolumeError(
            f"{path} has an array {level.array[:50]!a} with other axes than its metadata state; "
            "write it again."
        )
    if array.dtype.kind not in "biuf":
        raise VolumeError(
            f"{path} has voxels of the type {array.dtype}; one real number per voxel is needed."
        )
    sizes = [n for n, axis in zip(array.shape, level.axes, strict=True) if axis.kind == "space"]
    if min(sizes) < 1:
        raise VolumeError(f"{path} has an axis without voxels; write it again.")
    for shape in (sizes, array.chunks, getattr(array, "shards", None) or (1,)):
        check_fits_memory(str(path), math.prod(shape) * array.dtype.itemsize, VolumeError)


def _index(
    path: Path,
    shape: Sequence[int],
    level: Level,
    channels: Sequence[str],
    channel: str | int | None,
    frame: int | None,
) -> tuple[int | slice, ...]:
    """The index or slice to read of each axis."""
    index: list[int | slice] = []
    kinds = [axis.kind for axis in level.axes]
    for axis, size in zip(level.axes, shape, strict=True):
        if axis.kind == "space":
            index.append(slice(None))
        elif axis.kind == "time":
            index.append(check_frame(str(path), size, shape, frame))
        elif axis.kind == "channel":
            index.append(_channel(path, size, channels, channel))
        elif size == 1:
            index.append(0)
        else:
            raise VolumeError(
                f"{path} has an axis {axis.name[:20]!a} of {size}, which is neither space, time "
                "nor channel; store one of them alone."
            )
    if "time" not in kinds:
        check_frame(str(path), 1, shape, frame)
    if "channel" not in kinds and channel is not None:
        raise VolumeError(f"{path} has no channels; leave --channel out.")
    return tuple(index)


def _channel(path: Path, count: int, names: Sequence[str], choice: str | int | None) -> int:
    if choice is None and count == 1:
        return 0
    named = list(names) if len(names) == count else [""] * count
    text = "" if choice is None else str(choice).strip()
    same = [n for n, name in enumerate(named) if text and name.casefold() == text.casefold()]
    if len(same) == 1:
        return same[0]
    if not same and text.isascii() and text.isdecimal() and 1 <= int(text) <= count:
        return int(text) - 1
    listed = ", ".join(f"{n} {name}".strip() for n, name in enumerate(named, start=1))
    problem = "has several channels" if choice is None else f"has no one channel '{text}'"
    raise VolumeError(f"{path} {problem}; choose one with --channel: {listed[:200]}.")


def _missing_chunks(array: Any) -> list[str]:
    """A clause on chunks that are not stored, which count as the array's fill value."""
    stored, count = array.nchunks_initialized, array.nchunks
    if stored >= count:
        return []
    return [
        f"has {count - stored} of {count} chunks not stored, which count as {array.fill_value!s}; "
        "copy it again if they should be there"
    ]


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Convert what zarr, its codecs and zipfile raise for damaged files to a named error."""
    try:
        yield
    except (VolumeError, GeometryError):
        raise
    except (*DECODING_ERRORS, SystemError, zipfile.BadZipFile, FileNotFoundError) as error:
        if isinstance(error, FileNotFoundError) and not path.exists():
            raise
        raise truncated(path) from error
