"""The settings of the recipe `medical-sam3`. Imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from ....errors import TrainingError
from ....models.planar.stacks import PLANE_NAMES
from ....system.suggestions import with_suggestion
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares

Mode = Literal["lora", "full"]
Compared = Literal["probabilities", "logits", "masks"]
Targets = Literal["qv", "attention", "all"]
Fall = Literal["cosine", "inverse"]


@dataclass(frozen=True)
class MedicalSam3Settings:
    """The settings of one training run: slices as images, names of objects as text.

    `PRESETS` has the schedule and the sizes of SAM 3's own fine-tuning, typed as recipe=sam3.

    Attributes:
        out: the folder for checkpoint, result, log and preview; a run continues from a checkpoint
            in it.
        cases: a CASES.json of labelled volumes; without one the volumes are synthetic.
        held_back: names of cases to score, separated by commas; the last case if empty.
        synthetic: the number of synthetic volumes if there are no cases.
        side: the side of a synthetic volume in voxels.
        base: weights to begin from; by default those in the store.
        tokenizer: the folder with the tokenizer's files; by default that of the weights.
        mode: lora trains adapters of a few MB; full trains all 840 million weights.
        rank: the rank of the adapters.
        alpha: adapters are multiplied by alpha / rank.
        dropout: the dropout of the adapters' input.
        targets: the layers with adapters: qv (queries and values), attention, or all (perceptrons
            too).
        planes: planes of the slices, separated by commas.
        crossed: whether a sample is three slices through a voxel, one of each plane; otherwise it
            is one slice.
        consistency: the weight, relative to that of Dice, of the difference of their masks where
            they intersect; above 0 it needs crossed.
        compared: the values compared there: probabilities, logits, or masks, whose gradient is that
            of the probabilities.
        batch: samples in a batch, for each process.
        absent_share: the share of slices that do not show the object.
        one_to_many: the number of queries that learn each object in a second pass; 0 leaves it out.
        accumulate: batches in a step of the optimiser.
        steps: the whole budget, over all calls.
        rate: the highest learning rate, that of the detector; if all weights are trained, the
            vision transformer has 5/16 of it and the text encoder 1/16.
        layer_decay: the learning rate of each block of the vision transformer relative to the next.
        weight_decay: the weight decay of matrices.
        warmup: steps over which the rate rises.
        fall: how the rate falls then: cosine, or inverse, by the inverse square root of the steps.
        timescale: with fall=inverse, the steps after which the rate has fallen to 0.71 of itself.
        cooldown: with fall=inverse, the last steps, over which the rate falls to 0.
        smallest: slices are made smaller by a random factor from this one to 1, and their images
            filled up with black; 1 leaves them.
        recomputed: whether the vision transformer's blocks are computed twice instead of stored.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        precision: bf16, no for 32 bits throughout, or auto, which is bf16 on a GPU.
        threads: threads of torch; 0 leaves them to torch.
        seed: the seed of the slices, the adapters and the dropout.
        save_minutes: minutes between checkpoints.
        validate_samples: slices after which the predictions are scored and drawn.
        validate_slices: the number of slices that are scored.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sam3": {
            "fall": "inverse",
            "warmup": 20,
            "timescale": 20,
            "cooldown": 20,
            # 480 of 1,008 pixels.
            "smallest": 480 / 1008,
        }
    }

    out: Path
    cases: Path | None = None
    held_back: str = ""
    synthetic: int = 8
    side: int = 64
    base: Path | None = None
    tokenizer: Path | None = None
    mode: Mode = "lora"
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: Targets = "attention"
    planes: str = "axial"
    crossed: bool = False
    consistency: float = 0.0
    compared: Compared = "probabilities"
    batch: int = 1
    absent_share: float = 0.2
    one_to_many: int = 4
    accumulate: int = 1
    steps: int = 2000
    rate: float = 8e-5
    layer_decay: float = 0.85
    weight_decay: float = 0.1
    warmup: int = 20
    fall: Fall = "cosine"
    timescale: int = 20
    cooldown: int = 20
    smallest: float = 1.0
    recomputed: bool = True
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    seed: int = 0
    save_minutes: float = 5.0
    validate_samples: int = 500
    validate_slices: int = 24

    def __post_init__(self) -> None:
        check_at_least(1, self, "synthetic", "rank", "batch", "accumulate", "steps", "timescale")
        check_at_least(1, self, "validate_samples", "validate_slices")
        check_at_least(0, self, "warmup", "one_to_many", "threads", "seed", "weight_decay")
        check_at_least(0, self, "cooldown", "consistency")
        check_at_least(8, self, "side")
        check_positive(self, "alpha", "rate", "save_minutes", "smallest")
        check_shares(self, "absent_share", "layer_decay", "smallest")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is {self.dropout}; it must be 0 or more, and below 1.")
        choices = {"mode": get_args(Mode), "targets": get_args(Targets), "fall": get_args(Fall)}
        choices["compared"] = get_args(Compared)
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise TrainingError(
                    f"There is no {name} {with_suggestion(getattr(self, name), known)}; choose "
                    f"from {', '.join(known)}."
                )
        if self.consistency and not self.crossed:
            raise TrainingError(
                f"consistency is {self.consistency:g}, but slices of one plane do not intersect; "
                "add crossed=true."
            )
        for name in self.plane_names:
            if name not in PLANE_NAMES:
                raise TrainingError(
                    f"There is no plane {with_suggestion(name, PLANE_NAMES)}; choose from "
                    f"{', '.join(PLANE_NAMES)}."
                )

    @property
    def plane_names(self) -> tuple[str, ...]:
        """The names of the planes."""
        if self.crossed:
            return PLANE_NAMES
        return tuple(name.strip() for name in self.planes.split(","))
