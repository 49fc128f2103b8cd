"""The recipe `consistent`: ENSAM trained so that it gives turned views of a volume the same mask.

After "The Cost of Consistency", which concludes that consistency in training pays off more for
lightweight networks. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import ConsistentSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "ENSAM with agreement between turned views, also on volumes without labels"
PACKAGES = ("torch", "accelerate", "safetensors")
SMALLER = "a smaller batch= (with accumulate=), graded= or cells="
RESULT = "ensam.safetensors"
SEARCHED: tuple[str, ...] = ("consistency",)
Settings = ConsistentSettings


def task(settings: ConsistentSettings, processes: Processes) -> Task:
    """Create the task: the network, its optimisers, the scenes and the unlabelled volumes."""
    from .task import ConsistentTask

    return ConsistentTask(settings, processes)
