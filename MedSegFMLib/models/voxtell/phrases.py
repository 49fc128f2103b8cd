"""The embedding of each phrase: from those that were embedded beforehand, or by the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingPartError, PromptError
from ...system.memory_cache import LruByteCache
from ...system.suggestions import with_suggestion
from ...volumes.segmentations.vocabulary import variants, with_side
from .embedding_bank import Vector, read_bank
from .encoder_folder import PUBLISHED_ENCODER
from .folder import BANK

if TYPE_CHECKING:
    import torch

_CACHE_BYTES = 1 << 24
_PAGE = "https://huggingface.co/Qwen/Qwen3-Embedding-4B"


class Phrases:
    """Embeddings of phrases for one network.

    Args:
        bank: The file of embedded phrases; None if there is none.
        encoder: The folder of the text encoder; None if there is none.
        channels: The length of an embedding that the network takes.
        device: Where the encoder runs.

    Raises:
        MissingPartError: There is neither.
        WeightsError: The file is damaged, or of another network.
    """

    def __init__(
        self, bank: Path | None, encoder: Path | None, channels: int, device: torch.device
    ) -> None:
        if bank is None and encoder is None:
            raise MissingPartError(
                f"VoxTell understands words by {BANK}, which its authors publish with it, or by "
                f"the text encoder {PUBLISHED_ENCODER} ({_PAGE}, Apache-2.0); add --option "
                "embeddings=FILE or --option text_encoder=FOLDER."
            )
        self._bank: Mapping[str, NDArray[Any]] = {} if bank is None else read_bank(bank, channels)
        self._encoder, self._channels, self._device = encoder, channels, device
        self._known: LruByteCache[str, Vector] = LruByteCache(_CACHE_BYTES, lambda v: v.nbytes)

    def embedding(self, phrase: str) -> Vector:
        """The embedding (channels) of a phrase; the encoder is loaded for a new one, and released.

        Raises:
            PromptError: The phrase was not embedded beforehand and there is no encoder, or it is
                too long.
            WeightsError: The encoder cannot be loaded.
        """
        spoken = phrase.strip().lower()
        if spoken in self._bank:
            return np.asarray(self._bank[spoken], np.float32)
        known = self._known.get(spoken)
        if known is None:
            known = self._embedded(spoken)
            self._known.put(spoken, known)
        return known

    def _embedded(self, spoken: str) -> Vector:
        if self._encoder is not None:
            from .text_encoder import TextEncoder

            return TextEncoder(self._encoder, self._channels, self._device).embed(spoken)
        for side, way in variants(spoken):
            for same in (f"{side} {way}".strip().lower(), with_side(side, way).lower()):
                if same in self._bank:
                    return np.asarray(self._bank[same], np.float32)
        raise PromptError(
            f"{with_suggestion(phrase_shown(spoken), self._bank)} is not among the "
            f"{len(self._bank)} phrases that VoxTell knows without its text encoder; name one of "
            f"them, or add --option text_encoder=FOLDER with {PUBLISHED_ENCODER}."
        )


def phrase_shown(phrase: str) -> str:
    """The beginning of a phrase, for a message."""
    return phrase if len(phrase) <= 60 else f"{phrase[:60]}…"
