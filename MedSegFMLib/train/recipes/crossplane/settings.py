"""What can be set about adapting SAM across planes. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ....errors import TrainingError
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares


@dataclass(frozen=True)
class CrossplaneSettings:
    """One adaptation; the defaults suit a small GPU, and a CPU with patience.

    out: the folder for adapter, checkpoint, log, report and preview; a run that finds its
        checkpoint there goes on from it.
    base: the SAM to adapt, which stays as it is: sam or medsam, as installed, or a file.
    prepared: how slices are brought to grey levels and back, as for sam or medsam; auto is as for
        base where that is one of them, and as for sam where it is a file.
    cases: a CASES.json with the labelled volumes; without it they are synthetic.
    held_back: names of cases that are scored and never trained on, with commas between; without
        it the last one.
    synthetic: how many synthetic volumes to train on where there are no cases.
    side: the side of a synthetic volume, in voxels.
    steps: the whole training, in steps of the optimiser, over all calls.
    consistency: the weight of the intersection term; 0 trains each plane by itself.
    ramp: the part of the training over which that weight rises from 0.
    compared: what is compared where planes meet, probabilities or logits.
    coronal_sagittal: whether the coronal and sagittal plane are compared as well.
    rank: of the adapters.
    alpha: they are multiplied by alpha / rank.
    dropout: of the adapters' input.
    targets: where they sit in a block of the encoder: qkv, attention or all.
    blocks: in how many blocks of the encoder, from the last; 0 is all.
    decoder: whether the mask decoder has adapters, lora, or stays as it is, frozen.
    size: native, the object's region voxel by voxel, or 1024, whole slices at SAM's size.
    cached: whether the gradient is computed view by view, with the memory of one.
    recomputed: whether blocks are computed twice rather than remembered.
    prefix_bytes: memory for what blocks without adapters make of a slice, kept in 16 bits; 0
        computes it each time.
    hot_share: the share of samples where the base's planes disagree; the others lie on surfaces.
    rate: the optimiser's highest rate.
    weight_decay: that of AdamW.
    warmup: steps over which the rate rises.
    accumulate: voxels, of three views each, in a step of the optimiser.
    device: auto, cpu, cuda or cuda:N.
    precision: bf16, no for 32 bits throughout, or auto, which is bf16 on a GPU.
    threads: of torch; 0 leaves them to it.
    seed: of the adapters, the voxels and the prompts.
    save_minutes: how often the checkpoint is written.
    validate_samples: after how many voxels the held-back volumes are scored and drawn.
    validation_objects: how many objects of them are scored.
    """

    out: Path
    base: str = "sam"
    prepared: Literal["auto", "sam", "medsam"] = "auto"
    cases: Path | None = None
    held_back: str = ""
    synthetic: int = 8
    side: int = 64
    steps: int = 400
    consistency: float = 1.0
    ramp: float = 0.7
    compared: Literal["probabilities", "logits"] = "probabilities"
    coronal_sagittal: bool = False
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: Literal["qkv", "attention", "all"] = "qkv"
    blocks: int = 0
    decoder: Literal["lora", "frozen"] = "lora"
    size: Literal["native", "1024"] = "native"
    cached: bool = True
    recomputed: bool = False
    prefix_bytes: int = 1 << 30
    hot_share: float = 0.25
    rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: int = 20
    accumulate: int = 4
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    seed: int = 0
    save_minutes: float = 5.0
    validate_samples: int = 400
    validation_objects: int = 8

    def __post_init__(self) -> None:
        check_at_least(1, self, "steps", "rank", "accumulate", "validate_samples", "synthetic")
        check_at_least(1, self, "validation_objects")
        check_at_least(16, self, "side")
        check_at_least(0, self, "blocks", "prefix_bytes", "threads", "seed", "warmup")
        check_at_least(0, self, "consistency", "weight_decay")
        check_positive(self, "rate", "alpha", "save_minutes")
        check_shares(self, "ramp", "hot_share")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is {self.dropout}; it must be 0 or more, and below 1.")
