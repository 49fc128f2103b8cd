"""The recipe `medical-sam3`: train SAM3's detector on text, with slices of labelled volumes.

After Jiang et al., "Medical SAM3", 2026 (arXiv 2601.10880): text prompts only, all weights, rates
that decay with the depth of the vision transformer, one-to-one and one-to-many matching; and, for
their question whether less would do, adapters only. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import MedicalSam3Settings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "Medical SAM3 after words, on slices: adapters, or all of its weights"
PACKAGES = ("torch", "torchvision", "transformers", "peft", "accelerate", "safetensors", "scipy")
SMALLER = "a smaller batch= (with accumulate=), recomputed=true, mode=lora or a smaller rank="
RESULT = "medical-sam3"
SEARCHED: tuple[str, ...] = ()
Settings = MedicalSam3Settings


def task(settings: MedicalSam3Settings, processes: Processes) -> Task:
    """Create the task: network, optimiser and slices."""
    from .task import MedicalSam3Task

    return MedicalSam3Task(settings, processes)
