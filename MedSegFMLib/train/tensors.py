"""The tensors in a batch of any make, to move or to keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..atomic import atomic_path


def on_device(batch: Any, device: torch.device) -> Any:
    """The batch, of dataclasses, mappings, sequences and tensors, with its tensors on a device."""
    return _mapped(batch, lambda tensor: tensor.to(device))


def save_batch(batch: Any, path: Path) -> None:
    """Write a batch's tensors as safetensors, named by where they stand in it."""
    from safetensors.torch import save_file

    found: dict[str, Tensor] = {}
    _collect(batch, "", found)
    with atomic_path(path) as beside:
        save_file(found, str(beside))


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


def _collect(value: Any, name: str, found: dict[str, Tensor]) -> None:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Tensor):
        found[name or "batch"] = value.detach().cpu().contiguous().clone()
        return
    if is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, list | tuple):
        value = {str(n): part for n, part in enumerate(value)}
    if isinstance(value, Mapping):
        for key, part in value.items():
            _collect(part, f"{name}.{key}" if name else str(key), found)
