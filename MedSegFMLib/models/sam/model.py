"""SAM as a model of volumes: slices of three planes, segmented from slice to slice.

Kirillov et al., "Segment anything", 2023: ViT-B, or ViT-L or ViT-H with such weights. With weights
of SAM 2.1 (Ravi et al., "SAM 2: Segment anything in images and videos", 2024) or of SAM 3 (Carion
et al., "SAM 3: Segment anything with concepts", 2025) it is the image side of that network.
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
    name="sam",
    title="SAM in three planes",
    summary="Propagates boxes and clicks slice to slice in three planes; trained on photographs.",
    prompts=("box", "point", "mask"),
    modalities=("any",),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0; SAM License for those of SAM 3",
    region_rule=REGION_RULE,
    packages=PACKAGES,
    weights="sam",
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
    """Load SAM, SAM 2.1 or SAM 3 with the stored weights, or those in the file `weights`.

    See `create_planar` for the options and errors.
    """
    return create_planar(CARD, None, device, weights, size, fusion, planes, cache_bytes, window)
