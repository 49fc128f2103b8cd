"""Labelled volumes to train on, from a CASES.json or from synthesis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume

# Synthetic volumes that are held back, for each one that is trained on.
_HELD_BACK_SHARE = 0.25
# Held-back synthetic volumes have numbers far from those of any training.
_FIRST_HELD_BACK = 1 << 20


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """An image with its labels.

    Attributes:
        name: the name of the case.
        modality: its modality.
        image: the image.
        labels_kji: (K, J, I) int16 on the image's grid.
        objects: the names of the objects by label; other labels do not count.
    """

    name: str
    modality: str
    image: Volume
    labels_kji: NDArray[np.int16]
    objects: dict[int, str]


def open_volumes(
    cases: Path | None, held_back: str, synthetic: int, side: int, seed: int
) -> tuple[list[LabelledVolume], list[LabelledVolume]]:
    """The volumes to train on, and the volumes to score.

    Args:
        cases: a CASES.json; None for random scenes.
        held_back: the names of the cases to score, separated by commas; the last case if empty.
        synthetic: the number of random scenes to train on; a quarter as many, at least one, are
            scored.
        side: voxels of a random scene along each axis.
        seed: the seed of the random scenes.

    Raises:
        CasesError: the cases cannot be used.
        TrainingError: no case is left to train on, or a name is unknown.
    """
    if cases is None:
        scored = max(1, round(_HELD_BACK_SHARE * synthetic))
        numbers = [*range(synthetic), *(_FIRST_HELD_BACK + n for n in range(scored))]
        scenes = [_scene(number, side, seed) for number in numbers]
        return scenes[:synthetic], scenes[synthetic:]
    return _of_cases(cases, held_back)


def manifest(volumes: Sequence[LabelledVolume]) -> list[dict[str, Any]]:
    """A record of each volume: name, size, and the SHA-256 of voxels and labels."""
    return [
        {
            "name": volume.name,
            "shape_kji": list(volume.labels_kji.shape),
            "image_sha256": _digest(volume.image.array_kji),
            "labels_sha256": _digest(volume.labels_kji),
        }
        for volume in volumes
    ]


def _of_cases(path: Path, requested: str) -> tuple[list[LabelledVolume], list[LabelledVolume]]:
    # Reading cases needs SimpleITK, which may be missing if training uses only synthesis.
    from ..datasets.cases import read_cases
    from ..datasets.loading import load_case

    listed = read_cases(path)
    names = [case.name for case in listed]
    # A name may have a comma itself.
    parts = [name.strip() for name in requested.split(",") if name.strip()]
    held_back = [requested] if requested in names else parts
    absent = [name for name in held_back if name not in names]
    if absent:
        raise TrainingError(
            f"{path} has no case {', '.join(absent)} to hold back; it has {', '.join(names)}."
        )
    held_back = held_back or names[-1:]
    if len(held_back) == len(names):
        raise TrainingError(
            f"{path} leaves no case to train on besides {', '.join(held_back)}, held back to "
            "score; add a case."
        )
    training: list[LabelledVolume] = []
    scored: list[LabelledVolume] = []
    for case in listed:
        loaded = load_case(case)
        kept = dict(case.objects)
        labels = _only(case.name, loaded.label.array_kji, list(kept))
        volume = LabelledVolume(case.name, case.modality, loaded.image, labels, kept)
        (scored if case.name in held_back else training).append(volume)
    return training, scored


def _only(case: str, labels_kji: NDArray[Any], kept: Sequence[int]) -> NDArray[np.int16]:
    """The labels to learn from, with 0 elsewhere; TrainingError for a label beyond 16 bits."""
    most = np.iinfo(np.int16).max
    for label in kept:
        if not 0 < label <= most:
            raise TrainingError(
                f"Case {case}: the label {label} is not from 1 to {most}; give it another number."
            )
    return np.where(np.isin(labels_kji, kept), labels_kji, 0).astype(np.int16)


def _scene(number: int, side: int, seed: int) -> LabelledVolume:
    import torch

    from ..synthesis.random.source import RandomSource
    from ..synthesis.scene import RandomGenerators

    scene_seed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    scene = RandomSource().scene(
        (side, side, side), RandomGenerators.seeded(scene_seed, torch.device("cpu"))
    )
    labels = scene.labels.numpy().astype(np.int16)
    return LabelledVolume(
        f"scene {number}",
        "any",
        Volume(
            scene.image.numpy(), Geometry.from_spacing(labels.shape, scene.spacing_kji_mm[::-1])
        ),
        labels,
        {int(label): f"object {label}" for label in np.unique(labels) if label},
    )


def digest(records: Sequence[Mapping[str, Any]]) -> str:
    """The SHA-256 of a manifest."""
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
