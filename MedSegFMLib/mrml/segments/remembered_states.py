"""Voxels that segments had from models at earlier states of the prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from ...prompts.prompt_list import PromptList
from ...system.memory_cache import LruByteCache
from .model_voxels import PackedVoxels

_BUDGET_BYTES = 1 << 27


@dataclass(frozen=True, eq=False)
class Remembered:
    """The voxels of each object's segment at one state.

    Attributes:
        voxels: By label.
        nbytes: Their memory.
    """

    voxels: Mapping[int, PackedVoxels]
    nbytes: int

    @classmethod
    def of(cls, voxels: Mapping[int, PackedVoxels]) -> Remembered:
        """The state with these voxels."""
        return cls(voxels, sum([packed.bits.nbytes for packed in voxels.values()]))


RememberedStates = LruByteCache[tuple[str, PromptList], Remembered]
"""By model and prompts."""


def new_states() -> RememberedStates:
    """No states, with room for 128 MiB of them."""
    return LruByteCache(_BUDGET_BYTES, attrgetter("nbytes"))
