"""A folder from nnU-Net's training, read without running anything in it.

`nnunetv2` itself unpickles checkpoints without restrictions; here they may contain only tensors,
numbers and strings, and the network that the plans name must be one of nnU-Net's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, WeightsError
from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..class_based.segmenter import check_classes
from ..common.state_dict import check_state_dict, read_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

_ADVICE = "give a folder that nnU-Net version 2 wrote"

# The packages that plans may name for import, those that nnU-Net's own planners use.
_NETWORKS = "dynamic_network_architectures."
_LAYERS = "torch.nn."

# nnU-Net's readers of volumes, and the axis codes that they reorient arrays to; None: as stored.
_READERS: dict[str, str | None] = {
    "SimpleITKIO": None,
    "NibabelIO": None,
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
}


@dataclass(frozen=True, eq=False)
class Trained:
    """The content of a folder.

    Attributes:
        path: The folder.
        plans: The content of plans.json.
        dataset: The content of dataset.json.
        classes: The class names without background, in the order of dataset.json.
        labels: The label numbers of each class.
        drawn: If classes overlap, the number each is drawn with, in order; else None.
        axis_codes: The orientation that arrays are brought to; None for that of the file.
        trainer: The trainer's class name in the checkpoints.
        configuration: The configuration's name in the checkpoints.
        mirroring: The mirroring axes in the checkpoints.
        states: The tensors of each fold.
    """

    path: Path
    plans: dict[str, Any]
    dataset: dict[str, Any]
    classes: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    drawn: tuple[int, ...] | None
    axis_codes: str | None
    trainer: str
    configuration: str
    mirroring: tuple[int, ...] | None
    states: tuple[Mapping[str, Tensor], ...]


def read(folder: Path, folds: tuple[str, ...] | None, checkpoint: str) -> Trained:
    """Read the plans, and the checkpoints of some folds (None: of all).

    The caller must check the folder's SHA-256 first.

    Raises:
        WeightsError: If the folder is incomplete or unsupported; the message names the fault and
            the way out.
        ModelError: If a fold does not exist.
    """
    parts = ("dataset.json", "plans.json", f"fold_*/{checkpoint}")
    check_parts(replace(entry("nnunet"), parts=parts), folder)
    dataset, plans = read_json(folder / "dataset.json"), read_json(folder / "plans.json")
    files = _checkpoints(folder, folds, checkpoint)
    try:
        classes, labels, drawn = _classes(dataset)
        _check_channels(dataset, folder)
        _check_plans(plans, folder)
        reader = str(plans["image_reader_writer"])
        if reader not in _READERS:
            raise WeightsError(
                f"{folder} reads volumes with {reader}, which is for other images; {_ADVICE} for "
                "volumes."
            )
        read_all = [read_checkpoint(file, _ADVICE) for file in files]
        first = read_all[0]
        mirroring = first.get("inference_allowed_mirroring_axes")
        trained = Trained(
            path=folder,
            plans=plans,
            dataset=dataset,
            classes=classes,
            labels=labels,
            drawn=drawn,
            axis_codes=_READERS[reader],
            trainer=str(first["trainer_name"]),
            configuration=str(first["init_args"]["configuration"]),
            mirroring=None if mirroring is None else tuple(int(axis) for axis in mirroring),
            states=tuple(
                check_state_dict(content["network_weights"], file, _ADVICE)
                for content, file in zip(read_all, files, strict=True)
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{folder} lacks an entry that nnU-Net writes ({type(error).__name__}: {error}); "
            f"{_ADVICE}."
        ) from error
    check_classes(classes, folder / "dataset.json")
    return trained


def _checkpoints(folder: Path, folds: tuple[str, ...] | None, checkpoint: str) -> list[Path]:
    existing = {p.parent.name.removeprefix("fold_"): p for p in folder.glob(f"fold_*/{checkpoint}")}
    if folds is None:
        # "all" is a separate network of all cases rather than a further fold.
        folds = tuple(sorted(existing.keys() - {"all"})) or ("all",)
    missing = [fold for fold in folds if fold not in existing]
    if missing or not folds:
        raise ModelError(
            f"{folder} has no fold {', '.join(missing)}; it has {', '.join(sorted(existing))}."
        )
    return [existing[fold] for fold in folds]


def _classes(
    dataset: dict[str, Any],
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...], tuple[int, ...] | None]:
    """The class names, their labels, and the drawing order of regions, as in `LabelManager`."""
    by_name = {
        name: tuple(int(n) for n in label) if isinstance(label, list) else (int(label),)
        for name, label in dataset["labels"].items()
        if name != "ignore"
    }
    by_name = {name: labels for name, labels in by_name.items() if set(labels) != {0}}
    if all(len(labels) == 1 for labels in by_name.values()):
        return tuple(by_name), tuple(by_name.values()), None
    order = tuple(int(n) for n in dataset["regions_class_order"])
    if len(order) != len(by_name):
        raise ValueError(f"{len(by_name)} regions and {len(order)} in regions_class_order")
    return tuple(by_name), tuple(by_name.values()), order


def _check_channels(dataset: dict[str, Any], folder: Path) -> None:
    channels = dataset["channel_names"] if "channel_names" in dataset else dataset["modality"]
    if len(channels) != 1:
        raise WeightsError(
            f"{folder} takes {len(channels)} images of each volume at once "
            f"({', '.join(map(str, channels.values()))}); give one that was trained on one."
        )


def _check_plans(plans: dict[str, Any], folder: Path) -> None:
    """Raise WeightsError if the plans name anything for import that is not nnU-Net's own."""
    for configuration in plans["configurations"].values():
        architecture = configuration.get("architecture")
        if architecture is None:
            continue
        named = {architecture["network_class_name"]: _NETWORKS}
        for key in architecture["_kw_requires_import"]:
            layer = architecture["arch_kwargs"].get(key)
            named.update({} if layer is None else {layer: _LAYERS})
        for name, package in named.items():
            if not _is_part(str(name), package):
                raise WeightsError(
                    f"{folder} names {name} for import, which is not a network or layer of "
                    f"{package[:-1]} and is not run; {_ADVICE}."
                )


def _is_part(name: str, package: str) -> bool:
    """Whether a name is that of a network or layer which the package defines.

    A path through a package may end outside it, as its modules also contain what they import.
    """
    from torch.nn import Module

    try:
        named = locate(name) if name.startswith(package) else None
    except ErrorDuringImport:
        return False
    is_module = isinstance(named, type) and issubclass(named, Module)
    return is_module and named.__module__.startswith(package)
