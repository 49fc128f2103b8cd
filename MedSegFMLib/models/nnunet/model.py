"""nnU-Net as a model: segmentation of a trained folder's classes in the whole volume.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
segmentation", Nature Methods, 2021. Plans, preprocessing, network and resampling are those of the
package `nnunetv2`; reading the checkpoints and iterating over the windows is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...segmenter import ModelCard, ModelOption
from ...system.device import choose_device
from ...weights import store
from ..class_based.segmenter import WHOLE_VOLUME, ClassSegmenter, parse_overlap
from ..common.options import parse_yes_no

CARD = ModelCard(
    name="nnunet",
    title="nnU-Net",
    summary="Segments the classes that a folder of nnU-Net version 2 was trained for.",
    prompts=("text",),
    modalities=("as its weights",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="that of their authors",
    region_rule=WHOLE_VOLUME,
    packages=("torch", "nnunetv2"),
    weights="nnunet",
    channels=None,
    # nnU-Net's usual 3D network (six stages, patches of 128) of 14 classes on a CPU, growth: 3110,
    # 3147 and 3169 MB for volumes of 48, 96 and 160 voxels of 1 mm a side, mostly a window's pass
    # (Testing/benchmarks/memory.py). A voxel then adds copies of the volume and 2 bytes a class.
    base_bytes=3_000_000_000,
    bytes_per_voxel=80,
    trial_options={"mirroring": False, "overlap": 0.0},
    options=(
        ModelOption("folds", "Folds", "Numbers of the networks to average, with commas", (), "all"),
        ModelOption("overlap", "Overlap", "Of neighbouring patches, 0 to 0.9", (), "0.5"),
        ModelOption(
            "mirroring",
            "Mirroring",
            "Segment mirrored patches too, which takes longer",
            ("yes", "no"),
            "yes",
        ),
        ModelOption(
            "checkpoint", "Checkpoint", "The file in each fold", (), "checkpoint_final.pth"
        ),
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    folds: Sequence[str | int] | str | int | None = None,
    checkpoint: str = "checkpoint_final.pth",
    overlap: float | str = 0.5,
    mirroring: bool | str = True,
) -> ClassSegmenter:
    """Load the imported folder, or the folder `weights`.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A folder; None for the imported one.
        folds: The folds whose networks are averaged: numbers, or "all" for the network of all cases
            (as text, separated by commas); None for all that exist.
        checkpoint: The file name in each fold.
        overlap: The overlap of neighbouring windows as a fraction of their width, 0 to 0.9; 0.5 as
            published.
        mirroring: Whether to average over mirror images, as published, if the training allows it;
            takes eight times as long.

    Raises:
        ModelError: If an option is invalid.
        DeviceError: If the device is not available.
        WeightsError: If the folder is incomplete, altered, or of a network that it does not
            describe.
    """
    from . import folder
    from .network import NnunetNetwork

    chosen = choose_device(device)
    part, mirrored = parse_overlap(overlap), parse_yes_no("mirroring", mirroring)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    trained = folder.read(path, _folds(folds), checkpoint)
    card = replace(CARD, channels=trained.channels)
    return ClassSegmenter(card, NnunetNetwork(trained, chosen, 1 - part, mirrored), path)


def _folds(folds: Sequence[str | int] | str | int | None) -> tuple[str, ...] | None:
    if folds is None:
        return None
    if isinstance(folds, str | int):
        folds = str(folds).split(",")
    return tuple(str(fold).strip() for fold in folds)
