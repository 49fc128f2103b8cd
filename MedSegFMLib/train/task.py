"""What a recipe learns, for the loop that says when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..progress import Progress
from .schedule import Schedule


class Task(ABC):
    """A network to train, its data, and its result.

    optimisers: each of their groups holds "peak", its highest learning rate.
    must_match: what a checkpoint must share to be gone on from: settings by their names, and other
        things by a word that "another" can stand before.
    samples: in a batch. largest_gradient: the norm that gradients are clipped to.
    """

    optimisers: Sequence[torch.optim.Optimizer]
    schedule: Schedule
    must_match: Mapping[str, object]
    samples: int
    largest_gradient: float = 1.0

    def begin(self) -> None:
        """Called once where there is no checkpoint to go on from."""
        return

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Called once before the first step, after the state was restored: what takes a while.

        brief: whether a few batches will do, and no result, as for a dry run.
        """
        return

    @abstractmethod
    def batches(self, first: int, stride: int) -> Generator[Any, None, None]:
        """Every `stride`-th batch from number `first` on, without end, on the CPU or the device.

        A number gives the same batch in any process and after any pause.
        """

    @abstractmethod
    def backward(self, batch: Any, number: int, weight: float) -> dict[str, Tensor]:
        """Add the gradients of a batch's loss times `weight`; scalars to log, "loss" among them.

        number: the batch's, from which all chance in it comes.
        """

    def after_step(self) -> None:
        """Called after each step of the optimisers."""
        return

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What is trained, by name."""

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Bring back what `state` gave; RuntimeError or KeyError where it is another network's."""

    @abstractmethod
    def validate(self, progress: Progress) -> dict[str, float]:
        """Scores, by name, on what is never trained on. `progress` may raise Cancelled."""

    def draw(self, path: Path, title: str) -> None:
        """Draw some of what was validated last."""
        return

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the result; OutputError where that fails."""

    @abstractmethod
    def predicted_bytes(self) -> int:
        """The predicted peak memory of a step: weights, gradients, moments and activations."""

    def parameters(self) -> list[nn.Parameter]:
        """All that the optimisers turn."""
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        return [parameter for group in groups for parameter in group["params"]]
