"""Conversion of a volume to a frame, and back: its images in the frame, or shared in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import MedSegFMError, WorkerError
from ..volumes.geometry import Geometry
from ..volumes.region import shape_triple
from ..volumes.volume import Volume
from .frames import Array, Frame
from .shared_memory import open_shared

MOST_IMAGES = 64


def volume_frame(
    number: int, volume: Volume, shared: Sequence[Mapping[str, Any]] | None = None
) -> Frame:
    """A frame with a volume and its number.

    Args:
        number: the number.
        volume: the volume.
        shared: the addresses of its `arrays` in shared memory; None sends all voxels.
    """
    arrays = [_sendable(array) for array in volume.arrays]
    data = {
        "number": number,
        "dtypes": [array.dtype.str for array in arrays],
        "names": list(volume.images),
        "primary": volume.primary,
        "shape_kji": volume.geometry.shape_kji,
        "ijk_to_ras": volume.geometry.ijk_to_ras.tolist(),
        "modality": volume.modality,
        "shared": None if shared is None else [dict(address) for address in shared],
    }
    sent = {} if shared is not None else {_name(n): array for n, array in enumerate(arrays)}
    return Frame("volume", data, sent)


def parse_volume(frame: Frame) -> Volume:
    """The volume of a frame.

    Raises:
        WorkerError: its voxels cannot be reached, or it is damaged.
    """
    try:
        return _parsed(frame.data, frame.arrays)
    except WorkerError:
        raise
    except (MedSegFMError, KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise WorkerError(
            f"The message 'volume' is damaged ({str(error)[:200]}); restart the worker."
        ) from error


def _parsed(data: Mapping[str, Any], sent: Mapping[str, Array]) -> Volume:
    shape = shape_triple(data["shape_kji"])
    geometry = Geometry(shape, np.array(data["ijk_to_ras"]))
    names, dtypes = [str(name) for name in data["names"]], list(data["dtypes"])
    if len(dtypes) != (len(names) or 1) or len(set(names)) != len(names):
        raise ValueError(f"{len(dtypes)} images with the names {names}")
    if len(dtypes) > MOST_IMAGES:
        raise ValueError(f"{len(dtypes)} images")
    if data["shared"] is None:
        arrays = [sent[_name(n)] for n in range(len(dtypes))]
    else:
        pairs = zip(data["shared"], dtypes, strict=True)
        arrays = [open_shared(address, dtype, shape) for address, dtype in pairs]
    modality = str(data.get("modality", ""))
    if not names:
        return Volume(arrays[0], geometry, modality)
    images, primary = dict(zip(names, arrays, strict=True)), str(data["primary"])
    return Volume(images[primary], geometry, modality, images=images, primary=primary)


def _sendable(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.itemsize > 8 else array


def _name(number: int) -> str:
    return f"image {number}"
