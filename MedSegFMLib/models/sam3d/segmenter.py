"""The `Segmenter` around SAM3D: class scores of a region, and the union of the named classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...prompts.types import Prompt
from ...segmenter import Encoding, Logits, ModelCard, Prediction
from ...volumes.images import taken_by
from ...volumes.region import Region
from ...volumes.volume import Volume
from ..class_based.segmenter import requested_classes
from .volume_scores import VolumeScorer


@dataclass(frozen=True, eq=False)
class Sam3dEncoding(Encoding):
    """The class scores of a region.

    Attributes:
        scores: The logarithm of each class's probability (classes, k, j, i), background first.
    """

    scores: NDArray[np.float16]


class Sam3dSegmenter:
    """The `Segmenter` around a decoder and its encoder.

    Args:
        card: The properties of the model, with the images that they take.
        scorer: Both, and how volumes are given to them.
    """

    def __init__(self, card: ModelCard, scorer: VolumeScorer) -> None:
        self.card = card
        self._scorer = scorer

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, without background; a text prompt names one of them."""
        return self._scorer.facts.classes

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Sam3dEncoding:
        """Score the classes in a region (None: all).

        Raises:
            VolumeError: If the volume contains NaN or infinity, or lacks an image of the decoder.
            DeviceError: If memory runs out.
        """
        progress(0.0, "Preparing the slices")
        volume = taken_by(volume, self.card.channels, self.card.title).volume
        region = region or Region.whole(volume.geometry.shape_kji)
        scores = self._scorer(volume.arrays, region, volume.geometry.spacing_kji_mm, progress)
        return Sam3dEncoding(volume.geometry, region, scores.nbytes, scores)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """The union of the classes that the texts name.

        The logit is the largest log probability of these classes minus that of all others.

        Raises:
            PromptError: For a text that names no class and for any other kind of prompt.
        """
        if not isinstance(encoding, Sam3dEncoding):
            raise TypeError(f"SAM3D cannot predict from a {type(encoding).__name__} of a model.")
        progress(0.0, "Reading the prompts")
        numbers = requested_classes(self.card, self.classes, prompts, encoding.geometry)
        wanted = [1 + number for number in numbers]
        others = [n for n in range(len(encoding.scores)) if n not in wanted]
        logits: Logits = encoding.scores[wanted].max(axis=0).astype(np.float32)
        logits -= encoding.scores[others].max(axis=0)
        # In 16 bits classes can tie: the first of them gets the voxel, as in an argmax.
        tied = logits == 0
        won = np.isin(encoding.scores[:, tied].argmax(axis=0), wanted)
        logits[tied] = np.where(won, np.finfo(np.float32).eps, 0)
        progress(1.0, "Predicting the mask")
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)
