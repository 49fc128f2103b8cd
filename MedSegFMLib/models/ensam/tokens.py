"""From prompts to ENSAM's tokens, each with a kind and a position. Needs numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...prompts.types import Point, Prompt
from ...prompts.voxels import Indices, VoxelMarks, to_voxels
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from .network.config import BACKGROUND, BOX_END, BOX_START, FOREGROUND

# The network is trained on a few clicks; a stroke of thousands would dominate all other prompts.
MOST_TOKENS_PER_SIGN = 32


@dataclass(frozen=True, eq=False)
class Tokens:
    """The prompts of one object within a region.

    Attributes:
        kinds: (n,) int64, the token kinds of `network.config`.
        positions_kji: (n, 3) float64, voxel centres relative to the region's first voxel.
        marks: All marked voxels of the region, including those without a token.
    """

    kinds: NDArray[np.int64]
    positions_kji: NDArray[np.float64]
    marks: VoxelMarks

    @property
    def have_marks(self) -> bool:
        """Whether any of them is more than the corner of a box."""
        return not np.isin(self.kinds, (BOX_START, BOX_END)).all()

    def equal(self, other: Tokens) -> bool:
        """Whether the network would be given the same tokens, in the same order."""
        return np.array_equal(self.kinds, other.kinds) and np.array_equal(
            self.positions_kji, other.positions_kji
        )

    def within(self, window: Region) -> Tokens:
        """The tokens relative to a window of the region; marks outside the window are left out."""
        positions = self.positions_kji - np.array(window.start_kji)
        inside = ((positions >= 0) & (positions < window.shape_kji)).all(axis=1)
        kept = inside | np.isin(self.kinds, (BOX_START, BOX_END))
        return Tokens(self.kinds[kept], positions[kept], self.marks.within(window))


def prompt_tokens(prompts: Sequence[Prompt], geometry: Geometry, region: Region) -> Tokens:
    """Two tokens for each box, its first and last voxel, and one for each marked voxel.

    Boxes come first, then marks in the order in which they were given, as in training. At most 32
    marks of each sign are used: the latest clicks, then voxels of scribbles and lassos, evenly
    spread. Boxes are clipped to the region; marks outside it are left out.

    Raises:
        PromptError: For a prompt outside the volume.
    """
    marks = to_voxels(prompts, geometry).within(region)
    clicks = to_voxels([p for p in prompts if isinstance(p, Point)], geometry).within(region)
    corners = [(box.start_kji, tuple(n - 1 for n in box.stop_kji)) for box in marks.boxes]
    is_click = (marks.voxels_kji[:, None] == clicks.voxels_kji[None]).all(axis=2).any(axis=1)
    signs = [_chosen(marks.positive == sign, is_click) for sign in (True, False)]
    chosen = np.sort(np.concatenate(signs))
    of_marks = np.where(marks.positive[chosen], FOREGROUND, BACKGROUND)
    kinds = np.array([BOX_START, BOX_END] * len(corners), dtype=np.int64)
    positions = np.concatenate((np.reshape(corners, (-1, 3)), marks.voxels_kji[chosen]))
    return Tokens(np.concatenate((kinds, of_marks)), positions.astype(np.float64), marks)


def _chosen(of_sign: NDArray[np.bool_], is_click: NDArray[np.bool_]) -> Indices:
    """The numbers of at most 32 marks of one sign: the latest clicks, then strokes."""
    clicks = np.flatnonzero(of_sign & is_click)[-MOST_TOKENS_PER_SIGN:]
    strokes = np.flatnonzero(of_sign & ~is_click)
    room = min(len(strokes), MOST_TOKENS_PER_SIGN - len(clicks))
    spread = np.round(np.linspace(0, len(strokes) - 1, room)).astype(np.int64)
    return np.concatenate((clicks, strokes[spread]))
