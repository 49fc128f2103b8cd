"""Voxels that two objects may have in common.

Objects exclude each other: a mark for one is background for the others, and a voxel belongs to the
object with the highest logit. A mask that an object starts from is an exception for the objects
that were there before: a segment that is adopted inside another one neither takes voxels from it
nor loses any to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..prompts.mask import Mask
from ..prompts.mask_voxels import StartVoxels, start_voxels
from ..prompts.prompt_list import PromptList
from ..prompts.types import Lasso, Point, Prompt, Scribble, is_start
from ..prompts.voxels import mark_voxels
from ..volumes.geometry import Geometry
from ..volumes.region import Region


@dataclass(frozen=True)
class SharedStarts:
    """The masks that pairs of objects share.

    Attributes:
        masks: for two labels, what the later of them started from while the other was there.
    """

    masks: Mapping[frozenset[int], StartVoxels] = field(default_factory=dict)

    @classmethod
    def of(cls, prompts: PromptList, geometry: Geometry) -> SharedStarts:
        """Those of a prompt list on the grid of a volume."""
        first: dict[int, int] = {}
        masks: dict[frozenset[int], StartVoxels] = {}
        for n, (label, prompt) in enumerate(prompts.entries):
            first.setdefault(label, n)
            if isinstance(prompt, Mask) and is_start(prompt):
                start = start_voxels(prompt, geometry)
                masks.update(
                    {frozenset((label, other)): start for other in first if other != label}
                )
        return cls(masks)

    def within(self, one: int, two: int, region: Region) -> NDArray[np.bool_]:
        """The voxels of a region that two objects may have in common, bool (K, J, I)."""
        start = self.masks.get(frozenset((one, two)))
        return np.zeros(region.shape_kji, bool) if start is None else start.on(region)

    def steps(
        self, label: int, prompts: PromptList, geometry: Geometry
    ) -> list[tuple[Prompt, ...]]:
        """As `PromptList.steps`; marks in voxels that an object shares are no background for it."""
        if not any(label in pair for pair in self.masks):
            return prompts.steps(label)
        entries = (
            (owner, prompt)
            for owner, prompt in prompts.entries
            if owner == label or not self._is_inside(label, owner, prompt, geometry)
        )
        return PromptList(prompts.objects, tuple(entries)).steps(label)

    def _is_inside(self, label: int, owner: int, prompt: Prompt, geometry: Geometry) -> bool:
        start = self.masks.get(frozenset((label, owner)))
        if start is None or not isinstance(prompt, Point | Scribble | Lasso):
            return False
        voxels_kji = mark_voxels(prompt, geometry)
        low, high = np.array(start.region.start_kji), np.array(start.region.stop_kji)
        if not ((voxels_kji >= low) & (voxels_kji < high)).all():
            return False
        return bool(start.inside_kji[tuple((voxels_kji - low).T)].all())
