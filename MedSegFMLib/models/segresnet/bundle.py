"""What a MONAI bundle of SegResNet says of itself: network, classes, preprocessing and windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import ModelError, WeightsError
from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..class_based.segmenter import check_classes
from .config import BundleConfig

_ADVICE = "give a bundle of MONAI's SegResNet for one image"

_NETWORKS = (
    "SegResNet",
    "monai.networks.nets.SegResNet",
    "monai.networks.nets.segresnet.SegResNet",
)

# Transforms that only read the file: the volume is here already, as they would leave it.
_READING = ("LoadImaged", "EnsureTyped", "EnsureChannelFirstd", "AddChanneld", "ToTensord")
KNOWN_TRANSFORMS = (
    "Orientationd",
    "Spacingd",
    "ScaleIntensityd",
    "ScaleIntensityRanged",
    "ScaleIntensityRangePercentilesd",
    "NormalizeIntensityd",
    "CropForegroundd",
)
_POSTPROCESSING = ("Activationsd", "AsDiscreted", "Invertd", "SaveImaged", "EnsureTyped")
# Those of a transform that tell where in a dictionary of images it works.
_PLACES = ("_target_", "_desc_", "_disabled_", "keys", "source_key", "allow_missing_keys")

_WINDOWS = ("SlidingWindowInferer", "monai.inferers.SlidingWindowInferer")
_WINDOW_SETTINGS = ("roi_size", "sw_batch_size", "overlap", "mode", "sigma_scale", "padding_mode")


@dataclass(frozen=True)
class Transform:
    """A transform of MONAI by name, with its settings beside the keys of images."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Bundle:
    """What is needed to run a bundle.

    checkpoint: the file with the tensors. network: the arguments of SegResNet. classes: without
    background. windows: the arguments of the sliding window. softmax: whether classes compete,
    after a channel of background; else there is one class alone, by a sigmoid. nearest: whether
    answers are brought back by nearest neighbours.
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
    """Read a bundle's configuration; no tensor yet, and nothing in it is run.

    highres: which of two resolutions, None for that it says. Its SHA-256 is for the caller to
    check first. Raises WeightsError, which names what is missing or not known here, ModelError for
    a resolution where it has one alone.
    """
    check_parts(entry("segresnet"), folder)
    config = BundleConfig(next(iter(sorted((folder / "configs").glob("inference.*")))))
    _choose_resolution(config, highres)
    try:
        network = _network(config)
        softmax, nearest = _answers(config, int(network["out_channels"]))
        return Bundle(
            path=folder,
            checkpoint=_checkpoint(folder, config),
            network=network,
            classes=_classes(folder, int(network["out_channels"]), softmax),
            transforms=tuple(_transforms(config)),
            windows=_windows(config),
            softmax=softmax,
            nearest=nearest,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{config.path} does not say all that a bundle does ({type(error).__name__}: {error}); "
            f"{_ADVICE}."
        ) from error


def _choose_resolution(config: BundleConfig, highres: bool | None) -> None:
    if highres is None:
        return
    shown = config.values.get("displayable_configs")
    if not isinstance(shown, dict) or "highres" not in shown:
        raise ModelError(f"{config.path} knows one resolution alone; leave out highres=.")
    shown["highres"] = highres


def _network(config: BundleConfig) -> dict[str, Any]:
    written = config.raw("network_def" if config.has("network_def") else "network")
    name = written.get("_target_") if isinstance(written, dict) else written
    if name not in _NETWORKS:
        raise WeightsError(f"{config.path} is of the network {name}, not SegResNet; {_ADVICE}.")
    network = config.data({key: held for key, held in written.items() if key[0] != "_"})
    network = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, **network}
    if network["in_channels"] != 1:
        raise WeightsError(
            f"{config.path} takes {network['in_channels']} images of each volume at once; "
            f"{_ADVICE}."
        )
    if network["spatial_dims"] != 3:
        raise WeightsError(f"{config.path} is of a network for slices; give one for volumes.")
    return network


def _classes(folder: Path, count: int, softmax: bool) -> tuple[str, ...]:
    """The names of the outputs, in their order, as metadata.json has them."""
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


def _written_transforms(config: BundleConfig, name: str) -> list[dict[str, Any]]:
    """The transforms of a list as they are written, those left out that are disabled."""
    held = config.raw(name)
    while isinstance(held, str) and held.startswith("@"):
        held = config.raw(held[1:])
    steps = held["transforms"] if isinstance(held, dict) else held
    while isinstance(steps, str) and steps.startswith("@"):
        steps = config.raw(steps[1:])
    return [step for step in steps if not config.data(step.get("_disabled_", False))]


def _transforms(config: BundleConfig) -> list[Transform]:
    found = []
    for step in _written_transforms(config, "preprocessing"):
        name = str(step["_target_"]).rpartition(".")[2]
        if name in _READING:
            continue
        if name not in KNOWN_TRANSFORMS:
            raise WeightsError(
                f"{config.path} prepares volumes with {name}, which is not known here; known are "
                f"{', '.join(KNOWN_TRANSFORMS)}."
            )
        settings = {key: held for key, held in step.items() if key not in _PLACES}
        found.append(Transform(name, config.data(settings)))
    return found


def _answers(config: BundleConfig, count: int) -> tuple[bool, bool]:
    """Whether classes compete, and whether they are brought back by nearest neighbours."""
    steps: dict[str, dict[str, Any]] = {}
    if config.has("postprocessing"):
        for step in _written_transforms(config, "postprocessing"):
            name = str(step["_target_"]).rpartition(".")[2]
            if name not in _POSTPROCESSING:
                raise WeightsError(
                    f"{config.path} changes answers with {name}, which is not known here; known "
                    f"are {', '.join(_POSTPROCESSING)}."
                )
            steps[name] = step
    softmax = not config.data(steps.get("Activationsd", {}).get("sigmoid", count == 1))
    if softmax != (count > 1):
        raise WeightsError(
            f"{config.path} lets {count} classes overlap, which is not known here; give a bundle "
            "whose classes compete (softmax), or one of a single class."
        )
    threshold = config.data(steps.get("AsDiscreted", {}).get("threshold", 0.5))
    if not softmax and threshold != 0.5:
        raise WeightsError(f"{config.path} has the threshold {threshold}; only 0.5 is known here.")
    order = list(steps)
    # Numbers of classes have nothing between them, whatever is asked for.
    discrete = "Invertd" not in order or "AsDiscreted" in order[: order.index("Invertd")]
    return softmax, discrete or bool(config.data(steps["Invertd"].get("nearest_interp", True)))


def _windows(config: BundleConfig) -> dict[str, Any]:
    written = config.raw("inferer")
    if written["_target_"] not in _WINDOWS:
        raise WeightsError(
            f"{config.path} looks at volumes with {written['_target_']}; only SlidingWindowInferer "
            "is known here."
        )
    return {key: config.data(written[key]) for key in _WINDOW_SETTINGS if key in written}


def _checkpoint(folder: Path, config: BundleConfig) -> Path:
    """The file that the bundle loads; it lies in `models`, whatever its folder is called."""
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
