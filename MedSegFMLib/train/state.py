"""The state of a training run, written to and read from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..errors import TrainingError
from . import checkpoint as checkpoints
from .counters import Counters
from .task import Task


def save(folder: Path, recipe: str, settings: Any, task: Task, counters: Counters) -> None:
    """Write the checkpoint.

    Raises:
        OutputError: it cannot be written.
    """
    index = {
        "recipe": recipe,
        "settings": {key: str(value) for key, value in asdict(settings).items()},
        "same": {key: str(value) for key, value in task.must_match.items()},
        **asdict(counters),
    }
    optimisers = [optimiser.state_dict() for optimiser in task.optimisers]
    checkpoints.save(folder, checkpoints.Checkpoint(task.state(), optimisers, index))


def resume(folder: Path, recipe: str, settings: Any, task: Task) -> Counters:
    """Restore a new task from the folder's checkpoint, or begin it if there is none.

    Returns:
        The counters of the checkpoint, or new ones.

    Raises:
        TrainingError: the checkpoint is of another recipe or network.
    """
    checkpoint = checkpoints.load(folder)
    if checkpoint is None:
        task.begin()
        return Counters()
    _check_same(folder, recipe, settings, task, checkpoint.counters)
    try:
        task.restore(checkpoint.network)
        for optimiser, state in zip(task.optimisers, checkpoint.optimisers, strict=True):
            _restore(optimiser, state)
        return Counters(**{name: checkpoint.counters[name] for name in asdict(Counters())})
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"The checkpoint in {folder} is of another network or optimiser; train into another "
            "folder."
        ) from error


def _check_same(
    folder: Path, recipe: str, settings: Any, task: Task, counters: Mapping[str, Any]
) -> None:
    if counters.get("recipe") != recipe:
        raise TrainingError(
            f"{folder} contains a checkpoint of the recipe {counters.get('recipe')}; train into "
            "another folder."
        )
    # Checkpoints written before `must_match` was stored contain all settings.
    before = {**counters.get("settings", {}), **counters.get("same", {})}
    for key, value in task.must_match.items():
        if before.get(key, str(value)) == str(value):
            continue
        if getattr(settings, key, None) != value:
            raise TrainingError(
                f"The checkpoint in {folder} is of another {key}; train into another folder."
            )
        raise TrainingError(
            f"{key} is {str(value).lower()}, but the checkpoint in {folder} has "
            f"{key}={before[key].lower()}; give that, or train into another folder."
        )


def _restore(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore the moments; the rate and the decay are those of this call."""
    groups = optimiser.state_dict()["param_groups"]
    if [g["params"] for g in groups] != [g["params"] for g in state["param_groups"]]:
        raise ValueError("other groups of parameters")
    optimiser.load_state_dict({"state": state["state"], "param_groups": groups})
