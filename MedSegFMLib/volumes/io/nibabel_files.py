"""Voxels of NIfTI and MGH files with nibabel, and NIfTI files that ITK cannot write."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import GeometryError, VolumeError
from ...system.memory.physical_memory import check_fits_memory
from ..geometry import Geometry
from ..volume import Volume
from .decoding_errors import DECODING_ERRORS
from .frames import check_frame
from .header_values import check_position, not_one_volume, truncated
from .nifti_header import NiftiFile
from .payload_checks import unzipping_errors

_BLOCK = 1 << 20
# The code of positions in the scanner.
_SCANNER = 1


def read_nifti(file: NiftiFile, frame: int | None) -> Volume:
    """Read one volume of a checked NIfTI file.

    Raises:
        VolumeError: there are several volumes and no frame, or no such frame.
        GeometryError: the grid is not usable.
    """
    from nibabel.arrayproxy import ArrayProxy

    payload = file.payload
    index = check_frame(str(payload.volume), file.volumes, (*file.shape_ijk, file.volumes), frame)
    start = payload.skipped if payload.encoding == "gzip" else payload.start
    slope, intercept = file.scaling or (1.0, 0.0)
    shape = (*file.shape_ijk, file.volumes)
    proxy = ArrayProxy(str(payload.file), (shape, file.dtype, start, slope, intercept), mmap=False)
    array = np.asarray(proxy[..., index]).T
    return _volume(payload.volume, array, file.matrix)


def read_mgh(path: Path, frame: int | None) -> Volume:
    """Read one volume of a FreeSurfer file (.mgh, .mgz).

    Raises:
        VolumeError: it was cut short or is damaged; as for `read_nifti`.
        GeometryError: the grid is not usable.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.freesurfer.mghformat import MGHError
    from nibabel.spatialimages import HeaderDataError

    if path.suffix.lower() == ".mgz":
        _check_unzips(path)
    try:
        image = nibabel.freesurfer.load(str(path))
        shape = tuple(int(n) for n in image.shape)
        affine, voxel_bytes = np.array(image.affine), image.get_data_dtype().itemsize
    except (*DECODING_ERRORS, HeaderDataError, ImageFileError, MGHError):
        raise VolumeError(
            f"{path} is not a FreeSurfer volume or is damaged; copy or convert it again."
        ) from None
    if len(shape) not in (3, 4):
        raise not_one_volume(str(path), shape)
    check_fits_memory(str(path), int(np.prod(shape, dtype=object)) * voxel_bytes, VolumeError)
    check_position(path, "The matrix", affine.ravel().tolist())
    volumes = shape[3] if len(shape) > 3 else 1
    index = check_frame(str(path), volumes, shape, frame)
    try:
        voxels = image.dataobj[..., index] if len(shape) > 3 else image.dataobj
        array = np.asarray(voxels).T
    except (*DECODING_ERRORS, OSError):
        raise truncated(path) from None
    return _volume(path, array, affine)


def write_sheared_nifti(volume: Volume, path: Path) -> None:
    """Write a NIfTI-1 file whose sform has the volume's own, sheared axes, and no qform."""
    import nibabel

    image = nibabel.Nifti1Image(volume.array_kji.T, None)
    image.set_sform(volume.geometry.ijk_to_ras, _SCANNER)
    image.set_qform(None, 0)
    image.header.set_zooms(volume.geometry.spacing_ijk_mm)
    image.header.set_xyzt_units("mm")
    is_zipped = path.name.lower().endswith(".gz")
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if is_zipped else content)


def _volume(path: Path, array_kji: NDArray[Any], matrix: NDArray[np.float64]) -> Volume:
    native = array_kji.astype(array_kji.dtype.newbyteorder("="), copy=False)
    try:
        return Volume(native, Geometry(native.shape, matrix))
    except GeometryError as error:
        raise GeometryError(f"The grid of {path} cannot be used: {error}") from error


def _check_unzips(path: Path) -> None:
    """Check the checksum of a gzip file, which a reader that stops before its end does not."""
    with path.open("rb") as stream, unzipping_errors(path):
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while block := stream.read(_BLOCK):
            while block and not inflater.eof:
                inflater.decompress(block, _BLOCK)
                block = inflater.unconsumed_tail
        if not inflater.eof:
            raise EOFError
