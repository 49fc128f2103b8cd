"""What a model of slices keeps of a region: its pictures in each plane, and its answers."""

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
from ..planar.grey_levels import GreyLevels, Window
from ..planar.propagation import Marks, PicturePrompt, Rectangle
from ..planar.stacks import StackPlane, looked_at, stack_planes

# Of each voxel and plane, the answers of so many walks are remembered, two bytes each.
WALKS_REMEMBERED = 2
BYTES_PER_LOGIT = 2
# A clicked voxel gets at least this logit in the click's direction, whatever the network says.
CLICK_LOGIT = 1.0

SliceKey = tuple[str, int, int, int, int, int]
"""A picture among all of a volume: plane, slice, and its bounds as a `Rectangle`."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A region's slices in one plane, and the pictures of them that the network sees.

    pictures: (slices, rows, columns) grey levels, C-contiguous; they may reach beyond the region.
    whole: the part of the volume's own stack that they are.
    shape: (slices, rows, columns) of the region; corner: its first row and column in the pictures.
    """

    plane: StackPlane
    pictures: GreyLevels
    whole: Region
    shape: Shape
    corner: tuple[int, int]

    def key(self, index: int) -> SliceKey:
        """The name of a slice's picture, the same for every region that sees the same picture."""
        start, stop = self.whole.start_kji, self.whole.stop_kji
        return (self.plane.name, start[0] + index, start[1], start[2], stop[1], stop[2])

    def on_picture(self, prompt: PicturePrompt) -> PicturePrompt:
        """A prompt in the region's pixels as one in those of the pictures."""
        down, across = self.corner
        box: Rectangle | None = None
        if prompt.box is not None:
            top, left, bottom, right = prompt.box
            box = (top + down, left + across, bottom + down, right + across)
        points = tuple((row + down, column + across, yes) for row, column, yes in prompt.points)
        return PicturePrompt(box, points)

    def of_region(self, picture: Array) -> Array:
        """The region's part of something (rows, columns) on a picture."""
        (down, across), (_, rows, columns) = self.corner, self.shape
        return picture[down : down + rows, across : across + columns]

    def on_region(self, walked: Mapping[int, NDArray[np.floating[Any]]]) -> Logits:
        """The logits (K, J, I) of the region, of those (rows, columns) of slices.

        Far below 0 on slices where no walk came.
        """
        logits = np.full(self.shape, -FAR_LOGIT, np.float32)
        for index, picture in walked.items():
            logits[index] = picture
        return np.asarray(self.plane.unstack(logits))

    def marks(self, marks: VoxelMarks, shape_kji: Shape) -> Marks:
        """An object's prompts, counted on the region, of `shape_kji`, on this stack."""
        voxels = self.plane.voxels(marks.voxels_kji, shape_kji).tolist()
        points = zip(voxels, marks.positive.tolist(), strict=True)
        return Marks(
            self.shape,
            tuple(self.plane.region(box, shape_kji) for box in marks.boxes),
            tuple((index, row, column, yes) for (index, row, column), yes in points),
        )


@dataclass(frozen=True, eq=False)
class PlanarEncoding(Encoding):
    """A region's stacks by plane.

    volume_id: which volume it is a region of.
    answers: what the network said, (rows, columns) logits of the region's slices in 16 bits, by
        plane, slice and prompt, so that a further prompt asks for what it changes alone.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: LruByteCache[tuple[str, int, PicturePrompt], NDArray[np.float16]]


def cut_stacks(
    array_kji: Array,
    geometry: Geometry,
    region: Region,
    window: Window,
    names: Sequence[str],
    whole_pictures: bool,
) -> dict[str, Stack]:
    """The stacks of a region in the planes of `names` that are wide enough.

    whole_pictures: whether the pictures show the volume's whole width and height, or the region.
    """
    shape = geometry.shape_kji
    planes = {name: plane for name, plane in stack_planes(geometry).items() if name in names}
    stacks: dict[str, Stack] = {}
    seen: dict[Region, GreyLevels] = {}
    for name in looked_at(planes, shape if whole_pictures else region.shape_kji):
        plane = planes[name]
        frame = plane.whole_pictures(region, shape) if whole_pictures else region
        if frame not in seen:
            seen[frame] = window.grey_levels(array_kji, frame)
        whole, own = plane.region(frame, shape), plane.region(region, shape)
        inside = own.relative_to(whole)
        stacks[name] = Stack(
            plane,
            plane.stack(seen[frame]),
            whole,
            own.shape_kji,
            (inside.start_kji[1], inside.start_kji[2]),
        )
    return stacks


def encoding_of(
    geometry: Geometry, region: Region, volume_id: int, stacks: dict[str, Stack]
) -> PlanarEncoding:
    """The encoding of a region with room for the answers of two walks."""
    budget = WALKS_REMEMBERED * BYTES_PER_LOGIT * len(stacks) * region.size
    answers: LruByteCache[tuple[str, int, PicturePrompt], NDArray[np.float16]] = LruByteCache(
        budget, lambda logits: logits.nbytes
    )
    held = sum(stack.pictures.nbytes for stack in stacks.values())
    return PlanarEncoding(geometry, region, held + budget, volume_id, stacks, answers)
