"""A model of free words for tests: bright blobs, which it understands, or guesses the side of."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from scipy.ndimage import label

from MedSegFMLib import Geometry, Volume, registry
from MedSegFMLib.models.class_based.segmenter import WHOLE_VOLUME
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.types import Prompt, Text
from MedSegFMLib.segmenter import Encoding, ModelCard, Prediction
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.worker.launchers import LocalLauncher

CARD = ModelCard(
    name="words",
    title="Words",
    summary="Finds a bright ball on the side that words name.",
    prompts=("text",),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence=None,
    region_rule=WHOLE_VOLUME,
    can_predict_empty=True,
    takes_words=True,
)


@dataclass(frozen=True, eq=False)
class BrightParts(Encoding):
    """The bright parts of a region, and where they are."""

    parts: np.ndarray
    count: int


class WordsModel:
    """Finds the bright part on the named side of the patient; "balls" are all, "nothing" is none.

    Args:
        guesses: whether it takes the first part along the longest axis for any side, as a model
            that was trained on one orientation does.

    Attributes:
        asked: the words of each prediction.
    """

    classes: tuple[str, ...] = ()

    def __init__(self, guesses: bool = False, card: ModelCard = CARD) -> None:
        self.card = card
        self._guesses = guesses
        self.asked: list[str] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> BrightParts:
        region = region or Region.whole(volume.geometry.shape_kji)
        progress(1.0, "Encoding")
        parts, count = label(volume.crop(region).array_kji > 50)
        return BrightParts(volume.geometry, region, parts.nbytes, parts, count)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        assert isinstance(encoding, BrightParts)
        self.card.check_takes(prompts)
        (words,) = [p.phrase for p in prompts if isinstance(p, Text)]
        self.asked.append(words)
        crop = encoding.geometry.crop(encoding.region)
        inside = np.zeros(encoding.parts.shape, bool)
        wanted = {"balls": range(1, encoding.count + 1), "nothing": ()}.get(words)
        for number in self._meant(words, encoding.parts, crop) if wanted is None else wanted:
            inside |= encoding.parts == number
        progress(1.0, "Finding")
        logits = np.where(inside, 3, -3).astype(np.float32)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)

    def _meant(self, words: str, parts: np.ndarray, geometry: Geometry) -> list[int]:
        centres = {n: np.argwhere(parts == n).mean(axis=0) for n in range(1, parts.max() + 1)}
        if not centres:
            return []
        if self._guesses:
            axis = int(np.argmax(parts.shape))
            return [min(centres, key=lambda n: centres[n][axis])]
        right = {n: geometry.ras_from_ijk(c[::-1])[0] for n, c in centres.items()}
        return [(min if "left" in words else max)(right, key=lambda n: right[n])]


@dataclass(frozen=True)
class WordsLauncher(LocalLauncher):
    """Starts a worker in which a model that guesses has the name of a registered one."""

    def arguments(self) -> list[str]:
        return [sys.executable, __file__]


# The registered model whose name it takes, so that the panel can choose it.
STAND_IN = "ellipsoid"


def register(
    guesses: bool = True, name: str = STAND_IN, models: Mapping[str, str] = registry.MODELS
) -> None:
    """Make a model known to the registry.

    Args:
        guesses: as for `WordsModel`.
        name: its name there.
        models: the names and modules of the registry.
    """
    module = ModuleType(f"medsegfm_{name.replace('-', '_')}_words")
    module.CARD = replace(CARD, name=name)  # type: ignore[attr-defined]
    module.create = lambda device="auto": WordsModel(  # type: ignore[attr-defined]
        guesses, replace(CARD, name=name)
    )
    sys.modules[module.__name__] = module
    models[name] = module.__name__  # type: ignore[index]


def two_balls(shape: tuple[int, int, int] = (20, 24, 40)) -> Volume:
    """A large ball at low i and a small one at high i, with i toward the patient's left."""
    k, j, i = np.indices(shape)
    large = (k - 9) ** 2 + (j - 11) ** 2 + (i - 9) ** 2 <= 36
    small = (k - 11) ** 2 + (j - 12) ** 2 + (i - 31) ** 2 <= 16
    geometry = Geometry.from_spacing(shape, (1, 1, 1), np.diag([-1.0, -1.0, 1.0]))
    return Volume((100 * (large | small)).astype(np.int16), geometry)


if __name__ == "__main__":
    register()
    from MedSegFMLib.worker.server import main

    main()
