"""The settings of the recipe `ensam`. Imports without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ....errors import TrainingError
from ....models.ensam.network.config import (
    Activation,
    AlphaStart,
    AttentionKind,
    EnsamConfig,
    PositionKind,
    Skip,
)
from ...precision import Precision
from ...settings_checks import check_at_least, check_positive, check_shares

OptimiserKind = Literal["muon", "adam"]
ClickRule = Literal["deepest", "largest"]
Views = Literal["varied", "margins"]
SpacingOrder = Literal["xyz", "zyx"]


# The settings that are as in the paper; all others are the machine's or the user's.
PAPER: Mapping[str, Any] = {
    "native": True,
    "positions": "liere",
    "dense_prompts": False,
    "activation": "relu",
    "alpha": "ngpt",
    "attention": "normalised",
    "skip": "concat",
    "width": 16,
    "depth": 2,
    "millimetres": False,
    "objects": 1,
    "optimiser": "muon",
    "batch": 1,
    "accumulate": 4,
    "epochs": 15,
    "halved_at": "2,5,10",
    "views": "margins",
    "alter": 0.5,
    "boxed_share": 1.0,
    "clicks": 5,
    "graded": 6,
    "click_rule": "largest",
    "average": 0.0,
    "warmup": 0,
    "cooldown": 0.0,
}


@dataclass(frozen=True)
class EnsamSettings:
    """The settings of one training run; the defaults suit a CPU.

    `PRESETS` are values of several settings under one name, typed as recipe=NAME.

    Attributes:
        out: the folder for checkpoint, weights, log and preview; a run continues from a checkpoint
            in it.
        pack: a pack of recorded volumes (medsegfm pack); without one all scenes are synthetic.
        data: a folder of the challenge's npz files, also in subfolders, whose objects are trained
            on instead of scenes. They are read one at a time.
        coreset: the part of the files of data that is used, such as 0.1, equally many of each data
            set; 1 for all.
        exclude: a text file with the names of files of data to leave out, one a line.
        held_back: the part of the files of data whose objects are scored instead.
        spacing_order: the axes of the spacing in the files of data, xyz or zyx.
        alter: the probability of each alteration of an image of data: bias field, smoothing, shift
            of the histogram.
        epochs: how often each object of data is trained on, in all calls together; 0 for no limit.
        halved_at: the epochs after which the rate is halved, such as 2,5,10.
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
        native: whether the network processes the voxels of a region, at most 4,194,304, then pooled
            along all axes but the shortest, instead of cells; needs batch=1.
        activation: the gate of the MLP, silu or relu.
        alpha: the start of the learned steps on the hypersphere, half or ngpt (0.05, scaled).
        attention: normalised or standard.
        width: channels of the finest level.
        depth: interaction blocks, and residual blocks of the coarser levels.
        objects: the most objects of one region that are trained together if they touch; a click on
            one is then background for the others.
        click_rule: where a click goes: deepest, the deepest voxel of all errors, or largest, the
            middle of the largest error as in the challenge, which is slower.
        views: the regions around objects: varied (boxes with errors, margins relative to the box,
            parts of regions and of objects, masks to begin from) or margins (tight boxes with
            margins of 1 to 64 voxels and nothing else, as in the paper).
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

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": PAPER}

    out: Path
    pack: Path | None = None
    data: Path | None = None
    coreset: float = 1.0
    exclude: Path | None = None
    held_back: float = 0.05
    spacing_order: SpacingOrder = "xyz"
    alter: float = 0.5
    epochs: int = 0
    halved_at: str = ""
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
    native: bool = False
    activation: Activation = "silu"
    alpha: AlphaStart = "half"
    attention: AttentionKind = "normalised"
    width: int = 16
    depth: int = 2
    objects: int = 1
    click_rule: ClickRule = "deepest"
    views: Views = "varied"
    device: str = "auto"
    precision: Precision = "bf16"
    threads: int = 0
    workers: int = 1
    seed: int = 0
    save_minutes: float = 5.0
    validate_samples: int = 2000
    validation_objects: int = 48

    def __post_init__(self) -> None:
        check_at_least(1, self, "batch", "accumulate", "clicks", "graded", "objects")
        check_at_least(1, self, "validation_objects", "validate_samples")
        check_at_least(0, self, "minutes", "samples", "weight_decay", "warmup")
        check_at_least(0, self, "threads", "workers", "seed", "epochs")
        check_at_least(8, self, "scene_side")
        check_positive(self, "rate", "save_minutes")
        check_shares(self, "average", "recorded_share", "cooldown", "boxed_share")
        check_shares(self, "coreset", "held_back", "alter")
        check_positive(self, "coreset")
        if not self.minutes and not self.samples and not self.epochs:
            raise TrainingError(
                "Training needs a budget; give minutes=30, samples=10000 or, with data=, epochs=15."
            )
        self._check_data()
        self.halvings()
        if self.graded > self.clicks + 1:
            raise TrainingError(
                f"graded is {self.graded}, but {self.clicks} clicks give {self.clicks + 1} "
                "answers; give a smaller graded= or more clicks=."
            )
        if self.native and self.batch > 1:
            raise TrainingError(
                f"native is true and batch is {self.batch}, but regions have different numbers of "
                "voxels; give batch=1, with accumulate= for more objects in a step."
            )
        if self.objects > self.batch:
            raise TrainingError(
                f"objects is {self.objects}, but a batch has {self.batch}; give a larger batch=, "
                "of cells (native=false)."
            )
        self.network()

    def _check_data(self) -> None:
        if self.data is not None and self.pack is not None:
            raise TrainingError("data and pack are both given; train on one of them.")
        if self.data is None and (self.epochs or self.exclude or self.coreset < 1):
            raise TrainingError(
                "epochs, coreset and exclude are for the challenge's files; give their folder as "
                "data=."
            )

    def halvings(self) -> tuple[int, ...]:
        """The numbers of `halved_at`.

        Raises:
            TrainingError: it is not a list of whole numbers above 0.
        """
        words = [word.strip() for word in self.halved_at.split(",") if word.strip()]
        if not all(word.isascii() and word.isdigit() and int(word) for word in words):
            raise TrainingError(
                f"halved_at is '{self.halved_at}'; it must be epochs from 1 on, such as 2,5,10."
            )
        return tuple(map(int, words))

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
            native=self.native,
            activation=self.activation,
            alpha=self.alpha,
            attention=self.attention,
            width=self.width,
            depth=self.depth,
        )
