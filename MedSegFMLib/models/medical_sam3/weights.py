"""SAM3's weights as a file: transformers' layout or its authors', safetensors or torch's format.

A `config.json` as written by transformers may lie beside the file; without one the network is the
published one, with 840,376,374 parameters.
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
from ..sam.layouts.transformers_files import CONFIG as CONFIG
from ..sam.layouts.transformers_files import HOLDERS
from ..sam.layouts.transformers_files import IN_FOLDER as IN_FOLDER
from .config_file import config_beside as config_beside
from .tensor_names import bare, is_left_over, is_upstream, source_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Sam3Config, Sam3Model

    from ...weights.layout import Shapes

_ADVICE = "give a checkpoint of SAM3 or Medical SAM3 as it is published"


def find_weights_file(path: Path) -> Path:
    """The file of weights: the path itself, or the file in a folder from transformers or training.

    Raises:
        WeightsError: For a folder without such a file.
    """
    if not path.is_dir():
        return path
    if not (path / IN_FOLDER).is_file():
        raise WeightsError(f"The folder {path} has no {IN_FOLDER}; give the file of the weights.")
    return path / IN_FOLDER


def load(path: Path) -> Sam3Model:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    The tracker's tensors, if the file has them, are ignored.

    Raises:
        WeightsError: If the file is missing, altered or truncated, or lacks a tensor or has an
            unknown one.
    """
    return load_detector(read_checkpoint(path), path)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file under their names there.

    Raises:
        WeightsError: If the file is missing, altered or truncated.
    """
    store.verify_recorded(path)
    return read_state_dict(path, HOLDERS, _ADVICE)


def load_detector(held: Mapping[str, Tensor], path: Path) -> Sam3Model:
    """Load the network as `load` does, from tensors that were read from `path`."""
    config = config_beside(path)
    with configuration_errors("medical-sam3", path, "SAM3 has", _ADVICE):
        expected = expected_shapes(config)
        check_parameters(expected.values(), "the network")
        state = as_transformers(detector_tensors(held), expected, path)
        check_finite(state, path)
        network: Any = empty_network(config)
        network.load_state_dict({n: tensor.float() for n, tensor in state.items()}, assign=True)
    network.requires_grad_(False)
    network.eval()
    return cast("Sam3Model", network)


def empty_network(config: Sam3Config) -> Sam3Model:
    """The network on the CPU with its weights unset; computed tables are set."""
    from transformers import Sam3Model, initialization

    with initialization.no_init_weights():
        return Sam3Model(config)


def expected_shapes(config: Sam3Config) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of the network, in transformers' layout without a prefix."""
    import torch
    from transformers import Sam3Model

    with torch.device("meta"):
        network = Sam3Model(config)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def detector_tensors(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The detector's tensors of a checkpoint by bare name."""
    named = {name: bare(name) for name in held}
    return {own: held[name] for name, own in named.items() if own is not None}


def as_transformers(
    tensors: Mapping[str, Tensor], expected: Shapes, path: Path
) -> dict[str, Tensor]:
    """Convert a detector's tensors from either layout to transformers'.

    Args:
        tensors: The detector's tensors.
        expected: transformers' shapes by name.
        path: The checkpoint, for the error message.

    Raises:
        WeightsError: If tensors are missing, unknown or of the wrong shape; the message has their
            names in the file's layout.
    """
    if not is_upstream(tensors):
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        check_layout(shapes, expected, path, "SAM3", _ADVICE)
        return {name: tensors[name] for name in expected}
    used = {name: tensor for name, tensor in tensors.items() if not is_left_over(name)}
    return from_authors(used, expected, lambda name: (source_of(name),), path, "SAM3", _ADVICE)


def write_config(config: Any, path: Path) -> None:
    """Write a configuration for transformers.

    Raises:
        OutputError: If the file cannot be written.
    """
    from ...system.atomic_files import write_text

    write_text(path, config.to_json_string())
