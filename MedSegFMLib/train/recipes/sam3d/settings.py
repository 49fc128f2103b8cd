"""The settings of the recipe `sam3d`. Imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ....errors import TrainingError
from ....models.sam.network.config import PATCH
from ....models.sam3d.weights import SMALLEST_PATCH
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares


@dataclass(frozen=True)
class Sam3dSettings:
    """The settings of one training run; rates, patch and batch are those published for ACDC.

    `PRESETS` are the published patches of its four data sets, typed as recipe=NAME. Cases of
    several images, as BraTS has them, train a decoder that takes them all.

    Attributes:
        out: the folder for decoder, features, checkpoint, log and preview; a run continues from a
            checkpoint in it.
        base: the SAM that computes features, which is not changed: sam or medsam, as installed, or
            a file.
        cases: a CASES.json with the labelled volumes, whose objects' names are the classes; without
            it they are synthetic, and everything but background is one class called object.
        held_back: names of cases that are scored and never trained on, separated by commas; by
            default the last one.
        synthetic: the number of synthetic volumes to train on if there are no cases.
        side: the side of a synthetic volume in voxels.
        patch: the side of a patch in pixels, a multiple of 16.
        depth: the slices of a patch.
        overlap: the overlap of the windows that patches are taken from, as a part of their width.
        variants: the number of versions of each volume; the first is unchanged, the others are
            turned, scaled and mirrored, and differ in brightness, contrast and gamma. Each takes
            time and disk once.
        shortcuts: whether the decoder's blocks are residual, as published; no for comparison.
        foreground_share: the share of patches that contain a voxel of a random class.
        steps: the whole training in steps of the optimiser, over all calls.
        batch: patches in a batch, for each process.
        accumulate: batches in a step of the optimiser.
        rate: the highest learning rate, from which it falls as (1 - t)^0.9.
        weight_decay: the weight decay of all weights.
        warmup: steps over which the rate rises at the beginning.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        precision: bf16, no for 32 bits throughout, or auto, which is bf16 on a GPU.
        threads: threads of torch; 0 leaves them to torch.
        seed: the seed of the decoder, the variants and the patches.
        save_minutes: minutes between checkpoints.
        validate_samples: patches after which the held-back volumes are scored and drawn.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "acdc": {"patch": 160, "depth": 14},
        "synapse": {"patch": 176, "depth": 64},
        "brats": {"patch": 64, "depth": 64},
        "lung": {"patch": 192, "depth": 34},
    }

    out: Path
    base: str = "sam"
    cases: Path | None = None
    held_back: str = ""
    synthetic: int = 8
    side: int = 96
    patch: int = 160
    depth: int = 16
    overlap: float = 0.5
    variants: int = 2
    shortcuts: bool = True
    foreground_share: float = 0.33
    steps: int = 2000
    batch: int = 2
    accumulate: int = 1
    rate: float = 1e-2
    weight_decay: float = 3e-5
    warmup: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    seed: int = 0
    save_minutes: float = 5.0
    validate_samples: int = 1000

    def __post_init__(self) -> None:
        check_at_least(1, self, "synthetic", "depth", "variants", "steps", "batch", "accumulate")
        check_at_least(1, self, "validate_samples")
        check_at_least(16, self, "side")
        check_at_least(0, self, "weight_decay", "warmup", "threads", "seed")
        check_positive(self, "rate", "save_minutes")
        check_shares(self, "foreground_share")
        if self.patch < SMALLEST_PATCH or self.patch % PATCH:
            raise TrainingError(
                f"patch is {self.patch}; it must be a multiple of {PATCH} from {SMALLEST_PATCH} on."
            )
        if not 0 <= self.overlap <= 0.9:
            raise TrainingError(f"overlap is {self.overlap}; it must be from 0 to 0.9.")
