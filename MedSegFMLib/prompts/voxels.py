"""Conversion of prompts from patient space to voxels of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import PromptError, numbers_text
from ..volumes.geometry import Geometry
from ..volumes.grids import extent_text
from ..volumes.region import Region, shape_triple
from ..volumes.volume import Volume
from .line_marks import line_box
from .mask import Mask
from .mask_voxels import FixedVoxels, StartVoxels, fixed_voxels, start_voxels
from .positions import Position
from .types import Box, Lasso, Line, Point, Prompt, Scribble, Text, prompt_name

Indices = NDArray[np.int64]

# A voxel bound this close to a face of a box counts as on it; a round trip through RAS changes
# positions by about 1e-12.
_FACE_TOLERANCE_VOXELS = 1e-4


@dataclass(frozen=True)
class VoxelMarks:
    """The prompts for one object as voxels of one grid.

    Attributes:
        boxes: the voxels whose centres each box encloses, at least one along each axis; a line
            counts as the box around it (`line_marks.line_box`).
        voxels_kji: (n, 3) int64 voxel indices marked by points, scribbles and lassos, in the order
            they were given, without repeats; a later mark of a voxel replaces an earlier one.
        positive: (n,) bool, whether each voxel belongs to the object.
        phrases: the text prompts.
        start: the voxels of the latest mask to start from; None if there is none.
        fixed: the voxels that masks to avoid or to keep fix, apart from marked ones; None if there
            are none.
    """

    boxes: tuple[Region, ...]
    voxels_kji: Indices
    positive: NDArray[np.bool_]
    phrases: tuple[str, ...]
    start: StartVoxels | None = None
    fixed: FixedVoxels | None = None

    @property
    def foreground_kji(self) -> Indices:
        """The voxels marked as belonging to the object."""
        return np.asarray(self.voxels_kji[self.positive])

    @property
    def background_kji(self) -> Indices:
        """The voxels marked as background."""
        return np.asarray(self.voxels_kji[~self.positive])

    def within(self, region: Region) -> VoxelMarks:
        """The marks within `region`, with indices relative to its first voxel."""
        clipped = (box.intersection(region) for box in self.boxes)
        is_within = region.holds(self.voxels_kji)
        return VoxelMarks(
            tuple(box.relative_to(region) for box in clipped if box is not None),
            np.asarray(self.voxels_kji[is_within] - np.array(region.start_kji)),
            self.positive[is_within],
            self.phrases,
            None if self.start is None else self.start.within(region),
            None if self.fixed is None else self.fixed.within(region),
        )


def enforce_marks(logits_kji: NDArray[np.float32], marks: VoxelMarks, least_logit: float) -> None:
    """Bring every fixed or marked voxel to its side, at least `least_logit` from 0, in place.

    A mark decides its voxel, fixed or not.

    Args:
        logits_kji: float32 on the grid of `marks`.
        marks: the marks.
        least_logit: the least absolute logit of such a voxel.
    """
    if marks.fixed is not None:
        here = marks.fixed.region.slices
        part, is_fixed, is_inside = logits_kji[here], marks.fixed.fixed_kji, marks.fixed.inside_kji
        np.maximum(part, least_logit, out=part, where=is_fixed & is_inside)
        np.minimum(part, -least_logit, out=part, where=is_fixed & ~is_inside)
    inside, outside = tuple(marks.foreground_kji.T), tuple(marks.background_kji.T)
    logits_kji[inside] = np.maximum(logits_kji[inside], least_logit)
    logits_kji[outside] = np.minimum(logits_kji[outside], -least_logit)


def to_voxels(prompts: Sequence[Prompt], geometry: Geometry) -> VoxelMarks:
    """Convert the prompts for one object to voxels of `geometry`.

    A box or mask that overlaps the volume is clipped to it.

    Raises:
        PromptError: a prompt is outside the volume, or a mask covers all of it.
    """
    boxes: list[Region] = []
    phrases: list[str] = []
    start: StartVoxels | None = None
    fixed: list[Mask] = []
    marks: dict[tuple[int, ...], bool] = {}
    for prompt in prompts:
        if isinstance(prompt, Box):
            boxes.append(box_region(prompt, geometry))
        elif isinstance(prompt, Line):
            _voxels_of(geometry, prompt.positions_ras, prompt)
            boxes.append(box_region(line_box(prompt, geometry), geometry))
        elif isinstance(prompt, Text):
            phrases.append(prompt.phrase)
        elif isinstance(prompt, Mask):
            if prompt.role == "start":
                start = start_voxels(prompt, geometry)
            else:
                fixed.append(prompt)
        else:
            for voxel in map(tuple, mark_voxels(prompt, geometry).tolist()):
                marks.pop(voxel, None)
                marks[voxel] = prompt.positive
    return VoxelMarks(
        tuple(boxes),
        np.array(list(marks), dtype=np.int64).reshape(-1, 3),
        np.array(list(marks.values()), dtype=bool),
        tuple(phrases),
        start,
        fixed_voxels(fixed, geometry),
    )


def kept_part(volume: Volume, part: Box | Region) -> Mask:
    """A mask that keeps a part of a segment as it is.

    Args:
        volume: the segment, non-zero inside.
        part: the part, a box or a region in voxels of the volume, such as a range of slices.

    Raises:
        PromptError: the part is outside the volume, or the volume is not a mask.
    """
    whole = Region.whole(volume.geometry.shape_kji)
    wanted = box_region(part, volume.geometry) if isinstance(part, Box) else part
    region = wanted.intersection(whole)
    if region is None:
        raise PromptError(
            f"The part to freeze, from {wanted.start_kji} to {wanted.stop_kji} (k, j, i), is "
            f"outside the volume, {_bounds(volume.geometry)}."
        )
    cropped = volume.crop(region)
    return Mask.from_volume(cropped, role="keep")


def box_region(box: Box, geometry: Geometry) -> Region:
    """The smallest region with every voxel that the box covers by at least half of its width.

    For an oblique box it is the region around it.

    Raises:
        PromptError: the box is outside the volume.
    """
    corners_kji = geometry.ijk_from_ras(box.corners_ras())[:, ::-1]
    low = np.ceil(corners_kji.min(axis=0) - _FACE_TOLERANCE_VOXELS)
    high = np.floor(corners_kji.max(axis=0) + _FACE_TOLERANCE_VOXELS) + 1
    # A box thinner than a voxel may enclose no centre; then it stands for the voxel it is in.
    thin = high <= low
    middle = np.round(corners_kji.mean(axis=0))
    low, high = np.where(thin, middle, low), np.where(thin, middle + 1, high)
    shape = np.array(geometry.shape_kji)
    if (high <= 0).any() or (low >= shape).any():
        raise PromptError(
            f"The box around {numbers_text(box.center_ras)} RAS mm is outside the volume, "
            f"{_bounds(geometry)}."
        )
    return Region(
        shape_triple(np.maximum(low, 0).tolist()), shape_triple(np.minimum(high, shape).tolist())
    )


def mark_voxels(prompt: Point | Scribble | Lasso, geometry: Geometry) -> Indices:
    """(n, 3) int64 (k, j, i): the voxels that a point, stroke or outline marks, without repeats.

    Raises:
        PromptError: one of its positions is outside the volume.
    """
    if isinstance(prompt, Point):
        return _voxels_of(geometry, [prompt.position_ras], prompt)
    corners = _voxels_of(geometry, prompt.positions_ras, prompt)
    if isinstance(prompt, Scribble):
        return _unique(np.vstack([corners[:1], *_stroke(prompt.positions_ras, geometry)]))
    inside = _enclosed(prompt.positions_ras, geometry, corners)
    return inside if len(inside) else _unique(corners)


def _stroke(positions_ras: Sequence[Position], geometry: Geometry) -> list[Indices]:
    """The voxels along each segment, sampled at half of a voxel's smallest width."""
    ijk = geometry.ijk_from_ras(np.array(positions_ras))
    parts = []
    for start, stop in pairwise(ijk):
        steps = 1 + int(np.ceil(2 * np.abs(stop - start).max()))
        along = np.linspace(0, 1, steps + 1)[:, None]
        parts.append(_rounded(start + along * (stop - start), geometry))
    return parts


