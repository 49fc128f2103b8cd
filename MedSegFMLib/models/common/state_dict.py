"""Tensors of a checkpoint by name, without anything else the file contains.

Imports without torch, which all but `check_finite` of arrays needs.
"""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from ...weights.safetensors_header import read_header
from ...weights.torch_file import check_torch_file, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

# Raised by torch and its unpickler for damaged or forged files.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
# Networks compute in 32 bits: larger numbers would become infinite.
_LARGEST = float(np.finfo(np.float32).max)
_MOST_SHOWN, _MOST_REASON = 80, 200

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
        return read_safetensors(path)
    content = read_checkpoint(path, advice)
    for key in holders:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return check_state_dict(content, path, advice)


def read_checkpoint(path: Path, advice: str) -> Any:
    """Read the whole content of a file in torch's format: tensors, numbers and strings only.

    Numbers and arrays of NumPy, and a training script's settings, are read as objects without a
    value.

    Raises:
        WeightsError: As in `read_state_dict`.
    """
    import torch

    check_torch_file(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_valueless_globals()):
            # They are about how the file was written, of which the user knows nothing.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
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
        isinstance(name, str) and isinstance(t, torch.Tensor) and _is_dense(t)
        for name, t in content.items()
    ):
        raise WeightsError(f"{path} holds something other than a network's tensors; {advice}.")
    return content


def check_finite(values: Mapping[str, Tensor | NDArray[Any]], path: Path) -> None:
    """Check that a network's numbers are real and finite in 32 bits; a network of others is blind.

    Whole numbers and truth values always are.

    Args:
        values: Tensors of torch, or arrays, by name.
        path: The file, for the message.

    Raises:
        WeightsError: If one is NaN, infinite, complex or beyond 32 bits.
    """
    for name, value in values.items():
        if not _is_finite(value):
            raise WeightsError(
                f"{path} contains values that are not finite numbers (in {name[:_MOST_SHOWN]!a}), "
                "with which nothing can be segmented; get it again, or use another training's."
            )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file.

    Raises:
        WeightsError: If the file is missing, truncated or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    read_header(path)
    try:
        tensors: dict[str, Tensor] = load_file(str(path))
    except (SafetensorError, *_DAMAGE) as error:
        raise unreadable_safetensors(path, error) from error
    return tensors


def unreadable_safetensors(path: Path, error: Exception) -> WeightsError:
    """The error for a safetensors file that its library cannot read."""
    reason = " ".join(str(error).split())[:_MOST_REASON]
    return WeightsError(f"{path} cannot be read as safetensors ({reason}); get it again.")


def _is_finite(value: Tensor | NDArray[Any]) -> bool:
    """See `check_finite`. Extremes need no copy of the values; NaN is both of them."""
    if isinstance(value, np.ndarray):
        is_real, is_float = value.dtype.kind in "fiub", value.dtype.kind == "f"
        extremes = (value.min(), value.max()) if is_float and value.size else (0, 0)
    else:
        is_real, is_float = not value.is_complex(), value.is_floating_point()
        # Elements may share their values, and be more than fit into memory.
        stored = value.untyped_storage().nbytes() // value.element_size()
        if value.numel() > stored:
            value = value.as_strided((stored,), (1,), 0)
        # Types of 8 bits have no extremes.
        wide = value.float() if value.element_size() == 1 else value
        extremes = tuple(wide.aminmax()) if is_float and value.numel() else (0, 0)
    return is_real and all(-_LARGEST <= float(extreme) <= _LARGEST for extreme in extremes)


def _is_dense(tensor: Tensor) -> bool:
    """Whether a tensor has a plain value for each of its elements."""
    import torch

    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    return is_plain and not (tensor.is_quantized or tensor.is_nested)


class _Valueless:
    """A stand-in for every class and function that a checkpoint may name; it does nothing.

    numpy's own must not be on the list: torch passes them states from the file, and a forged state
    of a type turns raw bytes into pointers to objects.
    """

    def __new__(cls, *_: object) -> _Valueless:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


def _valueless_globals() -> list[tuple[type[_Valueless], str]]:
    """The stand-in under each name; numpy 2 renamed the module that makes numbers and arrays."""
    names = [
        # The settings of a training script.
        "argparse.Namespace",
        *("numpy.dtype", "numpy.ndarray"),
        *(
            f"{module}.{name}"
            for module in ("numpy.core.multiarray", "numpy._core.multiarray")
            for name in ("scalar", "_reconstruct")
        ),
        *(f"numpy.dtypes.{name}" for name in _NUMPY_TYPES),
    ]
    return [(_Valueless, name) for name in names]
