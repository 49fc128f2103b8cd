"""SAM as a model of volumes: each slice of three planes is segmented, from slice to slice.

Kirillov et al., "Segment anything", 2023. The network is ViT-B, or ViT-L or ViT-H where such
weights are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..planar.stacks import PLANE_NAMES
from ..segmenter import ModelCard, RegionRule
from .planar import DEFAULT_CACHE_BYTES, PlanarSegmenter
from .planar_loading import create_planar
from .sam_pictures import SamPictures

CARD = ModelCard(
    name="sam",
    title="SAM in three planes",
    summary="Follows boxes and clicks from slice to slice in three planes; trained on photographs.",
    prompts=("box", "point"),
    modalities=("any",),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0",
    region_rule=RegionRule(
        margin_voxels=8, margin_fraction=0.1, click_radius_voxels=32, shared=False
    ),
    packages=("torch", "torchvision", "segment_anything"),
    weights="sam",
    # ViT-B at native size, growth over a box and three clicks, their answers kept: 730, 778, 969
    # and 1719 MB for regions of 48, 96, 160 and 256 voxels a side. At 1024 the features of a slice
    # take two MiB, as far as `cache_bytes` allows, and a CPU's encoder some 5 GB while it is made.
    base_bytes=730_000_000,
    bytes_per_voxel=60,
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    size: str | int | None = None,
    fusion: str = "reliable",
    planes: Sequence[str] | str = PLANE_NAMES,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
) -> PlanarSegmenter:
    """Load SAM with the weights of the store, or those in the file `weights`.

    See `create_planar` for the options and what is raised.
    """
    return create_planar(CARD, SamPictures, device, weights, size, fusion, planes, cache_bytes)
