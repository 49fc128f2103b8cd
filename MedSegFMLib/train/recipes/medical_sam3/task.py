"""Medical SAM3 as a task: the network or its adapters, the loss of a batch, and the result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....errors import WeightsError
from ....models.medical_sam3 import lora as medical_sam3_lora
from ....models.medical_sam3 import weights as medical_sam3_weights
from ....models.medical_sam3.tokenizer import PhraseTokenizer, tokenizer_for
from ....models.medical_sam3.torch_runtime import chosen_objects
from ....progress import Progress
from ....weights import store
from ....weights.checksums import own_sha256
from ...agreement import Agreement
from ...batch_tensors import on_device
from ...distributed import Processes
from ...labelled_volumes import manifest, open_volumes
from ...precision import autocast, is_half
from ...schedule import InverseRootSchedule, Schedule, StepSchedule
from ...task import Task
from .augmentation import made_smaller
from .crossing import intersection_price, on_lines
from .forward import Answers, answers, checkpoint_blocks, unread
from .loss import WEIGHTS, detector_loss
from .matching import one_to_one
from .memory import HALF_BYTES, WHOLE_BYTES, remembered_numbers
from .preview import SeenSlice, draw_slices
from .rates import build_optimiser
from .result import write_network
from .settings import MedicalSam3Settings
from .slices import Slices, TextBatch

_NAME = "medical-sam3"
# The score from which an object counts as found, as in Medical SAM3's evaluation.
_THRESHOLD = 0.1
# The logit of voxels of a slice on which nothing is found.
_NOTHING = -20.0
# Bytes of a trained number, with its gradient and two moments, and of a fixed one.
_TRAINED, _FIXED = 16, 4
# The largest norm of a gradient, as in SAM3's fine-tuning.
_CLIP = 0.1


class MedicalSam3Task(Task):
    """The weights of `base`, all trained or with adapters, and slices to train on."""

    largest_gradient = _CLIP

    def __init__(self, settings: MedicalSam3Settings, processes: Processes) -> None:
        self._settings = settings
        self._device = processes.device
        self._half = is_half(settings.precision, processes.device)
        base = store.find(_NAME) if settings.base is None else settings.base
        self._base = medical_sam3_weights.find_weights_file(base)
        self._sha256 = own_sha256(self._base)
        text: Any = medical_sam3_weights.config_beside(self._base).text_config
        self._tokenizer = tokenizer_for(self._base, text.vocab_size, settings.tokenizer)
        tokenizer = PhraseTokenizer(self._tokenizer, text.max_position_embeddings)
        self._network: Any = medical_sam3_weights.load(self._base)
        config: Any = self._network.config
        self._config = config
        training, held_back = open_volumes(
            settings.cases, settings.held_back, settings.synthetic, settings.side, settings.seed
        )
        self._manifest = manifest(training)
        planes, backbone = settings.plane_names, config.vision_config.backbone_config
        sides = (backbone.image_size, 4 * (backbone.image_size // backbone.patch_size))
        self._slices = Slices(training, planes, *sides, tokenizer)
        scored = Slices(held_back, planes, *sides, tokenizer)
        crossed = settings.crossed
        self._scored = (scored.scored_crossed if crossed else scored.scored)(
            settings.validate_slices
        )
        self._agreement = Agreement(settings.compared)
        self._trained = self._prepared()
        lora = settings.mode == "lora"
        self.optimisers = [
            build_optimiser(
                self._trained.named_parameters(),
                settings.rate,
                backbone.num_hidden_layers,
                settings.layer_decay,
                settings.weight_decay,
                adapters=lora,
            )
        ]
        self.schedule = _schedule(settings)
        chosen = ("rank", "alpha", "targets") if lora else ()
        self.must_match = {"mode": settings.mode, "base": self._sha256} | {
            name: getattr(settings, name) for name in chosen
        }
        self.samples = settings.batch
        self._seen: list[SeenSlice] = []

    def batches(self, first: int, stride: int) -> Generator[TextBatch, None, None]:
        """See `Task.batches`."""
        number = first
        while True:
            rng = np.random.default_rng((self._settings.seed, number))
            settings = self._settings
            drawn = self._slices.crossed if settings.crossed else self._slices.batch
            batch = drawn(settings.batch, settings.absent_share, rng)
            yield made_smaller(batch, settings.smallest, rng)
            number += stride

    def backward(self, batch: TextBatch, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`."""
        devices = [] if self._device.type == "cpu" else [self._device]
        seed = np.random.SeedSequence((self._settings.seed, number, 1)).generate_state(1)
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(seed[0]))
            many = self._settings.one_to_many
            with autocast(self._device, self._half):
                one, others = self._answers(batch, many=many > 0)
            losses = detector_loss(one, others, batch.targets, many)
            if self._settings.consistency:
                self._add_intersection(losses, one, batch)
            (losses["loss"] * weight).backward()
        return {name: value.detach() for name, value in losses.items()}

    def _add_intersection(self, losses: dict[str, Tensor], one: Answers, batch: TextBatch) -> None:
        """Add the difference of the objects' masks where slices intersect."""
        assert one.masks is not None, "the competing queries have masks"
        matches = one_to_one(one.logits[-1], one.boxes[-1], batch.targets)
        queries = torch.zeros_like(batch.tokens[:, 0])
        queries[matches.slices] = matches.queries
        masks = one.masks[torch.arange(len(queries), device=queries.device), queries]
        price = intersection_price(masks, batch.pairs, batch.points, self._agreement)
        losses["intersection"] = price
        weight = self._settings.consistency * WEIGHTS["mask_dice"] * batch.targets.n**0.5
        losses["loss"] = losses["loss"] + weight * price

    def state(self) -> dict[str, Tensor]:
        """See `Task.state`; with mode lora, only the adapters."""
        return {
            name: parameter.detach()
            for name, parameter in self._trained.named_parameters()
            if parameter.requires_grad
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Task.restore`."""
        parameters = self.state()
        if parameters.keys() != state.keys():
            raise KeyError("other parameters")
        for name, parameter in parameters.items():
            parameter.copy_(state[name])

    def validate(self, progress: Progress) -> dict[str, float]:
        """Dice of the object with the highest score, and the fraction of slices with one found.

        Of crossed slices also the paper's "inconsistency" on their lines, and "agreement", the Dice
        of both masks there.
        """
        self._trained.eval()
        self._seen, dice, is_found, differences, agreements = [], [], [], [], []
        for number, batch in enumerate(self._scored):
            progress(number / len(self._scored), "Scoring slices")
            likely, best = self._found(batch)
            for place, (logits, score) in enumerate(zip(likely, best, strict=True)):
                truth = batch.masks[place] > 0
                dice.append(_dice(logits > 0, truth))
                is_found.append(float(score >= _THRESHOLD))
                self._seen.append(SeenSlice(batch.images[place], truth, logits > 0))
            if len(batch.pairs):
                one, other = on_lines(likely, batch.pairs, batch.points)
                gap = intersection_price(likely, batch.pairs, batch.points, Agreement())
                differences.append(float(gap))
                agreements.append(_dice(one > 0, other > 0))
        self._trained.train()
        scores = {"found": float(np.mean(is_found)), "dice": float(np.mean(dice))}
        if differences:
            scores["agreement"] = float(np.mean(agreements))
            scores["inconsistency"] = float(np.mean(differences))
        return scores

    def _found(self, batch: TextBatch) -> tuple[Tensor, Tensor]:
        """The logits (n, h, w) of the objects found, on the CPU, and their scores (n,)."""
        with torch.inference_mode(), autocast(self._device, self._half):
            one, _ = self._answers(on_device(batch, self._device), many=False)
        assert one.masks is not None, "the competing queries have masks"
        scores = one.logits[-1].sigmoid() * one.presence[-1].sigmoid()[:, None]
        chosen, best = chosen_objects(scores, one.boxes[-1], None, _THRESHOLD)
        masks = one.masks[torch.arange(len(chosen), device=chosen.device), chosen]
        is_found = (best >= _THRESHOLD)[:, None, None]
        return torch.where(is_found, masks, masks.new_tensor(_NOTHING)).cpu(), best.cpu()

    def draw(self, path: Path, title: str) -> None:
        """See `Task.draw`."""
        draw_slices(path, self._seen, title)

    def write(self, path: Path) -> None:
        """Write a folder: the network in transformers' layout, or adapters in peft's."""
        facts = {
            "data": self._manifest,
            "settings": {key: str(value) for key, value in asdict(self._settings).items()},
        }
        if self._settings.mode == "lora":
            medical_sam3_lora.write(path, self._sha256, self._peft(), facts, self._trained)
        else:
            write_network(self._network, self._config, self._tokenizer, path, facts)

    def predicted_bytes(self) -> int:
        """See `Task.predicted_bytes`.

        Calculated from the network's shapes, not measured; see `memory`.
        """
        settings = self._settings
        sizes = [(p.numel(), p.requires_grad) for p in self._trained.parameters()]
        slices = settings.batch * (len(settings.plane_names) if settings.crossed else 1)
        weights = sum(n * (_TRAINED if learns else _FIXED) for n, learns in sizes)
        numbers = remembered_numbers(
            self._config, settings.recomputed, settings.one_to_many > 0, settings.mode == "full"
        )
        return int(weights + slices * numbers * (HALF_BYTES if self._half else WHOLE_BYTES))

    def _prepared(self) -> nn.Module:
        """The module to train, on the device: the network, or the network with new adapters."""
        settings = self._settings
        trained: Any = self._network
        if settings.mode == "lora":
            torch.manual_seed(settings.seed)
            self._network.requires_grad_(False)
            try:
                trained = medical_sam3_lora.with_adapters(self._network, self._peft())
            except ValueError as error:
                raise WeightsError(
                    f"{self._base} has no layers for adapters ({error}); give other targets=."
                ) from error
        else:
            left = unread(self._config)
            for name, parameter in self._network.named_parameters():
                # Tensors that are not trained would only use memory.
                parameter.requires_grad_(not name.startswith(left))
        if settings.recomputed:
            checkpoint_blocks(self._network)
        trained.to(self._device)
        trained.train()
        module: nn.Module = trained
        return module

    def _peft(self) -> dict[str, Any]:
        """The configuration of the adapters for peft."""
        chosen = self._settings
        return medical_sam3_lora.peft_settings(
            chosen.rank, chosen.alpha, chosen.dropout, chosen.targets
        )

    def _answers(self, batch: TextBatch, many: bool) -> tuple[Answers, Answers | None]:
        return answers(self._network, batch.images, batch.tokens, batch.counts, many)


def _dice(mask: Tensor, other: Tensor) -> float:
    """Dice of two masks; 0 if both are empty."""
    both = int((mask & other).sum())
    return 2 * both / max(1, int(mask.sum()) + int(other.sum()))


def _schedule(settings: MedicalSam3Settings) -> Schedule:
    if settings.fall == "cosine":
        return StepSchedule(settings.steps, settings.warmup, "cosine")
    return InverseRootSchedule(
        settings.steps, settings.warmup, settings.cooldown, settings.timescale
    )
