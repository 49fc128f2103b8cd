"""The recipe `ensam`: train the network of the same name.

After Stenhede et al., "ENSAM", 2025, section 2.3: box and simulated clicks, the loss averaged over
the answers, Muon with AdamW, weights normalised after each step. Its fixed epochs are replaced by
a budget, and what else the project adds is in the settings. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import EnsamSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "the native 3D network of the model ensam, after boxes and clicks"
PACKAGES = ("torch", "accelerate", "safetensors")
SMALLER = "a smaller batch= (with accumulate=), graded= or cells="
RESULT = "ensam.safetensors"
Settings = EnsamSettings


def task(settings: EnsamSettings, processes: Processes) -> Task:
    """The network, its optimisers and its scenes."""
    from .task import EnsamTask

    return EnsamTask(settings, processes)
