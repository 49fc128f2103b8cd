"""What SAM3's detector minimises: matching and losses, by hand where there are few queries."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from MedSegFMLib.train.recipes.medical_sam3.forward import Answers  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.loss import (  # noqa: E402
    MANY_WEIGHT,
    WEIGHTS,
    detector_loss,
)
from MedSegFMLib.train.recipes.medical_sam3.matching import (  # noqa: E402
    Targets,
    generalised_overlap,
    one_to_many,
    one_to_one,
    overlap,
)
from MedSegFMLib.train.recipes.medical_sam3.rates import build_optimiser, rate_scale  # noqa: E402

BOX = [0.5, 0.5, 0.4, 0.4]
FAR = [0.1, 0.1, 0.1, 0.1]


def targets(*boxes: list[float], n: int = 1) -> Targets:
    """Objects on the first slice, each with a mask of 2 by 2 whose first pixel is its."""
    masks = torch.zeros(len(boxes), 2, 2)
    masks[:, 0, 0] = 1
    slices = torch.zeros(len(boxes), dtype=torch.int64)
    return Targets(slices, torch.tensor(boxes).reshape(-1, 4), masks, n)


def two_queries(scores: tuple[float, float] = (0.0, 0.0)) -> Answers:
    """One layer, one slice: the first query has the target's box, the second is far away."""
    return Answers(
        torch.tensor([[scores]]),
        torch.tensor([[[BOX, FAR]]]),
        torch.tensor([[0.0]]),
        torch.zeros(1, 2, 2, 2),
    )


def test_boxes_overlap_as_their_areas_say() -> None:
    one = torch.tensor([0.25, 0.5, 0.5, 1.0])
    other = torch.tensor([0.5, 0.5, 0.5, 1.0])
    assert float(overlap(one, other)) == pytest.approx(1 / 3)
    assert float(generalised_overlap(one, other)) == pytest.approx(1 / 3)
    apart = torch.tensor([0.875, 0.5, 0.25, 1.0])
    assert float(overlap(one, apart)) == 0
    assert float(generalised_overlap(one, apart)) == pytest.approx(-0.25)


def test_each_object_is_learnt_by_the_query_that_costs_least() -> None:
    boxes = torch.tensor([[FAR, BOX, [0.9, 0.9, 0.1, 0.1]]])
    found = one_to_one(torch.zeros(1, 3), boxes, targets(BOX, FAR))
    pairs = dict(zip(found.targets.tolist(), found.queries.tolist(), strict=True))
    assert pairs == {0: 1, 1: 0}
    assert len(one_to_one(torch.zeros(1, 3), boxes, targets()).queries) == 0


def test_several_queries_may_learn_an_object_where_they_are_worth_enough() -> None:
    near = [0.52, 0.5, 0.4, 0.4]
    boxes = torch.tensor([[BOX, near, FAR, BOX]])
    logits = torch.tensor([[2.0, 0.0, 9.0, -9.0]])
    found = one_to_many(logits, boxes, targets(BOX), 4)
    assert sorted(found.queries.tolist()) == [0, 1, 3]
    assert one_to_many(logits, boxes, targets(BOX), 1).queries.tolist() == [0]


def test_the_loss_of_two_queries_is_what_the_formulas_give_by_hand() -> None:
    found = detector_loss(two_queries(), None, targets(BOX), 0)
    # Matched: score 1/2 and overlap 1 aim at t = 0.5^0.25; every cross-entropy of logit 0 is ln 2.
    # The other: ln 2 times its score squared. The mean is over 200 queries.
    kind = (10 * math.log(2) + math.log(2) * 0.25) / 200
    assert float(found["class"]) == pytest.approx(kind)
    assert float(found["presence"]) == pytest.approx(math.log(2) / 2)
    assert float(found["edges"]) == 0 and float(found["overlap"]) == pytest.approx(0, abs=1e-6)
    # Four pixels of probability 1/2, one of them the object's: (0.25 + 3 * 0.75) * 0.25 * ln 2.
    assert float(found["mask"]) == pytest.approx(2.5 * 0.25 * math.log(2) / 4)
    assert float(found["mask_dice"]) == pytest.approx(1 - (2 * 0.5 + 1) / (2 + 1 + 1))
    whole = sum(WEIGHTS[name] * float(value) for name, value in found.items() if name != "loss")
    assert float(found["loss"]) == pytest.approx(whole)


def test_on_a_slice_without_the_object_presence_alone_is_learnt() -> None:
    found = detector_loss(two_queries((3.0, 3.0)), None, targets(), 0)
    assert float(found["presence"]) == pytest.approx(math.log(2) / 2)
    assert all(
        float(found[name]) == 0 for name in ("class", "edges", "overlap", "mask", "mask_dice")
    )


def test_the_one_to_many_pass_counts_twice_and_has_no_masks() -> None:
    one = two_queries()
    both = detector_loss(one, Answers(one.logits, one.boxes, one.presence, None), targets(BOX), 1)
    alone = detector_loss(one, None, targets(BOX), 1)
    assert float(both["many_class"]) == pytest.approx(float(alone["class"]))
    assert not {"many_mask", "many_mask_dice", "many_presence"} & set(both)
    more = float(both["loss"]) - float(alone["loss"])
    assert more == pytest.approx(MANY_WEIGHT * WEIGHTS["class"] * float(alone["class"]), rel=1e-4)


def test_a_loss_of_no_number_is_told_and_not_hidden() -> None:
    broken = two_queries((float("nan"), 0.0))
    assert not math.isfinite(float(detector_loss(broken, None, targets(BOX), 1)["loss"]))


def test_blocks_learn_the_slower_the_deeper_they_lie() -> None:
    vision = 2.5e-4 / 8e-4
    block = "vision_encoder.backbone.layers.{}.mlp.fc1.weight"
    assert rate_scale(block.format(31), 32, 0.85) == pytest.approx(vision * 0.85)
    assert rate_scale(block.format(0), 32, 0.85) == pytest.approx(vision * 0.85**32)
    embedding = "vision_encoder.backbone.embeddings.patch_embeddings.projection.weight"
    assert rate_scale(embedding, 32, 0.85) == pytest.approx(vision * 0.85**33)
    positions = "vision_encoder.backbone.embeddings.position_embeddings"
    assert rate_scale(positions, 32, 0.85) == pytest.approx(vision)
    assert rate_scale("vision_encoder.neck.fpn_layers.0.proj1.bias", 32, 0.85) == vision
    assert rate_scale("text_projection.weight", 32, 0.85) == pytest.approx(5e-5 / 8e-4)
    assert rate_scale("detr_decoder.query_embed.weight", 32, 0.85) == 1


def test_the_optimiser_has_a_group_for_each_rate_and_spares_biases_from_decay() -> None:
    matrix, bias = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    fixed = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    named = [
        ("text_encoder.a.weight", matrix),
        ("text_encoder.a.bias", bias),
        ("detr_encoder.b", fixed),
    ]
    groups = build_optimiser(named, 8e-5, 32, 0.85, 0.1, adapters=False).param_groups
    assert [(g["peak"], g["weight_decay"]) for g in groups] == [
        (pytest.approx(5e-6), 0.1),
        (pytest.approx(5e-6), 0.0),
    ]
    adapters = build_optimiser(named, 8e-5, 32, 0.85, 0.0, adapters=True).param_groups
    assert [g["peak"] for g in adapters] == [8e-5]
