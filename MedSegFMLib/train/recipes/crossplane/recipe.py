"""The recipe `crossplane`: adapt SAM so that its three planes agree, with the memory of one view.

After "The Cost of Consistency", whose three reasons against training are addressed here by gradient
caching, slices at their own size, and contiguous stacks. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import CrossplaneSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "adapters (LoRA) for SAM 1 to 3 or MedSAM, so that its three planes agree at your site"
PACKAGES = ("torch", "torchvision", "segment_anything", "peft", "accelerate", "safetensors")
SMALLER = "recomputed=true, cached=true, size=native or fewer blocks="
RESULT = "adapter"
SEARCHED: tuple[str, ...] = ("consistency",)
Settings = CrossplaneSettings


def task(settings: CrossplaneSettings, processes: Processes) -> Task:
    """Create the task: adapters, volumes and their voxels."""
    from .task import CrossplaneTask

    return CrossplaneTask(settings, processes)
