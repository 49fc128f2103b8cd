"""Where a training of ENSAM stands, to and from a checkpoint or weights to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ..errors import TrainingError
from ..models import ensam_weights
from . import checkpoint as checkpoints
from .ensam_settings import EnsamSettings
from .learner import Learner

_RECIPE = "ensam"


@dataclass
class Counters:
    """What a run has done in all its calls, and processes.

    batches: made, each with a number of its own. samples: objects in them. steps: of the optimiser.
    """

    batches: int = 0
    samples: int = 0
    steps: int = 0
    minutes: float = 0.0


def save(settings: EnsamSettings, learner: Learner, counters: Counters) -> None:
    """Write the checkpoint; OutputError where that fails."""
    told = {
        "recipe": _RECIPE,
        "settings": {key: str(value) for key, value in asdict(settings).items()},
        **asdict(counters),
    }
    optimisers = [optimiser.state_dict() for optimiser in learner.optimisers]
    state = checkpoints.Checkpoint(learner.network.state_dict(), optimisers, told)
    checkpoints.save(settings.out, state)


def resume(settings: EnsamSettings, learner: Learner) -> Counters:
    """Bring a fresh learner to where the folder's checkpoint, or `settings.start`, stands.

    Raises TrainingError where that is of another network, WeightsError where `start` is unusable.
    """
    found = checkpoints.load(settings.out)
    if found is None:
        if settings.start is not None:
            _begin_with_weights(settings, learner)
        return Counters()
    _check_same(settings, found.counters)
    try:
        learner.network.load_state_dict(found.network)
        for optimiser, state in zip(learner.optimisers, found.optimisers, strict=True):
            _restore(optimiser, state)
        return _counters(found.counters)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"The checkpoint in {settings.out} is of another network or optimiser; train into "
            "another folder."
        ) from error


def _begin_with_weights(settings: EnsamSettings, learner: Learner) -> None:
    assert settings.start is not None
    given = ensam_weights.load(settings.start)
    wanted = settings.network()
    if replace(given.config, cells=wanted.cells) != wanted:
        own = asdict(wanted)
        others = [f"{k}={str(v).lower()}" for k, v in asdict(given.config).items() if v != own[k]]
        raise TrainingError(
            f"{settings.start} is of another network; add {' '.join(others)}, or leave out start=."
        )
    learner.network.load_state_dict(given.state_dict())


def _check_same(settings: EnsamSettings, counters: Mapping[str, Any]) -> None:
    if counters.get("recipe", _RECIPE) != _RECIPE:
        raise TrainingError(
            f"{settings.out} holds a checkpoint of the recipe {counters['recipe']}; train into "
            "another folder."
        )
    before = counters.get("settings", {})
    own = asdict(settings)
    for key in (*asdict(settings.network()), "optimiser"):
        if key in before and before[key] != str(own[key]):
            raise TrainingError(
                f"{key} is {str(own[key]).lower()}, but the checkpoint in {settings.out} has "
                f"{key}={before[key].lower()}; give that, or train into another folder (start= "
                "takes weights along)."
            )


def _restore(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take the moments along; rate and decay are those of this call."""
    own = optimiser.state_dict()["param_groups"]
    if [g["params"] for g in own] != [g["params"] for g in state["param_groups"]]:
        raise ValueError("other groups of parameters")
    optimiser.load_state_dict({"state": state["state"], "param_groups": own})


def _counters(told: Mapping[str, Any]) -> Counters:
    batches = int(told["batches"])
    # The first checkpoints counted batches of one size.
    samples = told["samples"] if "samples" in told else batches * int(told["settings"]["batch"])
    return Counters(batches, int(samples), int(told["steps"]), float(told["minutes"]))
