"""Random decoders of SAM3D, as training here writes them and as they are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from MedSegFMLib.models.sam3d import weights as sam3d_weights
from MedSegFMLib.models.sam3d.config import Sam3dConfig
from MedSegFMLib.models.sam3d.network import Sam3dDecoder
from MedSegFMLib.models.sam3d.weights import Sam3dFacts

CLASSES = ("liver", "spleen")


def random_decoder(classes: int = 3, modalities: int = 1, seed: int = 0) -> Sam3dDecoder:
    """A decoder with random weights that answers with some of each class."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Sam3dDecoder(Sam3dConfig(classes, modalities)).eval()


def write_decoder(path: Path, base_sha256: str | None = None, **facts: Any) -> Path:
    """Save a decoder of two classes as training here does."""
    known = {"classes": CLASSES, "patch": 32, "depth": 4, "base_sha256": base_sha256, **facts}
    sam3d_weights.save(random_decoder(len(known["classes"]) + 1), Sam3dFacts(**known), path)
    return path


def write_published(path: Path, holder: str = "state_dict", **decoder: Any) -> Path:
    """Save a decoder as SAM3D's trainer does, with its losses as numbers of numpy."""
    losses = ([np.float64(0.5)], [np.float32(0.25)], [np.float64(0.75)])
    state = random_decoder(**decoder).state_dict()
    held = {"epoch": 1000, holder: state, "plot_stuff": losses, "optimizer_state_dict": {}}
    torch.save(held, path)
    return path
