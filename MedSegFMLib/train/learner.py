"""ENSAM and its optimisers, and one step of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.ensam import Ensam
from .ensam_settings import EnsamSettings
from .interaction import Interaction
from .optimisers import build_optimisers
from .processes import Processes
from .samples import Batch

_LARGEST_GRADIENT = 1.0


class Learner:
    """A fresh network, the same in all processes."""

    def __init__(self, settings: EnsamSettings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        torch.manual_seed(settings.seed)
        self.network = Ensam(settings.network()).to(processes.device)
        self.optimisers = build_optimisers(
            self.network, settings.optimiser == "muon", settings.rate, settings.weight_decay
        )
        self._interaction = Interaction(self.network)
        self._spread: nn.Module | None = None

    def learn(self, batches: Sequence[Batch], first: int, rate: float) -> Tensor:
        """A step of the optimisers at a rate; returns the mean loss of this process, a scalar.

        batches: this process's, of one step. first: the number of the first batch of all
            processes, of which these are every `processes.count`-th.
        """
        if self._spread is None:
            # Not before, as weights and optimisers are loaded into the network as it is.
            self._spread = self._processes.spread(self._interaction)
        losses = []
        for place, batch in enumerate(batches):
            number = first + place * self._processes.count
            # The processes wait for one another, so all grade the same answers.
            graded, _ = self._drawn(number)
            _, seed = self._drawn(number + self._processes.index)
            generator = torch.Generator(self._processes.device).manual_seed(seed)
            apart = place + 1 < len(batches)
            with self._processes.kept_apart(self._spread, apart):
                with self._autocast():
                    loss, _ = self._spread(batch, graded, generator)
                self._processes.backward(loss / len(batches))
            losses.append(loss.detach())
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        self.network.normalise_weights_()
        return torch.stack(losses).mean()

    def answers(self, batch: Batch, seed: int) -> list[Tensor]:
        """The logits (B, 1, n, n, n) after the first prompt and after each click."""
        generator = torch.Generator(self._processes.device).manual_seed(seed)
        self.network.eval()
        with torch.inference_mode(), self._autocast():
            _, answers = self._interaction(batch, range(self._settings.clicks + 1), generator)
        self.network.train()
        return list(answers)

    def _drawn(self, number: int) -> tuple[list[int], int]:
        """Which answers a batch learns from, and the seed of its clicks."""
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        graded = rng.choice(settings.clicks + 1, settings.graded, replace=False)
        return sorted(graded.tolist()), int(rng.integers(1 << 62))

    def _autocast(self) -> AbstractContextManager[None]:
        context: AbstractContextManager[None] = torch.autocast(
            self._processes.device.type, torch.bfloat16, enabled=self._settings.precision == "bf16"
        )
        return context
