"""SAM-Med3D's weights as a file: torch's format, named as the package's network names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...system.foreign_errors import loading_errors
from ...weights import store
from ...weights.layout import check_layout
from ..common.quiet import quiet
from ..common.state_dict import check_finite, read_state_dict
from .sizes import PUBLISHED, NetworkSizes, infer_sizes

if TYPE_CHECKING:
    from torch.nn import Module

NAME = "sam-med3d"
# The key under which training stores the network beside its optimiser.
_HOLDERS = ("model_state_dict",)
_ADVICE = "give a checkpoint as SAM-Med3D publishes it, such as sam_med3d_turbo.pth"


@dataclass(frozen=True, eq=False)
class Network:
    """The parts of the package's network, in evaluation mode.

    Attributes:
        sizes: The size.
        encoder: Of images.
        prompts: The encoder of prompts.
        decoder: Of masks.
    """

    sizes: NetworkSizes
    encoder: Module
    prompts: Module
    decoder: Module


def load(path: Path) -> Network:
    """Load the network of a checkpoint, on the CPU, float32.

    Raises:
        WeightsError: If the file is missing, altered, truncated, of another network, or contains
            anything but tensors, numbers and strings.
    """
    from .network import skip_padding

    store.verify_recorded(path)
    state = read_state_dict(path, _HOLDERS, _ADVICE)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    sizes = infer_sizes(shapes)
    if sizes is None:
        raise WeightsError(
            f"{path} contains none of SAM-Med3D's networks ({', '.join(PUBLISHED)}); {_ADVICE}."
        )
    with loading_errors(NAME, path, _ADVICE):
        network = empty_network(sizes)
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        check_layout(shapes, expected, path, "SAM-Med3D", _ADVICE)
        check_finite(state, path)
        network.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
        network.requires_grad_(False)
        network.eval()
        skip_padding(network.image_encoder)
    return Network(sizes, network.image_encoder, network.prompt_encoder, network.mask_decoder)


def empty_network(sizes: NetworkSizes) -> Any:
    """The package's network with tensors that have shapes only."""
    import torch

    # The package would print what it does.
    with quiet(), torch.device("meta"):
        from medim import create_model

        return create_model("SAM-Med3D", **sizes.settings())
