"""Batches of the objects of the challenge's files: each once in an epoch, read when needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ....datasets.coreset import training_files
from ....datasets.instances import Instance, InstanceIndex, read_crop
from ....errors import TrainingError
from ....progress import Progress
from ....synthesis.scene import RandomGenerators, Scene
from .alterations import altered, check_alterations
from .samples import Batch, Sample, seen_objects, stacked
from .settings import EnsamSettings

INDEX = "instances.json"
# The part of a volume that is kept around an object: what any region of it may need.
_LEAST_MARGIN_VOXELS = 64
_MARGIN_WIDTHS = 3
# The files that are indexed if only a few batches follow.
_BRIEF_FILES = 16


@dataclass(frozen=True, eq=False)
class Instances:
    """The objects of a run.

    Attributes:
        training: those to learn from.
        scored: those of the files that are held back.
    """

    training: Sequence[Instance]
    scored: Sequence[Instance]

    def epoch_of(self, place: int) -> tuple[int, int]:
        """The epoch of a place in the sequence of all epochs, and the place in it."""
        return divmod(place, len(self.training))


def index_instances(settings: EnsamSettings, progress: Progress, brief: bool = False) -> None:
    """Read the labels of all files of `data` that the index in the folder `out` lacks.

    Raises:
        CasesError, VolumeError: the files cannot be used.
    """
    if settings.alter:
        check_alterations()
    files = _files(settings)
    InstanceIndex(settings.out / INDEX).update(files[:_BRIEF_FILES] if brief else files, progress)


def open_instances(settings: EnsamSettings, brief: bool = False) -> Instances:
    """The objects of indexed files.

    Raises:
        TrainingError: the files have too few objects.
    """
    files = _files(settings)
    files = files[:_BRIEF_FILES] if brief else files
    index = InstanceIndex(settings.out / INDEX)
    order = np.random.default_rng(settings.seed).permutation(len(files))
    count = min(max(1, round(settings.held_back * len(files))), len(files) - 1)
    held_back = {files[n] for n in order[:count]}
    training = index.instances([path for path in files if path not in held_back])
    scored = index.instances([path for path in files if path in held_back])
    if not training or not scored:
        raise TrainingError(
            f"{settings.data} has {len(files)} file{'' if len(files) == 1 else 's'} with "
            f"{len(training)} objects to train on and {len(scored)} to score; at least one of each "
            "is needed, in two files."
        )
    return Instances(training, scored)


def instance_batch(
    instances: Instances, number: int, boxed: bool, settings: EnsamSettings, device: torch.device
) -> Batch:
    """The batch of a number: the next objects of an epoch in its random order.

    With `objects` above 1, objects that touch them come in addition.
    """
    groups = []
    generators = _generators(settings.seed, number, device)
    for place in range(number * settings.batch, (number + 1) * settings.batch):
        epoch, at = instances.epoch_of(place)
        order = np.random.default_rng((settings.seed, epoch)).permutation(len(instances.training))
        instance = instances.training[int(order[at])]
        groups.append(_group(instance, boxed, settings, generators, settings.alter))
    return stacked(groups, boxed, settings.views, generators)


def scored_batches(instances: Instances, settings: EnsamSettings) -> list[Batch]:
    """Objects of the files that are held back, one a batch, boxed and not altered, on the CPU."""
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(len(instances.scored))[: settings.validation_objects]
    batches = []
    for number in sorted(chosen.tolist()):
        generators = _generators(settings.seed, number, torch.device("cpu"))
        group = _group(instances.scored[number], True, settings, generators, 0.0)
        batches.append(stacked([group[:1]], True, settings.views, generators))
    return batches


def _group(
    instance: Instance,
    boxed: bool,
    settings: EnsamSettings,
    generators: RandomGenerators,
    probability: float,
) -> list[Sample]:
    widest = max(instance.box.shape_kji)
    margin = max(_LEAST_MARGIN_VOXELS, _MARGIN_WIDTHS * widest)
    crop, _ = read_crop(instance, [margin] * 3, settings.spacing_order)
    device = generators.device.device
    scene = Scene(
        torch.from_numpy(np.ascontiguousarray(crop.image.astype(np.float32))).to(device),
        torch.from_numpy(crop.labels.astype(np.int32)).to(device),
        crop.spacing_kji_mm,
    )
    return seen_objects(
        scene,
        instance.label,
        None if settings.native else settings.cells,
        boxed,
        generators,
        settings.views,
        settings.objects,
        lambda image: altered(image, probability, generators.host),
    )


def _files(settings: EnsamSettings) -> list[Path]:
    assert settings.data is not None
    return training_files(settings.data, settings.coreset, settings.exclude, settings.seed)


def _generators(seed: int, number: int, device: torch.device) -> RandomGenerators:
    mixed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    return RandomGenerators.seeded(mixed, device)
