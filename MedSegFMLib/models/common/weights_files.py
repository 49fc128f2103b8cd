"""A check of the values in files of weights whose network cannot be loaded on this computer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...progress import Progress
from ...weights.torch_file import is_safetensors
from .state_dict import check_finite, read_checkpoint

_ENDINGS = (".pt", ".pth", ".safetensors")
_ADVICE = "use weights as they were published or trained"
# Keys under which trainers store what is not of the network: its masks may be infinite.
_NOT_WEIGHTS = ("optimizer", "optimizer_state", "optimizer_state_dict", "grad_scaler_state")


def check_files(path: Path, progress: Progress) -> None:
    """Check the values in a file, or in the files of a folder, one tensor at a time.

    safetensors need their package, torch's format needs torch; without them nothing is checked.

    Raises:
        WeightsError: If a value is not a finite number, or a file holds more than tensors.
    """
    files = [file for file in path.rglob("*") if file.suffix in _ENDINGS]
    for file in files if path.is_dir() else [path]:
        progress(0.0, "Checking the values")
        for name, tensor in _tensors(file):
            check_finite({name: tensor}, file)


def _tensors(file: Path) -> Iterator[tuple[str, Any]]:
    has_torch = find_spec("torch") is not None
    if not is_safetensors(file):
        yield from _within(read_checkpoint(file, _ADVICE)) if has_torch else ()
    elif find_spec("safetensors") is not None:
        from safetensors import safe_open

        with safe_open(str(file), framework="pt" if has_torch else "np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                yield name, tensors.get_tensor(name)


def _within(content: object) -> Iterator[tuple[str, Any]]:
    """The tensors in nested mappings, which may be nested deeply or contain themselves."""
    from torch import Tensor

    waiting, seen = [("", content)], set()
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, Tensor):
            yield name, item
        elif isinstance(item, Mapping) and id(item) not in seen:
            seen.add(id(item))
            waiting += [(str(key), value) for key, value in item.items() if key not in _NOT_WEIGHTS]
