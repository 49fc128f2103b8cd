"""A folder from nnU-Net's training, read without running anything in it.

`nnunetv2` itself unpickles checkpoints without restrictions; here they may contain only tensors,
numbers and strings, and the plans only what `plans.py` and `architecture.py` know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, WeightsError
from ...weights.catalogue import entry
from ...weights.folders import check_parts, read_json
from ..class_based.segmenter import check_classes
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import SettingFault, check_settings, each, shown, whole
from ..common.state_dict import check_state_dict, read_checkpoint
from .plans import checked_dataset, checked_plans

if TYPE_CHECKING:
    from torch import Tensor

_ADVICE = "give a folder that nnU-Net version 2 wrote"

# The classes of nnU-Net's own trainers begin so.
_TRAINER = re.compile(r"nnUNet_?\w{1,100}")
_MIRRORED = each(whole(0, 2), 0, 3)

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
        plans: The checked content of plans.json, of one configuration.
        dataset: The checked content of dataset.json.
        classes: The class names without background, in the order of dataset.json.
        labels: The label numbers of each class.
        drawn: If classes overlap, the number each is drawn with, in order; else None.
        axis_codes: The orientation that arrays are brought to; None for that of the file.
        trainer: The trainer's class name in the checkpoints.
        configuration: The configuration's name in the checkpoints.
        channels: The names of the images of a volume, in the order of the network.
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
    channels: tuple[str, ...]
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
    files = _checkpoints(folder, folds, checkpoint)
    with configuration_errors("nnunet", folder, "nnU-Net writes", _ADVICE):
        return _read(folder, files)


def _read(folder: Path, files: Sequence[Path]) -> Trained:
    dataset = checked_dataset(read_json(folder / "dataset.json"))
    plans: dict[str, Any] = read_json(folder / "plans.json")
    classes, labels, drawn = _classes(dataset)
    check_classes(classes, folder / "dataset.json")
    reader = plans["image_reader_writer"]
    if reader not in _READERS:
        raise WeightsError(
            f"{folder} reads volumes with {shown(reader)}, which is for other images; {_ADVICE} "
            "for volumes."
        )
    read_all = [read_checkpoint(file, _ADVICE) for file in files]
    first = read_all[0]
    configuration = str(first["init_args"]["configuration"])
    checked = checked_plans(plans, configuration)
    channels = _channels(dataset)
    for name in ("normalization_schemes", "use_mask_for_norm"):
        settings = checked["configurations"][configuration].get(name, channels)
        if len(settings) != len(channels):
            raise SettingFault(
                f"{name} has {len(settings)} values for {len(channels)} images of each volume "
                f"({', '.join(channels)})"
            )
    mirroring = first.get("inference_allowed_mirroring_axes")
    return Trained(
        path=folder,
        plans=checked,
        dataset=dataset,
        classes=classes,
        labels=labels,
        drawn=drawn,
        axis_codes=_READERS[reader],
        trainer=_trainer(first["trainer_name"]),
        configuration=configuration,
        channels=channels,
        mirroring=None if mirroring is None else _axes(mirroring),
        states=tuple(
            check_state_dict(content["network_weights"], file, _ADVICE)
            for content, file in zip(read_all, files, strict=True)
        ),
    )


def _trainer(name: object) -> str:
    if not isinstance(name, str) or not _TRAINER.fullmatch(name):
        raise SettingFault(f"its trainer is {shown(name)}, which is not one of nnU-Net")
    return name


def _axes(mirroring: Sequence[object]) -> tuple[int, ...]:
    axes = tuple(mirroring)
    check_settings({"mirroring axes": axes}, {"mirroring axes": _MIRRORED}, "the checkpoint")
    return tuple(int(str(axis)) for axis in axes)


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
        numbers = sorted(label for (label,) in by_name.values())
        if numbers != list(range(1, len(numbers) + 1)):
            raise SettingFault(f"its labels are {shown(numbers)}, and they must count from 1")
        return tuple(by_name), tuple(by_name.values()), None
    order = tuple(int(n) for n in dataset["regions_class_order"])
    if len(order) != len(by_name):
        raise ValueError(f"{len(by_name)} regions and {len(order)} in regions_class_order")
    return tuple(by_name), tuple(by_name.values()), order


def _channels(dataset: dict[str, Any]) -> tuple[str, ...]:
    """The names of the images that the network takes of each volume, in its order."""
    channels = dataset["channel_names"] if "channel_names" in dataset else dataset["modality"]
    if not isinstance(channels, dict):
        return tuple(map(str, channels))
    if sorted(channels) != sorted(map(str, range(len(channels)))):
        raise SettingFault(
            f"its images are numbered {shown(list(channels))}, and they must count from 0"
        )
    return tuple(str(channels[str(n)]) for n in range(len(channels)))
