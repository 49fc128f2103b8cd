"""What three views of a voxel are to learn: the object, and to agree where they meet.

"The Cost of Consistency": L = L_seg + λ Σ_{i in {coronal, sagittal}} ||M_ax[∩_i] − M_i[∩_ax]||².
The second term alone has no negatives, and a constant answer satisfies it, so it never stands
without the first. Its sum over a line's voxels is a mean here, so that λ means the same for objects
of any size, and a coronal–sagittal term, which the paper has not, can be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor

from ...losses import segmentation_loss
from .plane_views import View, crossing

Compared = Literal["probabilities", "logits"]


def crossplane_loss(
    answers: Sequence[Tensor],
    views: Sequence[View],
    weight: float,
    compared: Compared,
    coronal_sagittal: bool,
) -> dict[str, Tensor]:
    """Scalars: "segmentation_loss", "intersection_loss" and "loss", their weighted sum.

    answers: the logits (rows, columns) of each view. "intersection_loss" is the sum over the pairs
    of planes of the mean squared difference on the line in which they meet.
    """
    learned = [
        segmentation_loss(answer[None, None, None], view.target[None, None, None])
        for answer, view in zip(answers, views, strict=True)
    ]
    segmentation = torch.stack(learned).mean()
    seen = [answer.sigmoid() if compared == "probabilities" else answer for answer in answers]
    inconsistency = segmentation.new_zeros(())
    for (first, one), (second, other) in combinations(zip(views, seen, strict=True), 2):
        if coronal_sagittal or "axial" in (first.plane.name, second.plane.name):
            axis = crossing(first, second)
            gap = first.line(one, axis) - second.line(other, axis)
            inconsistency = inconsistency + gap.square().mean()
    return {
        "loss": segmentation + weight * inconsistency,
        "segmentation_loss": segmentation,
        "intersection_loss": inconsistency,
    }
