"""Batches by number: a number gives the same batch in any process and after any interruption."""

from __future__ import annotations

import signal
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ....errors import VolumeError
from ....synthesis.random.source import RandomSource
from ....synthesis.recorded.source import RecordedSource
from ....synthesis.scene import RandomGenerators, Scene, Source
from ....volumes.region import Shape
from .instances import Instances, instance_batch, open_instances, scored_batches
from .samples import Batch, make_batch
from .settings import EnsamSettings

# Far from any training batch's number.
_FIRST_VALIDATION = 1 << 40
_LARGEST_VALIDATION_BATCH = 8
# A view of a recorded volume may show none of its objects; another view is tried this many times.
_VIEWS = 10


class MixedSource:
    """A source of synthetic scenes and, for a share of them, of recorded volumes from a pack."""

    def __init__(self, synthesis: Source, recorded: Source | None, recorded_share: float) -> None:
        self._synthesis = synthesis
        self._recorded = recorded
        self._share = recorded_share

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        """A scene of one of the two sources, chosen at random."""
        if self._recorded is None or generators.host.random() >= self._share:
            return self._synthesis.scene(shape_kji, generators)
        for view in range(1, _VIEWS + 1):
            try:
                return self._recorded.scene(shape_kji, generators)
            except VolumeError:
                if view == _VIEWS:
                    raise
        raise AssertionError


class Batches(Dataset[Batch]):  # type: ignore[misc]
    """All batches of a run, an endless numbered sequence.

    Args:
        settings: the settings.
        device: the device of the scenes.
        source: the source of the scenes; None opens that of the settings on first use.

    Attributes:
        brief: whether only a part of `data` is indexed.

    Raises:
        VolumeError: the pack cannot be used.
    """

    def __init__(
        self, settings: EnsamSettings, device: torch.device, source: Source | None = None
    ) -> None:
        self.settings = settings
        self.device = device
        self.brief = False
        self._source = source
        self._instances: Instances | None = None

    def __getitem__(self, number: int) -> Batch:
        """The batch of a number, 0 or more."""
        settings = self.settings
        seed = int(np.random.SeedSequence((settings.seed, number)).generate_state(1)[0])
        generators = RandomGenerators.seeded(seed, self.device)
        boxed = bool(generators.host.random() < settings.boxed_share)
        if settings.data is not None:
            return instance_batch(self.instances(), number, boxed, settings, self.device)
        return make_batch(
            self.source(),
            settings.scene_side,
            None if settings.native else settings.cells,
            settings.batch,
            boxed,
            generators,
            settings.views,
            settings.objects,
        )

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not a fork opens the pack itself, so it is not sent.
        return {**self.__dict__, "_source": None, "_instances": None}

    def instances(self) -> Instances:
        """The objects of `data`, whose index exists."""
        if self._instances is None:
            self._instances = open_instances(self.settings, self.brief)
        return self._instances

    def source(self) -> Source:
        """The source of the scenes; forked workers share an open one."""
        if self._source is None:
            pack = self.settings.pack
            recorded = None if pack is None else RecordedSource(pack)
            self._source = MixedSource(RandomSource(), recorded, self.settings.recorded_share)
        return self._source


def training_batches(batches: Batches, first: int, stride: int = 1) -> Generator[Batch, None, None]:
    """Every `stride`-th batch from number `first` on, endlessly.

    The batches are made by `workers` processes, which end when the generator is closed, or by this
    process if its device is a GPU.
    """
    numbers = range(first, _FIRST_VALIDATION, stride)
    workers = batches.settings.workers if batches.device.type == "cpu" else 0
    if not workers:
        yield from map(batches.__getitem__, numbers)
        return
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=4,
        worker_init_fn=_leave_stopping_to_the_parent,
    )
    iterator = iter(loader)
    try:
        yield from iterator
    finally:
        # After an error, its traceback keeps the iterator alive, and the workers ignore the SIGTERM
        # with which multiprocessing would end them.
        iterator._shutdown_workers()


def _leave_stopping_to_the_parent(worker: int) -> None:
    """Ctrl-C and job schedulers signal all processes; workers continue until the run has saved."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def validation_batches(batches: Batches, objects: int = 1) -> list[Batch]:
    """The same objects for every run with the same pack, sizes and seed, all with a box.

    They are on the CPU, so that they do not depend on the device of training.

    Args:
        batches: the batches of the run.
        objects: the most objects of one region.
    """
    settings = batches.settings
    if settings.data is not None:
        return scored_batches(batches.instances(), settings)
    largest = 1 if settings.native else _LARGEST_VALIDATION_BATCH
    size = min(largest, settings.validation_objects)
    wanted = replace(settings, boxed_share=1.0, batch=size, objects=objects)
    held_out = Batches(wanted, torch.device("cpu"), batches.source())
    count = -(-settings.validation_objects // size)
    return [held_out[_FIRST_VALIDATION + number] for number in range(count)]
