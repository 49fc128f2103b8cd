"""Matching of a detector's queries to the objects of a slice, one-to-one or one-to-many.

Boxes are (centre x, centre y, width, height) as fractions of the slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import logsigmoid

# The costs of class, box edges and box overlap in matching, and the parameters of the focal loss
# (facebookresearch/sam3, its configuration for fine-tuning).
_CLASS, _EDGES, _OVERLAP = 2.0, 5.0, 2.0
_ALPHA, _GAMMA = 0.25, 2.0
# The weight of the score, besides that of the overlap, in one-to-many matching; the least quality.
_MANY_ALPHA, _MANY_LEAST = 0.3, 0.4


@dataclass(frozen=True, eq=False)
class Targets:
    """The objects of n slices.

    Attributes:
        slices: (t,) the slice of each object.
        boxes: (t, 4).
        masks: (t, h, w), 0 or 1.
        n: the number of slices.
    """

    slices: Tensor
    boxes: Tensor
    masks: Tensor
    n: int

    @property
    def present(self) -> Tensor:
        """(n,) float32: 1 for slices with an object."""
        present = torch.zeros(self.n, device=self.boxes.device)
        present[self.slices] = 1.0
        return present


@dataclass(frozen=True, eq=False)
class Matches:
    """The matches, (m,) int64 each.

    Attributes:
        slices: the slice.
        queries: the query.
        targets: the target that the query learns.
    """

    slices: Tensor
    queries: Tensor
    targets: Tensor


def one_to_one(logits: Tensor, boxes: Tensor, targets: Targets) -> Matches:
    """The assignment of least cost (Carion et al., "End-to-end object detection", 2020, eq. 1).

    The cost of the class is the change of a focal loss.

    Args:
        logits: (n, q).
        boxes: (n, q, 4).
        targets: the targets.
    """
    matches: list[tuple[int, int, int]] = []
    logits, boxes = logits.detach(), boxes.detach()
    for number in range(targets.n):
        of_slice = (targets.slices == number).nonzero()[:, 0]
        if not len(of_slice):
            continue
        score = logits[number].sigmoid()
        learnt = -_ALPHA * (1 - score) ** _GAMMA * logsigmoid(logits[number])
        left = -(1 - _ALPHA) * score**_GAMMA * logsigmoid(-logits[number])
        kind = learnt - left
        edges = torch.cdist(boxes[number], targets.boxes[of_slice], p=1)
        shared = generalised_overlap(boxes[number][:, None], targets.boxes[of_slice][None])
        cost = _CLASS * kind[:, None] + _EDGES * edges - _OVERLAP * shared
        # NaN would make the solver raise; the loss reports it.
        queries, chosen = linear_sum_assignment(cost.nan_to_num().cpu().numpy())
        matches += [
            (number, int(q), int(of_slice[t])) for q, t in zip(queries, chosen, strict=True)
        ]
    return _matches(matches, boxes.device)


def one_to_many(logits: Tensor, boxes: Tensor, targets: Targets, most: int) -> Matches:
    """For each target the `most` queries of highest quality, if it exceeds 0.4.

    As in DAC-DETR: quality = 0.3 score + 0.7 intersection over union.

    Args:
        logits: (n, q).
        boxes: (n, q, 4).
        targets: the targets.
        most: the number of queries for each target.
    """
    matches: list[tuple[int, int, int]] = []
    logits, boxes = logits.detach(), boxes.detach()
    for target in range(len(targets.boxes)):
        number = int(targets.slices[target])
        shared = overlap(boxes[number], targets.boxes[target][None])
        quality = _MANY_ALPHA * logits[number].sigmoid() + (1 - _MANY_ALPHA) * shared
        best = quality.topk(min(most, len(quality)))
        for value, query in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            if value > _MANY_LEAST:
                matches.append((number, query, target))
    return _matches(matches, boxes.device)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes (…, 4), whose shapes are broadcast."""
    with torch.no_grad():
        return _areas(boxes, others)[0]


def generalised_overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union less the empty part of the box around both, from -1 to 1.

    Rezatofighi et al., "Generalized intersection over union", 2019, algorithm 1.
    """
    shared, union, around = _areas(boxes, others)
    return shared - (around - union) / around.clamp(min=1e-9)


def _areas(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection over union, the union, and the area of the box around both."""
    low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
    low2, high2 = others[..., :2] - others[..., 2:] / 2, others[..., :2] + others[..., 2:] / 2
    shared = (torch.minimum(high, high2) - torch.maximum(low, low2)).clamp(min=0).prod(-1)
    union = (high - low).prod(-1) + (high2 - low2).prod(-1) - shared
    around = (torch.maximum(high, high2) - torch.minimum(low, low2)).prod(-1)
    return shared / union.clamp(min=1e-9), union, around


def _matches(matches: list[tuple[int, int, int]], device: torch.device) -> Matches:
    numbers = torch.tensor(matches, dtype=torch.int64, device=device).reshape(-1, 3)
    return Matches(numbers[:, 0], numbers[:, 1], numbers[:, 2])
