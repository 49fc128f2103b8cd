"""Objects that touch are trained together: a click on one is background for the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cuboid_scenes import generators

from MedSegFMLib.models.ensam.network.config import BACKGROUND, BOX_END, BOX_START, FOREGROUND
from MedSegFMLib.models.ensam.network.network import EnsamPrompts
from MedSegFMLib.synthesis.scene import RandomGenerators, Scene
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.recipes.ensam.clicks import largest_error_clicks
from MedSegFMLib.train.recipes.ensam.samples import Batch, make_batch
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.recipes.ensam.simulated_interaction import Interaction
from MedSegFMLib.train.recipes.ensam.task import EnsamTask
from MedSegFMLib.train.recipes.ensam.touching import (
    contested_logits,
    touching_labels,
    with_others_clicks,
)
from MedSegFMLib.train.step import step
from MedSegFMLib.volumes.region import Shape

Tiny = Callable[..., EnsamSettings]


class Halves:
    """Scenes of a bright and a dark half of a cuboid, and a third object far from both."""

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        labels = torch.zeros(shape_kji, dtype=torch.int16)
        labels[6:16, 6:16, 6:12] = 1
        labels[6:16, 6:16, 12:18] = 2
        labels[20:23, 20:23, 20:23] = 3
        return Scene(0.2 + 0.2 * labels.float(), labels, (1.0, 1.0, 1.0))


def test_neighbours_are_labels_with_a_voxel_beside_it() -> None:
    labels = Halves().scene((24, 24, 24), generators()).labels
    host = np.random.default_rng(0)
    assert touching_labels(labels, 1, 3, host) == [2]
    assert touching_labels(labels, 2, 3, host) == [1]
    assert touching_labels(labels, 3, 3, host) == []
    assert touching_labels(labels, 1, 0, host) == []


def test_a_batch_has_touching_objects_in_one_region() -> None:
    batch = make_batch(Halves(), 24, 16, 4, True, generators(3), objects=2)
    assert batch.group is not None
    pairs = 0
    for number in batch.group.unique().tolist():
        members = batch.group == number
        images, targets = batch.image[members], batch.target[members]
        assert torch.equal(images[0], images[-1])
        assert float(targets.sum(dim=0).max()) <= 1 + 1e-5
        pairs += len(images) == 2
    assert pairs
    assert make_batch(Halves(), 24, 16, 4, True, generators(3)).group is None


def test_the_highest_logit_of_a_group_gets_a_voxel() -> None:
    logits = torch.tensor([3.0, 2.0, -1.0, 5.0]).reshape(4, 1, 1, 1, 1)
    resolved = contested_logits(logits, torch.tensor([0, 0, 0, 1])).flatten()
    assert (resolved > 0).tolist() == [True, False, False, True]
    assert resolved[[0, 2, 3]].tolist() == [3, -1, 5]


def test_a_click_on_an_object_is_background_for_the_others_of_its_group() -> None:
    kinds = torch.tensor([[BOX_START, BOX_END, FOREGROUND]] * 4)
    prompts = EnsamPrompts(kinds, torch.zeros(4, 3, 3))
    voxels = torch.arange(12).reshape(4, 3)
    # The third click is on background; the last object is alone.
    positive, group = torch.tensor([True, True, False, True]), torch.tensor([0, 0, 0, 1])
    added = with_others_clicks(prompts, voxels, positive, group)
    assert added.used is not None and added.kinds.shape == (4, 5)
    assert (added.kinds[:, 3:] == BACKGROUND).all() and added.used[:, :3].all()
    seen = [
        {tuple(v) for v, used in zip(row, own, strict=True) if used}
        for row, own in zip(added.positions_kji[:, 3:].tolist(), added.used[:, 3:], strict=True)
    ]
    first, second = (0, 1, 2), (3, 4, 5)
    assert seen == [{second}, {first}, {first, second}, set()]


@pytest.mark.parametrize("attention", ["normalised", "standard"])
@pytest.mark.parametrize("dense", [False, True])
def test_tokens_that_are_not_used_change_nothing(tiny: Tiny, attention: str, dense: bool) -> None:
    settings = tiny(samples=1, attention=attention, dense_prompts=dense, width=4)
    network = EnsamTask(settings, Processes("cpu")).network.eval()
    features = network.encode(torch.rand(1, 1, 16, 16, 16))
    kinds = torch.tensor([[BOX_START, BOX_END, BACKGROUND]])
    places = torch.tensor([[[2.0, 2, 2], [9, 9, 9], [5, 5, 5]]])
    used = torch.tensor([[True, True, False]])
    with torch.inference_mode():
        plain = network.decode(features, EnsamPrompts(kinds[:, :2], places[:, :2]))
        filled = network.decode(features, EnsamPrompts(kinds, places, used))
        other = network.decode(features, EnsamPrompts(kinds, places))
    torch.testing.assert_close(filled, plain, atol=1e-5, rtol=1e-4)
    assert float((other - plain).abs().max()) > 1e-4


@pytest.mark.parametrize("attention", ["normalised", "standard"])
def test_a_step_with_touching_objects_learns(tiny: Tiny, attention: str) -> None:
    settings = tiny(samples=1, objects=2, graded=2, attention=attention, width=8, optimiser="adam")
    processes = Processes("cpu")
    task = EnsamTask(settings, processes)
    batch = make_batch(Halves(), 24, 16, 2, True, generators(1), objects=2)
    losses = [step(task, iter([batch]), processes, 1, n, 1.0).values["loss"] for n in range(12)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("positions", ["rope", "liere"])
def test_gradients_prediction_by_prediction_are_those_of_one_graph(
    tiny: Tiny, positions: str
) -> None:
    settings = tiny(samples=1, clicks=3, graded=3, width=4, positions=positions)
    network = EnsamTask(settings, Processes("cpu")).network.double()
    batch = make_batch(Halves(), 24, 16, 2, True, generators(1), objects=2)
    assert batch.boxes_kji is not None
    batch = replace(
        batch,
        image=batch.image.double(),
        target=batch.target.double(),
        boxes_kji=batch.boxes_kji.double(),
        previous=None,
    )
    interaction, gradients = Interaction(network), []
    for way in ("one graph", "one by one"):
        network.zero_grad()
        generator = torch.Generator().manual_seed(0)
        if way == "one graph":
            loss = interaction(batch, [0, 2, 3], generator)[0]
            (0.5 * loss).backward()
        else:
            again = interaction.learn(batch, [0, 2, 3], generator, 0.5)
            torch.testing.assert_close(again, loss.detach().float())
        gradients.append({n: p.grad for n, p in network.named_parameters()})
    for name, expected in gradients[0].items():
        assert expected is not None, name
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-6, rtol=1e-4)


def test_the_challenges_rule_clicks_the_middle_of_the_largest_error() -> None:
    target = torch.zeros(2, 1, 9, 9, 20)
    # Three components are missed; the largest is not the deepest.
    target[0, 0, 2:7, 2:7, 1:6] = 1
    target[0, 0, 3:6, 0:9, 8:18] = 1
    logits = torch.full_like(target, -1.0)
    logits[1, 0, 4:7, 4:7, 4:7] = 1
    voxels, positive = largest_error_clicks(logits, target, torch.rand(target.shape))
    assert positive.tolist() == [True, False]
    assert bool(target[0, 0, :, :, 8:18].any()) and 8 <= int(voxels[0, 2]) < 18
    assert voxels[1].tolist() == [5, 5, 5]
    # A mask without an error is clicked in the object's middle.
    perfect = torch.where(target > 0, 1.0, -1.0)
    voxels, positive = largest_error_clicks(perfect, target, torch.rand(target.shape))
    assert bool(positive[0]) and 8 <= int(voxels[0, 2]) < 18
    assert voxels[1].tolist() == [0, 0, 0] and not bool(positive[1])


def test_an_interaction_follows_the_rule_of_its_settings(tiny: Tiny) -> None:
    settings = tiny(samples=1, width=4)
    network = EnsamTask(settings, Processes("cpu")).network
    target = torch.zeros(1, 1, 16, 16, 16)
    target[0, 0, 4:9, 4:9, 1:6] = target[0, 0, 5:8, 1:15, 8:15] = 1
    boxes = torch.tensor([[[1.0, 1, 1], [14, 14, 14]]])
    batch = Batch(target, target, boxes, torch.ones(1, 3))
    seen: list[EnsamPrompts] = []
    decode = network.decode

    def noting(features: object, prompts: EnsamPrompts, *rest: object) -> torch.Tensor:
        seen.append(prompts)
        return torch.full_like(decode(features, prompts, *rest), -1.0)

    network.decode = noting
    for rule, columns in (("deepest", range(1, 6)), ("largest", range(8, 15))):
        generator = torch.Generator().manual_seed(0)
        Interaction(network, rule)(batch, [1], generator)  # type: ignore[arg-type]
        assert int(seen[-1].positions_kji[0, -1, 2]) in columns
