"""One process, or several started by `accelerate launch`: rank, device and reductions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta

import torch
from torch import nn

from ..system.device import choose_device

# The other processes wait while the first one scores and writes.
_TIMEOUT = timedelta(hours=12)


class Processes:
    """The processes of a training run and the device of this one.

    Args:
        device: as for `choose_device`; if there are several processes, each gets its own GPU.
    """

    def __init__(self, device: str) -> None:
        from accelerate import (  # type: ignore[import-untyped]
            Accelerator,
            InitProcessGroupKwargs,
        )

        chosen = choose_device(device)
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        # accelerate keeps one precision and one device for the life of a process, but calls of
        # training may differ: both are set here, and accelerate only distributes the work.
        self._accelerator = Accelerator(
            mixed_precision="no",
            cpu=several and chosen.type == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_TIMEOUT)],
        )
        self.count: int = self._accelerator.num_processes
        self.index: int = self._accelerator.process_index
        self.device = self._accelerator.device if self.count > 1 else chosen
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    @property
    def is_main(self) -> bool:
        """Whether this process writes and reports."""
        return self.index == 0

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Set the gradients to the mean over all processes; a missing gradient counts as 0."""
        if self.count == 1:
            return
        has_own = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        counts = self._accelerator.reduce(has_own, "sum").tolist()
        for parameter, count in zip(parameters, counts, strict=True):
            if count:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self._accelerator.reduce(gradient, "mean")

    def agreed(self, used: float, stopped: bool) -> tuple[float, bool]:
        """Return the main process's `used`, and whether any process was stopped."""
        if self.count == 1:
            return used, stopped
        own = torch.tensor([used * self.is_main, stopped], device=self.device)
        total = self._accelerator.reduce(own, "sum").tolist()
        return total[0], bool(total[1])

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        self._accelerator.wait_for_everyone()
