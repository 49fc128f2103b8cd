"""The recipe `ensam`: train the network of the model of that name.

After Stenhede et al., "ENSAM", 2025, section 2.3: box and simulated clicks, the loss averaged over
the predictions, Muon with AdamW, weights normalised after each step. By default, its fixed epochs
are replaced by a budget; this and other additions of this project are in the settings, and the
preset `paper` sets them all back. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import EnsamSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "the native 3D network of the model ensam, after boxes and clicks"
PACKAGES = ("torch", "accelerate", "safetensors")
SMALLER = "a smaller batch= (with accumulate=) or cells="
RESULT = "ensam.safetensors"
SEARCHED: tuple[str, ...] = ()
Settings = EnsamSettings


def task(settings: EnsamSettings, processes: Processes) -> Task:
    """Create the task: network, optimisers and scenes."""
    from .task import EnsamTask

    return EnsamTask(settings, processes)
