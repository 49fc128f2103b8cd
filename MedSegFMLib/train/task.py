"""The interface between a recipe, which defines what is learned, and the training loop."""

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

    Attributes:
        optimisers: each of their groups contains "peak", its highest learning rate.
        schedule: the duration and the learning rates.
        must_match: the values that a checkpoint must share to be continued: settings by their
            names, others by a noun that can follow "another".
        samples: the samples in a batch.
        largest_gradient: the norm to which gradients are clipped.
    """

    optimisers: Sequence[torch.optim.Optimizer]
    schedule: Schedule
    must_match: Mapping[str, object]
    samples: int
    largest_gradient: float = 1.0

    def begin(self) -> None:
        """Called once if there is no checkpoint to continue from."""
        return

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Called once before the first step, after the state was restored, for lengthy preparation.

        Args:
            progress: reports progress.
            brief: whether only a few batches follow and no result, as in a dry run.
        """
        return

    @abstractmethod
    def batches(self, first: int, stride: int) -> Generator[Any, None, None]:
        """Every `stride`-th batch from number `first` on, endlessly, on the CPU or the device.

        A number gives the same batch in any process and after any interruption.
        """

    @abstractmethod
    def backward(self, batch: Any, number: int, weight: float) -> dict[str, Tensor]:
        """Add the gradients of a batch's loss times `weight`.

        Args:
            batch: the batch.
            number: its number, which seeds all randomness.
            weight: the factor of the loss.

        Returns:
            Scalars to log by name, including "loss".
        """

    def after_step(self) -> None:
        """Called after each step of the optimisers."""
        return

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """The trained tensors by name."""

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore the tensors of `state`.

        Raises:
            RuntimeError, KeyError: they are of another network.
        """

    @abstractmethod
    def validate(self, progress: Progress) -> dict[str, float]:
        """Score data that is never trained on; `progress` may raise Cancelled.

        Returns:
            The scores by name.
        """

    def draw(self, path: Path, title: str) -> None:
        """Draw some of the last validation."""
        return

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the result.

        Raises:
            OutputError: it cannot be written.
        """

    @abstractmethod
    def predicted_bytes(self) -> int:
        """The predicted peak memory of a step: weights, gradients, moments and activations."""

    def parameters(self) -> list[nn.Parameter]:
        """All parameters that the optimisers update."""
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        return [parameter for group in groups for parameter in group["params"]]
