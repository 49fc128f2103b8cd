"""The recipe `ensam`: train the network of the same name.

After Stenhede et al., "ENSAM", 2025, section 2.3: box and simulated clicks, the loss averaged over
the answers, Muon with AdamW, weights normalised after each step. Its fixed epochs are replaced by
a budget, and what else the project adds is in the settings. Imports without torch.
"""

from __future__ import annotations

from pathlib import Path

from ..progress import Progress, no_progress
from .ensam_settings import EnsamSettings

SUMMARY = "the native 3D network of the model ensam, after boxes and clicks"
PACKAGES = ("torch", "accelerate", "safetensors")
Settings = EnsamSettings

WEIGHTS_FILE = "ensam.safetensors"


def train(settings: EnsamSettings, progress: Progress = no_progress) -> Path:
    """Train, or go on training, in the folder `settings.out`; returns the weights' path.

    A call that is stopped (Cancelled by `progress`, or by SIGINT or SIGTERM as KeyboardInterrupt)
    ends its step and saves its checkpoint first. Several processes that `accelerate launch` starts
    share the work. Raises TrainingError for a checkpoint that cannot be gone on from, DeviceError
    for a device that is missing or full, VolumeError for an unusable pack, WeightsError for
    unusable weights to start from, OutputError where the folder cannot be written.
    """
    from .ensam_run import run

    path = settings.out / WEIGHTS_FILE
    run(settings, path, progress)
    return path
