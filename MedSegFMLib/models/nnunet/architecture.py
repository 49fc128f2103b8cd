"""The networks and layers that plans of nnU-Net may name, and the rules of their settings.

They are those that nnU-Net's own planners write; no other name is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.setting_rules import (
    CHANNELS,
    FLAG,
    FRACTION,
    Rule,
    Rules,
    SettingFault,
    check_settings,
    each,
    group,
    number,
    one_of,
    one_or_each,
    optional,
    plain,
    shown,
    whole,
)

# nnU-Net finds the networks of earlier versions, which were in another module, by their last name.
_NETWORKS = {
    f"dynamic_network_architectures.architectures.{module}.{name}": name
    for module in ("unet", "residual_unet")
    for name in ("PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet")
}
_MOST_STAGES = 16
_PER_STAGE = one_or_each(whole(1, 32), _MOST_STAGES, least=0)


def _layers(*paths: str) -> Rule:
    """Layers of torch, by their own path or by the short one."""
    short = tuple(path.rpartition(".")[2] for path in paths)
    return one_of(
        *(f"torch.nn.modules.{path}" for path in paths), *(f"torch.nn.{n}" for n in short)
    )


_IMPORTED: Rules = {
    "conv_op": _layers("conv.Conv2d", "conv.Conv3d"),
    "norm_op": optional(
        _layers(
            *("instancenorm.InstanceNorm2d", "instancenorm.InstanceNorm3d"),
            *("batchnorm.BatchNorm2d", "batchnorm.BatchNorm3d"),
        )
    ),
    "dropout_op": optional(_layers("dropout.Dropout", "dropout.Dropout2d", "dropout.Dropout3d")),
    "nonlin": optional(
        _layers(
            *("activation.LeakyReLU", "activation.ReLU", "activation.ELU", "activation.GELU"),
            *("activation.SiLU", "activation.Mish", "activation.PReLU", "activation.SELU"),
        )
    ),
}

_COMMON: Rules = {
    "n_stages": whole(1, _MOST_STAGES),
    "features_per_stage": one_or_each(CHANNELS, _MOST_STAGES),
    "kernel_sizes": one_or_each(one_or_each(whole(1, 31), 3), _MOST_STAGES),
    "strides": one_or_each(one_or_each(whole(1, 16), 3), _MOST_STAGES),
    "n_conv_per_stage_decoder": _PER_STAGE,
    "conv_bias": FLAG,
    "norm_op_kwargs": optional(
        group(
            {
                "eps": FRACTION,
                "affine": FLAG,
                "momentum": optional(FRACTION),
                "track_running_stats": FLAG,
            }
        )
    ),
    "dropout_op_kwargs": optional(group({"p": FRACTION, "inplace": FLAG})),
    "nonlin_kwargs": optional(
        group(
            {
                "inplace": FLAG,
                "negative_slope": number(-10, 10),
                "alpha": number(-10, 10),
                "approximate": one_of("none", "tanh"),
            }
        )
    ),
    **_IMPORTED,
}
_OF_NETWORK: dict[str, Rules] = {
    "PlainConvUNet": {"n_conv_per_stage": _PER_STAGE, "nonlin_first": FLAG},
    "ResidualEncoderUNet": {
        "n_blocks_per_stage": _PER_STAGE,
        "bottleneck_channels": optional(one_or_each(CHANNELS, _MOST_STAGES)),
        "stem_channels": optional(CHANNELS),
    },
}
_OF_NETWORK["ResidualUNet"] = _OF_NETWORK["ResidualEncoderUNet"]
_ARCHITECTURE: Rules = {
    "network_class_name": one_of(*_NETWORKS),
    "_kw_requires_import": each(one_of(*_IMPORTED), 0, len(_IMPORTED)),
}
# What plans of version 2.0 and 2.1 have instead of an architecture.
_EARLIER: Rules = {
    "UNet_class_name": one_of("PlainConvUNet", "ResidualEncoderUNet"),
    "UNet_base_num_features": CHANNELS,
    "unet_max_num_features": CHANNELS,
    "n_conv_per_stage_encoder": each(whole(1, 32), 1, _MOST_STAGES),
    "n_conv_per_stage_decoder": each(whole(1, 32), 0, _MOST_STAGES),
    "num_pool_per_axis": each(whole(0, _MOST_STAGES), 2, 3),
    "pool_op_kernel_sizes": each(one_or_each(whole(1, 16), 3), 1, _MOST_STAGES),
    "conv_kernel_sizes": each(one_or_each(whole(1, 31), 3), 1, _MOST_STAGES),
}


def checked_architecture(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that describes the network, if all of it is known.

    Raises:
        SettingFault: A network, layer or setting is unknown or beyond what a network has.
    """
    if "architecture" not in configuration:
        earlier = {key: configuration[key] for key in _EARLIER if key in configuration}
        check_settings(earlier, _EARLIER, "the network")
        return earlier
    given = configuration["architecture"]
    if not isinstance(given, dict) or not isinstance(given.get("arch_kwargs"), dict):
        raise SettingFault(f"the architecture is {shown(given)}, and it must contain arch_kwargs")
    settings: dict[str, Any] = given["arch_kwargs"]
    named = {key: value for key, value in given.items() if key != "arch_kwargs"}
    _check_names({"network_class_name": given.get("network_class_name")}, _ARCHITECTURE)
    check_settings(named, _ARCHITECTURE, "the architecture")
    name = _NETWORKS[given["network_class_name"]]
    _check_names(settings, _IMPORTED)
    check_settings(settings, {**_COMMON, **_OF_NETWORK[name]}, name)
    return {"architecture": {**named, "arch_kwargs": dict(settings)}}


def _check_names(settings: Mapping[str, Any], rules: Rules) -> None:
    for key in settings.keys() & rules.keys():
        if not rules[key].allows(settings[key]):
            raise SettingFault(
                f"it names {plain(settings[key])} for import, which is not a "
                "network or layer that nnU-Net's planners use and is not run"
            )


def first_features(architecture: Mapping[str, Any]) -> int:
    """The channels of the first layer of a checked architecture."""
    if "architecture" not in architecture:
        return int(architecture.get("UNet_base_num_features", 1))
    features: Any = architecture["architecture"]["arch_kwargs"].get("features_per_stage", 1)
    return int(features[0] if isinstance(features, list | tuple) else features)
