"""The tensors of a checkpoint by name, and nothing else that it may hold. Needs torch."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import WeightsError
from ...weights.torch_file import check_torch_file, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

# Numbers of numpy, which trainers keep beside the tensors, as losses of each epoch.
_NUMBERS = ("float16", "float32", "float64", "int32", "int64", "bool")


def read_state_dict(path: Path, holders: Sequence[str], advice: str) -> dict[str, Tensor]:
    """The tensors of a file in torch's format or safetensors.

    holders: under these names scripts keep the state dict beside their optimiser's. advice: what
    to give instead, as the message says it.

    Its SHA-256 is for the caller to check first. Raises WeightsError where the file is missing or
    truncated, or holds anything but tensors, numbers and words, which is never loaded.
    """
    check_torch_file(path)
    if is_safetensors(path):
        return _read_safetensors(path)
    held = read_checkpoint(path, advice)
    for holder in holders:
        if isinstance(held, dict) and isinstance(held.get(holder), dict):
            held = held[holder]
    return check_state_dict(held, path, advice)


def read_checkpoint(path: Path, advice: str) -> Any:
    """All that a file in torch's format holds, tensors, numbers and words alone.

    Raises WeightsError as `read_state_dict` does.
    """
    import torch

    check_torch_file(path)
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} is damaged, or holds more than tensors, which is never loaded; {advice}."
        ) from error


def check_state_dict(held: object, path: Path, advice: str) -> dict[str, Tensor]:
    """What was read, where it is tensors by name; WeightsError else."""
    import torch

    if not isinstance(held, dict) or not all(
        isinstance(name, str) and isinstance(t, torch.Tensor) for name, t in held.items()
    ):
        raise WeightsError(f"{path} holds something else than a network's tensors; {advice}.")
    return held


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(str(path))
    except SafetensorError as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}).") from error
    return tensors


def _numpy_globals() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What makes numbers and arrays of numpy out of bytes; numpy 2 renamed the module they are in.

    They call nothing that a file could choose.
    """
    makers: dict[str, Any] = {
        "scalar": np.float64(0).__reduce__()[0],
        "_reconstruct": np.zeros(0).__reduce__()[0],
    }
    allowed: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [np.dtype, np.ndarray]
    for name, maker in makers.items():
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            allowed.append((maker, f"{module}.{name}"))
    return [*allowed, *{type(np.dtype(name)) for name in _NUMBERS}]
