"""The grid of a NIfTI header: the qform or the sform, as ITK and Slicer choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import GeometryError

Matrix = NDArray[np.float64]

# Headers store a rotation in single precision, so that two forms of one grid differ by slightly
# more than 1e-3 mm at the far corners of a large volume.
_FORM_TOLERANCE_MM = 1e-3
_FORM_TOLERANCE_VOXELS = 0.01
# A size of voxels that differs by more than this is another size.
_SIZE_TOLERANCE = 0.01
_SCANNER = 1
_ORTHONORMAL = 1e-4


@dataclass(frozen=True)
class Forms:
    """Position and size of voxels as a header states them.

    Attributes:
        pixdim: the sign of the k axis of the qform, and the spacing along i, j and k.
        codes: of the qform and the sform; 0 if it is not set.
        quaternion, offset: of the qform.
        sform: (3, 4).
    """

    pixdim: Sequence[float]
    codes: tuple[int, int]
    quaternion: Sequence[float]
    offset: Sequence[float]
    sform: Matrix


def nifti_grid(path: Path, shape_ijk: Sequence[int], forms: Forms) -> tuple[Matrix, list[str]]:
    """The (4, 4) matrix from voxels to RAS, and clauses on what a user should know.

    The sform is used if it alone is set, or if it is the scanner's and at right angles; else the
    qform; and with neither the voxels are placed at the origin, as ITK does.

    Raises:
        GeometryError: the sform is used and its voxels have another size than the header's.
    """
    qform, sform = _qform(forms), np.vstack([forms.sform, (0, 0, 0, 1)])
    has_qform, has_sform = (code > 0 for code in forms.codes)
    if not has_qform and not has_sform:
        matrix = np.diag([*np.multiply((-1, -1, 1), np.abs(forms.pixdim[1:4])), 1.0])
        return matrix, [
            "states no position in the patient (neither qform nor sform) and is placed "
            "at the origin"
        ]
    uses_sform = has_sform and (
        not has_qform or (forms.codes[1] == _SCANNER and _is_orthonormal(sform))
    )
    if uses_sform:
        _check_size(path, sform, forms.pixdim)
    apart = _apart_mm(shape_ijk, qform, sform) if has_qform and has_sform else 0.0
    notes = []
    voxel_mm = float(np.linalg.norm(sform[:3, :3], axis=0).min())
    if not apart <= max(_FORM_TOLERANCE_MM, _FORM_TOLERANCE_VOXELS * voxel_mm):
        notes.append(
            f"has two grids (qform and sform) up to {apart:.3g} mm apart and is read by its "
            f"{'sform' if uses_sform else 'qform'}, as in ITK and Slicer; other programs may place "
            "it elsewhere"
        )
    return (sform if uses_sform else qform), notes


def _qform(forms: Forms) -> Matrix:
    """The matrix from the quaternion's b, c, d and the offset (method 2 of nifti1.h)."""
    b, c, d = forms.quaternion
    rest = 1 - (b * b + c * c + d * d)
    if rest < 1e-7:
        b, c, d = np.array([b, c, d]) / max(math.hypot(b, c, d), 1e-30)
    a = math.sqrt(max(rest, 0)) if rest >= 1e-7 else 0.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    sign = -1 if forms.pixdim[0] < 0 else 1
    spacing = np.abs(forms.pixdim[1:4]) * (1, 1, sign)
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([rotation * spacing, forms.offset])
    return matrix


def _is_orthonormal(matrix: Matrix) -> bool:
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (lengths > 0).all():
        return False
    axes = matrix[:3, :3] / lengths
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() < _ORTHONORMAL)


def _check_size(path: Path, sform: Matrix, pixdim: Sequence[float]) -> None:
    lengths = np.linalg.norm(sform[:3, :3], axis=0)
    stated = np.abs(pixdim[1:4])
    if (np.abs(lengths - stated) > _SIZE_TOLERANCE * stated).any():
        raise GeometryError(
            f"The grid of {path} cannot be used: it states voxels of {_sizes(stated)} mm (pixdim) "
            f"and of {_sizes(lengths)} mm (sform), and which are right cannot be known; correct "
            "its header."
        )


def _sizes(lengths: Matrix) -> str:
    return " x ".join(f"{mm:.4g}" for mm in lengths)


def _apart_mm(shape_ijk: Sequence[int], qform: Matrix, sform: Matrix) -> float:
    axes = [(0, n - 1) for n in [*shape_ijk, 1, 1][:3]]
    corners = np.array(np.meshgrid(*axes, (1,), indexing="ij")).reshape(4, 8)
    return float(np.linalg.norm(((qform - sform) @ corners)[:3], axis=0).max())
