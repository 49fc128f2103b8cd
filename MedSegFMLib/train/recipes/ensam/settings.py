"""The settings of the recipe `ensam`. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ....errors import TrainingError
from ....models.ensam.network.config import EnsamConfig, PositionKind, Skip
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares

OptimiserKind = Literal["muon", "adam"]


@dataclass(frozen=True)
class EnsamSettings:
    """The settings of one training run; the defaults suit a CPU.

    Attributes:
        out: the folder for checkpoint, weights, log and preview; a run continues from a checkpoint
            in it.
        pack: a pack of recorded volumes (medsegfm pack); without one all scenes are synthetic.
        recorded_share: the share of scenes that come from the pack.
        start: weights of the same network to begin from if there is no checkpoint; their number of
            cells may differ.
        minutes: the budget of this call in minutes; 0 for no limit.
        samples: the budget of this call in objects; whichever budget ends first counts.
        cooldown: the last part of the budget, over which the rate falls to 0. A later call
            continues from the checkpoint before it.
        cells: the side of the network's input region in cells.
        scene_side: the side of the scenes that regions are cut from, in voxels.
        batch: objects in a batch, for each process.
        accumulate: batches in a step of the optimiser.
        boxed_share: the share of batches that begin with a box; the others begin with a click.
        clicks: correcting clicks after the first prompt.
        graded: the number of predictions, chosen at random, that a batch learns from; all 1 +
            clicks in the paper.
        rate: the highest learning rate of the optimisers.
        weight_decay: the weight decay of Muon.
        average: the result is a running mean of the weights, of which each step keeps this share; 0
            takes the last weights.
        warmup: steps over which the rate rises at the beginning.
        optimiser: muon (Muon for matrices, AdamW for the rest) or adam (AdamW for all).
        skip: how the decoder combines the encoder's features, concat or add.
        positions: the position encoding of tokens: liere, rope or absolute.
        millimetres: whether the network measures distances in millimetres or in cells.
        dense_prompts: whether prompts are also drawn voxel by voxel for the decoder.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        precision: bf16, no for 32 bits throughout, or auto, which is bf16 on a GPU.
        threads: threads of torch; 0 leaves them to torch.
        workers: processes that make scenes for training on the CPU; 0 makes them in the training
            process. On a GPU, scenes are made on the GPU.
        seed: the seed of the network, the scenes and the clicks.
        save_minutes: minutes between checkpoints.
        validate_samples: objects after which the predictions are scored and drawn.
        validation_objects: the number of objects that are scored.
    """

    out: Path
    pack: Path | None = None
    recorded_share: float = 0.5
    start: Path | None = None
    minutes: float = 0.0
    samples: int = 0
    cooldown: float = 0.2
    cells: int = 32
    scene_side: int = 48
    batch: int = 4
    accumulate: int = 1
    boxed_share: float = 0.75
    clicks: int = 5
    graded: int = 2
    rate: float = 2e-3
    weight_decay: float = 0.0
    average: float = 0.999
    warmup: int = 100
    optimiser: OptimiserKind = "muon"
    skip: Skip = "concat"
    positions: PositionKind = "rope"
    millimetres: bool = False
    dense_prompts: bool = True
    device: str = "auto"
    precision: Precision = "bf16"
    threads: int = 0
    workers: int = 1
    seed: int = 0
    save_minutes: float = 5.0
    validate_samples: int = 2000
    validation_objects: int = 48

    def __post_init__(self) -> None:
        check_at_least(1, self, "batch", "accumulate", "clicks", "graded")
        check_at_least(1, self, "validation_objects", "validate_samples")
        check_at_least(0, self, "minutes", "samples", "weight_decay", "warmup")
        check_at_least(0, self, "threads", "workers", "seed")
        check_at_least(8, self, "scene_side")
        check_positive(self, "rate", "save_minutes")
        check_shares(self, "average", "recorded_share", "cooldown", "boxed_share")
        if not self.minutes and not self.samples:
            raise TrainingError("Training needs a budget; give minutes=30 or samples=10000.")
        if self.graded > self.clicks + 1:
            raise TrainingError(
                f"graded is {self.graded}, but {self.clicks} clicks give {self.clicks + 1} "
                "answers; give a smaller graded= or more clicks=."
            )
        self.network()

    def network(self) -> EnsamConfig:
        """The configuration of the network to train.

        Raises:
            ModelError: the choices are invalid.
        """
        return EnsamConfig(
            skip=self.skip,
            positions=self.positions,
            millimetres=self.millimetres,
            dense_prompts=self.dense_prompts,
            cells=self.cells,
        )
