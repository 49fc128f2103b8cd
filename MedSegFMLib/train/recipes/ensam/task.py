"""ENSAM as a task: the network and its optimisers, the loss of a batch, and the result."""

from __future__ import annotations

from collections.abc import Generator
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ....errors import TrainingError
from ....models.ensam import weights as ensam_weights
from ....models.ensam.network.network import Ensam
from ....models.ensam.voxel_grid import MOST_VOXELS
from ....progress import Progress
from ...distributed import Processes
from ...precision import autocast, is_half
from ...schedule import BudgetSchedule, EpochSchedule, Schedule
from ...task import Task
from . import preview
from .batches import Batches, training_batches, validation_batches
from .instances import index_instances
from .optimisers import build_optimisers
from .samples import Batch
from .settings import EnsamSettings
from .simulated_interaction import Interaction
from .validation import Validation, validate
from .views import LARGEST_MARGIN_VOXELS

# In a checkpoint, before the names of the averaged weights.
_AVERAGE = "average."
_AVERAGED_STEPS = "averaged_steps"
# Numbers kept for the backward pass per cell of the finest level: 120 of the encoder and 210 of one
# prediction, times 2.4 for their gradients and torch's working memory, as measured before for two.
_SAVED_PER_CELL = 780
# A weight with its gradient and its optimiser's moments.
_BYTES_PER_WEIGHT = 16


