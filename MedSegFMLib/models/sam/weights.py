"""SAM's weights as a file: torch's format or safetensors, tensors named as published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import WeightsError
from ...weights.layout import check_layout
from ...weights.saving import save_tensors
from ..common.state_dict import check_finite, read_state_dict
from .layouts.transformers_files import HOLDERS
from .network.config import PUBLISHED, SamConfig, infer_config

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .network.network import Sam

_ADVICE = "give a checkpoint as segment_anything or MedSAM publishes it"


def load(path: Path, config: SamConfig | None = None) -> Sam:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    The caller must check the file's SHA-256 first.

    Args:
        path: The checkpoint.
        config: The required configuration; None for any of the published ones.

    Raises:
        WeightsError: If the file is missing, truncated, of another network, or contains anything
            but tensors.
    """
    return from_tensors(read_state_dict(path, HOLDERS, _ADVICE), path, config)


def from_tensors(state: Mapping[str, Tensor], path: Path, config: SamConfig | None = None) -> Sam:
    """Load the network as `load` does, from tensors that were read from `path`."""
    import torch

    from .network.network import Sam

    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    config = config or infer_config(shapes)
    if config is None:
        raise WeightsError(
            f"{path} contains none of SAM's networks ({', '.join(PUBLISHED)}); {_ADVICE}."
        )
    with torch.device("meta"):
        network = Sam(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_layout(shapes, expected, path, f"SAM's {config.name}", _ADVICE)
    check_finite(state, path)
    network.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    network.requires_grad_(False)
    return network


def save(network: nn.Module, path: Path) -> None:
    """Write a network's weights as safetensors, named as published, or as in transformers.

    Raises:
        OutputError: If the file cannot be written.
    """
    save_tensors(path, network.state_dict())
