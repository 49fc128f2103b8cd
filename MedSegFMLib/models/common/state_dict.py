"""The tensors of a checkpoint by name, and nothing else that it may hold. Needs torch."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.torch_file import check_torch_file, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

# Types of the numbers that trainers keep beside the tensors, such as the losses of each epoch.
_NUMPY_TYPES = [
    f"{name}DType" for name in ("Float16", "Float32", "Float64", "Int32", "Int64", "Bool")
]


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

    Numbers and arrays of numpy are read as objects without a value.

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


class _NumpyValue:
    """A stand-in for every class and function of numpy that a checkpoint may name; it does nothing.

    numpy's own must not be on the list: torch passes them states from the file, and a forged state
    of a type turns raw bytes into pointers to objects.
    """

    def __new__(cls, *_: object) -> _NumpyValue:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


def _numpy_globals() -> list[tuple[type[_NumpyValue], str]]:
    """The stand-in under each name; numpy 2 renamed the module that makes numbers and arrays."""
    names = [
        *("numpy.dtype", "numpy.ndarray"),
        *(
            f"{module}.{name}"
            for module in ("numpy.core.multiarray", "numpy._core.multiarray")
            for name in ("scalar", "_reconstruct")
        ),
        *(f"numpy.dtypes.{name}" for name in _NUMPY_TYPES),
    ]
    return [(_NumpyValue, name) for name in names]
