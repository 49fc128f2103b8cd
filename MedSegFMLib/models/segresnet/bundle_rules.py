"""The classes of MONAI that a bundle may name, and the rules of their settings."""

from __future__ import annotations

from ..common.setting_rules import (
    FLAG,
    FRACTION,
    Rule,
    Rules,
    each,
    either,
    group,
    number,
    one_of,
    one_or_each,
    optional,
    whole,
)

_INTENSITY = number(-1e15, 1e15)
_INTENSITIES = optional(one_or_each(_INTENSITY, 16))
_TYPE = optional(one_of("float32", "float64"))
_PADDING = one_of(
    *("zeros", "border", "reflection", "constant", "edge", "reflect", "replicate", "symmetric"),
    *("wrap", "nearest", "mirror", "grid-constant", "grid-mirror", "grid-wrap", "circular"),
)
_SHARES: Rules = {"b_min": optional(_INTENSITY), "b_max": optional(_INTENSITY), "clip": FLAG}

# A letter for each axis, such as RAS, in any order.
_ORIENTATION = Rule(
    "three letters for the axes, such as RAS",
    lambda value: (
        isinstance(value, str)
        and len(value) == len(set(value)) == 3
        and all(set(value) & set(pair) for pair in ("LR", "PA", "IS"))
        and set(value) <= set("LRPAIS")
    ),
)

TRANSFORMS: dict[str, Rules] = {
    "Orientationd": {"axcodes": _ORIENTATION, "as_closest_canonical": FLAG},
    "Spacingd": {
        # Not positive: as in the volume.
        "pixdim": one_or_each(either(number(1e-3, 1e3), number(-1, 0)), 3),
        "diagonal": FLAG,
        "mode": one_or_each(either(one_of("bilinear", "nearest"), whole(0, 5)), 1),
        "padding_mode": one_or_each(_PADDING, 1),
        "align_corners": one_or_each(FLAG, 1),
        "dtype": one_or_each(_TYPE, 1),
        "scale_extent": FLAG,
        "recompute_affine": FLAG,
        "min_pixdim": optional(one_or_each(optional(number(1e-3, 1e3)), 3)),
        "max_pixdim": optional(one_or_each(optional(number(1e-3, 1e3)), 3)),
    },
    "ScaleIntensityd": {
        "minv": optional(_INTENSITY),
        "maxv": optional(_INTENSITY),
        "factor": optional(_INTENSITY),
        "channel_wise": FLAG,
        "dtype": _TYPE,
    },
    "ScaleIntensityRanged": {"a_min": _INTENSITY, "a_max": _INTENSITY, **_SHARES, "dtype": _TYPE},
    "ScaleIntensityRangePercentilesd": {
        "lower": number(0, 100),
        "upper": number(0, 100),
        **_SHARES,
        "relative": FLAG,
        "channel_wise": FLAG,
        "dtype": _TYPE,
    },
    "NormalizeIntensityd": {
        "subtrahend": _INTENSITIES,
        "divisor": _INTENSITIES,
        "nonzero": FLAG,
        "channel_wise": FLAG,
        "dtype": _TYPE,
    },
    "CropForegroundd": {
        "channel_indices": optional(one_or_each(whole(0, 0), 1)),
        "margin": one_or_each(whole(0, 512), 3),
        "allow_smaller": FLAG,
        "k_divisible": one_or_each(whole(1, 512), 3),
        "mode": one_or_each(_PADDING, 1),
    },
}

_ACTIVATIONS = (
    *("RELU", "LEAKYRELU", "ELU", "PRELU", "GELU", "SELU", "SWISH", "MEMSWISH", "MISH"),
    *("RELU6", "SIGMOID", "TANH"),
)
_NORMS = ("GROUP", "INSTANCE", "BATCH")


def _layer(names: tuple[str, ...], settings: Rules) -> Rule:
    """A layer by name, in any case, alone or with its settings."""
    arguments = group(settings)

    def is_name(value: object) -> bool:
        return isinstance(value, str) and value.upper() in names

    return Rule(
        f"one of {', '.join(names)}, alone or in a list with {arguments.words}",
        lambda value: (
            is_name(value)
            or (
                isinstance(value, list | tuple)
                and len(value) == 2
                and is_name(value[0])
                and arguments.allows(value[1])
            )
        ),
    )


_BLOCKS = each(whole(1, 64), 1, 8)
NETWORK: Rules = {
    "spatial_dims": whole(3, 3),
    "init_filters": whole(1, 1024),
    "in_channels": whole(1, 1),
    "out_channels": whole(1, 4096),
    "dropout_prob": optional(FRACTION),
    "act": _layer(
        _ACTIVATIONS,
        {
            "inplace": FLAG,
            "negative_slope": number(-10, 10),
            "alpha": number(-10, 10),
            "num_parameters": whole(1, 1024),
            "init": number(-10, 10),
            "approximate": one_of("none", "tanh"),
        },
    ),
    "norm": _layer(
        _NORMS,
        {
            "num_groups": whole(1, 1024),
            "eps": FRACTION,
            "affine": FLAG,
            "momentum": optional(FRACTION),
            "track_running_stats": FLAG,
        },
    ),
    "norm_name": one_of("", "group", "GROUP"),
    "num_groups": whole(1, 1024),
    "use_conv_final": FLAG,
    "blocks_down": _BLOCKS,
    "blocks_up": _BLOCKS,
    "upsample_mode": one_of("deconv", "nontrainable", "pixelshuffle"),
}

# A side of a window that is not positive is the volume's.
_SIDE = either(whole(-1, 0), whole(8, 4096))
WINDOWS: Rules = {
    "roi_size": one_or_each(_SIDE, 3, 3),
    "sw_batch_size": whole(1, 64),
    "overlap": one_or_each(number(0, 0.9), 3),
    "mode": one_of("constant", "gaussian"),
    "sigma_scale": one_or_each(number(1e-3, 10), 3),
    "padding_mode": one_of("constant", "reflect", "replicate", "circular"),
}
