"""The settings of the recipe `crossplane`. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ....errors import TrainingError
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares


@dataclass(frozen=True)
class CrossplaneSettings:
    """The settings of one adaptation; the defaults suit a small GPU, or a CPU with patience.

    Attributes:
        out: the folder for adapter, checkpoint, log, report and preview; a run continues from a
            checkpoint in it.
        base: the SAM to adapt, which is not changed: sam, medsam, medsam2 or medical-sam3, as
            installed, or a file or folder of SAM, MedSAM, SAM 2.1 or SAM 3.
        prepared: the preprocessing of slices, that of sam, medsam, sam2 or sam3; auto takes that of
            base, or that of the network if base is a file.
        cases: a CASES.json with the labelled volumes; without it they are synthetic.
        held_back: names of cases that are scored and never trained on, separated by commas; by
            default the last one.
        synthetic: the number of synthetic volumes to train on if there are no cases.
        side: the side of a synthetic volume in voxels.
        steps: the whole training in steps of the optimiser, over all calls.
        consistency: the weight of the intersection term; 0 trains each plane by itself.
        ramp: the part of the training over which that weight rises from 0.
        compared: the values compared on intersections of planes: probabilities, logits, or masks,
            whose gradient is that of the probabilities.
        sharpness: the factor of logits before they become compared probabilities or masks.
        margin: the difference up to which planes are taken to agree.
        certainty: the weight, within the intersection term, of the entropy on intersections.
        coronal_sagittal: whether the coronal and sagittal plane are compared as well.
        rank: the rank of the adapters.
        alpha: adapters are multiplied by alpha / rank.
        dropout: the dropout of the adapters' input.
        targets: the layers of an encoder block that have adapters: qkv, attention or all.
        blocks: the number of encoder blocks with adapters, counted from the last; 0 is all.
        decoder: whether the mask decoder has adapters, lora, or is not trained, frozen.
        size: native, the object's region voxel by voxel, or 1024, whole slices at the base's size.
        cached: whether the gradient is computed view by view, with the memory of one view.
        recomputed: whether blocks are computed twice instead of stored.
        prefix_bytes: memory for the output of blocks without adapters, stored in 16 bits; 0
            computes it each time.
        hot_share: the share of samples where the base's planes disagree; the others are on
            surfaces.
        rate: the highest learning rate.
        weight_decay: the weight decay of AdamW.
        warmup: steps over which the rate rises.
        accumulate: voxels, of three views each, in a step of the optimiser.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        precision: bf16, no for 32 bits throughout, or auto, which is bf16 on a GPU.
        threads: threads of torch; 0 leaves them to torch.
        seed: the seed of the adapters, the voxels and the prompts.
        save_minutes: minutes between checkpoints.
        validate_samples: voxels after which the held-back volumes are scored and drawn.
        validation_objects: the number of their objects that are scored.
    """

    out: Path
    base: str = "sam"
    prepared: Literal["auto", "sam", "medsam", "sam2", "sam3"] = "auto"
    cases: Path | None = None
    held_back: str = ""
    synthetic: int = 8
    side: int = 64
    steps: int = 400
    consistency: float = 1.0
    ramp: float = 0.7
    compared: Literal["probabilities", "logits", "masks"] = "probabilities"
    sharpness: float = 1.0
    margin: float = 0.0
    certainty: float = 0.0
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
        check_at_least(0, self, "consistency", "weight_decay", "margin", "certainty")
        check_positive(self, "rate", "alpha", "save_minutes", "sharpness")
        check_shares(self, "ramp", "hot_share")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is {self.dropout}; it must be 0 or more, and below 1.")
