"""Images of SimpleITK, which uses LPS where this library uses RAS, as volumes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import VolumeError
from ..geometry import Geometry
from ..volume import Volume
from .header_values import not_one_volume

if TYPE_CHECKING:
    import SimpleITK

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def volume_from_sitk(image: SimpleITK.Image, name: str = "The image") -> Volume:
    """Convert a 3D scalar image to a volume; its voxels are copied once.

    Args:
        image: the image.
        name: the subject of error messages.

    Raises:
        VolumeError: the image does not have three axes with one real number per voxel.
    """
    import SimpleITK as sitk

    if image.GetNumberOfComponentsPerPixel() > 1:
        raise VolumeError(
            f"{name} has {image.GetNumberOfComponentsPerPixel()} values per voxel (colour or "
            "vectors); one grey value per voxel is needed, so choose one with --frame if they are "
            "volumes."
        )
    if image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise VolumeError(f"{name} is complex; store its magnitude as a separate volume.")
    if image.GetDimension() != 3:
        raise not_one_volume(name, image.GetSize())
    return Volume(sitk.GetArrayFromImage(image), geometry_from_sitk(image))


def geometry_from_sitk(image: SimpleITK.Image) -> Geometry:
    """The grid of a 3D image."""
    matrix = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(3, 3)
    matrix[:3, :3] = _LPS_TO_RAS @ directions * np.array(image.GetSpacing())
    matrix[:3, 3] = _LPS_TO_RAS @ np.array(image.GetOrigin())
    return Geometry(image.GetSize()[::-1], matrix)


def sitk_from_volume(volume: Volume) -> SimpleITK.Image:
    """Convert a volume to an image with the same voxels and grid.

    The voxels are copied, in this machine's byte order; bool becomes uint8, float16 becomes
    float32, and floats of more than 64 bits become float64.
    """
    import SimpleITK as sitk

    geometry = volume.geometry
    array = volume.array_kji
    image = sitk.GetImageFromArray(array.astype(_stored_type(array.dtype), copy=False))
    image.SetSpacing(geometry.spacing_ijk_mm)
    image.SetOrigin(_LPS_TO_RAS @ np.array(geometry.origin_ras))
    image.SetDirection((_LPS_TO_RAS @ geometry.directions).ravel())
    return image


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype.newbyteorder("=")
