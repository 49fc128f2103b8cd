"""The description in a MONAI bundle of SegResNet: network, classes, preprocessing and windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import ModelError, WeightsError
from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..class_based.segmenter import check_classes
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import (
    Rule,
    Rules,
    SettingFault,
    check_settings,
    check_window,
    plain,
    shown,
)
from .bundle_rules import NETWORK, TRANSFORMS, WINDOWS
from .config import BundleConfig

_ADVICE = "give a bundle of MONAI's SegResNet for one image"

_NETWORKS = (
    "SegResNet",
    "monai.networks.nets.SegResNet",
    "monai.networks.nets.segresnet.SegResNet",
)

# Transforms that only read the file: the volume is already in memory in that form.
_READING = ("LoadImaged", "EnsureTyped", "EnsureChannelFirstd", "AddChanneld", "ToTensord")
_POSTPROCESSING = ("Activationsd", "AsDiscreted", "Invertd", "SaveImaged", "EnsureTyped")
# The settings of a transform that select its entries in the dictionary of images.
_SELECTORS = ("_target_", "_desc_", "_disabled_", "keys", "source_key", "allow_missing_keys")

_WINDOWS = ("SlidingWindowInferer", "monai.inferers.SlidingWindowInferer")
_TRANSFORMS = "monai.transforms"
_STEPS = Rule(
    "a list of transforms with names (_target_)",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(s, dict) and isinstance(s.get("_target_"), str) for s in value)
    ),
)


@dataclass(frozen=True)
class Transform:
    """A MONAI transform.

    Attributes:
        name: Its class name.
        settings: Its arguments other than the keys of images.
    """

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Bundle:
    """The settings for running a bundle.

    Attributes:
        path: The bundle's folder.
        checkpoint: The file with the tensors.
        network: The arguments of SegResNet.
        classes: The class names without background.
        transforms: The preprocessing.
        windows: The arguments of the sliding window.
        softmax: Whether classes compete, after a background channel; else there is a single class
            with a sigmoid.
        nearest: Whether the result is resampled with nearest neighbours.
    """

    path: Path
    checkpoint: Path
    network: Mapping[str, Any]
    classes: tuple[str, ...]
    transforms: tuple[Transform, ...]
    windows: Mapping[str, Any]
    softmax: bool
    nearest: bool


def read(folder: Path, highres: bool | None) -> Bundle:
    """Read a bundle's configuration, without its tensors; nothing in it is run.

    The caller must check the folder's SHA-256 first.

    Args:
        folder: The bundle's folder.
        highres: The choice of two resolutions; None for the bundle's default.

    Raises:
        WeightsError: If anything is missing or unsupported; the message names it.
        ModelError: If `highres` is given for a bundle with a single resolution.
    """
    check_parts(entry("segresnet"), folder)
    with configuration_errors("segresnet", folder, "a bundle needs", _ADVICE):
        config = BundleConfig(next(iter(sorted((folder / "configs").glob("inference.*")))))
        _choose_resolution(config, highres)
        network = _network(config)
        softmax, nearest = _answers(config, network["out_channels"])
        windows = _windows(config)
        check_window(
            _sides(windows["roi_size"]),
            windows.get("sw_batch_size", 1),
            network.get("init_filters", 8),
            "a window (roi_size)",
        )
        return Bundle(
            path=folder,
            checkpoint=_checkpoint(folder, config),
            network=network,
            classes=_classes(folder, network["out_channels"], softmax),
            transforms=tuple(_transforms(config)),
            windows=windows,
            softmax=softmax,
            nearest=nearest,
        )


def _choose_resolution(config: BundleConfig, highres: bool | None) -> None:
    if highres is None:
        return
    shown = config.values.get("displayable_configs")
    if not isinstance(shown, dict) or "highres" not in shown:
        raise ModelError(f"{config.path} has a single resolution; leave out highres=.")
    shown["highres"] = highres


def _network(config: BundleConfig) -> dict[str, Any]:
    written = config.raw("network_def" if config.has("network_def") else "network")
    name = written.get("_target_") if isinstance(written, dict) else written
    if name not in _NETWORKS:
        raise WeightsError(
            f"{config.path} is of the network {plain(name)}, not SegResNet; {_ADVICE}."
        )
    network = config.data({key: value for key, value in written.items() if key[0] != "_"})
    network = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, **network}
    if network["in_channels"] != 1:
        raise WeightsError(
            f"{config.path} takes {shown(network['in_channels'])} images of each volume at once; "
            f"{_ADVICE}."
        )
    if network["spatial_dims"] != 3:
        raise WeightsError(f"{config.path} is of a network for slices; give one for volumes.")
    try:
        check_settings(network, NETWORK, "the network")
    except SettingFault as error:
        raise WeightsError(
            f"{config.path} does not describe a valid SegResNet of MONAI ({error}); {_ADVICE}."
        ) from error
    return network


def _classes(folder: Path, count: int, softmax: bool) -> tuple[str, ...]:
    """The names of the outputs in the order of metadata.json."""
    path = folder / "configs" / "metadata.json"
    outputs: Any = read_json(path)["network_data_format"]
    channels = next(iter(outputs["outputs"].values()))["channel_def"]
    names = [str(channels[str(number)]) for number in range(len(channels))]
    if len(names) != count:
        raise WeightsError(
            f"{path} names {len(names)} outputs of a network that has {count}; name each in it."
        )
    classes = tuple(names[1:] if softmax else names)
    check_classes(classes, path)
    return classes


def _written_transforms(config: BundleConfig, name: str) -> list[tuple[str, dict[str, Any]]]:
    """The transforms of a list by class name, as written, without the disabled ones."""
    transforms = config.followed(config.raw(name))
    steps = config.followed(
        transforms["transforms"] if isinstance(transforms, dict) else transforms
    )
    check_settings({name: steps}, {name: _STEPS}, "the bundle")
    return [
        (_transform_name(step["_target_"]), step)
        for step in steps
        if not config.data(step.get("_disabled_", False))
    ]


def _transform_name(target: str) -> str:
    """The last part of a name of MONAI; any other name as it is."""
    package, _, name = target.rpartition(".")
    is_monais = package == "" or package == _TRANSFORMS or package.startswith(f"{_TRANSFORMS}.")
    return name if is_monais else target


def _transforms(config: BundleConfig) -> list[Transform]:
    transforms = []
    for name, step in _written_transforms(config, "preprocessing"):
        if name in _READING:
            continue
        if name not in TRANSFORMS:
            raise WeightsError(
                f"{config.path} preprocesses volumes with {plain(name)}, which is not supported; "
                f"supported are {', '.join(TRANSFORMS)}."
            )
        settings = config.data({k: v for k, v in step.items() if k not in _SELECTORS})
        _check_supported(config, settings, TRANSFORMS[name], name)
        transforms.append(Transform(name, settings))
    return transforms


def _check_supported(config: BundleConfig, settings: Any, rules: Rules, place: str) -> None:
    try:
        check_settings(settings, rules, place)
    except SettingFault as error:
        raise WeightsError(
            f"{config.path} has settings that this use of MONAI does not support ({error}); "
            f"{_ADVICE}."
        ) from error


def _answers(config: BundleConfig, count: int) -> tuple[bool, bool]:
    """Whether classes compete, and whether they are resampled with nearest neighbours."""
    steps: dict[str, dict[str, Any]] = {}
    if config.has("postprocessing"):
        for name, step in _written_transforms(config, "postprocessing"):
            if name not in _POSTPROCESSING:
                raise WeightsError(
                    f"{config.path} postprocesses with {plain(name)}, which is not supported; "
                    f"supported are {', '.join(_POSTPROCESSING)}."
                )
            steps[name] = step
    softmax = not config.data(steps.get("Activationsd", {}).get("sigmoid", count == 1))
    if softmax != (count > 1):
        raise WeightsError(
            f"{config.path} lets {count} classes overlap, which is not supported; give a bundle "
            "whose classes compete (softmax), or one of a single class."
        )
    threshold = config.data(steps.get("AsDiscreted", {}).get("threshold", 0.5))
    if not softmax and threshold != 0.5:
        raise WeightsError(
            f"{config.path} has the threshold {shown(threshold)}; only 0.5 is supported."
        )
    order = list(steps)
    # Class numbers cannot be interpolated, whatever the setting.
    discrete = "Invertd" not in order or "AsDiscreted" in order[: order.index("Invertd")]
    return softmax, discrete or bool(config.data(steps["Invertd"].get("nearest_interp", True)))


def _windows(config: BundleConfig) -> dict[str, Any]:
    written = config.raw("inferer")
    if written["_target_"] not in _WINDOWS:
        raise WeightsError(
            f"{config.path} runs on volumes with {plain(written['_target_'])}; only "
            "SlidingWindowInferer is supported."
        )
    windows = {key: config.data(written[key]) for key in WINDOWS if key in written}
    _check_supported(config, windows, WINDOWS, "SlidingWindowInferer")
    return windows


def _sides(roi_size: Any) -> list[int]:
    """The sides of a window that are known without the volume."""
    sides = roi_size if isinstance(roi_size, list | tuple) else [roi_size] * 3
    return [max(side, 1) for side in sides]


def _checkpoint(folder: Path, config: BundleConfig) -> Path:
    """The file that the bundle loads; it must be in `models`, whatever folder the bundle names."""
    loaders = [config.values.get("checkpointloader"), *_listed(config.values.get("handlers"))]
    named = [
        step["load_path"] for step in loaders if isinstance(step, dict) and "load_path" in step
    ]
    name = PurePosixPath(str(config.data(named[0]))).name if named else "model.pt"
    path = folder / "models" / name
    if not path.is_file():
        raise WeightsError(f"{folder} has no models/{name}; {_ADVICE}.")
    return path


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
