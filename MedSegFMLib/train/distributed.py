"""One process, or several that `accelerate launch` started: who I am, and what all agree on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta

import torch
from accelerate import Accelerator, InitProcessGroupKwargs  # type: ignore[import-untyped]
from torch import nn

from ..system.device import choose_device

# The first process scores and writes while the others wait.
_PATIENCE = timedelta(hours=12)


class Processes:
    """The processes of a training and the device of this one.

    device: as `choose_device` takes it; each of several processes gets a GPU of its own.
    """

    def __init__(self, device: str) -> None:
        chosen = choose_device(device)
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        # accelerate holds one precision and one device for the life of a process, while calls of
        # training may differ: both are set here, and accelerate spreads the work.
        self._accelerator = Accelerator(
            mixed_precision="no",
            cpu=several and chosen.type == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
        )
        self.count: int = self._accelerator.num_processes
        self.index: int = self._accelerator.process_index
        self.device = self._accelerator.device if self.count > 1 else chosen
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.index == 0

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give every process the mean of all processes' gradients, those of none being 0."""
        if self.count == 1:
            return
        there = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        anywhere = self._accelerator.reduce(there, "sum").tolist()
        for parameter, found in zip(parameters, anywhere, strict=True):
            if found:
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self._accelerator.reduce(own, "mean")

    def agreed(self, used: float, stopped: bool) -> tuple[float, bool]:
        """The main process's `used`, and whether any process was stopped."""
        if self.count == 1:
            return used, stopped
        told = torch.tensor([used * self.is_main, stopped], device=self.device)
        total = self._accelerator.reduce(told, "sum").tolist()
        return total[0], bool(total[1])

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()
