"""The values of a stack: stored voxels with the slope and intercept of each slice, exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import VolumeError
from ....system.memory.physical_memory import check_fits_memory
from .codecs import Stored
from .images import Image, stored_shape
from .mosaics import check_padding
from .pixel_format import PixelFormat, pixel_format
from .stored_pixels import read_frames

_INTEGERS = ("uint8", "int16", "uint16", "int32", "uint32", "int64")
# Whole numbers are exact in 64-bit floats below this.
_LARGEST_WHOLE = 1 << 53


def read_values(
    images: Sequence[Image], notes: set[str], factor: float | None = None
) -> NDArray[Any]:
    """The values of images in the order given.

    Args:
        images: of one shape, each with slope and intercept of its own.
        notes: receives what a user should know, as clauses.
        factor: a number to multiply all values by; None for none.

    Returns:
        (K, J, I): the stored type if no value is rescaled; the smallest integer type that holds
        what the headers allow if all slopes and intercepts are whole numbers; else float64.

    Raises:
        VolumeError: a file was cut short, is damaged or not supported, or the volume does not fit
            memory.
    """
    files: dict[int, list[int]] = defaultdict(list)
    for k, image in enumerate(images):
        files[id(image.header)].append(k)
    formats = {key: pixel_format(images[ks[0]].header) for key, ks in files.items()}
    _check_all_rescaled(images)
    _check_one_unit(images)
    of_image = [formats[id(image.header)] for image in images]
    dtype = np.dtype(np.float64) if factor else _value_type(images, of_image)
    shape = (len(images), *images[0].shape)
    nbytes = shape[0] * shape[1] * shape[2] * dtype.itemsize
    check_fits_memory(str(images[0].header.path), nbytes, VolumeError)
    result = np.empty(shape, dtype)
    for ks in files.values():
        first = images[ks[0]]
        if first.tile is not None:
            _read_mosaic(images, ks, of_image, result, notes, factor)
            continue
        slices = {images[k].index: k for k in ks}
        frames = read_frames(first.header, first.shape, first.count, slices, notes)
        for index, stored in frames:
            k = slices[index]
            _rescale(stored, images[k], of_image[k], result[k], factor)
    return result


def _read_mosaic(
    images: Sequence[Image],
    ks: Sequence[int],
    formats: Sequence[PixelFormat],
    result: NDArray[Any],
    notes: set[str],
    factor: float | None,
) -> None:
    """Read the slices `ks` of `result` from the mosaic that they are tiles of."""
    tiles = {k: tile for k in ks if (tile := images[k].tile) is not None}
    header = images[ks[0]].header
    rows, columns = images[ks[0]].shape
    for _, stored in read_frames(header, stored_shape(header), 1, (0,), notes):
        check_padding(header, stored, set(tiles.values()))
        for k, (j, i) in tiles.items():
            part = stored[j : j + rows, i : i + columns]
            _rescale(part, images[k], formats[k], result[k], factor)


def _rescale(
    stored: Stored, image: Image, form: PixelFormat, out: NDArray[Any], factor: float | None
) -> None:
    slope, intercept = image.slope, image.intercept
    if out.dtype.kind == "f":
        np.multiply(stored, slope, out=out, casting="unsafe")
        if intercept:
            out += intercept
        if factor:
            out *= factor
        return
    if (slope, intercept) == (1, 0):
        out[:] = stored
        return
    limits = np.iinfo(out.dtype)
    low, high = sorted(bound * int(slope) for bound in form.bounds)
    stored_fits = limits.min <= form.bounds[0] and form.bounds[1] <= limits.max
    if stored_fits and limits.min <= low and high <= limits.max:
        out[:] = stored
        out *= out.dtype.type(int(slope))
        out += out.dtype.type(int(intercept))
        return
    out[:] = stored.astype(np.int64) * int(slope) + int(intercept)


def _value_type(images: Sequence[Image], formats: Sequence[PixelFormat]) -> np.dtype[Any]:
    scales = {(image.slope, image.intercept) for image in images}
    types = {form.dtype for form in formats}
    if scales == {(1.0, 0.0)} and len(types) == 1:
        return types.pop()
    if not all(slope.is_integer() and intercept.is_integer() for slope, intercept in scales):
        return np.dtype(np.float64)
    ends = {
        int(bound) * int(image.slope) + int(image.intercept)
        for image, form in zip(images, formats, strict=True)
        for bound in form.bounds
    }
    low, high = min(ends), max(ends)
    if max(-low, high) >= _LARGEST_WHOLE:
        return np.dtype(np.float64)
    fitting = (np.dtype(name) for name in _INTEGERS if _holds(name, low, high))
    return next(fitting)


def _holds(name: str, low: int, high: int) -> bool:
    limits = np.iinfo(name)
    return bool(limits.min <= low and high <= limits.max)


def _check_all_rescaled(images: Sequence[Image]) -> None:
    """Check that no slice lacks slope and intercept that the others have."""
    lacking = [image for image in images if not image.states_values]
    if lacking and len(lacking) < len(images):
        raise VolumeError(
            f"{lacking[0].header.path} states no RescaleSlope and RescaleIntercept, and other "
            "slices do, so that its values are unknown; leave it out, or export the series again."
        )


def _check_one_unit(images: Sequence[Image]) -> None:
    """Check that all slices that state the unit of their values state the same one."""
    units = Counter(image.unit for image in images if image.unit)
    if len(units) < 2:
        return
    usual, _ = units.most_common(1)[0]
    odd = next(image for image in images if image.unit not in ("", usual))
    raise VolumeError(
        f"{odd.full_name} states its values in another unit (Units or RescaleType) than other "
        "slices; leave it out, or export the series again."
    )
