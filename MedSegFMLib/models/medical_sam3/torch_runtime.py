"""SAM3's detector in torch, on the CPU or a GPU.

Carion et al., "SAM 3: Segment anything with concepts", 2025. Encoding a slice means the vision
transformer; the feature pyramid above it takes a thirtieth of that time and five times the memory,
and is recomputed for each prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...progress import Progress, parts_of
from ...system.device import (
    fast_gpu,
    is_gpu_out_of_memory,
    on_device,
    release_gpu_memory,
)
from ...system.foreign_errors import check_finite_output, predicting_errors
from .runtime import SliceAnswer, SliceQuestion
from .tokenizer import PhraseTokenizer

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import Sam3Model

# Slices a batch; on a GPU halved if its memory is short.
_MOST_ON_GPU = 4
_MOST_ON_CPU = 1
# The label of a box that a Sam3Model ignores.
_PADDING = -10


class TorchSam3Runtime:
    """The `Sam3Runtime` around a network that is moved to a device.

    Args:
        network: The network.
        tokenizer: The tokenizer of phrases.
        device: The device.
        model: The model name in error messages.
        path: The file of the weights in error messages.
    """

    def __init__(
        self,
        network: Sam3Model,
        tokenizer: PhraseTokenizer,
        device: torch.device,
        model: str = "medical-sam3",
        path: Path | None = None,
    ) -> None:
        self._network: Any = network.to(device)
        self._tokenizer = tokenizer
        self._device = device
        self._model = model
        self._path = path
        self._most = _MOST_ON_CPU if device.type == "cpu" else _MOST_ON_GPU
        self._texts: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def side(self) -> int:
        """See `Sam3Runtime.side`."""
        side: int = self._network.config.vision_config.backbone_config.image_size
        return side

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """See `Sam3Runtime.encode`; on a GPU in 16 bits."""

        def encoded(part: slice) -> list[NDArray[np.float32]]:
            with fast_gpu(self._device):
                backbone = self._network.vision_encoder.backbone
                tokens = backbone(self._tensor(images[part])).last_hidden_state
            return list(tokens.float().cpu().numpy())

        return self._in_batches(len(images), encoded, "Encoding slices", progress)

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        questions: Sequence[SliceQuestion],
        threshold: float,
        progress: Progress,
    ) -> list[SliceAnswer]:
        """See `Sam3Runtime.decode`; slices with and without a box are processed separately."""
        results: dict[int, SliceAnswer] = {}
        boxed = [n for n, question in enumerate(questions) if question.box is not None]
        bare = [n for n, question in enumerate(questions) if question.box is None]
        groups = [alike for alike in (boxed, bare) if alike]
        for alike, share in zip(groups, parts_of(progress, max(1, len(groups))), strict=False):

            def answered(part: slice, alike: list[int] = alike) -> list[SliceAnswer]:
                return self._answers(
                    np.stack([features[n] for n in alike[part]]).astype(np.float32, copy=False),
                    [questions[n] for n in alike[part]],
                    threshold,
                )

            answers = self._in_batches(len(alike), answered, "Finding the object", share)
            results.update(zip(alike, answers, strict=True))
        return [results[n] for n in range(len(questions))]

    def _answers(
        self, tokens: NDArray[np.float32], questions: Sequence[SliceQuestion], threshold: float
    ) -> list[SliceAnswer]:
        import torch

        texts = [self._text(question.phrase) for question in questions]
        prompted = None
        box_inputs = empty_boxes(len(questions), self._device)
        if questions[0].box is not None:
            boxes = np.array([[question.box] for question in questions], np.float32)
            prompted = self._tensor(boxes)
            box_inputs = {"input_boxes": prompted}
        # In 32 bits: the pooling of features in a box does not support bfloat16, and encoding the
        # slices is most of the work.
        output = self._network(
            vision_embeds=self._pyramid(self._tensor(tokens)),
            text_embeds=_Pooled(torch.cat([text for text, _ in texts])),
            attention_mask=torch.cat([mask for _, mask in texts]),
            **box_inputs,
        )
        for logits in (output.pred_logits, output.presence_logits, output.pred_masks):
            check_finite_output(logits.cpu().numpy(), self._model, self._path)
        scores = output.pred_logits.sigmoid() * output.presence_logits.sigmoid()
        chosen, best = chosen_objects(scores, output.pred_boxes, prompted, threshold)
        rows = torch.arange(len(questions), device=chosen.device)
        masks = output.pred_masks[rows, chosen].cpu().numpy()
        return [
            SliceAnswer(score, mask if score >= threshold else None)
            for score, mask in zip(best.tolist(), masks, strict=True)
        ]

    def _pyramid(self, tokens: Tensor) -> Any:
        """The features at several resolutions, computed from the vision transformer's."""
        from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

        side = round(tokens.shape[1] ** 0.5)
        spatial = tokens.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        levels, positions = self._network.vision_encoder.neck(spatial)
        return Sam3VisionEncoderOutput(
            last_hidden_state=tokens, fpn_hidden_states=levels, fpn_position_encoding=positions
        )

    def _text(self, phrase: str) -> tuple[Tensor, Tensor]:
        """The features (1, t, c) of a phrase and their attention mask, computed once."""
        if phrase not in self._texts:
            tokens, mask = self._tokenizer.tokens([phrase])
            self._check_tokens(tokens)
            tokens, mask = tokens.to(self._device), mask.to(self._device)
            features = self._network.get_text_features(
                input_ids=tokens, attention_mask=mask, return_dict=True
            )
            self._texts[phrase] = features.pooler_output, mask
        return self._texts[phrase]

    def _check_tokens(self, tokens: Tensor) -> None:
        """On a GPU a token without an embedding would end all further work of the process."""
        known = self._network.config.text_config.vocab_size
        if int(tokens.max()) >= known:
            raise ModelError(
                f"The tokenizer of {self._model} has the token {int(tokens.max())}, and the "
                f"network of {self._path} knows {known} tokens; give it the tokenizer that was "
                "published with it."
            )

    def _in_batches(
        self,
        count: int,
        compute: Callable[[slice], list[Any]],
        phrase: str,
        progress: Progress,
    ) -> list[Any]:
        """The results of `compute` for all; batches shrink if a GPU runs out of memory."""
        import torch

        results: list[Any] = []
        while len(results) < count:
            progress(len(results) / count, phrase)
            part = slice(len(results), min(len(results) + self._most, count))
            with torch.inference_mode(), predicting_errors(self._model, self._path):
                try:
                    results.extend(compute(part))
                except RuntimeError as error:
                    if self._most == 1 or not is_gpu_out_of_memory(error):
                        raise
                    release_gpu_memory()
                    self._most //= 2
        return results

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return on_device(array, self._device)


