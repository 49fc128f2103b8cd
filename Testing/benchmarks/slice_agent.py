"""An agent that segments a volume slice by slice with SAM, for its cost.

It stands for MedSAM-3 with its language model (Liu et al., "MedSAM3", 2025), which the paper on
cross-plane consistency has in its Table 1: in each slice a language model sees the mask, judges it
and gives the next prompt, in some rounds. Here the prompts follow a script, a click in the middle
and then the box around the mask; the calls of the language model are counted, not timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from MedSegFMLib.models.planar.propagation import PixelPrompt
from MedSegFMLib.models.sam.network.config import PUBLISHED
from MedSegFMLib.models.sam.network.network import Sam
from MedSegFMLib.models.sam.preprocessing import SamPreprocessor


class SliceAgent:
    """SAM on ViT-B with random weights, which sees each slice once and decodes each round.

    Args:
        size: "native" or "1024", the size of slices.
        rounds: the prompts of each slice.
        device: the device of the network.
    """

    def __init__(self, size: str, rounds: int, device: torch.device) -> None:
        self._sam = Sam(PUBLISHED["vit_b"]).to(device)
        self._preprocessor = SamPreprocessor(size)
        self._rounds = rounds
        self._device = device

    def calls(self, slices: int) -> str:
        """How often a volume of a number of slices calls each network."""
        rounds = slices * self._rounds
        return f"calls: encoder {slices}, decoder {rounds}, language model {rounds} (not timed)"

    def run(self, volume: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
        """The masks of the slices (k, rows, columns) of a volume."""
        with torch.inference_mode():
            return [self._segment(one) for one in volume]

    def _segment(self, one: NDArray[np.uint8]) -> NDArray[np.bool_]:
        rows, columns = one.shape
        plan = self._preprocessor.resize_plan((rows, columns))
        images = torch.from_numpy(self._preprocessor.images(one[None], plan))
        features = self._sam.encoder(images.to(self._device))
        positions = self._sam.image_positions(*features.shape[2:])
        prompt = PixelPrompt(None, ((rows // 2, columns // 2, True),))
        mask = np.zeros(one.shape, np.bool_)
        for _ in range(self._rounds):
            masks, _ = self._sam.decoder(features, positions, self._tokens(prompt, plan))
            logits = self._preprocessor.resize_logits(masks[:, 0], plan)[0]
            mask = (logits > 0).cpu().numpy()
            places = np.argwhere(mask)
            if len(places):
                (top, left), (bottom, right) = places.min(0).tolist(), places.max(0).tolist()
                prompt = PixelPrompt((top, left, bottom + 1, right + 1), prompt.points)
        return mask

    def _tokens(self, prompt: PixelPrompt, plan: Any) -> torch.Tensor:
        asked = plan.prompt(prompt)
        box = None if asked.box is None else torch.tensor([asked.box], device=self._device)
        points = torch.tensor([[p[:2] for p in asked.points]], device=self._device)
        is_on = torch.tensor([[p[2] for p in asked.points]], device=self._device)
        return self._sam.prompt_tokens(box, points, is_on, plan.input)
