"""The recipe `sam3d`: train the decoder of the model of that name.

After Bui et al., "SAM3D: Segment Anything Model in volumetric medical images", ISBI 2024, and the
trainer published with it: nnU-Net's schedule, the loss at three sizes, and SAM's image encoder
unchanged. Because the encoder never changes, its features are computed once for all steps, which is
an addition of this project. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .settings import Sam3dSettings

if TYPE_CHECKING:
    from ...distributed import Processes
    from ...task import Task

SUMMARY = "the light 3D decoder of the model sam3d, for classes in whole volumes"
PACKAGES = ("torch", "torchvision", "segment_anything", "accelerate", "safetensors")
SMALLER = "a smaller batch= (with accumulate=), depth= or patch="
RESULT = "sam3d.safetensors"
SEARCHED: tuple[str, ...] = ()
Settings = Sam3dSettings


def task(settings: Sam3dSettings, processes: Processes) -> Task:
    """Create the task: decoder, optimiser, and the volumes, whose features are computed later."""
    from .task import Sam3dTask

    return Sam3dTask(settings, processes)
