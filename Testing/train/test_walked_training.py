"""Training with the random walker's own answer beside the prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from MedSegFMLib.errors import TrainingError
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.recipes.ensam.batches import Batches
from MedSegFMLib.train.recipes.ensam.samples import Batch
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.recipes.ensam.simulated_interaction import Interaction
from MedSegFMLib.train.recipes.ensam.task import EnsamTask
from MedSegFMLib.train.step import step

Tiny = Callable[..., EnsamSettings]
CPU = torch.device("cpu")


def batch_of(settings: EnsamSettings, boxed: bool) -> Batch:
    batch = Batches(replace(settings, boxed_share=float(boxed)), CPU)[0]
    assert (batch.boxes_kji is not None) is boxed
    return replace(batch, previous=None)


def walks_seen(network: Ensam, batch: Batch, steps: int) -> list[torch.Tensor]:
    """The walker's logits that the network is given at each step of an interaction."""
    seen: list[torch.Tensor] = []
    decode = network.decode

    def watched(features, prompts, *others):  # type: ignore[no-untyped-def]
        seen.append(prompts.walk_logits)
        return decode(features, prompts, *others)

    network.decode = watched
    Interaction(network)(batch, range(steps), torch.Generator().manual_seed(0))
    return seen


def test_each_step_shows_the_walkers_answer_to_all_prompts_so_far(tiny: Tiny) -> None:
    settings = tiny(samples=1, random_walk=True, width=4, views="margins", scene_side=32)
    network = EnsamTask(settings, Processes("cpu")).network
    seen = walks_seen(network, batch_of(settings, boxed=True), 3)
    assert [walk.shape for walk in seen] == [(settings.batch, 1, *3 * (settings.cells,))] * 3
    assert all(bool(walk.any()) for walk in seen)
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])


def test_without_a_box_the_channel_is_empty(tiny: Tiny) -> None:
    settings = tiny(samples=1, random_walk=True, width=4)
    network = EnsamTask(settings, Processes("cpu")).network
    assert not any(walk.any() for walk in walks_seen(network, batch_of(settings, False), 2))


def test_a_step_with_the_walkers_answer_learns(tiny: Tiny) -> None:
    settings = tiny(samples=1, random_walk=True, width=8, optimiser="adam")
    processes = Processes("cpu")
    task = EnsamTask(settings, processes)
    batch = batch_of(settings, boxed=True)
    losses = [step(task, iter([batch]), processes, 1, n, 1.0).values["loss"] for n in range(12)]
    assert losses[-1] < 0.9 * losses[0]


def test_weights_without_the_channel_can_be_trained_further_with_it(
    tiny: Tiny, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    plain = Ensam(tiny(samples=1, random_walk=False, width=4).network())
    start = tmp_path / "plain.safetensors"
    ensam_weights.save(plain, start)
    task = EnsamTask(tiny(samples=1, random_walk=True, width=4, start=start), Processes("cpu"))
    task.begin()
    kept = plain.prompts.stem.weight
    torch.testing.assert_close(task.network.prompts.stem.weight[:, : kept.shape[1]], kept)
    # The other way would lose what the channel has learned.
    wider = tmp_path / "wider.safetensors"
    ensam_weights.save(task.network, wider)
    task = EnsamTask(tiny(samples=1, random_walk=False, width=4, start=wider), Processes("cpu"))
    with pytest.raises(TrainingError, match="add random_walk=true"):
        task.begin()
