"""The random walker's answers to the prompts of a batch, as the network gets them in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ....models.ensam.network.network import EnsamPrompts
from ....models.ensam.walk_channel import Walks
from .samples import Batch


def batch_walks(batch: Batch) -> list[Walks]:
    """The random walker on the cells of each object of a batch."""
    images = batch.image[:, 0].float().cpu().numpy()
    sizes = batch.voxel_cells_kji
    voxels = [[1.0, 1.0, 1.0]] * len(images) if sizes is None else sizes.tolist()
    spacings = batch.spacing_kji_mm.tolist()
    return [Walks(*parts) for parts in zip(images, spacings, voxels, strict=True)]


def with_walks(prompts: EnsamPrompts, walks: Sequence[Walks]) -> EnsamPrompts:
    """The prompts with the walker's answers to them; zeros for objects without a whole box."""
    answers = []
    for number, walk in enumerate(walks):
        kinds = prompts.kinds[number].cpu().numpy()
        positions = prompts.positions_kji[number].cpu().numpy()
        if prompts.used is not None:
            used = prompts.used[number].cpu().numpy()
            kinds, positions = kinds[used], positions[used]
        answer = walk.logits(kinds, positions)
        answers.append(np.zeros_like(walk.image) if answer is None else answer)
    logits = torch.from_numpy(np.stack(answers)[:, None])
    return replace(prompts, walk_logits=logits.to(prompts.positions_kji.device))
