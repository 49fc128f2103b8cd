"""Tensors of a checkpoint by name, without anything else the file contains. Needs torch."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.torch_file import check_torch_file, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

# Types of the numbers that trainers store beside the tensors, such as the losses of each epoch.
_NUMPY_TYPES = [
    f"{name}DType" for name in ("Float16", "Float32", "Float64", "Int32", "Int64", "Bool")
]


def read_state_dict(path: Path, holders: Sequence[str], advice: str) -> dict[str, Tensor]:
    """Read the tensors of a file in torch's format or safetensors.

    The caller must check the file's SHA-256 first.

    Args:
        path: The checkpoint.
        holders: Keys under which scripts store the state dict beside the optimiser's.
        advice: The way out that the error message gives.

    Raises:
        WeightsError: If the file is missing or truncated, or contains anything but tensors, numbers
            and strings, which is never loaded.
    """
    check_torch_file(path)
    if is_safetensors(path):
        return _read_safetensors(path)
    content = read_checkpoint(path, advice)
    for key in holders:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return check_state_dict(content, path, advice)


def read_checkpoint(path: Path, advice: str) -> Any:
    """Read the whole content of a file in torch's format: tensors, numbers and strings only.

    Numbers and arrays of NumPy are read as objects without a value.

    Raises:
        WeightsError: As in `read_state_dict`.
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


def check_state_dict(content: object, path: Path, advice: str) -> dict[str, Tensor]:
    """Return `content` if it is a mapping from names to tensors.

    Raises:
        WeightsError: If it is anything else.
    """
    import torch

    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(t, torch.Tensor) for name, t in content.items()
    ):
        raise WeightsError(f"{path} holds something other than a network's tensors; {advice}.")
    return content


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
