"""The encoding of a model of slices: a region's slices in each plane, and cached predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...prompts.voxels import VoxelMarks
from ...segmenter import Encoding, Logits
from ...system.memory_cache import LruByteCache
from ...volumes.geometry import Geometry
from ...volumes.region import Region, Shape
from ...volumes.volume import Array
from ..planar.fusion import FAR_LOGIT
from ..planar.grey_levels import GreyLevels, GreyWindow
from ..planar.propagation import Marks, PixelPrompt, Rectangle
from ..planar.stacks import StackPlane, planes_to_segment, stack_planes

# The number of propagations whose logits are cached for each voxel and plane, two bytes each.
PROPAGATIONS_KEPT = 2
BYTES_PER_LOGIT = 2
# A clicked voxel gets at least this logit in the click's direction, whatever the prediction.
CLICK_LOGIT = 1.0

SliceKey = tuple[str, int, int, int, int, int]
"""Identifies a slice image of a volume: plane, slice, and its bounds as a `Rectangle`."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A region's slices in one plane, and their images for the network.

    Attributes:
        plane: The orientation of the stack.
        slice_images: (slices, rows, columns) grey levels, C-contiguous; they may extend beyond the
            region.
        whole: The part of the volume's own stack that they cover.
        shape: (slices, rows, columns) of the region.
        corner: The region's first row and column in the images.
    """

    plane: StackPlane
    slice_images: GreyLevels
    whole: Region
    shape: Shape
    corner: tuple[int, int]

    def key(self, index: int) -> SliceKey:
        """The key of a slice's image, equal for all regions with the same image."""
        start, stop = self.whole.start_kji, self.whole.stop_kji
        return (self.plane.name, start[0] + index, start[1], start[2], stop[1], stop[2])

    def to_slice_pixels(self, prompt: PixelPrompt) -> PixelPrompt:
        """A prompt in pixels of the region as one in pixels of the slice images."""
        down, across = self.corner
        box: Rectangle | None = None
        if prompt.box is not None:
            top, left, bottom, right = prompt.box
            box = (top + down, left + across, bottom + down, right + across)
        points = tuple((row + down, column + across, on) for row, column, on in prompt.points)
        return PixelPrompt(box, points)

    def crop_to_region(self, array: Array) -> Array:
        """The region's part of an array (rows, columns) of a slice image."""
        (down, across), (_, rows, columns) = self.corner, self.shape
        return array[down : down + rows, across : across + columns]

    def volume_logits(self, slices: Mapping[int, NDArray[np.floating[Any]]]) -> Logits:
        """The logits (K, J, I) of the region from those (rows, columns) of slices.

        Slices that were not visited get a strongly negative logit.
        """
        logits = np.full(self.shape, -FAR_LOGIT, np.float32)
        for index, values in slices.items():
            logits[index] = values
        return np.asarray(self.plane.unstack(logits))

    def marks(self, marks: VoxelMarks, shape_kji: Shape) -> Marks:
        """An object's prompts on this stack, from marks in voxels of a region of `shape_kji`."""
        voxels = self.plane.voxels(marks.voxels_kji, shape_kji).tolist()
        points = zip(voxels, marks.positive.tolist(), strict=True)
        return Marks(
            self.shape,
            tuple(self.plane.region(box, shape_kji) for box in marks.boxes),
            tuple((index, row, column, on) for (index, row, column), on in points),
        )


@dataclass(frozen=True, eq=False)
class PlanarEncoding(Encoding):
    """A region's stacks by plane.

    Attributes:
        volume_id: Identifies the volume of the region.
        stacks: By the name of the plane.
        answers: Cached logits (rows, columns) of the region's slices in 16 bits, by plane, slice
            and prompt, so that a further prompt recomputes only what it changes.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: LruByteCache[tuple[str, int, PixelPrompt], NDArray[np.float16]]


def cut_stacks(
    array_kji: Array,
    geometry: Geometry,
    region: Region,
    window: GreyWindow,
    names: Sequence[str],
    whole_slices: bool,
) -> dict[str, Stack]:
    """The stacks of a region in the planes of `names` that are wide enough.

    Args:
        array_kji: The whole volume.
        geometry: Its grid.
        region: The region.
        window: The grey-level window of the volume.
        names: The names of planes.
        whole_slices: Whether the slice images show the volume's whole width and height, or the
            region only.
    """
    shape = geometry.shape_kji
    planes = {name: plane for name, plane in stack_planes(geometry).items() if name in names}
    stacks: dict[str, Stack] = {}
    grey_levels: dict[Region, GreyLevels] = {}
    for name in planes_to_segment(planes, shape if whole_slices else region.shape_kji):
        plane = planes[name]
        frame = plane.whole_slices(region, shape) if whole_slices else region
        if frame not in grey_levels:
            grey_levels[frame] = window.grey_levels(array_kji, frame)
        whole, stack_region = plane.region(frame, shape), plane.region(region, shape)
        inside = stack_region.relative_to(whole)
        stacks[name] = Stack(
            plane,
            plane.stack(grey_levels[frame]),
            whole,
            stack_region.shape_kji,
            (inside.start_kji[1], inside.start_kji[2]),
        )
    return stacks


def make_encoding(
    geometry: Geometry, region: Region, volume_id: int, stacks: dict[str, Stack]
) -> PlanarEncoding:
    """The encoding of a region, with room for the predictions of two propagations."""
    budget = PROPAGATIONS_KEPT * BYTES_PER_LOGIT * len(stacks) * region.size
    answers: LruByteCache[tuple[str, int, PixelPrompt], NDArray[np.float16]] = LruByteCache(
        budget, lambda logits: logits.nbytes
    )
    image_bytes = sum(stack.slice_images.nbytes for stack in stacks.values())
    return PlanarEncoding(geometry, region, image_bytes + budget, volume_id, stacks, answers)
