"""ENSAM with agreement between turned views as a task."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ....metrics import dice
from ....models.ensam.network.config import BOX_END, BOX_START
from ....models.ensam.network.network import Ensam, EnsamPrompts
from ....progress import Progress, part_of, parts_of
from ...agreement import Agreement
from ...batch_tensors import on_device
from ...distributed import Processes
from ...precision import autocast
from ..ensam.samples import Batch
from ..ensam.task import EnsamTask
from .settings import ConsistentSettings
from .unlabelled import UnlabelledVolumes, open_unlabelled
from .views import Turn, drawn_turn

# Scoring is as the paper's term has it, whatever the training compares.
_SCORED = Agreement()
# Views of one seed, so that every validation scores the same ones.
_VALIDATION_SEED = 1
_SCORING = 0.7


class ConsistentTask(EnsamTask):
    """The task of the recipe `ensam`, whose batches are also shown to the network turned."""

    def __init__(self, settings: ConsistentSettings, processes: Processes) -> None:
        super().__init__(settings, processes)
        self._consistent = settings
        self._agreement = Agreement(
            settings.compared, settings.sharpness, settings.margin, settings.certainty
        )
        self._unlabelled: UnlabelledVolumes | None = None

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Read the volumes without labels."""
        super().prepare(progress, brief)
        folder = self._consistent.unlabelled
        if folder is not None and self._unlabelled is None:
            progress(0.0, "Reading volumes without labels")
            self._unlabelled = open_unlabelled(folder)

    def backward(self, batch: Batch, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`: the labelled loss first, then the agreement, each by itself.

        The agreement of a labelled batch counts if it has boxes. That of volumes without labels is
        never trained without a labelled batch beside it: a constant answer satisfies it.
        """
        values = super().backward(batch, number, weight)
        segmentation = values["loss"]
        values |= {"segmentation_loss": segmentation}
        share = self._consistent.share_after(number * self.samples)
        if not share:
            return values
        rng = np.random.default_rng((self._consistent.seed, number, 1))
        seen = [("intersection_loss", batch, share)] if batch.boxes_kji is not None else []
        if self._unlabelled is not None:
            size, cells = self._consistent.batch, self._consistent.cells
            shown = on_device(self._unlabelled.batch(size, cells, rng), self._processes.device)
            own = share * self._consistent.unlabelled_weight
            seen.append(("unlabelled_loss", shown, own))
        for name, shown, own in seen:
            price = self._price(self.network, shown, drawn_turn(rng), self._agreement)
            (price * own * weight).backward()
            values[name] = price.detach()
            values["loss"] = values["loss"] + own * price.detach()
        return values

    def validate(self, progress: Progress) -> dict[str, float]:
        """Dice as in the recipe `ensam`, and of turned views after the box the agreement.

        "agreement" is the mean Dice of the masks of both views, "inconsistency" the mean squared
        difference of their probabilities.
        """
        scores = super().validate(part_of(progress, 0.0, _SCORING))
        agreements, prices = [], []
        rng = np.random.default_rng((self._consistent.seed, _VALIDATION_SEED))
        shares = parts_of(part_of(progress, _SCORING, 1.0), len(self._objects))
        for held, share in zip(self._objects, shares, strict=True):
            share(0.0, "Scoring turned views")
            shown = on_device(held, self._processes.device)
            with torch.inference_mode():
                straight, turned = self._answers(self._averaged, shown, drawn_turn(rng))
            prices.append(float(_SCORED.price(straight, turned)))
            for one, other in zip(straight > 0, turned > 0, strict=True):
                agreements.append(dice(one[0].cpu().numpy(), other[0].cpu().numpy()))
        return {
            **scores,
            "agreement": float(np.mean(agreements)),
            "inconsistency": float(np.mean(prices)),
        }

    def _price(self, network: Ensam, batch: Batch, turn: Turn, agreement: Agreement) -> Tensor:
        return agreement.price(*self._answers(network, batch, turn))

    def _answers(self, network: Ensam, batch: Batch, turn: Turn) -> tuple[Tensor, Tensor]:
        """The logits (B, 1, n, n, n) after the box, of a batch and of a view of it turned back."""
        with autocast(self._processes.device, self._half):
            straight = after_box(network, batch)
            turned = turn.back(after_box(network, turn.of(batch)))
        return straight.float(), turned.float()


def after_box(network: Ensam, batch: Batch) -> Tensor:
    """The logits (B, 1, n, n, n) of a batch after its boxes alone."""
    assert batch.boxes_kji is not None, "only batches with boxes are turned"
    kinds = torch.tensor([BOX_START, BOX_END], device=batch.image.device)
    prompts = EnsamPrompts(kinds.expand(len(batch.image), 2), batch.boxes_kji)
    features = network.encode(batch.image, batch.spacing_kji_mm)
    answer: Tensor = network.decode(features, prompts, None)
    return answer
