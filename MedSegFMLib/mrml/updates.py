"""What `SegmentationLogic.pump` tells, beside the worker's own events: plain data for the views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..worker.events import Event


@dataclass(frozen=True)
class Written:
    """Segments were brought to the present prompts.

    added, removed: for each label how many voxels its segment gained and lost.
    seconds: the main thread's time for it.
    cut_off: the labels of which a part is outside the segmentation's grid, where none can be put.
    """

    added: Mapping[int, int]
    removed: Mapping[int, int]
    seconds: float
    cut_off: tuple[int, ...] = ()


@dataclass(frozen=True)
class PromptsChanged:
    """The prompts, the objects or the current one are others than before: show them anew."""


@dataclass(frozen=True)
class Warned:
    """Something was refused or did not work; nothing was lost, and the sentence says what to do."""

    sentence: str


@dataclass(frozen=True)
class Comparing:
    """The segments are there, and the planes of the answer are being compared: how far, 0 to 1."""

    fraction: float


@dataclass(frozen=True)
class Compared:
    """The comparison of the planes is there; `SegmentationLogic.consistency` has it."""


@dataclass(frozen=True)
class VolumeGone:
    """The volume left the scene, or the scene was closed; choose another."""


Update = Event | Written | PromptsChanged | Comparing | Compared | Warned | VolumeGone
