"""Consensus of several segmentations of one object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..volumes.masks import Mask, check_masks

Voxels = NDArray[np.bool_]
Floats = NDArray[np.float32]


def majority(masks: Sequence[Mask]) -> Voxels:
    """The voxels that belong to more than half of the masks.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Raises:
        MaskError: there are fewer than two masks, one is not 3D, or their shapes differ.
    """
    return _votes(masks) * 2 > len(masks)


def staple(masks: Sequence[Mask]) -> Voxels:
    """The voxels that probably belong to the object, with each mask weighted by its performance.

    STAPLE (Warfield, Zou and Wells 2004, doi:10.1109/TMI.2004.828354) as implemented in SimpleITK,
    thresholded at a probability of 0.5. It estimates the sensitivity and specificity of each mask,
    so the result depends on the amount of background: crop all masks to the same box.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Returns:
        bool, (K, J, I). Identical masks return that mask.

    Raises:
        MaskError: there are fewer than two masks, one is not 3D, or their shapes differ.
    """
    votes = _votes(masks)
    unanimous = (votes == 0) | (votes == len(masks))
    if unanimous.all():
        # All masks agree: the algorithm would divide by zero.
        return votes > 0
    import SimpleITK as sitk

    images = [sitk.GetImageFromArray((mask != 0).view(np.uint8)) for mask in masks]
    probability = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0))
    return np.asarray(probability > 0.5)


def vote_disagreement(masks: Sequence[Mask]) -> Floats:
    """Disagreement of the masks in each voxel: 0 if all agree, 1 if half of them differ.

    It is 1 - |2 p - 1|, with p the fraction of the masks that contain the voxel.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Returns:
        float32, (K, J, I).

    Raises:
        MaskError: there are fewer than two masks, one is not 3D, or their shapes differ.
    """
    fraction = _votes(masks).astype(np.float32) / len(masks)
    return 1 - np.abs(2 * fraction - 1)


def _votes(masks: Sequence[Mask]) -> NDArray[np.int32]:
    if len(masks) < 2:
        raise MaskError(
            f"A consensus needs two or more masks, but {len(masks)} given; add another."
        )
    for mask in masks[1:]:
        check_masks(masks[0], mask)
    votes = np.zeros(masks[0].shape, np.int32)
    for mask in masks:
        votes += mask != 0
    return votes
