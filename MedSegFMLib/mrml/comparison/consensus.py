"""Consensus and disagreement of the models of a comparison on one object."""

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
# Voxels of background around all masks that a consensus is computed with.
_MARGIN = 4


def consensus_of(masks: Sequence[ModelVoxels | None], method: str) -> ModelVoxels:
    """The consensus of masks on one grid.

    Args:
        masks: two or more; None is an empty mask.
        method: a key of `CONSENSUS`.

    Raises:
        MaskError: the consensus is empty, or there are fewer than two masks.
    """
    region = around([mask for mask in masks if mask is not None])
    if region is None:
        raise MaskError(
            "No model has found this object, so there is no consensus; add prompts and compare "
            "again."
        )
    shape = shape_triple(n + 2 * _MARGIN for n in region.shape_kji)
    wide = Region.whole(shape).shifted([start - _MARGIN for start in region.start_kji])
    consensus_kji = CONSENSUS[method](_on(masks, wide))[region.relative_to(wide).slices]
    part = tight(consensus_kji, region)
    if part is None:
        raise MaskError(
            "The models share no part of this object; compare their results in the views."
        )
    return ModelVoxels(*part)


def disagreement_of(masks: Sequence[ModelVoxels | None], region: Region) -> tuple[Region, Floats]:
    """The disagreement of masks on a region; see `metrics.consensus.vote_disagreement`."""
    return region, vote_disagreement(_on(masks, region))


def _on(masks: Sequence[ModelVoxels | None], region: Region) -> list[Mask]:
    empty = np.zeros(region.shape_kji, bool)
    return [empty if mask is None else mask.on(region) for mask in masks]
