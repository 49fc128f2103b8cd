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

    At most 32 marks of each sign are used: the latest clicks, then voxels of scribbles and lassos,
    evenly spread. Boxes are clipped to the region; marks outside it are left out.

    Raises:
        PromptError: For a prompt outside the volume.
    """
    marks = to_voxels(prompts, geometry).within(region)
    clicks = to_voxels([p for p in prompts if isinstance(p, Point)], geometry).within(region)
    corners = [(box.start_kji, tuple(n - 1 for n in box.stop_kji)) for box in marks.boxes]
    foreground = _chosen(marks.foreground_kji, clicks.foreground_kji)
    background = _chosen(marks.background_kji, clicks.background_kji)
    kinds = [BOX_START, BOX_END] * len(corners)
    kinds += [FOREGROUND] * len(foreground) + [BACKGROUND] * len(background)
    positions = np.concatenate((np.reshape(corners, (-1, 3)), foreground, background))
    return Tokens(np.array(kinds, dtype=np.int64), positions.astype(np.float64), marks)


def _chosen(marked: Indices, clicked: Indices) -> Indices:
    """At most 32 of the marked voxels, the clicked ones first."""
    is_click = (marked[:, None] == clicked[None]).all(axis=2).any(axis=1)
    clicks = marked[is_click][-MOST_TOKENS_PER_SIGN:]
    strokes = marked[~is_click]
    room = min(len(strokes), MOST_TOKENS_PER_SIGN - len(clicks))
    spread = np.round(np.linspace(0, len(strokes) - 1, room)).astype(np.int64)
    return np.concatenate((clicks, strokes[spread]))
