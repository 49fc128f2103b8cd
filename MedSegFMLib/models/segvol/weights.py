"""SegVol's weights as a file, in both published layouts.

`SegVol_v1.pth` has the network under "model", each name with the prefix "module."; the file
`pytorch_model.bin` of its page has the prefix "model.".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import WeightsError
from ...system.foreign_errors import loading_errors
from ...weights import store
from ...weights.layout import check_layout
from ..common.state_dict import check_finite, read_state_dict
from .network.config import PUBLISHED, SegVolConfig, infer_config

if TYPE_CHECKING:
    from torch import Tensor

    from .network.network import SegVol

NAME = "segvol"
_HOLDERS = ("model", "state_dict")
_ADVICE = "give pytorch_model.bin of its page, or its authors' SegVol_v1.pth"
_PREFIXES = ("module.", "model.")
# transformers' name of the text encoder's tensors, and that of the version which wrote the files.
_CLIP, _CLIP_THEN = "text_encoder.clip_text_model.", "text_encoder.clip_text_model.text_model."
# What earlier versions of transformers and MONAI stored beside the network, which never uses it.
_UNUSED = re.compile(
    re.escape(_CLIP_THEN) + r"embeddings\.position_ids"
    r"|image_encoder\.patch_embedding\.cls_token"
    r"|image_encoder\.blocks\.\d+\.(norm_)?cross_attn\..*"
)


def load(path: Path) -> SegVol:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    Raises:
        WeightsError: If the file is missing, altered, truncated, of another network, or contains
            anything but tensors, numbers and strings.
    """
    store.verify_recorded(path)
    state = own_names(read_state_dict(path, _HOLDERS, _ADVICE))
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    config = infer_config(shapes)
    if config is None:
        raise WeightsError(
            f"{path} contains none of SegVol's networks ({', '.join(PUBLISHED)}); {_ADVICE}."
        )
    with loading_errors(NAME, path, _ADVICE):
        network = empty_network(config)
        expected = {
            published_name(name): tuple(tensor.shape)
            for name, tensor in network.state_dict().items()
        }
        check_layout(shapes, expected, path, "SegVol", _ADVICE)
        check_finite(state, path)
        network.load_state_dict(
            {name: state[published_name(name)].float() for name in network.state_dict()},
            assign=True,
        )
        network.requires_grad_(False)
    return network


def empty_network(config: SegVolConfig) -> SegVol:
    """The network with tensors that have shapes only; computed tables are set."""
    import torch

    from .network.network import SegVol

    with torch.device("meta"):
        network = SegVol(config)
    embeddings = network.text_encoder.clip_text_model.embeddings
    numbers = torch.arange(embeddings.position_embedding.num_embeddings)[None]
    embeddings.register_buffer("position_ids", numbers, persistent=False)
    return network


def own_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without the prefix of their file and without what the network never uses."""
    found = {}
    for name, tensor in tensors.items():
        prefix = next((each for each in _PREFIXES if name.startswith(each)), "")
        if not _UNUSED.fullmatch(name.removeprefix(prefix)):
            found[name.removeprefix(prefix)] = tensor
    return found


def published_name(name: str) -> str:
    """The name of the network's tensor in the files, without their prefix."""
    return name.replace(_CLIP, _CLIP_THEN, 1) if name.startswith(_CLIP) else name
