"""VISTA3D's weights as a file: MONAI's `model.pt`, or `model.safetensors`, of 259 tensors.

Saved by transformers, each name begins with "network.".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...errors import WeightsError
from ...weights import store
from ...weights.layout import check_layout
from ..common.state_dict import check_finite, read_state_dict

if TYPE_CHECKING:
    from monai.networks.nets.vista3d import VISTA3D

NAME = "vista3d"
# Keys under which trainers store the state dict beside their optimiser's.
_HOLDERS = ("model", "state_dict")
_PREFIX = "network."
_ADVICE = "give model.pt or model.safetensors of NV-Segment-CT as they are published"
# Shows the width of the network, 48 as published.
_EMBEDDINGS = "class_head.class_embeddings.weight"
# Multiples of what its attention's four heads divide; none wider than that was published.
_WIDTHS = range(8, 129, 8)


def load(path: Path) -> VISTA3D:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    Raises:
        WeightsError: If the file is missing, altered or truncated, contains anything but tensors,
            or lacks a tensor or has an unknown one.
    """
    import torch
    from monai.networks.nets import vista3d132

    store.verify_recorded(path)
    state = read_state_dict(path, _HOLDERS, _ADVICE)
    if state and all(name.startswith(_PREFIX) for name in state):
        state = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
    embeddings = state.get(_EMBEDDINGS)
    width = embeddings.shape[-1] if embeddings is not None and embeddings.ndim else 0
    if width not in _WIDTHS:
        fault = f"is {width} numbers wide" if width else "is missing"
        raise WeightsError(
            f"{path} is not for the network VISTA3D: {_EMBEDDINGS} {fault}; {_ADVICE}."
        )
    with torch.device("meta"):
        network: Any = vista3d132(encoder_embed_dim=width)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    check_layout(found, expected, path, "VISTA3D", _ADVICE)
    check_finite(state, path)
    network.load_state_dict({n: tensor.float() for n, tensor in state.items()}, assign=True)
    return cast("VISTA3D", network.requires_grad_(False).eval())
