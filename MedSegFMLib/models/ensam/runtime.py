"""What the adapter asks of whatever computes ENSAM's network: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from .network.config import EnsamConfig


class Features:
    """What a runtime keeps of an image, in a form of its own; nbytes: the memory that takes."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


@dataclass(frozen=True, eq=False)
class NetworkPrompts:
    """The prompt tokens of one object.

    kinds: (n,) int64, the token kinds of `network.config`.
    positions_kji: (n, 3) float32, in cells, whose centres are counted from 0.
    """

    kinds: NDArray[np.int64]
    positions_kji: NDArray[np.float32]


class Runtime(Protocol):
    """A loaded network."""

    @property
    def config(self) -> EnsamConfig:
        """The network's choices."""

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> Features:
        """Look at an image (K, J, I), float32 in 0 to 1, whose cells are so large."""

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """Logits (K, J, I) float32 of that image; `previous_logits` has the same shape."""
