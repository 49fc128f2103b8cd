"""Parent transforms of nodes as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ...errors import GeometryError
from ...volumes.geometry import Matrix


def local_to_ras(node: Any) -> Matrix:
    """(4, 4) float64: from a transformable node's own space to RAS millimetres.

    Raises:
        GeometryError: If a transform above the node is not linear.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise GeometryError(
            f"{node.GetName()} stands under the non-linear transform {parent.GetName()}, which "
            "bends its voxels; harden the transform or take the node out of it."
        )
    matrix = vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, matrix)
    return to_numpy(matrix)


def to_numpy(matrix: Any) -> Matrix:
    """(4, 4) float64 of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def to_vtk(matrix: Matrix) -> Any:
    """The vtkMatrix4x4 of a (4, 4) array."""
    result = vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return result
