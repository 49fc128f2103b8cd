"""A box of whole voxels: the part of a volume that a computation reads or changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Region:
    """Half-open voxel bounds `start_kji <= kji < stop_kji` in (slice, row, column) order.

    Raises:
        GeometryError: a bound is not a whole number, or the region contains no voxel.
    """

    start_kji: Shape
    stop_kji: Shape

    def __post_init__(self) -> None:
        for name in ("start_kji", "stop_kji"):
            object.__setattr__(self, name, shape_triple(getattr(self, name), name))
        if any(stop <= start for start, stop in zip(self.start_kji, self.stop_kji, strict=True)):
            raise GeometryError(
                f"The region from {self.start_kji} to {self.stop_kji} (k, j, i) contains no voxel; "
                "each stop must be greater than its start."
            )

    @classmethod
    def whole(cls, shape_kji: Sequence[int]) -> Region:
        """The region that covers an array of `shape_kji`."""
        return cls((0, 0, 0), shape_triple(shape_kji, "shape_kji"))

    @classmethod
    def at(cls, start_kji: Sequence[int], shape_kji: Sequence[int]) -> Region:
        """The region of an array of `shape_kji` whose first voxel is `start_kji`."""
        start = shape_triple(start_kji, "start_kji")
        return cls(start, shape_triple(a + n for a, n in zip(start, shape_kji, strict=True)))

    @classmethod
    def from_slices(cls, slices: Sequence[slice]) -> Region:
        """The region of three slices with explicit bounds, as returned by `masks.bounding_box`."""
        return cls(shape_triple(s.start for s in slices), shape_triple(s.stop for s in slices))

    @classmethod
    def around(cls, voxels_kji: NDArray[np.int64]) -> Region:
        """The smallest region that contains all of (n, 3) voxels, at least one."""
        low, high = voxels_kji.min(axis=0).tolist(), (voxels_kji.max(axis=0) + 1).tolist()
        return cls(shape_triple(low), shape_triple(high))

    @classmethod
    def enclosing(cls, regions: Sequence[Region]) -> Region:
        """The smallest region that contains all of `regions`, at least one."""
        return cls(
            shape_triple(map(min, zip(*(r.start_kji for r in regions), strict=True))),
            shape_triple(map(max, zip(*(r.stop_kji for r in regions), strict=True))),
        )

    @property
    def shape_kji(self) -> Shape:
        """The number of voxels along each axis."""
        pairs = zip(self.start_kji, self.stop_kji, strict=True)
        return shape_triple(stop - start for start, stop in pairs)

    @property
    def size(self) -> int:
        """The number of voxels."""
        k, j, i = self.shape_kji
        return k * j * i

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The slices that index the region in an array."""
        k, j, i = (slice(*bounds) for bounds in zip(self.start_kji, self.stop_kji, strict=True))
        return (k, j, i)

    def contains(self, other: Region) -> bool:
        """Whether every voxel of `other` is in this region."""
        return self.intersection(other) == other

    def holds(self, voxels_kji: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool, whether each of (n, 3) voxels is in this region."""
        above, below = voxels_kji >= self.start_kji, voxels_kji < self.stop_kji
        return np.asarray((above & below).all(axis=1))

    def intersection(self, other: Region) -> Region | None:
        """The voxels in both regions, or None if there are none."""
        start = shape_triple(map(max, self.start_kji, other.start_kji))
        stop = shape_triple(map(min, self.stop_kji, other.stop_kji))
        if any(b <= a for a, b in zip(start, stop, strict=True)):
            return None
        return Region(start, stop)

    def union(self, other: Region) -> Region:
        """The smallest region that contains both."""
        return Region.enclosing([self, other])

    def grown(self, margin_kji: Sequence[int], shape_kji: Sequence[int]) -> Region:
        """The region with `margin_kji` more voxels on both sides, clipped to `shape_kji`."""
        sides = list(zip(self.start_kji, self.stop_kji, margin_kji, shape_kji, strict=True))
        return Region(
            shape_triple(max(0, start - margin) for start, _, margin, _ in sides),
            shape_triple(min(size, stop + margin) for _, stop, margin, size in sides),
        )

    def shifted(self, offset_kji: Sequence[int]) -> Region:
        """The region shifted by `offset_kji` voxels."""
        return Region(
            shape_triple(a + o for a, o in zip(self.start_kji, offset_kji, strict=True)),
            shape_triple(b + o for b, o in zip(self.stop_kji, offset_kji, strict=True)),
        )

    def relative_to(self, outer: Region) -> Region:
        """The same voxels, with indices relative to the first voxel of `outer`."""
        return self.shifted([-start for start in outer.start_kji])


def on_region(array_kji: NDArray[Any], region: Region, target: Region) -> NDArray[Any]:
    """An array of one region laid on another; voxels outside the first are 0.

    Args:
        array_kji: the voxels of `region`, (K, J, I).
        region: where they are.
        target: the region that the result covers.

    Returns:
        An array of the target's shape, the same array if both regions are the same.
    """
    if region == target:
        return array_kji
    found = np.zeros(target.shape_kji, dtype=array_kji.dtype)
    common = region.intersection(target)
    if common is not None:
        found[common.relative_to(target).slices] = array_kji[common.relative_to(region).slices]
    return found


def shape_triple(values: Iterable[int], name: str = "The shape") -> Shape:
    """Convert three whole numbers to a tuple of int.

    Raises:
        GeometryError: there are not three, or one is not whole.
    """
    numbers = list(values)
    try:
        are_whole = len(numbers) == 3 and all(int(v) == v for v in numbers)
    except (TypeError, ValueError, OverflowError):
        # Not a number, NaN or infinity.
        are_whole = False
    if not are_whole:
        raise GeometryError(f"{name} is {tuple(numbers)}; give three whole numbers (k, j, i).")
    k, j, i = (int(v) for v in numbers)
    return (k, j, i)
