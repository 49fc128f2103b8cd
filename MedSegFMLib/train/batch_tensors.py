"""The tensors in a batch of any type: move or save them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..weights.saving import save_tensors


def on_device(batch: Any, device: torch.device) -> Any:
    """Move the tensors of a batch to a device.

    Args:
        batch: dataclasses, mappings, sequences and tensors, nested.
        device: the device.
    """
    return _mapped(batch, lambda tensor: tensor.to(device))


def save_batch(batch: Any, path: Path) -> None:
    """Write a batch as safetensors.

    The tensors are named by their place in the batch. Other values, such as the name of a volume
    and the prompt, are written to the metadata.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    _collect(batch, "", tensors, metadata)
    save_tensors(path, tensors, metadata)


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _mapped(getattr(value, f.name), change) for f in fields(value)}
        return type(value)(**parts)
    if isinstance(value, Mapping):
        return {key: _mapped(part, change) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(part, change) for part in value)
    return value


def _collect(value: Any, name: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Tensor):
        tensors[name or "batch"] = value.clone()
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            _collect(getattr(value, field.name), _inner(name, field.name), tensors, metadata)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _collect(part, _inner(name, str(key)), tensors, metadata)
    elif isinstance(value, list | tuple) and any(_holds_tensors(part) for part in value):
        for number, part in enumerate(value):
            _collect(part, _inner(name, str(number)), tensors, metadata)
    else:
        metadata[name or "batch"] = str(value)


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray | Mapping) or is_dataclass(value)


def _inner(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part
