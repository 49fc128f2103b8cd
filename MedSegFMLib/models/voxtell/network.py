"""VoxTell's network, as its package builds it, with tensors of a checked folder. Needs torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from voxtell.model.voxtell_model import VoxTellModel

from ...weights.layout import check_layout
from ..common.configuration_errors import configuration_errors
from ..common.quiet import quiet
from ..common.setting_rules import SettingFault, check_parameters
from ..common.state_dict import check_finite
from .folder import ADVICE, MODEL, NEEDS, OBJECT_STAGES, TEXT_STAGE, Published, positions

# Attention of every position to a phrase, and features of a position, are of this order in bytes.
_BYTES_PER_POSITION = 16
# nn.MultiheadAttention of the package.
_ATTENTION_HEADS = 8


def load(published: Published) -> nn.Module:
    """The network on the CPU, in evaluation mode, float32.

    Raises:
        WeightsError: The tensors are not those of the network that the plans describe, or too large
            for this computer.
    """
    with quiet(), configuration_errors(MODEL, published.path, NEEDS, ADVICE):
        _check_sizes(published)
        with torch.device("meta"):
            network = empty(published)
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        check_parameters(expected.values(), "the network")
        found = {name: tuple(tensor.shape) for name, tensor in published.tensors.items()}
        check_layout(found, expected, published.path, "its plans describe", ADVICE)
        check_finite(published.tensors, published.path)
        tensors = {name: tensor.float() for name, tensor in published.tensors.items()}
        network.load_state_dict(tensors, assign=True)
        return network.requires_grad_(False).eval()


def empty(published: Published) -> nn.Module:
    """The network with new weights."""
    configs = {
        number: {"channels": channels, "shape": sides}
        for number, (channels, sides) in enumerate(published.stages)
    }
    # The package states them for the published network alone.
    sized = type("SizedVoxTell", (VoxTellModel,), {"DECODER_CONFIGS": configs})
    network: nn.Module = sized(
        input_channels=1,
        **_settings(published),
        **published.sizes,
        decoder_layer=TEXT_STAGE,
        num_maskformer_stages=OBJECT_STAGES,
        deep_supervision=False,
    )
    return network


def _settings(published: Published) -> dict[str, Any]:
    """The settings, with the layers that they name."""
    settings = dict(published.settings)
    for key in published.imported:
        name = settings.get(key)
        if name is not None:
            settings[key] = getattr(nn, str(name).rpartition(".")[2])
    return settings


def _check_sizes(published: Published) -> None:
    """Check what building the network would allocate, and what its attention needs."""
    query = published.sizes["query_dim"]
    if query % _ATTENTION_HEADS:
        raise SettingFault(f"query_dim is {query}, and it must be a multiple of {_ATTENTION_HEADS}")
    table = (_BYTES_PER_POSITION * positions(published), query)
    check_parameters([table], f"a table of {positions(published)} positions")
