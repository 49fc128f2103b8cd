"""Between numpy masks and Slicer's oriented images, which stand on part of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.util.vtkConstants import VTK_UNSIGNED_CHAR

from ...volumes.geometry import Matrix
from ...volumes.region import Region, Shape, shape_triple
from ..nodes.transforms import to_numpy, to_vtk

Mask = NDArray[np.bool_]
Labels = NDArray[Any]


def image_from_mask(mask_kji: Mask, start_kji: Shape, ijk_to_local: Matrix) -> Any:
    """A vtkOrientedImageData of uint8 (1 inside) whose extent begins at `start_kji` of a grid.

    ijk_to_local: (4, 4) of that grid's voxel (0, 0, 0), not of the mask's first voxel.
    """
    image = slicer.vtkOrientedImageData()
    region = Region.whole(shape_triple(mask_kji.shape)).shifted(start_kji)
    image.SetExtent(*_extent(region))
    image.SetImageToWorldMatrix(to_vtk(ijk_to_local))
    flat = np.ascontiguousarray(mask_kji, dtype=np.uint8).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True, array_type=VTK_UNSIGNED_CHAR))
    return image


def labels_of(image: Any) -> tuple[Labels, Shape, Matrix]:
    """The voxels of an oriented image (a view), the first index of its extent and its matrix.

    An image without voxels gives an empty array.
    """
    matrix = vtk_matrix(image)
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    scalars = image.GetPointData().GetScalars()
    if scalars is None or min(shape) < 1:
        return np.zeros((0, 0, 0), np.uint8), (0, 0, 0), matrix
    return vtk_to_numpy(scalars).reshape(shape), (k0, j0, i0), matrix


def vtk_matrix(image: Any) -> Matrix:
    """(4, 4) float64: the image's indices to the space it stands in."""
    matrix = to_vtk(np.eye(4))
    image.GetImageToWorldMatrix(matrix)
    return to_numpy(matrix)


def empty_image(region: Region, ijk_to_local: Matrix) -> Any:
    """A vtkOrientedImageData of zeros that covers `region` of a grid."""
    return image_from_mask(np.zeros(region.shape_kji, bool), region.start_kji, ijk_to_local)


def _extent(region: Region) -> tuple[int, ...]:
    pairs = zip(region.start_kji, region.stop_kji, strict=True)
    k, j, i = ((start, stop - 1) for start, stop in pairs)
    return (*i, *j, *k)
