"""MONAI's SegResNet as a model: segmentation of a bundle's classes in the whole volume.

Myronenko, "3D MRI brain tumor segmentation using autoencoder regularization", BrainLes 2018. The
layout is that of the bundles in MONAI's model zoo, of which `wholeBody_ct_segmentation` has 104
classes of CT; network, preprocessing and sliding window are the package's.
"""

from __future__ import annotations

from pathlib import Path

from ...segmenter import ModelCard, ModelOption
from ...system.device import choose_device
from ...weights import store
from ..class_based.segmenter import WHOLE_VOLUME, ClassSegmenter, parse_overlap
from ..common.options import parse_yes_no

CARD = ModelCard(
    name="segresnet",
    title="SegResNet",
    summary="Segments the classes of a MONAI bundle, such as the 104 of wholeBody_ct_segmentation.",
    prompts=("text",),
    modalities=("as its weights",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="that of the bundle",
    region_rule=WHOLE_VOLUME,
    packages=("torch", "monai"),
    weights="segresnet",
    # The network of wholeBody_ct_segmentation with random weights on a CPU, growth: 1897, 1846 and
    # 3383 MB for volumes of 48, 96 and 160 voxels of 1 mm a side (Testing/benchmarks/memory.py);
    # each of its 104 classes was everywhere; those of a patient take less.
    base_bytes=1_500_000_000,
    bytes_per_voxel=460,
    trial_options={"overlap": 0.0},
    options=(
        ModelOption("highres", "Fine grid", "Use the finer of two resolutions", ("yes", "no")),
        ModelOption("overlap", "Overlap", "Of neighbouring patches, 0 to 0.9"),
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    highres: bool | str | None = None,
    overlap: float | str | None = None,
) -> ClassSegmenter:
    """Load the imported bundle, or the bundle in the folder `weights`.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A bundle's folder; None for the imported one.
        highres: For a bundle of two resolutions, whether to use the finer one; None for its
            default.
        overlap: The overlap of neighbouring windows as a fraction of their width, 0 to 0.9; None
            for the bundle's.

    Raises:
        ModelError: If an option is invalid.
        DeviceError: If the device is not available.
        WeightsError: If the folder is incomplete, altered, of several images a volume, of another
            network, or with unsupported preprocessing.
    """
    from .bundle import read
    from .network import SegResNetNetwork

    chosen = choose_device(device)
    part = None if overlap is None else parse_overlap(overlap)
    finer = None if highres is None else parse_yes_no("highres", highres)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    return ClassSegmenter(CARD, SegResNetNetwork(read(path, finer), chosen, part), path)
