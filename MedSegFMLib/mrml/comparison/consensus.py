"""The consensus and the disagreement of all models of a comparison on one object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import MaskError
from ...metrics.consensus import Floats, majority, staple, vote_disagreement
from ...volumes.region import Region, shape_triple
from ..segments.model_voxels import ModelVoxels, tight
from ..segments.oriented_images import Mask
from .results import around

CONSENSUS = {"staple": staple, "majority": majority}
# A consensus sees so many voxels of background around all masks.
_MARGIN = 4


def consensus_of(masks: Sequence[ModelVoxels | None], method: str) -> ModelVoxels:
    """The consensus of masks on one grid.

    Args:
        masks: A mask for each model; None for an empty one.
        method: A key of `CONSENSUS`.

    Raises:
        MaskError: If the consensus is empty, or there are fewer than two masks.
    """
    region = around([mask for mask in masks if mask is not None])
    if region is None:
        raise MaskError("No model has found anything of this object; there is no consensus.")
    shape = shape_triple(n + 2 * _MARGIN for n in region.shape_kji)
    wide = Region.whole(shape).shifted([start - _MARGIN for start in region.start_kji])
    found = CONSENSUS[method](_on(masks, wide))[region.relative_to(wide).slices]
    part = tight(found, region)
    if part is None:
        raise MaskError("The models share no part of this object; look at their results.")
    return ModelVoxels(*part)


def disagreement_of(masks: Sequence[ModelVoxels | None], region: Region) -> tuple[Region, Floats]:
    """How far masks disagree on a region: see `metrics.consensus.vote_disagreement`.

    Args:
        masks: A mask for each model; None for an empty one.
        region: The part of the grid to look at.

    Returns:
        The region, and the disagreement of its voxels, float32, 0 to 1.
    """
    return region, vote_disagreement(_on(masks, region))


def _on(masks: Sequence[ModelVoxels | None], region: Region) -> list[Mask]:
    nothing = np.zeros(region.shape_kji, bool)
    return [nothing if mask is None else mask.on(region) for mask in masks]
