"""SegVol's network in torch, on the CPU or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output, predicting_errors
from ...volumes.segmentations.vocabulary import phrase_of
from ..common.torch_blocks import between_blocks
from ..medical_sam3.clip_vocabulary import SHIPPED
from ..medical_sam3.tokenizer import PhraseTokenizer
from .prompts import WindowPrompts
from .weights import NAME

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .network.config import SegVolConfig
    from .network.network import SegVol

# The sentence of training for a name.
_SENTENCE = "A computerized tomography of a {}."
_ENCODING = "Encoding the image"


class TorchRuntime:
    """A network on a device.

    Args:
        network: The network, on any device.
        device: The device.
        path: The file of the weights in error messages.
    """

    def __init__(self, network: SegVol, device: torch.device, path: Path | None = None) -> None:
        self._network = network.to(device)
        self._device = device
        self._path = path
        most = self._network.text_encoder.clip_text_model.config.max_position_embeddings
        self._tokenizer = PhraseTokenizer(SHIPPED, most, is_exact=True)
        self._texts: dict[str, Tensor] = {}

    @property
    def config(self) -> SegVolConfig:
        """The size of the network."""
        config: SegVolConfig = self._network.config
        return config

    def encode(self, image: Logits, progress: Progress) -> Tensor:
        """The features of an image (k, j, i) of the window's size, float32 in 0 to 1.

        Raises:
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        import torch

        blocks: Any = self._network.image_encoder.blocks
        tensor = torch.from_numpy(np.ascontiguousarray(image))[None, None].to(self._device)
        with (
            torch.inference_mode(),
            predicting_errors(NAME, self._path),
            between_blocks(blocks, progress, _ENCODING),
        ):
            features = self._network.encode(tensor)
        self._check(features)
        return features

    def decode(self, features: Tensor, prompts: WindowPrompts) -> Logits:
        """Logits (k, j, i) of the window.

        Raises:
            PromptError: If a phrase is too long.
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        import torch

        text = None if prompts.phrase is None else self._text(prompts.phrase)
        with torch.inference_mode(), predicting_errors(NAME, self._path):
            clicks = None
            if len(prompts.positions):
                labels = torch.from_numpy(prompts.positive.astype(np.int64))
                clicks = self._tensor(prompts.positions), labels.to(self._device)
            box = None if prompts.box is None else self._tensor(prompts.box)
            logits = self._network.decode(features, clicks, box, text)
        self._check(logits)
        found: Logits = logits.cpu().numpy()
        return found

    def _text(self, phrase: str) -> Tensor:
        import torch

        if phrase not in self._texts:
            tokens, mask = self._tokenizer.tokens([_SENTENCE.format(phrase_of(phrase))])
            with torch.inference_mode(), predicting_errors(NAME, self._path):
                given = tokens.to(self._device), mask.to(self._device)
                self._texts[phrase] = self._network.text_encoder(*given)
        return self._texts[phrase]

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)

    def _check(self, values: Tensor) -> None:
        check_finite_output(values.cpu().numpy(), NAME, self._path)
