"""A published folder of VoxTell, read without running anything in it.

The package itself unpickles the checkpoint without restrictions and imports whatever the plans
name; here the checkpoint may contain only tensors, numbers and strings, and of the plans only the
network and its patch are used, both checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import (
    CHANNELS,
    MOST_CHANNELS,
    Rules,
    SettingFault,
    check_settings,
    check_window,
    each,
    known_settings,
    shown,
    whole,
)
from ..common.state_dict import check_state_dict, read_checkpoint
from ..nnunet.architecture import checked_architecture, first_features
from ..nnunet.plans import inherited

if TYPE_CHECKING:
    from torch import Tensor

ADVICE = "give the folder as it was published, such as voxtell_v1.1"
MODEL = "voxtell"
NEEDS = "VoxTell's training writes"
# The file of embedded phrases, which the authors publish beside the model.
BANK = "text_embeddings.npz"

# The package compares the text with this stage of the encoder, and with so many of the decoder.
TEXT_STAGE, OBJECT_STAGES = 4, 5
# Two further stages below the text's are the least that the decoder can have.
_LEAST_STAGES = TEXT_STAGE + 2
_CONFIGURATION = "3d_fullres"
_SHAPE = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
_SIZES: Rules = {
    "text_embedding_dim": CHANNELS,
    "query_dim": CHANNELS,
    "num_heads": CHANNELS,
    "project_to_decoder_hidden_dim": CHANNELS,
}
_NETWORK: Rules = {"patch_size": each(whole(1, 4096), 3, 3)}


@dataclass(frozen=True, eq=False)
class Published:
    """The content of a folder.

    Attributes:
        path: The folder.
        settings: Those of the encoder and of the decoder's layers, as in the plans.
        imported: The names of those settings that are layers of torch.
        patch: The sides of what the network sees.
        stages: (channels, sides) of each stage at which the object is decoded, the finest first.
        sizes: Those of the text's part of the network.
        tensors: The network's.
    """

    path: Path
    settings: Mapping[str, Any]
    imported: tuple[str, ...]
    patch: tuple[int, ...]
    stages: tuple[tuple[int, tuple[int, ...]], ...]
    sizes: Mapping[str, int]
    tensors: Mapping[str, Tensor]


def read(folder: Path) -> Published:
    """Read a folder; the caller must check its SHA-256 first.

    Raises:
        WeightsError: It is incomplete, damaged, or not of VoxTell; the message names the fault and
            the way out.
    """
    check_parts(entry(MODEL), folder)
    with configuration_errors(MODEL, folder, NEEDS, ADVICE):
        return _read(folder)


def _read(folder: Path) -> Published:
    plans: Mapping[str, Any] = read_json(folder / "plans.json")
    configuration = inherited(plans.get("configurations"), _CONFIGURATION)
    given = configuration["architecture"]
    # The package takes the settings, and its own network, whatever network the plans name.
    architecture = checked_architecture(
        {"architecture": {**given, "network_class_name": _SHAPE}} if isinstance(given, dict) else {}
    )
    patch = known_settings(configuration, _NETWORK, "the configuration")["patch_size"]
    channels = min(first_features(architecture), MOST_CHANNELS)
    check_window(patch, 1, channels, "a window (patch_size)")
    settings: Mapping[str, Any] = architecture["architecture"]["arch_kwargs"]
    checkpoint = folder / "fold_0" / "checkpoint_final.pth"
    content = read_checkpoint(checkpoint, ADVICE)
    tensors = check_state_dict(content["network_weights"], checkpoint, ADVICE)
    return Published(
        path=folder,
        settings=settings,
        imported=tuple(architecture["architecture"]["_kw_requires_import"]),
        patch=tuple(patch),
        stages=_stages(settings, patch),
        sizes=_sizes(tensors, settings),
        tensors=tensors,
    )


def _stages(
    settings: Mapping[str, Any], patch: list[int]
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Channels and sides of all stages, which the package states for patches of 192."""
    features, strides, count = (settings[n] for n in ("features_per_stage", "strides", "n_stages"))
    if not isinstance(features, list) or not isinstance(strides, list):
        raise SettingFault("features_per_stage and strides must be lists, one entry for each stage")
    if count < _LEAST_STAGES or len(features) != count or len(strides) != count:
        raise SettingFault(
            f"it has {shown(count)} stages, {len(features)} features_per_stage and {len(strides)} "
            f"strides; VoxTell has at least {_LEAST_STAGES} of each"
        )
    sides, stages = list(patch), []
    for width, stride in zip(features, strides, strict=True):
        steps = stride if isinstance(stride, list) else [stride] * 3
        if any(side % step for side, step in zip(sides, steps, strict=True)):
            raise SettingFault(f"patch_size is {shown(patch)}, which its strides do not divide")
        sides = [side // step for side, step in zip(sides, steps, strict=True)]
        stages.append((int(width), tuple(sides)))
    return tuple(stages)


def _sizes(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of the text's part, which the plans do not state: those of the tensors."""
    query, text = tensors["project_text_embed.2.weight"], tensors["project_text_embed.0.weight"]
    hidden = tensors["project_to_decoder_channels.0.0.weight"]
    # Of the layer that the package keeps for training, at the coarsest stage with an object.
    features = settings["features_per_stage"][-2]
    sizes = {
        "text_embedding_dim": int(text.shape[1]),
        "query_dim": int(query.shape[0]),
        "num_heads": int(tensors["decoder.seg_layers.0.weight"].shape[1]) - int(features),
        "project_to_decoder_hidden_dim": int(hidden.shape[0]),
    }
    check_settings(sizes, _SIZES, "the checkpoint")
    return sizes


def positions(published: Published) -> int:
    """The number of positions that the text is compared with."""
    return prod(published.stages[TEXT_STAGE][1])
