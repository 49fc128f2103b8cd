"""MedSAM2's weights as a file: its authors' `.pt` layout, or transformers' `model.safetensors`.

A `config.json` as written by transformers may lie beside the file; without one the network is
MedSAM2's, with 38,962,498 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...errors import WeightsError
from ...weights import store
from ...weights.layout import check_layout
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite, read_state_dict
from ..sam.layouts.authors_layout import from_authors
from ..sam.layouts.transformers_files import HOLDERS, IN_FOLDER
from ..sam.sam2.tensor_names import is_upstream, sources_of
from .config_file import NAME, config_beside

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Sam2VideoConfig, Sam2VideoModel

    from ...weights.layout import Shapes

_NETWORK = "SAM 2.1"
_ADVICE = "give one of MedSAM2's .pt files as they are published"


def find_weights_file(path: Path) -> Path:
    """The file of weights: the path itself, or the file in a folder from transformers.

    Raises:
        WeightsError: For a folder without such a file.
    """
    if not path.is_dir():
        return path
    if not (path / IN_FOLDER).is_file():
        raise WeightsError(f"The folder {path} has no {IN_FOLDER}; {_ADVICE}.")
    return path / IN_FOLDER


def load(path: Path) -> Sam2VideoModel:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    Raises:
        WeightsError: If the file is missing, altered or truncated, contains anything but tensors,
            or lacks a tensor or has an unknown one.
    """
    store.verify_recorded(path)
    held = read_state_dict(path, HOLDERS, _ADVICE)
    config = config_beside(path)
    with configuration_errors(NAME, path, f"{_NETWORK} has", _ADVICE):
        expected = expected_shapes(config)
        check_parameters(expected.values(), "the network")
        state = as_transformers(held, expected, path)
        check_finite(state, path)
        network: Any = empty_network(config)
        network.load_state_dict({n: tensor.float() for n, tensor in state.items()}, assign=True)
    network.requires_grad_(False)
    network.eval()
    return cast("Sam2VideoModel", network)


def empty_network(config: Sam2VideoConfig) -> Sam2VideoModel:
    """The network on the CPU with its weights unset; computed tables are set."""
    from transformers import Sam2VideoModel, initialization

    with initialization.no_init_weights():
        return Sam2VideoModel(config)


def expected_shapes(config: Sam2VideoConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of the network, in transformers' layout."""
    import torch

    with torch.device("meta"):
        network: Any = empty_network(config)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def as_transformers(
    tensors: Mapping[str, Tensor], expected: Shapes, path: Path
) -> dict[str, Tensor]:
    """Convert tensors from either layout to transformers'.

    Args:
        tensors: The tensors of a file.
        expected: transformers' shapes by name.
        path: The file, for the error message.

    Raises:
        WeightsError: If tensors are missing, unknown or of the wrong shape; the message has their
            names in the file's layout.
    """
    if not is_upstream(tensors):
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        check_layout(shapes, expected, path, _NETWORK, _ADVICE)
        return {name: tensors[name] for name in expected}
    return from_authors(tensors, expected, sources_of, path, _NETWORK, _ADVICE)
