"""VoxTell on the grid and in the orientation of any volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import PromptError
from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import to_voxels
from ...segmenter import Encoding, ModelCard, Prediction
from ...system.foreign_errors import callers, check_finite_output, predicting_errors
from ...system.memory_cache import LruByteCache
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.volume import Volume
from .phrases import Phrases

if TYPE_CHECKING:
    from .torch_windows import PreparedImage, WindowedVoxTell

# The package's own reader turns every image so, and a phrase of the other orientation finds another
# organ, or none.
AXIS_CODES = "RAS"
# The squares of such values, needed for the standard deviation, still fit into 32 bits.
_LARGEST_INTENSITY = 1e15
_PHRASES_KEPT = 4
# Of the time of a phrase, for its embedding.
_READING = 0.05


@dataclass(frozen=True, eq=False)
class VoxTellEncoding(Encoding):
    """A region turned as VoxTell needs it, and the answers on it.

    Attributes:
        turned: The grid of the region in that orientation.
        image: Its voxels, normalised.
        answers: Logits (k, j, i) of phrases on the region in its own orientation.
    """

    turned: Geometry
    image: PreparedImage
    answers: LruByteCache[str, NDArray[np.float16]]


class VoxTellSegmenter:
    """The `Segmenter` around VoxTell.

    Args:
        card: The model's card.
        network: The network.
        phrases: The embeddings of phrases.
        path: The folder of the weights, for error messages.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self, card: ModelCard, network: WindowedVoxTell, phrases: Phrases, path: Path
    ) -> None:
        self.card = card
        self._network = network
        self._phrases = phrases
        self._path = path

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> VoxTellEncoding:
        """Turn and normalise a region (None: all) of a volume; the network needs a phrase, too.

        Raises:
            VolumeError: The volume contains NaN or infinity.
        """
        from .torch_windows import prepared

        progress(0.0, "Preparing the volume")
        volume.intensity_range()
        region = region or Region.whole(volume.geometry.shape_kji)
        turned = volume.crop(region).reoriented(AXIS_CODES)
        array = turned.array_kji.astype(np.float32)
        np.clip(array, -_LARGEST_INTENSITY, _LARGEST_INTENSITY, out=array)
        with predicting_errors(self.card.name, self._path):
            image = prepared(array)
        progress(1.0, "Preparing the volume")
        budget = 2 * _PHRASES_KEPT * region.size
        return VoxTellEncoding(
            volume.geometry,
            region,
            image.nbytes + budget,
            turned.geometry,
            image,
            LruByteCache(budget, lambda logits: logits.nbytes),
        )

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment what the words name; several phrases are asked for one by one, and united.

        Raises:
            PromptError: For any other kind of prompt, or if a phrase cannot be embedded.
            DeviceError: If memory runs out.
            ModelError: If the network or the text encoder fails.
        """
        if not isinstance(encoding, VoxTellEncoding):
            raise TypeError(f"{self.card.name} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress = callers(progress)
        phrases = to_voxels(prompts, encoding.geometry).phrases
        if not phrases:
            raise PromptError("VoxTell is asked in words; name the object.")
        shares = parts_of(progress, len(phrases))
        answers = [
            self._answer(encoding, phrase, share)
            for phrase, share in zip(phrases, shares, strict=True)
        ]
        logits = np.maximum.reduce(answers).astype(np.float32)
        progress(1.0, "Predicting the mask")
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)

    def _answer(
        self, encoding: VoxTellEncoding, phrase: str, progress: Progress
    ) -> NDArray[np.float16]:
        """The logits of a phrase on the region, in its own orientation."""
        progress(0.0, "Reading the words")
        known = encoding.answers.get(phrase)
        if known is None:
            embedding = self._phrases.embedding(phrase)
            with predicting_errors(self.card.name, self._path):
                share = part_of(progress, _READING, 1.0)
                scores = self._network.scores(encoding.image, embedding, share)
            check_finite_output(scores, self.card.name, self._path)
            turned = Volume(scores.astype(np.float32), encoding.turned)
            back = turned.reoriented(encoding.geometry.axis_codes).array_kji
            known = np.ascontiguousarray(back, np.float16)
            encoding.answers.put(phrase, known)
        progress(1.0, "Looking for the object")
        return known
