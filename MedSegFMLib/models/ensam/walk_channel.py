"""The random walker's own answer to the prompts on the network's cells, as a channel of its input.

The random walker follows the edges of the image without training; the network learns when it is
right. If the region shows only a part of the box, or there are clicks alone, the prior of the
walker does not hold, and there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...progress import no_progress
from ...prompts.voxels import VoxelMarks
from ...segmenter import Logits
from ...volumes.region import Region, shape_triple
from ..randomwalk.settings import Settings
from ..randomwalk.solver import PREPARED_BYTES_PER_CELL, PreparedBox, prepare, solve
from .network.config import BOX_END, BOX_START, FOREGROUND

_SETTINGS = Settings()


@dataclass(frozen=True, eq=False)
class Walks:
    """The cells of an image, and the latest box prepared in it.

    Attributes:
        image: (K, J, I) float32 in 0 to 1.
        spacing_kji_mm: The size of a cell.
        voxel_cells_kji: The size of a voxel in cells.
        prepared: By box; the latest one.
    """

    image: Logits
    spacing_kji_mm: Sequence[float]
    voxel_cells_kji: Sequence[float]
    prepared: dict[Region, PreparedBox] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """The memory of the image and of a prepared box with a few marks."""
        return self.image.nbytes + PREPARED_BYTES_PER_CELL * self.image.size

    def logits(self, kinds: NDArray[np.int64], positions_kji: Logits) -> Logits | None:
        """The random walker's logits (K, J, I), float32, for tokens; None without a whole box.

        A box is the cells of its first to those of its last voxel: where voxels are larger than
        cells, as in few or thick slices, all cells of both.

        Args:
            kinds: (n,), the token kinds of `network.config`.
            positions_kji: (n, 3) in cells, whose centres are whole numbers from 0.
        """
        beyond = np.maximum(0, np.array(self.voxel_cells_kji) / 2 - 0.5)
        box = _box(kinds, positions_kji, beyond, self.image.shape)
        if box is None:
            return None
        prepared = self.prepared.get(box)
        if prepared is None:
            prepared = prepare(self.image, self.spacing_kji_mm, box, _SETTINGS, no_progress)
            self.prepared.clear()
            self.prepared[box] = prepared
        clicks = ~np.isin(kinds, (BOX_START, BOX_END))
        most = np.array(self.image.shape) - 1
        cells = np.rint(positions_kji[clicks]).astype(np.int64).clip(0, most)
        marks = VoxelMarks((), cells, kinds[clicks] == FOREGROUND, ())
        logits = solve(prepared, marks, no_progress)
        return logits.astype(np.float32, copy=False)


def _box(
    kinds: NDArray[np.int64],
    positions_kji: Logits,
    beyond_kji: NDArray[np.float64],
    shape_kji: Sequence[int],
) -> Region | None:
    """The cells around all boxes, whose corners reach `beyond_kji` cells beyond their tokens.

    None if there is no box, or a part of one is outside.
    """
    first, last = positions_kji[kinds == BOX_START], positions_kji[kinds == BOX_END]
    if not len(first):
        return None
    low, high = first.min(axis=0), last.max(axis=0)
    if (low < -0.5).any() or (high > np.array(shape_kji) - 0.5).any():
        return None
    first_cell, end_cell = np.floor(low - beyond_kji + 0.5), np.ceil(high + beyond_kji + 0.5)
    start = np.clip(first_cell, 0, np.array(shape_kji) - 1).astype(int)
    stop = np.clip(end_cell, start + 1, shape_kji).astype(int)
    return Region(shape_triple(start.tolist()), shape_triple(stop.tolist()))
