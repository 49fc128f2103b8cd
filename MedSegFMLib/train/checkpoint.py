"""The state of a training run, stored as a folder of safetensors files of limited size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import TrainingError
from ..system.atomic_files import write_text
from ..system.json_files import load_json
from ..weights.saving import save_tensors

# Small enough for most ways of transferring files.
LARGEST_FILE_BYTES = 15_000_000
_INDEX = "checkpoint.json"
_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run.

    Attributes:
        network: the state dict of the network.
        optimisers: the state dicts of the optimisers.
        counters: numbers and text, such as the number of samples seen.
    """

    network: dict[str, Tensor]
    optimisers: Sequence[dict[str, Any]]
    counters: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the previous one stays valid until this one is complete.

    Raises:
        OutputError: it cannot be written.
    """
    tensors = {f"network.{name}": tensor for name, tensor in checkpoint.network.items()}
    groups = []
    for number, optimiser in enumerate(checkpoint.optimisers):
        groups.append(optimiser["param_groups"])
        for index, state in optimiser["state"].items():
            for name, tensor in state.items():
                tensors[f"optimiser.{number}.{index}.{name}"] = tensor
    generation = _generation(folder) + 1
    files = []
    for number, part in enumerate(_parts(tensors)):
        files.append(f"checkpoint-{generation}-{number}.safetensors")
        save_tensors(folder / files[-1], part)
    index = {
        "version": _VERSION,
        "generation": generation,
        "files": files,
        "groups": groups,
        "counters": dict(checkpoint.counters),
    }
    write_text(folder / _INDEX, json.dumps(index, indent=1))
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name not in files:
            old.unlink(missing_ok=True)


def load(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of a folder; returns None if there is none.

    Raises:
        TrainingError: it is damaged, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / _INDEX).is_file():
        return None
    tensors: dict[str, Tensor] = {}
    try:
        index = load_json(folder / _INDEX, dict)
        version = index["version"]
        if version == _VERSION:
            for file in index["files"]:
                tensors |= load_file(str(folder / file))
            return _assemble(tensors, index["groups"], index["counters"])
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        SafetensorError,
    ) as error:
        raise TrainingError(
            f"The checkpoint in {folder} cannot be read ({error}); restore its files, or train "
            "into another folder."
        ) from error
    raise TrainingError(
        f"{folder} holds a checkpoint of version {version}, not {_VERSION}; train into another "
        "folder."
    )


def _assemble(
    tensors: Mapping[str, Tensor], groups: Sequence[Any], counters: Mapping[str, Any]
) -> Checkpoint:
    network: dict[str, Tensor] = {}
    optimisers: list[dict[str, Any]] = [{"state": {}, "param_groups": group} for group in groups]
    for key, tensor in tensors.items():
        kind, _, name = key.partition(".")
        if kind == "network":
            network[name] = tensor
        else:
            number, place, name = name.split(".", 2)
            optimisers[int(number)]["state"].setdefault(int(place), {})[name] = tensor
    return Checkpoint(network, optimisers, dict(counters))


def _generation(folder: Path) -> int:
    try:
        return int(load_json(folder / _INDEX, dict)["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _parts(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors in files of limited size, in their order; a larger one gets a file of its own."""
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        size += tensor.nbytes
        if parts[-1] and size > LARGEST_FILE_BYTES:
            parts.append({})
            size = tensor.nbytes
        parts[-1][name] = tensor
    return parts
