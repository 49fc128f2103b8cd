"""MedSAM as a model of volumes: slices of three planes, segmented from slice to slice.

Ma et al., "Segment anything in medical images", Nature Communications, 2024: SAM's ViT-B, trained
further on 1.5 million medical images with boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...segmenter import ModelCard
from ...volumes.windows import AUTO
from ..planar.stacks import PLANE_NAMES
from .create import (
    BASE_BYTES,
    BYTES_PER_VOXEL,
    OPTIONS,
    PACKAGES,
    REGION_RULE,
    TRIAL_OPTIONS,
    create_planar,
)
from .segmenter import DEFAULT_CACHE_BYTES, PlanarSegmenter

CARD = ModelCard(
    name="medsam",
    title="MedSAM in three planes",
    summary="Propagates a box from slice to slice in three planes; SAM trained on medical images.",
    prompts=("box", "mask"),
    modalities=("CT", "MR", "PET", "US", "X-ray", "microscopy"),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0",
    region_rule=REGION_RULE,
    packages=PACKAGES,
    weights="medsam",
    base_bytes=BASE_BYTES,
    bytes_per_voxel=BYTES_PER_VOXEL,
    trial_options=TRIAL_OPTIONS,
    options=OPTIONS,
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    size: str | int | None = None,
    fusion: str = "reliable",
    planes: Sequence[str] | str = PLANE_NAMES,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
    window: str = AUTO,
) -> PlanarSegmenter:
    """Load MedSAM with the stored weights, or those in the file `weights`.

    See `create_planar` for the options and errors.
    """
    return create_planar(
        CARD, CARD.name, device, weights, size, fusion, planes, cache_bytes, window
    )
