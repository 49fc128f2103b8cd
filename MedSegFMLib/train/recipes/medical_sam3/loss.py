"""The loss of SAM3's detector; transformers' Sam3Model has no loss of its own.

Weights and formulas are those of facebookresearch/sam3 for fine-tuning with masks: its classes
IABCEMdetr, Boxes and Masks under Sam3LossWrapper. Its loss on the semantic head is left out,
because nothing here uses that head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .forward import Answers
from .matching import (
    Matches,
    Targets,
    generalised_overlap,
    one_to_many,
    one_to_one,
    overlap,
)

WEIGHTS = {
    "class": 20.0,
    "presence": 20.0,
    "edges": 5.0,
    "overlap": 2.0,
    "mask": 200.0,
    "mask_dice": 10.0,
}
MANY_WEIGHT = 2.0

_POSITIVE = 10.0
_ALPHA, _GAMMA = 0.25, 2.0
# The presence loss is a focal loss; its parameters 0.5 and 0 leave half a cross-entropy.
_PRESENCE = 0.5
_LEAST_AIM = 0.01
# Class losses are a mean over at least this number of queries.
_QUERIES = 200


def detector_loss(
    one: Answers, many: Answers | None, targets: Targets, most: int
) -> dict[str, Tensor]:
    """The parts of the loss by name, unweighted sums over layers, and "loss", which is minimised.

    "loss" grows with the square root of the number of slices.

    Args:
        one: the outputs of the competing queries; all layers learn, masks only in the last.
        many: the outputs of the one-to-many queries, of which up to `most` of the last layer learn
            each target; None without that pass.
        targets: the targets.
        most: the number of queries for each target.
    """
    losses: dict[str, Tensor] = {}
    count = max(1, len(targets.boxes))
    for layer in range(len(one.logits)):
        matches = one_to_one(one.logits[layer], one.boxes[layer], targets)
        parts = _queries(one.logits[layer], one.boxes[layer], targets, matches, count)
        parts["presence"] = _PRESENCE * binary_cross_entropy_with_logits(
            one.presence[layer], targets.present
        )
        if layer == len(one.logits) - 1 and one.masks is not None:
            parts.update(_masks(one.masks, targets, matches, count))
        _add(losses, parts, "")
    for layer in range(0 if many is None else len(many.logits)):
        assert many is not None, "there are layers of it"
        logits, boxes = many.logits[layer], many.boxes[layer]
        last = layer == len(many.logits) - 1
        matches = (
            one_to_many(logits, boxes, targets, most)
            if last
            else one_to_one(logits, boxes, targets)
        )
        _add(losses, _queries(logits, boxes, targets, matches, count), "many_")
    total = one.logits.new_zeros(())
    for name, value in losses.items():
        weight = WEIGHTS[name.removeprefix("many_")]
        total = total + value * weight * (MANY_WEIGHT if name.startswith("many_") else 1.0)
    losses["loss"] = total * targets.n**0.5
    return losses


def _queries(
    logits: Tensor, boxes: Tensor, targets: Targets, matches: Matches, count: int
) -> dict[str, Tensor]:
    """Loss of classes and boxes of a layer: logits (n, q), boxes (n, q, 4).

    The target score of a matched query lies between its own score and its overlap (Cai et al.,
    "Align-DETR", 2023). On slices without an object no query learns; the presence loss covers them.
    """
    place = (matches.slices, matches.queries)
    own, aim_boxes = boxes[place], targets.boxes[matches.targets]
    positive, aims = torch.zeros_like(logits), torch.zeros_like(logits)
    with torch.no_grad():
        score = logits.sigmoid()
        positive[place] = 1.0
        aims[place] = (score[place] ** _ALPHA * overlap(own, aim_boxes) ** (1 - _ALPHA)).clamp(
            min=_LEAST_AIM
        )
    learnt = binary_cross_entropy_with_logits(logits, aims, reduction="none") * positive * _POSITIVE
    others = binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="none")
    kind = learnt + others * (1 - positive) * logits.sigmoid() ** _GAMMA
    kind = kind * targets.present[:, None]
    return {
        "class": kind.sum() / (len(logits) * max(_QUERIES, logits.shape[1])),
        "edges": (own - aim_boxes).abs().sum() / count,
        "overlap": (1 - generalised_overlap(own, aim_boxes)).sum() / count,
    }


def _masks(masks: Tensor, targets: Targets, matches: Matches, count: int) -> dict[str, Tensor]:
    """Focal and Dice loss of the matched masks, (n, q, h, w), against the target masks."""
    logits = masks[matches.slices, matches.queries].flatten(1)
    aims = targets.masks[matches.targets].flatten(1)
    likely = logits.sigmoid()
    wrong = likely * (1 - aims) + (1 - likely) * aims
    share = _ALPHA * aims + (1 - _ALPHA) * (1 - aims)
    focal = share * wrong**_GAMMA
    focal = focal * binary_cross_entropy_with_logits(logits, aims, reduction="none")
    both = 2 * (likely * aims).sum(1) + 1
    dice = 1 - both / (likely.sum(1) + aims.sum(1) + 1)
    # Without matches the sums are 0; a mean would be NaN.
    return {
        "mask": focal.sum() / (max(1, logits.shape[1]) * count),
        "mask_dice": dice.sum() / count,
    }


def _add(losses: dict[str, Tensor], parts: dict[str, Tensor], prefix: str) -> None:
    for name, value in parts.items():
        losses[prefix + name] = losses.get(prefix + name, torch.zeros_like(value)) + value
