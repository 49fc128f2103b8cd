"""The class scores of a volume: its images prepared, encoded, decoded, and mirrored for a mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of, parts_of
from ...volumes.region import Region, Shape, shape_triple
from ...volumes.resampling import resampled
from .decoding import LEAST_PROBABILITY, class_scores
from .encoder_features import Base, embeddings
from .feature_files import FeatureFiles, Features
from .patches import PatchGrid, ZScores
from .preparation import Preparation
from .weights import Sam3dFacts

if TYPE_CHECKING:
    from .network import Sam3dDecoder

# The fraction of a volume's time that encoding its slices takes.
_ENCODING = 0.85


@dataclass(frozen=True, eq=False)
class VolumeScorer:
    """A decoder with the SAM that it takes features of, and how volumes are given to them.

    Attributes:
        decoder: The decoder.
        facts: The description of the decoder.
        base: SAM's image encoder.
        preparation: What is done to volumes before.
        overlap: The overlap of neighbouring patches as a fraction of their width.
        files: The store of features on disk; None to keep them in memory.
    """

    decoder: Sam3dDecoder
    facts: Sam3dFacts
    base: Base
    preparation: Preparation
    overlap: float
    files: FeatureFiles | None

    def __call__(
        self,
        images: Sequence[NDArray[Any]],
        region: Region,
        spacing_kji_mm: Sequence[float],
        progress: Progress,
    ) -> NDArray[np.float16]:
        """The logarithm of each class's probability (classes, k, j, i), background first.

        Args:
            images: The images (K, J, I) of one volume in the decoder's order, of any type.
            region: The region to score; z-scores are those of the whole images.
            spacing_kji_mm: The spacing.
            progress: Reports the slices encoded and the patches decoded.

        Raises:
            VolumeError: If an image contains NaN or infinity.
            DeviceError: If memory runs out.
        """
        preparation, shape = self.preparation, region.shape_kji
        inner = preparation.shape(shape, spacing_kji_mm)
        limited = [preparation.limited(image) for image in images]
        scores = [preparation.scores or ZScores.from_volume(image) for image in limited]
        prepared = [
            image[region.slices] if inner == shape else resampled(image[region.slices], inner)
            for image in limited
        ]
        flips = self.preparation.flips
        shares = parts_of(progress, len(flips))
        total: NDArray[np.float32] | None = None
        answers = 0
        for axes, share in zip(flips, shares, strict=True):
            for answer in self._answers(prepared, scores, axes, share):
                if len(flips) == 1 and self.preparation.mirrors == "no":
                    return _on_shape(answer, shape)
                probabilities = np.exp(answer, dtype=np.float32)
                total = probabilities if total is None else total + probabilities
                answers += 1
        assert total is not None, "there is always an answer"
        mean = np.log(np.maximum(total / answers, LEAST_PROBABILITY)).astype(np.float16)
        return _on_shape(mean, shape)

    def _answers(
        self,
        images: Sequence[NDArray[Any]],
        scores: Sequence[ZScores],
        axes: tuple[int, ...],
        progress: Progress,
    ) -> list[NDArray[np.float16]]:
        """The scores of images mirrored along `axes`, back in place; slices also in reverse."""
        shape = shape_triple(images[0].shape)
        windows = PatchGrid.covering(shape, self.facts.patch, self.facts.depth, self.overlap)
        features = [
            embeddings(self.base, np.flip(image, axes), z, windows, self.files, share)
            for image, z, share in zip(
                images,
                scores,
                parts_of(part_of(progress, 0, _ENCODING), len(images)),
                strict=True,
            )
        ]
        back = tuple(1 + axis for axis in axes)
        decoding = part_of(progress, _ENCODING, 1)
        if self.preparation.mirrors == "no":
            found = class_scores(self.decoder, features, windows, shape, decoding)
            return [np.flip(found, back)]
        # Slices in reverse have the same features, and their padding at the other end.
        reverse: list[Features] = [image[:, ::-1] for image in features]
        before, after = windows.padding[0]
        turned = replace(windows, padding=((after, before), *windows.padding[1:]))
        first, second = parts_of(decoding, 2)
        found = class_scores(self.decoder, features, windows, shape, first)
        mirrored = class_scores(self.decoder, reverse, turned, shape, second)
        return [np.flip(found, back), np.flip(mirrored, (1, *back))]


def _on_shape(scores: NDArray[np.float16], shape_kji: Shape) -> NDArray[np.float16]:
    """Scores resampled to the shape of the volume: their probabilities, linearly."""
    if scores.shape[1:] == shape_kji:
        return np.ascontiguousarray(scores)
    result = np.empty((len(scores), *shape_kji), np.float16)
    for number, one in enumerate(scores):
        probabilities = resampled(np.exp(one, dtype=np.float32), shape_kji)
        result[number] = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    return result
