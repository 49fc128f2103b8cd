"""The grid on which the network segments a volume: parallel to the volume's, cropped to the body.

The volume is resampled to the network's spacing, cropped to what is above 0 HU with a margin, and
turned to RAS, each by MONAI as in the published bundle. On the way back every voxel of the volume
gets the nearest voxel's value, as in the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from ...segmenter import Logits
from ...volumes.region import Region, Shape, shape_triple
from ...volumes.volume import Volume
from ..class_based.network_grid import check_network_grid
from ..common.monai_volumes import meta_tensor

# The range that becomes 0 to 1, in Hounsfield units, and the margin of the crop, in voxels of the
# network's grid: as published.
_LOWEST_HU, _HIGHEST_HU = -963.8247715525971, 1053.678477684517
_MARGIN_VOXELS = 10
# An image, its padded copy, scores and the weights of windows, each in 32 bits.
_BYTES_PER_VOXEL = 24
# The logit of what the network did not see.
FAR_LOGIT = 30.0
# A click closer than this to the lower face of a window is not seen in it.
_NEAR_FACE = 1e-3


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """A volume as the network gets it, and its place in the volume.

    Attributes:
        image: float32 (1, 1, i, j, k) tensor of the network's grid, 0 to 1.
        axes: for the volume's i, j and k the axis of the network's grid along it.
        scale: for the volume's i, j and k the network's voxels per voxel; negative if mirrored.
        offset: for the volume's i, j and k the position of its first voxel on the network's grid.
        bounds: for the volume's i, j and k the first and last voxel of the network's grid before
            the crop; the volume's voxels beyond them are like these.
        shape_kji: the volume's shape.
    """

    image: Any
    axes: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    bounds: tuple[tuple[int, int], ...]
    shape_kji: Shape

    @classmethod
    def of(cls, volume: Volume, spacing_mm: float | None) -> NetworkGrid:
        """Resample, crop, scale and turn a volume at right angles.

        Args:
            volume: the volume.
            spacing_mm: the spacing of the network's grid; None for the volume's own.

        Raises:
            VolumeError: nothing of the volume is above 0 HU, or it is too large.
        """
        from monai.transforms import CropForeground, Orientation, ScaleIntensityRange, Spacing

        geometry = volume.geometry
        spacing_kji = geometry.spacing_kji_mm
        extents = [n * step for n, step in zip(geometry.shape_kji, spacing_kji, strict=True)]
        steps_mm = spacing_kji if spacing_mm is None else (spacing_mm,) * 3
        check_network_grid(extents, steps_mm, _BYTES_PER_VOXEL)
        pixdim = (-1.0 if spacing_mm is None else spacing_mm,) * 3
        spaced: Any = Spacing(pixdim=pixdim, mode="bilinear")(meta_tensor(volume))
        whole, spaced_to_ras = spaced.shape[1:], np.asarray(spaced.affine, np.float64)
        if not bool((spaced > 0).any()):
            raise VolumeError(
                "Nothing of the volume is above 0 HU, so the network sees nothing; give a CT in "
                "Hounsfield units."
            )
        cropped = CropForeground(allow_smaller=True, margin=_MARGIN_VOXELS)(spaced)
        scaled = ScaleIntensityRange(_LOWEST_HU, _HIGHEST_HU, 0, 1, clip=True)(cropped)
        turned: Any = Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(scaled)
        from_ras = np.linalg.inv(np.asarray(turned.affine, np.float64))
        matrix = from_ras @ geometry.ijk_to_ras
        corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in whole), 1]], np.float64)
        ends = np.sort(np.rint(corners @ (from_ras @ spaced_to_ras)[:3].T), axis=0).astype(int)
        axes = [int(np.abs(matrix[:3, n]).argmax()) for n in range(3)]
        return cls(
            image=turned.as_tensor()[None].float().contiguous(),
            axes=tuple(axes),
            scale=tuple(float(matrix[axis, n]) for n, axis in enumerate(axes)),
            offset=tuple(float(matrix[axis, 3]) for axis in axes),
            bounds=tuple((int(ends[0, axis]), int(ends[1, axis])) for axis in axes),
            shape_kji=geometry.shape_kji,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the network's grid, (i, j, k) in RAS."""
        i, j, k = (int(n) for n in self.image.shape[2:])
        return (i, j, k)

    @property
    def nbytes(self) -> int:
        """The memory of the image in bytes."""
        size: int = self.image.numel() * self.image.element_size()
        return size

    def positions(self, voxels_kji: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 3) float32: where voxels (n, 3) of the volume are on the network's grid.

        A position on its lowest face is moved inwards a little, as the network does not see it
        there; positions beyond the crop stay beyond.
        """
        found = np.empty((len(voxels_kji), 3), np.float64)
        for n, axis in enumerate(self.axes):
            found[:, axis] = voxels_kji[:, 2 - n] * self.scale[n] + self.offset[n]
        found[(found > -_NEAR_FACE) & (found < _NEAR_FACE)] = _NEAR_FACE
        return found.astype(np.float32)

    def contains(self, positions: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) whether positions (n, 3) are on the network's grid."""
        nearest = np.rint(positions)
        inside: NDArray[np.bool_] = np.all((nearest >= 0) & (nearest < self.shape), axis=1)
        return inside

    def logits(self, scores: NDArray[np.floating], region: Region) -> Logits:
        """Scores (i, j, k) of the network's grid on a region of the volume, float32 (k, j, i).

        Voxels beyond the crop, and those of NaN, are far outside the object.
        """
        indices, known = zip(*(self._along(n, region) for n in (2, 1, 0)), strict=True)
        order = [self.axes[n] for n in (2, 1, 0)]
        part = scores.transpose(order)[np.ix_(*indices)].astype(np.float32)
        part[np.isnan(part)] = -FAR_LOGIT
        k, j, i = known
        part[~(k[:, None, None] & j[:, None] & i)] = -FAR_LOGIT
        logits: Logits = part
        return logits

    def region_of(self, inside: NDArray[np.bool_], margin_voxels: int) -> Region | None:
        """The region of the volume around what is inside on the network's grid, with a margin."""
        if not inside.any():
            return None
        spans = []
        for n in (2, 1, 0):
            axis = self.axes[n]
            others = tuple(other for other in range(3) if other != axis)
            held = np.flatnonzero(inside.any(axis=others))
            edges = [(held[0] - 1), (held[-1] + 1)]
            first, last = sorted((edge - self.offset[n]) / self.scale[n] for edge in edges)
            spans.append((int(np.floor(first)), int(np.ceil(last)) + 1))
        whole = Region.whole(self.shape_kji)
        start, stop = zip(*spans, strict=True)
        grown = Region(
            shape_triple(n - margin_voxels for n in start),
            shape_triple(n + margin_voxels for n in stop),
        )
        return grown.intersection(whole)

    def prior(self, inside_kji: NDArray[np.bool_], region: Region) -> NDArray[np.bool_]:
        """A mask (k, j, i) of a region of the volume on the network's grid, the nearest voxels."""
        found = np.zeros(self.shape, bool)
        slots, voxels = [slice(0, 0)] * 3, [np.empty(0, np.int64)] * 3
        for n in range(3):
            axis = self.axes[n]
            at = np.rint((np.arange(self.shape[axis]) - self.offset[n]) / self.scale[n])
            at = at.astype(np.int64) - region.start_kji[2 - n]
            held = np.flatnonzero((at >= 0) & (at < region.shape_kji[2 - n]))
            if not len(held):
                return found
            slots[axis], voxels[n] = slice(int(held[0]), int(held[-1]) + 1), at[held]
        part = inside_kji[np.ix_(voxels[2], voxels[1], voxels[0])]
        # From the volume's k, j, i to the network's axes.
        found[tuple(slots)] = part.transpose([2 - self.axes.index(axis) for axis in range(3)])
        return found

    def _along(self, n: int, region: Region) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The network's indices of a region's voxels along the volume's i, j or k, and if known."""
        span = np.arange(region.start_kji[2 - n], region.stop_kji[2 - n])
        at = np.rint(span * self.scale[n] + self.offset[n]).astype(np.int64).clip(*self.bounds[n])
        count = self.shape[self.axes[n]]
        return at.clip(0, count - 1), (at >= 0) & (at < count)
