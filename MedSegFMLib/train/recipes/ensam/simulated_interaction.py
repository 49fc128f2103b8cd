"""A simulated interaction with a sample: a box or click, then correcting clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....models.ensam.network.config import BACKGROUND, BOX_END, BOX_START, FOREGROUND
from ....models.ensam.network.network import Ensam, EnsamFeatures, EnsamPrompts
from ...losses import segmentation_loss
from .clicks import deepest, largest_error_clicks, next_clicks
from .samples import Batch
from .settings import ClickRule
from .touching import contested_logits, with_others_clicks

# Without a box: the share of batches that begin with a stroke, the number of its points, and the
# share that begin with a click anywhere on the object; the others begin near its middle.
_STROKES = 0.15
_STROKE_POINTS = 8
_CLICKS_ANYWHERE = 0.35
# Noise on the depth of a voxel that outweighs any depth.
_ANYWHERE = 100.0


class Interaction(nn.Module):  # type: ignore[misc]
    """The network with the loss of its predictions.

    Args:
        network: the network.
        click_rule: the rule that places clicks.
    """

    def __init__(self, network: Ensam, click_rule: ClickRule = "deepest") -> None:
        super().__init__()
        self.network = network
        self._clicks = largest_error_clicks if click_rule == "largest" else next_clicks

    def forward(
        self, batch: Batch, graded: Sequence[int], generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """Simulate the interaction with a batch.

        Args:
            batch: the batch.
            graded: the steps whose predictions count, 0 for the one after the box or first click.
                Predictions between them are computed without gradients, later ones not at all.
            generator: chooses among equally good clicks.

        Returns:
            The mean loss over the `graded` steps, and the logits after each step up to the last of
            them.
        """
        features = self.network.encode(batch.image, batch.spacing_kji_mm)
        answers: list[Tensor] = []
        losses: list[Tensor] = []
        for step, answer in self._predictions(features, batch, graded, generator, nullcontext):
            if step in graded:
                losses.append(segmentation_loss(answer, batch.target))
            answers.append(answer.detach())
        return torch.stack(losses).mean(), answers

    def learn(
        self,
        batch: Batch,
        graded: Sequence[int],
        generator: torch.Generator,
        weight: float,
        computing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Tensor:
        """Add the gradients of the mean loss over the `graded` steps, times `weight`.

        They are those of `forward`, but the activations of one prediction are kept at a time: each
        is differentiated before the next one, and the sum of their gradients of the features is
        passed on to the encoder at the end.

        Args:
            batch: the batch.
            graded: as for `forward`.
            generator: as for `forward`.
            weight: the factor of the loss.
            computing: the context of each pass, such as a precision.

        Returns:
            The mean loss.
        """
        with computing():
            features = self.network.encode(batch.image, batch.spacing_kji_mm)
        leaves = [t.detach().requires_grad_(t.requires_grad) for t in features.tensors]
        cut = features.with_tensors(leaves)
        total = torch.zeros((), device=batch.image.device)
        for step, answer in self._predictions(cut, batch, graded, generator, computing):
            if step in graded:
                loss = segmentation_loss(answer, batch.target) / len(graded)
                (loss * weight).backward()
                total += loss.detach()
        pairs = zip(features.tensors, leaves, strict=True)
        reached = [(tensor, leaf.grad) for tensor, leaf in pairs if leaf.grad is not None]
        torch.autograd.backward(*map(list, zip(*reached, strict=True)))
        return total

    def _predictions(
        self,
        features: EnsamFeatures,
        batch: Batch,
        graded: Sequence[int],
        generator: torch.Generator,
        computing: Callable[[], AbstractContextManager[None]],
    ) -> Iterator[tuple[int, Tensor]]:
        """The number and the logits of each step, those of `graded` steps with gradients."""
        prompts = self._first(batch, generator)
        logits = batch.previous
        for step in range(max(graded) + 1):
            if step and logits is not None:
                prompts = self._clicked(batch, prompts, logits, generator)
            with computing(), torch.set_grad_enabled(step in graded and torch.is_grad_enabled()):
                answer = self.network.decode(features, prompts, logits).float()
            logits = answer.detach()
            yield step, answer

    def _clicked(
        self, batch: Batch, prompts: EnsamPrompts, logits: Tensor, generator: torch.Generator
    ) -> EnsamPrompts:
        """The prompts with a click into the error of each prediction."""
        if batch.group is not None:
            logits = contested_logits(logits, batch.group)
        voxels, positive = self._clicks(logits, batch.target, _noise(batch, generator))
        prompts = _added(prompts, torch.where(positive, FOREGROUND, BACKGROUND), voxels)
        if batch.group is None:
            return prompts
        return with_others_clicks(prompts, voxels, positive, batch.group)

    def _first(self, batch: Batch, generator: torch.Generator) -> EnsamPrompts:
        if batch.boxes_kji is not None:
            kinds = torch.tensor([BOX_START, BOX_END], device=batch.image.device)
            return EnsamPrompts(kinds.expand(len(batch.image), 2), batch.boxes_kji)
        style = float(torch.rand((), generator=generator, device=batch.target.device))
        count = _STROKE_POINTS if style < _STROKES else 1
        spread = _ANYWHERE if style < _STROKES + _CLICKS_ANYWHERE else 1.0
        inside = batch.target > 0.5
        points = [deepest(inside, spread * _noise(batch, generator)) for _ in range(count)]
        voxels = torch.stack(points, dim=1)
        kinds = torch.full(voxels.shape[:2], FOREGROUND, device=voxels.device)
        return EnsamPrompts(kinds, voxels.float())


def _added(prompts: EnsamPrompts, kinds: Tensor, voxels: Tensor) -> EnsamPrompts:
    used = prompts.used
    return EnsamPrompts(
        torch.cat((prompts.kinds, kinds[:, None]), dim=1),
        torch.cat((prompts.positions_kji, voxels[:, None].float()), dim=1),
        None if used is None else functional.pad(used, (0, 1), value=True),
    )


def _noise(batch: Batch, generator: torch.Generator) -> Tensor:
    return torch.rand(batch.target.shape, generator=generator, device=batch.target.device)
