"""Writing of several volumes on one grid as one 4D file."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import OutputError, VolumeError
from ...system.atomic_files import atomic_path
from ..volume import Volume
from .image_files import check_storable
from .sitk_images import sitk_from_volume
from .written_voxels import check_voxels

ENDINGS_4D = (".nii.gz", ".nii", ".nrrd", ".mha")
# The code of positions in the scanner.
_SCANNER = 1


def check_ending_4d(path: Path) -> None:
    """Check that a name is that of a format with four axes.

    Raises:
        OutputError: it is not.
    """
    name = path.name.lower()
    if not name.endswith(ENDINGS_4D) or name.endswith(".seg.nrrd"):
        raise OutputError(
            f"{path} cannot hold the masks of all frames; use one of {', '.join(ENDINGS_4D)}."
        )


def write_frames(volumes: Sequence[Volume], path: Path) -> None:
    """Write volumes as the frames of one file, atomically.

    Args:
        volumes: at least one, all on one grid and of one type.
        path: the file.

    Raises:
        OutputError: the ending is not one of `ENDINGS_4D`, or the file cannot be written.
        VolumeError: there is no volume, or they are not on one grid.
    """
    check_ending_4d(path)
    if not volumes or any(v.geometry != volumes[0].geometry for v in volumes):
        raise VolumeError(f"{path} needs one or more frames, all on one grid.")
    check_storable(path, volumes[0].geometry)
    is_nifti = path.name.lower().endswith((".nii.gz", ".nii"))
    with atomic_path(path) as beside:
        (_write_nifti if is_nifti else _write_with_sitk)(volumes, beside)


def _write_nifti(volumes: Sequence[Volume], path: Path) -> None:
    import nibabel

    geometry = volumes[0].geometry
    array = np.stack([volume.array_kji.T for volume in volumes], axis=-1)
    image = nibabel.Nifti1Image(array, None)
    image.set_sform(geometry.ijk_to_ras, _SCANNER)
    # A qform has no shear, and one beside a sheared sform would disagree.
    image.set_qform(*((None, 0) if geometry.is_sheared else (geometry.ijk_to_ras, _SCANNER)))
    image.header.set_zooms((*geometry.spacing_ijk_mm, 1.0))
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    is_zipped = path.name.lower().endswith(".gz")
    path.write_bytes(gzip.compress(content, mtime=0) if is_zipped else content)


def _write_with_sitk(volumes: Sequence[Volume], path: Path) -> None:
    import SimpleITK as sitk

    joined = sitk.JoinSeries([sitk_from_volume(volume) for volume in volumes])
    try:
        sitk.WriteImage(joined, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(str(error).strip().splitlines()[-1]) from error
    check_voxels(path, sitk.GetArrayViewFromImage(joined))