class _Pooled:
    """Precomputed text features in the form that the network takes."""

    def __init__(self, features: Tensor) -> None:
        self.pooler_output = features


def empty_boxes(count: int, device: torch.device) -> dict[str, Tensor]:
    """The geometry prompt of text alone, as inputs of a Sam3Model for `count` slices.

    SAM3's authors append the geometry encoder's class token to every prompt, one without boxes
    included (`_get_dummy_prompt` of their `Sam3Image`); a Sam3Model appends it only beside boxes.
    A box that is marked as padding has no effect of its own.
    """
    import torch

    return {
        "input_boxes": torch.zeros(count, 1, 4, device=device),
        "input_boxes_labels": torch.full((count, 1), _PADDING, device=device),
    }


def chosen_objects(
    scores: Tensor, boxes: Tensor, prompted: Tensor | None, threshold: float
) -> tuple[Tensor, Tensor]:
    """The index of the requested object on each slice, and its score, 0 if there is none.

    Without a box it is the object with the highest score, as in the evaluation of Medical SAM3.
    SAM3 treats a box as an example and finds everything similar: with a box it is the object with
    the highest score times overlap (intersection over union), among those that reach `threshold`.

    Args:
        scores: (n, q), 0 to 1.
        boxes: (n, q, 4), corner to corner, as fractions of the slice.
        prompted: (n, 1, 4), a box by centre and widths, or None.
        threshold: The lowest score of an object if there is a box.
    """
    import torch

    if prompted is None:
        best, chosen = scores.max(dim=1)
        return chosen, best
    half = prompted[..., 2:] / 2
    low = torch.maximum(boxes[..., :2], prompted[..., :2] - half)
    high = torch.minimum(boxes[..., 2:], prompted[..., :2] + half)
    shared = (high - low).clamp(min=0).prod(dim=-1)
    sizes = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)
    overlap = shared / (sizes + prompted[..., 2:].prod(dim=-1) - shared).clamp(min=1e-9)
    worth = torch.where(scores >= threshold, scores * overlap, torch.zeros_like(scores))
    most, chosen = worth.max(dim=1)
    best = scores.gather(1, chosen[:, None])[:, 0]
    return chosen, torch.where(most > 0, best, torch.zeros_like(best))
