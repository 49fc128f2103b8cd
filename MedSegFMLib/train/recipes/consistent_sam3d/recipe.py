"""The recipe `consistent-sam3d`: SAM3D's decoder trained so that it agrees along the three axes.

SAM's encoder sees slices along one axis of a volume. Here it also sees those along the other two,
as in "The Cost of Consistency", and the light decoder learns to agree where the patches meet.
Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import ConsistentSam3dSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "SAM3D's decoder with agreement between slices along three axes, also without labels"
PACKAGES = ("torch", "torchvision", "segment_anything", "accelerate", "safetensors")
SMALLER = "a smaller batch= (with accumulate=), depth= or patch="
RESULT = "sam3d.safetensors"
SEARCHED: tuple[str, ...] = ("consistency",)
Settings = ConsistentSam3dSettings


def task(settings: ConsistentSam3dSettings, processes: Processes) -> Task:
    """Create the task: decoder, optimiser and volumes, whose features are computed later."""
    from .task import ConsistentSam3dTask

    return ConsistentSam3dTask(settings, processes)