class EnsamTask(Task):
    """A new network, the same in all processes, and scenes to train it on."""

    def __init__(self, settings: EnsamSettings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        torch.manual_seed(settings.seed)
        self.network = Ensam(settings.network()).to(processes.device)
        self.optimisers = build_optimisers(
            self.network, settings.optimiser == "muon", settings.rate, settings.weight_decay
        )
        self.schedule = self._schedule(0)
        self.must_match = {**asdict(settings.network()), "optimiser": settings.optimiser}
        self.samples = settings.batch
        self._half = is_half(settings.precision, processes.device)
        self._interaction = Interaction(self.network, settings.click_rule)
        self._averaged = deepcopy(self.network).requires_grad_(False)
        self._averaged_steps = 0
        self._batches = Batches(settings, processes.device)
        self._objects: list[Batch] = []
        self._validated: Validation | None = None

    def begin(self) -> None:
        """Load the weights of `start`.

        Raises:
            TrainingError: they are of another network.
        """
        start, wanted = self._settings.start, self._settings.network()
        if start is None:
            return
        given = ensam_weights.load(start)
        if replace(given.config, cells=wanted.cells) != wanted:
            wanted_fields = asdict(wanted)
            given_fields = asdict(given.config).items()
            others = [
                f"{key}={str(value).lower()}"
                for key, value in given_fields
                if value != wanted_fields[key]
            ]
            raise TrainingError(
                f"{start} is of another network; add {' '.join(others)}, or leave out start=."
            )
        self.network.load_state_dict(given.state_dict())
        self._averaged.load_state_dict(given.state_dict())

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Index the objects of `data`; if brief, those of a few files."""
        settings = self._settings
        if settings.data is None:
            return
        if self._processes.is_main:
            index_instances(settings, progress, brief)
        self._processes.wait()
        self._batches.brief = brief
        self.schedule = self._schedule(len(self._batches.instances().training))

    def batches(self, first: int, stride: int) -> Generator[Batch, None, None]:
        """See `Task.batches`."""
        # Before the first batch, so that an unusable pack is reported at once.
        if self._settings.data is None:
            self._batches.source()
        return training_batches(self._batches, first, stride)

    def backward(self, batch: Batch, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`."""
        # All processes grade the same predictions, so that none waits for another.
        graded, _ = self._drawn(number - self._processes.index)
        _, seed = self._drawn(number)
        generator = torch.Generator(self._processes.device).manual_seed(seed)
        device, half = self._processes.device, self._half
        loss = self._interaction.learn(
            batch, graded, generator, weight, lambda: autocast(device, half)
        )
        return {"loss": loss}

    def after_step(self) -> None:
        """Normalise the weights back to the unit sphere, and update their running mean."""
        self.network.normalise_weights_()
        # In the first steps, the mean is taken only over the steps so far.
        self._averaged_steps += 1
        kept = min(self._settings.average, self._averaged_steps / (self._averaged_steps + 10))
        pairs = zip(self._averaged.parameters(), self.network.parameters(), strict=True)
        with torch.no_grad():
            for mean, weight in pairs:
                mean.lerp_(weight, 1 - kept)
        self._averaged.normalise_weights_()

    def state(self) -> dict[str, Tensor]:
        """See `Task.state`."""
        averaged = {_AVERAGE + name: t for name, t in self._averaged.state_dict().items()}
        steps = {_AVERAGED_STEPS: torch.tensor(self._averaged_steps)}
        return {**self.network.state_dict(), **averaged, **steps}

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Task.restore`."""
        network_state = {name: state[name] for name in self.network.state_dict()}
        self.network.load_state_dict(network_state)
        # Checkpoints of earlier versions contain no average.
        averaged = {
            name: state.get(_AVERAGE + name, tensor) for name, tensor in network_state.items()
        }
        self._averaged.load_state_dict(averaged)
        self._averaged_steps = int(state.get(_AVERAGED_STEPS, 0))

    def validate(self, progress: Progress) -> dict[str, float]:
        """Dice after the box and after each click."""
        self._objects = self._objects or validation_batches(self._batches)
        self._validated = validate(self.answers, self._objects, self._processes.device, progress)
        return {f"dice_{step}": value for step, value in enumerate(self._validated.dice)}

    def draw(self, path: Path, title: str) -> None:
        """See `Task.draw`."""
        validation = self._validated
        if validation is not None:
            preview.write_preview(path, self._objects[0], validation.first, validation.last, title)

    def write(self, path: Path) -> None:
        """See `Task.write`."""
        ensam_weights.save(self._averaged, path)

    def predicted_bytes(self) -> int:
        """See `Task.predicted_bytes`."""
        settings = self._settings
        weights: int = sum(p.numel() for p in self.network.parameters()) * _BYTES_PER_WEIGHT
        number_bytes = 2 if self._half else 4
        cells = self._largest_region() if settings.native else settings.cells**3
        saved = settings.batch * cells * _SAVED_PER_CELL
        return weights + saved * number_bytes

    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the network; Muon's matrices are views of them."""
        return list(self.network.parameters())

    def answers(self, batch: Batch, seed: int) -> list[Tensor]:
        """The logits (B, 1, n, n, n) after the first prompt and after each click."""
        generator = torch.Generator(self._processes.device).manual_seed(seed)
        interaction = Interaction(self._averaged, self._settings.click_rule).eval()
        with torch.inference_mode(), autocast(self._processes.device, self._half):
            _, answers = interaction(batch, range(self._settings.clicks + 1), generator)
        return list(answers)

    def _schedule(self, epoch_samples: int) -> Schedule:
        settings = self._settings
        budget = BudgetSchedule(
            settings.minutes, settings.samples, settings.warmup, settings.cooldown
        )
        if not settings.epochs or not epoch_samples:
            return budget
        return EpochSchedule(
            settings.epochs,
            epoch_samples,
            settings.halvings(),
            settings.warmup,
            budget if settings.minutes or settings.samples else None,
        )

    def _largest_region(self) -> int:
        """The most voxels of a region that is native."""
        if self._settings.data is None:
            return int(self._settings.scene_side**3)
        sizes = [
            instance.box.grown([LARGEST_MARGIN_VOXELS] * 3, instance.shape_kji).size
            for instance in self._batches.instances().training
        ]
        return min(MOST_VOXELS, max(sizes))

    def _drawn(self, number: int) -> tuple[list[int], int]:
        """The predictions that a batch learns from, and the seed of its clicks."""
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        graded = rng.choice(settings.clicks + 1, settings.graded, replace=False)
        return sorted(graded.tolist()), int(rng.integers(1 << 62))
