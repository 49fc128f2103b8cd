"""SAM's weights as a file: torch's format or safetensors, tensors named as published."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from ..networks.sam_config import PUBLISHED, SamConfig, config_of
from ..weights.layout import check_layout
from ..weights.torch_file import check_torch_file, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

    from ..networks.sam import Sam

# Under these names training scripts keep the state dict beside their optimiser's.
_HOLDERS = ("model", "state_dict")

_WAY_OUT = "give a checkpoint as segment_anything or MedSAM publishes it"


def load(path: Path, config: SamConfig | None = None) -> Sam:
    """The network whose weights a file holds, on the CPU, in evaluation mode, float32.

    config: what it must be; None for whichever of the published ones it is.

    Its SHA-256 is for the caller to check first. Raises WeightsError where the file is missing,
    truncated, of another network, or holds anything but tensors.
    """
    import torch

    from ..networks.sam import Sam

    state = _read(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    config = config or config_of(shapes)
    if config is None:
        raise WeightsError(
            f"{path} holds none of SAM's networks ({', '.join(PUBLISHED)}); {_WAY_OUT}."
        )
    with torch.device("meta"):
        network = Sam(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_layout(shapes, expected, path, f"SAM's {config.name}", _WAY_OUT)
    network.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    network.requires_grad_(False)
    return network


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name."""
    import torch

    check_torch_file(path)
    if is_safetensors(path):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors: dict[str, Tensor] = load_file(str(path))
        except SafetensorError as error:
            raise WeightsError(f"{path} cannot be read as safetensors ({error}).") from error
        return tensors
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} is damaged, or holds more than tensors, which is never loaded; {_WAY_OUT}."
        ) from error
    for holder in _HOLDERS:
        if isinstance(held, dict) and isinstance(held.get(holder), dict):
            held = held[holder]
    if not isinstance(held, dict) or not all(
        isinstance(name, str) and isinstance(t, torch.Tensor) for name, t in held.items()
    ):
        raise WeightsError(f"{path} holds something else than a network's tensors; {_WAY_OUT}.")
    return held
