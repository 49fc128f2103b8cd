"""The loss of three views through a voxel: segmentation, and agreement on their intersections.

"The Cost of Consistency": L = L_seg + λ Σ_{i in {coronal, sagittal}} ||M_ax[∩_i] − M_i[∩_ax]||².
The second term alone has no negatives, and a constant output satisfies it, so it is never used
without the first. Its sum over a line's voxels is a mean here, so that λ means the same for objects
of any size. What is compared is a setting (`agreement`), and a coronal–sagittal term, which the
paper does not have, can be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from ...agreement import Agreement
from ...losses import segmentation_loss
from .plane_views import View, crossing


def crossplane_loss(
    answers: Sequence[Tensor],
    views: Sequence[View],
    weight: float,
    agreement: Agreement,
) -> dict[str, Tensor]:
    """The scalars "segmentation_loss", "intersection_loss" and "loss", their weighted sum.

    "intersection_loss" is the sum over the pairs of planes of the mean price on the line of
    intersection; see `Agreement.price`.

    Args:
        answers: the logits (rows, columns) of each view.
        views: the views.
        weight: the weight λ of the intersection term.
        agreement: what is compared.
    """
    losses = [
        segmentation_loss(answer[None, None, None], view.target[None, None, None])
        for answer, view in zip(answers, views, strict=True)
    ]
    segmentation = torch.stack(losses).mean()
    inconsistency = segmentation.new_zeros(())
    for (first, one), (second, other) in combinations(zip(views, answers, strict=True), 2):
        if agreement.coronal_sagittal or "axial" in (first.plane.name, second.plane.name):
            axis = crossing(first, second)
            price = agreement.price(first.line(one, axis), second.line(other, axis))
            inconsistency = inconsistency + price
    return {
        "loss": segmentation + weight * inconsistency,
        "segmentation_loss": segmentation,
        "intersection_loss": inconsistency,
    }
