"""Scores as computed by the CVPR 2025 challenge on interactive 3D segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..volumes.masks import Mask, bounding_box, check_masks
from .overlap import dice
from .surface import checked_spacing, checked_tolerance, surface_dice

_LEAST_DICE_FOR_NSD = 0.2
_SCORES_UNDER_CURVE = 5


def challenge_scores(
    reference_labels: Mask,
    predicted_labels: Mask,
    spacing: Sequence[float] | NDArray[Any],
    tolerance: float = 2.0,
) -> tuple[float, float]:
    """Mean Dice and mean surface Dice over the labels of one case.

    Labels that occur only in the prediction are ignored. As in the challenge, a case whose mean
    Dice is 0.2 or less has a surface Dice of 0.

    Args:
        reference_labels: (K, J, I), integer; labels above 0 are scored.
        predicted_labels: the same shape, integer.
        spacing: voxel size along each array axis, used as given. Challenge files disagree on
            whether theirs is (x, y, z) or (z, y, x), and the challenge does not reorder it.
        tolerance: largest distance that counts as agreement, in the units of `spacing`.

    Returns:
        Mean Dice and mean surface Dice, each 0 to 1.

    Raises:
        MaskError: an array is not a 3D mask, the shapes differ, or the reference has no label.
        ValueError: the spacing or the tolerance is out of range.
    """
    check_masks(reference_labels, predicted_labels)
    spacing = checked_spacing(spacing)
    tolerance = checked_tolerance(tolerance)
    box = bounding_box(reference_labels)
    labels = np.unique(reference_labels[box]) if box is not None else np.array([], dtype=int)
    labels = labels[labels > 0]
    if labels.size == 0:
        raise MaskError(
            "reference_labels has no label above 0, but a case is scored over its labels; leave "
            "the case out."
        )
    dsc = np.mean([dice(reference_labels == at, predicted_labels == at) for at in labels])
    if dsc <= _LEAST_DICE_FOR_NSD:
        return float(dsc), 0.0
    nsd = np.mean(
        [
            surface_dice(reference_labels == at, predicted_labels == at, spacing, tolerance)
            for at in labels
        ]
    )
    return float(dsc), float(nsd)


def text_scores(
    reference_labels: Mask,
    predicted_labels: Mask,
    spacing: Sequence[float] | NDArray[Any],
    labels: Sequence[int],
    tolerance: float = 2.0,
) -> tuple[float, float]:
    """Mean Dice and mean surface Dice over the labels that were asked for by text.

    As in the challenge's CVPR25_text_eval.py: a label that neither map has is left out, and one
    that a single map has counts 0. Both are NaN if no map has any of them.

    Args:
        reference_labels: (K, J, I), integer.
        predicted_labels: the same shape, integer.
        spacing: voxel size along each array axis, used as given.
        labels: the labels with a text.
        tolerance: largest distance that counts as agreement, in the units of `spacing`.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
        ValueError: the spacing or the tolerance is out of range.
    """
    check_masks(reference_labels, predicted_labels)
    spacing, tolerance = checked_spacing(spacing), checked_tolerance(tolerance)
    pairs = [(reference_labels == at, predicted_labels == at) for at in labels]
    pairs = [(truth, found) for truth, found in pairs if truth.any() or found.any()]
    if not pairs:
        return float("nan"), float("nan")
    dsc = np.mean([dice(truth, found) for truth, found in pairs])
    nsd = np.mean([surface_dice(truth, found, spacing, tolerance) for truth, found in pairs])
    return float(dsc), float(nsd)


def instance_f1(
    reference_labels: Mask, predicted_labels: Mask, least_overlap: float = 0.5
) -> float:
    """F1 of instances, matched one to one by intersection over union.

    As in the challenge's CVPR25_text_eval.py: a prediction with a single label is divided into its
    6-connected components first, and an empty prediction scores 0.

    Args:
        reference_labels: (K, J, I), integer, a label for each instance.
        predicted_labels: the same shape, integer.
        least_overlap: the least intersection over union of a match, above 0.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
    """
    from scipy.ndimage import label as components
    from scipy.optimize import linear_sum_assignment

    check_masks(reference_labels, predicted_labels)
    truth, found = (np.unique(m, return_inverse=True) for m in (reference_labels, predicted_labels))
    if np.count_nonzero(found[0]) == 1:
        divided, _ = components(np.asarray(predicted_labels) != 0)
        found = np.unique(divided, return_inverse=True)
    shape = (len(truth[0]), len(found[0]))
    pairs = np.bincount(
        truth[1].ravel() * shape[1] + found[1].ravel(), minlength=shape[0] * shape[1]
    ).reshape(shape)
    # Without the background, which unique lists first if there is any.
    sums = pairs.sum(axis=1, keepdims=True) + pairs.sum(axis=0, keepdims=True) - pairs
    overlap = (pairs / sums)[np.ix_(truth[0] > 0, found[0] > 0)]
    instances = overlap.shape[0] + overlap.shape[1]
    if not overlap.size:
        return 0.0
    matches = overlap >= least_overlap
    rows, columns = linear_sum_assignment(-(matches + overlap / (2 * min(overlap.shape))))
    return float(2 * np.count_nonzero(matches[rows, columns]) / instances)


def interaction_auc(scores: Sequence[float] | NDArray[Any]) -> float:
    """Area under the last five scores of an interaction, one step apart.

    A box and five clicks give six scores; the challenge ignores that of the box.

    Args:
        scores: one score from 0 to 1 after each prompt, in order; at least five.

    Returns:
        The area by the trapezoidal rule, 0 to 4.

    Raises:
        ValueError: there are fewer than five scores, or one is outside 0 to 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size < _SCORES_UNDER_CURVE:
        raise ValueError(
            f"scores has shape {values.shape}, but the area needs a list of at least five; give "
            "the score after every click."
        )
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise ValueError(
                f"scores contains {value}, but a score is between 0 and 1; give Dice or surface "
                "Dice, not percentages or distances."
            )
    last = values[-_SCORES_UNDER_CURVE:]
    return float(((last[1:] + last[:-1]) / 2).sum())
