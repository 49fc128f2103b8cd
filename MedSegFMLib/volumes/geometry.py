"""The grid of a volume: the positions of its voxels in the patient.

Space is RAS in millimetres (x to the patient's right, y to anterior, z to superior). Voxel indices
are (i, j, k) = (column, row, slice) at voxel centres; arrays are indexed (k, j, i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GeometryError
from .region import Region, Shape, shape_triple

Matrix = NDArray[np.float64]

_AXIS_LETTERS = ("RL", "AP", "SI")
# Far beyond any scanner or microscope, and far within what products of them can be computed.
SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 1e-9, 1e6
LARGEST_POSITION_MM = 1e9
_MOST_VOXELS = 2**31 - 1
# Below this ratio of determinant to the product of the spacings the axes count as coplanar.
_SMALLEST_VOLUME_RATIO = 1e-6


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of a volume.

    Attributes:
        shape_kji: number of slices, rows and columns.
        ijk_to_ras: (4, 4) float64, maps (i, j, k, 1) at voxel centres to RAS millimetres; any
            handedness, oblique and sheared allowed, but finite and invertible, with spacings from
            1e-9 to 1e6 mm and an origin within 1e9 mm.

    Raises:
        GeometryError: the shape is empty or larger than 2**31 - 1 along an axis, or the matrix is
            non-finite, singular, or has a spacing or an origin out of range.
    """

    shape_kji: Shape
    ijk_to_ras: Matrix

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape_kji", _voxel_counts(self.shape_kji))
        matrix = _numbers(self.ijk_to_ras, "voxel-to-patient matrix")
        _check_matrix(matrix)
        matrix.setflags(write=False)
        object.__setattr__(self, "ijk_to_ras", matrix)

    @classmethod
    def from_spacing(
        cls,
        shape_kji: Sequence[int],
        spacing_ijk_mm: Sequence[float] = (1.0, 1.0, 1.0),
        directions: ArrayLike | None = None,
        origin_ras: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Geometry:
        """Create a grid from its parts; `directions` (3, 3): the i, j and k axes as RAS columns."""
        matrix = np.eye(4)
        axes = np.eye(3) if directions is None else _numbers(directions, "axes")
        # Products of extreme values overflow to infinity, which the check of the matrix refuses.
        with np.errstate(over="ignore", invalid="ignore"):
            matrix[:3, :3] = axes * _numbers(spacing_ijk_mm, "spacing")
        matrix[:3, 3] = _numbers(origin_ras, "origin")
        return cls(shape_triple(shape_kji), matrix)

    def __eq__(self, other: object) -> bool:
        """Whether shape and matrix are identical; see `matches` for a tolerance."""
        if not isinstance(other, Geometry):
            return NotImplemented
        same_matrix = bool(np.array_equal(self.ijk_to_ras, other.ijk_to_ras))
        return self.shape_kji == other.shape_kji and same_matrix

    def __hash__(self) -> int:
        return hash((self.shape_kji, self.ijk_to_ras.tobytes()))

    def matches(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether shapes are equal and all voxel centres differ by at most `tolerance_mm`."""
        if self.shape_kji != other.shape_kji:
            return False
        corners = self.corners_ijk()
        gaps = self.ras_from_ijk(corners) - other.ras_from_ijk(corners)
        return bool(np.linalg.norm(gaps, axis=1).max() <= tolerance_mm)

    @property
    def ras_to_ijk(self) -> Matrix:
        """(4, 4) float64, the inverse of `ijk_to_ras`."""
        return np.asarray(np.linalg.inv(self.ijk_to_ras))

    @property
    def spacing_ijk_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along i, j and k."""
        i, j, k = (float(v) for v in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))
        return (i, j, k)

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres in array order."""
        i, j, k = self.spacing_ijk_mm
        return (k, j, i)

    @property
    def directions(self) -> Matrix:
        """(3, 3) float64: unit vectors of the i, j and k axes as RAS columns."""
        return np.asarray(self.ijk_to_ras[:3, :3] / np.array(self.spacing_ijk_mm))

    @property
    def origin_ras(self) -> tuple[float, float, float]:
        """The centre of voxel (0, 0, 0) in RAS millimetres."""
        x, y, z = (float(v) for v in self.ijk_to_ras[:3, 3])
        return (x, y, z)

    @property
    def voxel_volume_mm3(self) -> float:
        """The volume of one voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    @property
    def is_sheared(self) -> bool:
        """Whether two axes are not at right angles, as with a tilted gantry."""
        gram = self.directions.T @ self.directions
        return bool(np.abs(gram - np.eye(3)).max() > 1e-4)

    @property
    def oblique_degrees(self) -> float:
        """The largest angle between an axis and the direction of its letter in `axis_codes`."""
        worlds = [
            next(n for n, pair in enumerate(_AXIS_LETTERS) if code in pair)
            for code in self.axis_codes
        ]
        cosines = np.abs(self.directions[worlds, range(3)]).clip(0, 1)
        return float(np.degrees(np.arccos(cosines)).max())

    @property
    def axis_codes(self) -> str:
        """The side of the patient toward which i, j and k increase, for instance "RAS" or "LPS".

        Each axis gets a different letter pair even if two of them lean to the same side: the
        assignment with the greatest sum of cosines is used.
        """
        cosines = self.directions
        best = max(
            permutations(range(3)), key=lambda p: sum(abs(cosines[p[a], a]) for a in range(3))
        )
        return "".join(
            _AXIS_LETTERS[world][0 if cosines[world, axis] >= 0 else 1]
            for axis, world in enumerate(best)
        )

    def corners_ijk(self, edge: float = 0.0) -> Matrix:
        """(8, 3) float64: corner voxel centres, moved outward by `edge` voxels (0.5: the faces)."""
        k, j, i = self.shape_kji
        axes = [(-edge, n - 1 + edge) for n in (i, j, k)]
        return np.array(np.meshgrid(*axes, indexing="ij")).reshape(3, 8).T

    def ras_from_ijk(self, positions_ijk: ArrayLike) -> Matrix:
        """Convert (…, 3) continuous voxel indices (i, j, k) to RAS millimetres."""
        return _transform(self.ijk_to_ras, positions_ijk)

    def ijk_from_ras(self, positions_ras: ArrayLike) -> Matrix:
        """Convert (…, 3) RAS millimetres to continuous voxel indices (i, j, k)."""
        return _transform(self.ras_to_ijk, positions_ras)

    def crop(self, region: Region) -> Geometry:
        """The grid of the voxels of `region`, each at its position in the patient.

        Raises:
            GeometryError: the region extends outside the grid.
        """
        if not Region.whole(self.shape_kji).contains(region):
            raise GeometryError(
                f"The region {region.start_kji} to {region.stop_kji} (k, j, i) extends outside "
                f"the volume of {self.shape_kji} voxels; clip it first."
            )
        return self._moved(region.start_kji, region.shape_kji)

    def pad(self, before_kji: Sequence[int], after_kji: Sequence[int]) -> Geometry:
        """The grid with voxels added before and after along each axis.

        Raises:
            GeometryError: a number of voxels is negative.
        """
        if min(*before_kji, *after_kji) < 0:
            raise GeometryError(f"Padding {before_kji}, {after_kji} is negative; crop instead.")
        sums = (n + a + b for n, a, b in zip(self.shape_kji, before_kji, after_kji, strict=True))
        return self._moved([-b for b in before_kji], shape_triple(sums))

    def resampled(self, spacing_ijk_mm: Sequence[float]) -> Geometry:
        """A grid with another spacing over the same field of view; faces near voxel (0, 0, 0) stay.

        The number of voxels of each axis is rounded, with at least one, so the far face may move by
        up to half a voxel.

        Raises:
            GeometryError: a spacing is not finite, not above 0 or out of range.
        """
        spacing = _numbers(spacing_ijk_mm, "spacing")
        if not np.all((spacing >= SMALLEST_SPACING_MM) & (spacing <= LARGEST_SPACING_MM)):
            raise GeometryError(
                f"Spacing {tuple(spacing_ijk_mm)} mm must be finite and above 0, from "
                f"{SMALLEST_SPACING_MM:g} to {LARGEST_SPACING_MM:g} mm."
            )
        ratio = spacing / np.asarray(self.spacing_ijk_mm)
        old_shape_ijk = np.array(self.shape_kji[::-1])
        i, j, k = (int(n) for n in np.maximum(1, np.round(old_shape_ijk / ratio)))
        matrix = self.ijk_to_ras.copy()
        matrix[:3, :3] *= ratio
        matrix[:3, 3] = self.ras_from_ijk((ratio - 1) / 2)
        return Geometry((k, j, i), matrix)

    def permute(self, axes_kji: Sequence[int]) -> Geometry:
        """The grid after `array.transpose(axes_kji)`: voxels keep their positions in the patient.

        Raises:
            GeometryError: the axes are not a permutation of 0, 1 and 2.
        """
        if sorted(axes_kji) != [0, 1, 2]:
            raise GeometryError(f"Axes {tuple(axes_kji)} must be a permutation of 0, 1 and 2.")
        matrix = self.ijk_to_ras.copy()
        matrix[:3, :3] = self.ijk_to_ras[:3, [2 - a for a in axes_kji][::-1]]
        return Geometry(shape_triple(self.shape_kji[a] for a in axes_kji), matrix)

    def flip(self, axis_kji: int) -> Geometry:
        """The grid after `numpy.flip(array, axis_kji)`: voxels keep their positions."""
        column = 2 - axis_kji
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, column] * (self.shape_kji[axis_kji] - 1)
        matrix[:3, column] *= -1
        return Geometry(self.shape_kji, matrix)

    def _moved(self, start_kji: Sequence[int], shape_kji: Shape) -> Geometry:
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.ras_from_ijk(np.array(start_kji[::-1], dtype=np.float64))
        return Geometry(shape_kji, matrix)


