"""The prompts of one object in a part of the volume, in voxels of what the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...prompts.voxels import VoxelMarks
from ...volumes.masks import bounding_box
from ...volumes.region import Region

# The authors' box (`generate_box`) if nothing of the object is in a window.
_NO_BOX = np.full((2, 3), -1, np.float32)


@dataclass(frozen=True, eq=False)
class WindowPrompts:
    """The prompts that the network gets with an image.

    Attributes:
        positions: (n, 3) float32, clicks in voxels of the image, whose centres are whole numbers.
        positive: (n,) bool, whether each is on the object.
        box: (2, 3) float32, the first and last voxel; None for no box.
        phrase: The name of the object; None for none.
    """

    positions: NDArray[np.float32]
    positive: NDArray[np.bool_]
    box: NDArray[np.float32] | None
    phrase: str | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not len(self.positions) and self.box is None and self.phrase is None

    @classmethod
    def resized(cls, marks: VoxelMarks, region: Region, shape: Sequence[int]) -> WindowPrompts:
        """The prompts for a region that was resized to another shape, to the nearest voxels.

        Args:
            marks: On the whole grid.
            region: The region.
            shape: The shape (k, j, i) that it was resized to.
        """
        here = marks.within(region)
        scale = np.array(shape) / np.array(region.shape_kji)
        positions = (here.voxels_kji + 0.5) * scale - 0.5
        box = None
        if here.boxes:
            around = Region.enclosing(here.boxes)
            box = np.zeros((2, 3), np.float32)
            for axis, size in enumerate(shape):
                sources = nearest_exact(region.shape_kji[axis], size)
                start, stop = around.start_kji[axis], around.stop_kji[axis]
                inside = np.flatnonzero((sources >= start) & (sources < stop))
                if not len(inside):
                    # Thinner than the distance between two voxels that were taken.
                    inside = np.array([np.abs(sources - (start + stop - 1) / 2).argmin()])
                box[:, axis] = inside[0], inside[-1]
        return cls(positions.astype(np.float32), here.positive, box, phrase_of(marks))

    @classmethod
    def in_window(
        cls, marks: VoxelMarks, window: Region, inside_kji: NDArray[np.bool_], is_alone: bool
    ) -> WindowPrompts:
        """The prompts for a window of the volume itself, after a look at the whole.

        As its authors have it: words, the clicks within; and for an object with boxes or clicks
        the box, or, if there are several windows or no box, that of what the look at the whole
        found within.

        Args:
            marks: On the whole grid.
            window: The window; it may extend beyond the grid.
            inside_kji: What was found, on the window.
            is_alone: Whether it is the only one.
        """
        here = marks.within(window)
        box = None
        if marks.boxes and is_alone and here.boxes:
            around = Region.enclosing(here.boxes)
            box = np.array([around.start_kji, np.array(around.stop_kji) - 1], np.float32)
        elif marks.boxes or len(marks.voxels_kji):
            found = bounding_box(inside_kji)
            box = _NO_BOX
            if found is not None:
                box = np.array([[s.start for s in found], [s.stop - 1 for s in found]], np.float32)
        return cls(here.voxels_kji.astype(np.float32), here.positive, box, phrase_of(marks))


def phrase_of(marks: VoxelMarks) -> str | None:
    """The phrase of an object; the last one if there are several."""
    return marks.phrases[-1] if marks.phrases else None


def nearest_exact(voxels: int, size: int) -> NDArray[np.int64]:
    """(size,): the voxel that each of `size` is taken from, the one at its middle."""
    middles = (np.arange(size) + 0.5) * (voxels / size)
    return np.asarray(np.floor(middles).astype(np.int64).clip(0, voxels - 1))


def nearest(size: int, voxels: int) -> NDArray[np.int64]:
    """(voxels,): the one of `size` that each voxel is in the first part of."""
    places = np.floor(np.arange(voxels) * (size / voxels)).astype(np.int64)
    return np.asarray(places.clip(0, size - 1))
