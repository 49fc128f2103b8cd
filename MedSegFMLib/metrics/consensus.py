"""What several segmentations of one object say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..volumes.masks import Mask, check_masks

Voxels = NDArray[np.bool_]
Floats = NDArray[np.float32]


def majority(masks: Sequence[Mask]) -> Voxels:
    """The voxels that more than half of the masks hold; where half do, they are left out.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Raises:
        MaskError: fewer than two, one is no 3D mask, or their shapes differ.
    """
    return _votes(masks) * 2 > len(masks)


def staple(masks: Sequence[Mask]) -> Voxels:
    """The voxels that probably belong to the object, each mask weighted by how well it does.

    STAPLE (Warfield, Zou and Wells 2004, doi:10.1109/TMI.2004.828354) as SimpleITK has it, cut at a
    probability of 0.5. It weighs masks by how often they are right inside and outside, so that its
    answer depends on how much background is given: give the same box around all of them.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Returns:
        bool, (K, J, I). Masks that are all the same give that mask.

    Raises:
        MaskError: fewer than two, one is no 3D mask, or their shapes differ.
    """
    votes = _votes(masks)
    unanimous = (votes == 0) | (votes == len(masks))
    if unanimous.all():
        # Nobody to weigh: the algorithm would divide by zero.
        return votes > 0
    import SimpleITK as sitk

    images = [sitk.GetImageFromArray((mask != 0).view(np.uint8)) for mask in masks]
    probability = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0))
    return np.asarray(probability > 0.5)


def vote_disagreement(masks: Sequence[Mask]) -> Floats:
    """How far the masks are from one voice: 0 where all say the same, 1 where half say otherwise.

    It is 1 - |2 p - 1| for a share p of the masks that hold a voxel.

    Args:
        masks: two or more, (K, J, I), bool or integer, on one grid.

    Returns:
        float32, (K, J, I).

    Raises:
        MaskError: fewer than two, one is no 3D mask, or their shapes differ.
    """
    share = _votes(masks).astype(np.float32) / len(masks)
    return 1 - np.abs(2 * share - 1)


def _votes(masks: Sequence[Mask]) -> NDArray[np.int32]:
    if len(masks) < 2:
        raise MaskError(f"There are {len(masks)} masks, but a consensus needs two or more.")
    for mask in masks[1:]:
        check_masks(masks[0], mask)
    votes = np.zeros(masks[0].shape, np.int32)
    for mask in masks:
        votes += mask != 0
    return votes