def _enclosed(outline_ras: Sequence[Position], geometry: Geometry, corners: Indices) -> Indices:
    """The voxels within half a voxel of the outline's plane whose centres it encloses."""
    points = np.array(outline_ras)
    middle = points.mean(axis=0)
    axes = np.linalg.svd(points - middle)[2]
    outline = (points - middle) @ axes.T
    # Half the extent of a voxel along the normal: an outline in a slice marks that slice only, and
    # one halfway between two slices marks both.
    reach_mm = np.abs(axes[2] @ geometry.ijk_to_ras[:3, :3]).max() / 2 * (1 + 1e-6)
    low = np.maximum(corners.min(axis=0) - 1, 0)
    high = np.minimum(corners.max(axis=0) + 2, geometry.shape_kji)
    j, i = (a.ravel() for a in np.mgrid[low[1] : high[1], low[2] : high[2]])
    enclosed = [np.empty((0, 3), dtype=np.int64)]
    # Slice by slice, so that an outline across a large volume needs little memory.
    for k in range(low[0], high[0]):
        voxels = np.column_stack([np.full_like(j, k), j, i])
        offsets = (geometry.ras_from_ijk(voxels[:, ::-1]) - middle) @ axes.T
        near = np.abs(offsets[:, 2]) <= reach_mm
        enclosed.append(voxels[near][_in_polygon(offsets[near][:, :2], outline[:, :2])])
    return np.vstack(enclosed)


def _in_polygon(points: NDArray[np.float64], outline: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each point is inside an outline, by the even-odd rule of ray crossings."""
    inside = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crossed = (points[:, 1] >= min(y0, y1)) & (points[:, 1] < max(y0, y1))
        inside ^= crossed & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _voxels_of(geometry: Geometry, positions_ras: Sequence[Position], prompt: Prompt) -> Indices:
    ijk = geometry.ijk_from_ras(np.array(positions_ras))
    size_ijk = np.array(geometry.shape_kji[::-1])
    reach = 0.5 + _FACE_TOLERANCE_VOXELS
    outside = ((ijk < -reach) | (ijk > size_ijk - 1 + reach)).any(axis=1)
    if outside.any():
        worst = int(np.argmax(outside))
        raise PromptError(
            f"The {prompt_name(prompt)} at {numbers_text(positions_ras[worst])} RAS mm, voxel "
            f"{numbers_text(ijk[worst].tolist())} (i, j, k), is outside the volume, "
            f"{_bounds(geometry)}."
        )
    return _rounded(ijk, geometry)


def _rounded(ijk: NDArray[np.float64], geometry: Geometry) -> Indices:
    nearest = np.floor(ijk[:, ::-1] + 0.5).astype(np.int64)
    return np.clip(nearest, 0, np.array(geometry.shape_kji) - 1)


def _unique(voxels: Indices) -> Indices:
    """Without repeats, in the order of their first appearance."""
    first = np.unique(voxels, axis=0, return_index=True)[1]
    return np.asarray(voxels[np.sort(first)])


def _bounds(geometry: Geometry) -> str:
    i, j, k = geometry.shape_kji[::-1]
    return f"which has {i} x {j} x {k} voxels {extent_text(geometry)}"
