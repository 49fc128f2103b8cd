"""nnU-Net's plans and dataset, reduced to what prediction needs and checked.

nnU-Net imports and calls what its plans name, whatever it is and however much. Here only settings
with a rule reach it, of the one configuration that a checkpoint names, and names come from lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.setting_rules import (
    FLAG,
    Rule,
    Rules,
    SettingFault,
    check_window,
    each,
    group,
    known_settings,
    number,
    one_of,
    optional,
    shown,
    whole,
)
from .architecture import checked_architecture, first_features

_MOST_INHERITED = 16
_MOST_IMAGES = 64
_MOST_LABELS = 4096
_MOST_CHARACTERS = 200

_TEXT = Rule(
    f"a text of at most {_MOST_CHARACTERS} characters",
    lambda value: isinstance(value, str) and len(value) <= _MOST_CHARACTERS,
)
_RESAMPLING = one_of(
    *("resample_data_or_seg_to_shape", "resample_torch_simple", "resample_torch_fornnunet"),
    "no_resampling_hack",
)
_MODE = one_of("linear", "nearest", "nearest-exact")
_RESAMPLING_SETTINGS = group(
    {
        "is_seg": FLAG,
        "order": whole(0, 5),
        "order_z": whole(0, 5),
        "force_separate_z": optional(FLAG),
        "separate_z_anisotropy_threshold": number(0, 1000),
        "memefficient_seg_resampling": FLAG,
        "num_threads": whole(1, 64),
        "mode": _MODE,
        "aniso_axis_mode": _MODE,
    }
)
_CONFIGURATION: Rules = {
    "data_identifier": _TEXT,
    "preprocessor_name": one_of("DefaultPreprocessor"),
    "batch_size": whole(1, 4096),
    "patch_size": each(whole(1, 4096), 2, 3),
    "spacing": each(number(1e-3, 1e3), 2, 3),
    "normalization_schemes": each(
        one_of(
            *("CTNormalization", "ZScoreNormalization", "NoNormalization"),
            *("RescaleTo01Normalization", "RGBTo01Normalization"),
        ),
        *(1, _MOST_IMAGES),
    ),
    "use_mask_for_norm": each(FLAG, 1, _MOST_IMAGES),
    "batch_dice": FLAG,
    "previous_stage": optional(_TEXT),
    **{f"resampling_fn_{kind}": _RESAMPLING for kind in ("data", "seg", "probabilities")},
    **{
        f"resampling_fn_{kind}_kwargs": _RESAMPLING_SETTINGS
        for kind in ("data", "seg", "probabilities")
    },
}

_ORDER = Rule(
    "0, 1 and 2 in some order",
    lambda value: (
        isinstance(value, list)
        and all(type(n) is int for n in value)
        and sorted(value) == [0, 1, 2]
    ),
)
_INTENSITIES = group(
    {
        key: number(-1e15, 1e15)
        for key in ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5")
    }
)
_INTENSITIES_OF_IMAGES = group({str(n): _INTENSITIES for n in range(_MOST_IMAGES)})
_PLANS: Rules = {
    "dataset_name": _TEXT,
    "plans_name": _TEXT,
    "image_reader_writer": _TEXT,
    "transpose_forward": _ORDER,
    "transpose_backward": _ORDER,
    "label_manager": one_of("LabelManager"),
    "foreground_intensity_properties_per_channel": _INTENSITIES_OF_IMAGES,
    "foreground_intensity_properties_by_modality": _INTENSITIES_OF_IMAGES,
}

_LABEL = whole(0, _MOST_LABELS)
_LABELS = Rule(
    f"at most {_MOST_LABELS} names with whole numbers from 0 to {_MOST_LABELS}, or lists of them",
    lambda value: (
        isinstance(value, dict)
        and len(value) <= _MOST_LABELS
        and all(
            _LABEL.allows(label) or each(_LABEL, 1, _MOST_LABELS).allows(label)
            for label in value.values()
        )
    ),
)
_CHANNELS = Rule(
    f"a name for each image, 1 to {_MOST_IMAGES}",
    lambda value: (
        isinstance(value, dict | list)
        and 1 <= len(value) <= _MOST_IMAGES
        and all(map(_TEXT.allows, value.values() if isinstance(value, dict) else value))
    ),
)
_DATASET: Rules = {
    "labels": _LABELS,
    "regions_class_order": optional(each(_LABEL, 0, _MOST_LABELS)),
    "channel_names": _CHANNELS,
    "modality": _CHANNELS,
}


def checked_plans(plans: Mapping[str, Any], configuration: str) -> dict[str, Any]:
    """Plans of a single configuration, which inherits from no other.

    Args:
        plans: The content of plans.json.
        configuration: The name of the configuration.

    Raises:
        SettingFault: There is no such configuration, or a setting is unknown or breaks its rule.
    """
    given = inherited(plans.get("configurations"), configuration)
    settings = known_settings(given, _CONFIGURATION, f"the configuration {shown(configuration)}")
    architecture = checked_architecture(given)
    patch_size = settings.get("patch_size", ())
    check_window(patch_size, 1, first_features(architecture), "a window (patch_size)")
    whole_plans = known_settings(plans, _PLANS, "the plans")
    return {**whole_plans, "configurations": {configuration: {**settings, **architecture}}}


def checked_dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The part of dataset.json that prediction needs.

    Raises:
        SettingFault: A setting breaks its rule.
    """
    return known_settings(dataset, _DATASET, "the dataset")


def inherited(configurations: object, name: str) -> dict[str, Any]:
    """A configuration with the settings that it inherits from others.

    Raises:
        SettingFault: There is no such configuration, or the chain does not end.
    """
    result: dict[str, Any] = {}
    parent: object = name
    for _ in range(_MOST_INHERITED):
        if not isinstance(configurations, dict) or not isinstance(parent, str):
            break
        found = configurations.get(parent)
        if not isinstance(found, dict):
            break
        result = {**found, **result}
        parent = found.get("inherits_from")
        if parent is None:
            return result
    raise SettingFault(
        f"the configuration {shown(name)} does not exist, or inherits from one that does not "
        f"exist, or from more than {_MOST_INHERITED - 1}"
    )
