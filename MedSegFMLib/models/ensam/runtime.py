"""The interface of an ENSAM network on a device: arrays in, arrays out."""

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
    """A runtime's features of an image, in its own form.

    Attributes:
        nbytes: The memory they take.
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


@dataclass(frozen=True, eq=False)
class NetworkPrompts:
    """The prompt tokens of one object.

    Attributes:
        kinds: (n,) int64, the token kinds of `network.config`.
        positions_kji: (n, 3) float32, in cells, whose centres are whole numbers from 0.
    """

    kinds: NDArray[np.int64]
    positions_kji: NDArray[np.float32]


class Runtime(Protocol):
    """A loaded network."""

    @property
    def config(self) -> EnsamConfig:
        """The network's configuration."""

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> Features:
        """Encode an image (K, J, I), float32 in 0 to 1; `spacing_kji_mm` is its cells' size."""

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """Logits (K, J, I) float32 of that image; `previous_logits` has the same shape."""
