"""One process, or several that `accelerate launch` started: who I am, and what all agree on."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import (  # type: ignore[import-untyped]
    Accelerator,
    DistributedDataParallelKwargs,
)
from torch import Tensor, nn

from ..device import choose_device


class Processes:
    """The processes of a training and the device of this one.

    device: as `choose_device` takes it; each of several processes gets a GPU of its own.
    unused_parameters: whether a step may leave parameters without gradient.
    """

    def __init__(self, device: str, unused_parameters: bool) -> None:
        chosen = choose_device(device)
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        # accelerate holds one precision and one device for the life of a process, while calls of
        # training may differ: both are set here, and accelerate spreads the work.
        self._accelerator = Accelerator(
            mixed_precision="no",
            cpu=several and chosen.type == "cpu",
            kwargs_handlers=[
                DistributedDataParallelKwargs(find_unused_parameters=unused_parameters)
            ],
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

    def spread(self, module: nn.Module) -> nn.Module:
        """A module on this process's device; the processes' gradients are averaged."""
        spread: nn.Module = self._accelerator.prepare_model(module, device_placement=False)
        return spread

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._accelerator.backward(loss)

    def kept_apart(self, module: nn.Module, apart: bool) -> AbstractContextManager[None]:
        """Where `apart`, gradients are not averaged yet: a later batch of the step will do it."""
        no_sync: AbstractContextManager[None] = (
            self._accelerator.no_sync(module) if apart else nullcontext()
        )
        return no_sync

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