def _voxel_counts(shape_kji: Sequence[int]) -> Shape:
    counts = shape_triple(shape_kji)
    if min(counts) < 1:
        raise GeometryError(f"The volume has {counts} voxels (k, j, i); each must be at least 1.")
    if max(counts) > _MOST_VOXELS:
        raise GeometryError(
            f"The volume has {counts} voxels (k, j, i); each must be at most {_MOST_VOXELS}."
        )
    return counts


def _numbers(values: ArrayLike, name: str) -> Matrix:
    """A new float64 array."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise GeometryError(f"The {name} is not numbers ({error}); correct it.") from error


def _transform(matrix: Matrix, positions: ArrayLike) -> Matrix:
    points = np.asarray(positions, dtype=np.float64)
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _check_matrix(matrix: Matrix) -> None:
    if matrix.shape != (4, 4) or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise GeometryError(
            f"The voxel-to-patient matrix has shape {matrix.shape} and must be 4x4 with the last "
            "row 0 0 0 1."
        )
    if not np.isfinite(matrix).all():
        raise GeometryError(
            "The voxel-to-patient matrix contains NaN or infinity; repair the volume's header."
        )
    # Before any product, which would overflow.
    largest = float(np.abs(matrix[:3]).max())
    if largest > LARGEST_POSITION_MM:
        raise GeometryError(
            f"The voxel-to-patient matrix contains {largest:g} mm; its values must be at most "
            f"{LARGEST_POSITION_MM:g} mm, so repair the volume's header."
        )
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if not ((spacing >= SMALLEST_SPACING_MM) & (spacing <= LARGEST_SPACING_MM)).all():
        raise GeometryError(
            f"The spacing is {tuple(map(float, spacing))} mm and must be above 0 on every axis, "
            f"from {SMALLEST_SPACING_MM:g} to {LARGEST_SPACING_MM:g} mm; repair the volume's "
            "header."
        )
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < _SMALLEST_VOLUME_RATIO:
        raise GeometryError(
            "The directions of the volume's axes lie in one plane (singular matrix); repair the "
            "volume's header."
        )
