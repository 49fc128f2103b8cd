"""A published folder of nnInteractive, read without running anything in it.

The package itself unpickles checkpoints without restrictions; here they may contain only tensors,
numbers and strings, and of the plans only the network and its patch are used, both checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import (
    FLAG,
    FRACTION,
    MOST_CHANNELS,
    Rule,
    Rules,
    SettingFault,
    check_window,
    each,
    either,
    group,
    known_settings,
    one_of,
    shown,
    whole,
)
from ..common.state_dict import check_state_dict, read_checkpoint
from ..nnunet.architecture import checked_architecture, first_features
from ..nnunet.plans import inherited

if TYPE_CHECKING:
    from torch import Tensor

ADVICE = "give the folder as it was published, such as nnInteractive_v1.0"
MODEL = "nninteractive"
# What the folder says about prompts: the name since version 2 of the package, and the one before.
_PROMPTS, _PROMPTS_BEFORE = "inference_info.json", "inference_session_class.json"
# What the package takes if a folder does not say.
_RADIUS, _THICK, _DECAY = 4, 2, 0.98
# What counted before version 2; other entries are about classes that are no more.
_ENTRIES_BEFORE = (
    *("point_radius", "preferred_scribble_thickness", "interaction_decay", "pad_mode_image"),
)

_TRAINER = re.compile(r"nnInteractiveTrainer\w{0,100}")
_KINDS = ("scribble", "lasso", "points", "bbox2d", "bbox3d")
_MOST_CHANNELS = 64
_CHANNEL = whole(-_MOST_CHANNELS, _MOST_CHANNELS)
_THICKNESS = Rule(
    "a number from 1 to 16",
    lambda value: type(value) in (int, float) and 1 <= value <= 16,
)
_VERSION = Rule(
    "a version such as 2.6.0",
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"\d{1,4}(\.\w{1,20}){0,5}", value)),
)
_CLASS = Rule(
    "a class of nnInteractive's package",
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"nnInteractive\w{1,100}", value)),
)
_KNOWN: Rules = {
    "inference_class": _CLASS,
    "inference_class_min_version": _VERSION,
    "point_radius": whole(1, 64),
    "preferred_scribble_thickness": either(_THICKNESS, each(_THICKNESS, 3, 3)),
    "interaction_decay": FRACTION,
    "pad_mode_image": one_of("constant"),
    "supported_interactions": group(dict.fromkeys(_KINDS, FLAG)),
    "supports_initial_label": FLAG,
    "supports_zero_shot_label_refinement": FLAG,
    "interaction_channels": whole(1, _MOST_CHANNELS),
    "channel_mapping": group({"prev_seg": _CHANNEL, **dict.fromkeys(_KINDS, each(_CHANNEL, 2, 2))}),
}
_NETWORK: Rules = {"patch_size": each(whole(1, 4096), 3, 3)}


@dataclass(frozen=True, eq=False)
class Published:
    """The content of a folder.

    Attributes:
        path: the folder.
        configuration: the name of the network's configuration.
        network: the checked part of the plans: `architecture` and `patch_size`.
        prompts: what the folder says about prompts, for the package; {} if it uses its defaults.
        point_radius: of clicks, in voxels.
        scribble_thickness: in voxels along each axis.
        interaction_decay: how much older interactions count at each new one.
        tensors: the network's.
    """

    path: Path
    configuration: str
    network: Mapping[str, Any]
    prompts: Mapping[str, Any]
    point_radius: int
    scribble_thickness: tuple[float, ...]
    interaction_decay: float
    tensors: Mapping[str, Tensor]


def read(folder: Path) -> Published:
    """Read a folder; the caller must check its SHA-256 first.

    Raises:
        WeightsError: it is incomplete, damaged, or not of nnInteractive; the message names the
            fault and the way out.
    """
    files = check_parts(entry(MODEL), folder)
    checkpoints = [file for file in files if file.suffix == ".pth"]
    if len(checkpoints) > 1:
        raise WeightsError(
            f"{folder} has {len(checkpoints)} folders fold_*, and nnInteractive "
            f"runs one network; {ADVICE}."
        )
    with configuration_errors(MODEL, folder, "nnInteractive's training writes", ADVICE):
        return _read(folder, checkpoints[0])


def _read(folder: Path, checkpoint: Path) -> Published:
    content = read_checkpoint(checkpoint, ADVICE)
    trainer, configuration = content["trainer_name"], content["init_args"]["configuration"]
    if not isinstance(trainer, str) or not _TRAINER.fullmatch(trainer):
        raise SettingFault(f"its trainer is {shown(trainer)}, which is not one of nnInteractive")
    images = read_json(folder / "dataset.json")["channel_names"]
    if not isinstance(images, dict | list) or len(images) != 1:
        raise SettingFault(f"its images are {shown(images)}, and nnInteractive takes one")
    plans: Mapping[str, Any] = read_json(folder / "plans.json")
    prompts = _about_prompts(folder)
    thickness = prompts.get("preferred_scribble_thickness", _THICK)
    return Published(
        path=folder,
        configuration=str(configuration),
        network=_network(inherited(plans.get("configurations"), configuration)),
        prompts=prompts,
        point_radius=prompts.get("point_radius", _RADIUS),
        scribble_thickness=(tuple(thickness) if isinstance(thickness, list) else (thickness,) * 3),
        interaction_decay=prompts.get("interaction_decay", _DECAY),
        tensors=check_state_dict(content["network_weights"], checkpoint, ADVICE),
    )


def _network(configuration: Mapping[str, Any]) -> dict[str, Any]:
    if "architecture" not in configuration:
        raise SettingFault("its plans describe no architecture")
    architecture = checked_architecture(configuration)
    settings = known_settings(configuration, _NETWORK, "the configuration")
    check_window(
        settings["patch_size"],
        1,
        min(first_features(architecture), MOST_CHANNELS),
        "a window (patch_size)",
    )
    return {**settings, **architecture}


def _about_prompts(folder: Path) -> dict[str, Any]:
    """The entries about prompts of a folder."""
    path = folder / _PROMPTS
    if path.is_file():
        content: Mapping[str, Any] = read_json(path)
    else:
        path = folder / _PROMPTS_BEFORE
        said = read_json(path)
        content = {key: said[key] for key in _ENTRIES_BEFORE if key in said}
    settings = known_settings(content, _KNOWN, path.name)
    if settings.get("interaction_decay") == 0:
        raise SettingFault("its interaction_decay is 0, and it must be above 0")
    return settings
