"""A network of fixed classes as a model: a volume is scored once, then classes are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ...errors import ModelError, WeightsError
from ...progress import Progress
from ...prompts.types import Prompt
from ...prompts.voxels import to_voxels
from ...segmenter import Encoding, ModelCard, Prediction, RegionRule, class_numbers
from ...system.foreign_errors import callers, predicting_errors
from ...volumes.geometry import Geometry
from ...volumes.images import taken_by
from ...volumes.region import Region
from ...volumes.volume import Volume
from .class_maps import ClassMaps, Scores, united

# Such a model processes the whole volume, whichever class is named.
WHOLE_VOLUME = RegionRule(margin_voxels=0, margin_fraction=0.0, click_radius_voxels=0, shared=False)

# The part of a volume's time that scoring takes; the rest is separating the classes.
SCORING = 0.9


class ClassNetwork(Protocol):
    """A network that scores each class in every voxel of a volume."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, without the background."""

    def class_maps(self, volume: Volume, progress: Progress) -> ClassMaps:
        """Score every voxel of a volume; progress ends at 1."""


@runtime_checkable
class Scored(Protocol):
    """An encoding that contains the scores of all classes, background included."""

    @property
    def scores(self) -> Scores:
        """(channels, ...) in each voxel of some grid."""


@dataclass(frozen=True, eq=False)
class ClassEncoding(Encoding):
    """The class maps of a region.

    Attributes:
        maps: The winner of each voxel of the region, and the scores.
    """

    maps: ClassMaps

    @property
    def scores(self) -> Scores:
        """The scores (channels, network's grid) of all classes, background included."""
        return self.maps.scores


class ClassSegmenter:
    """The `Segmenter` around a network of classes.

    Args:
        card: The properties of the model.
        network: The network.
        path: The file or folder of its weights, for error messages.
    """

    def __init__(self, card: ModelCard, network: ClassNetwork, path: Path | None = None) -> None:
        self.card = card
        self._network = network
        self._path = path

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, without background; a text prompt names one of them."""
        return self._network.classes

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> ClassEncoding:
        """Score a region (None: all) of a volume.

        Raises:
            VolumeError: If the volume contains NaN or infinity, cannot be resampled to the
                network's spacing, or lacks an image that the network takes.
            DeviceError: If memory runs out.
            ModelError: If the network fails or returns NaN or infinity.
        """
        progress = callers(progress)
        progress(0.0, "Preparing the volume")
        volume = taken_by(volume, self.card.channels, self.card.title).volume
        volume.intensity_range()
        region = region or Region.whole(volume.geometry.shape_kji)
        with predicting_errors(self.card.name, self._path):
            maps = self._network.class_maps(volume.crop(region), progress)
        progress(1.0, "Preparing the volume")
        return ClassEncoding(volume.geometry, region, maps.nbytes, maps)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """The class that the texts name, or the union of several, on the part around it.

        Raises:
            PromptError: For a text that names no class and for any other kind of prompt.
        """
        if not isinstance(encoding, ClassEncoding):
            raise TypeError(
                f"{self.card.title} cannot predict from a {type(encoding).__name__} of a model."
            )
        progress(0.0, "Reading the prompts")
        numbers = requested_classes(self.card, self.classes, prompts, encoding.geometry)
        with predicting_errors(self.card.name, self._path):
            class_region, logits = united([encoding.maps.draw(number) for number in numbers])
        progress(1.0, "Predicting the mask")
        offset = class_region.shifted(encoding.region.start_kji).start_kji
        return Prediction(encoding.geometry, offset, logits)


def requested_classes(
    card: ModelCard, classes: Sequence[str], prompts: Sequence[Prompt], geometry: Geometry
) -> list[int]:
    """The indices, from 0, of the classes that the prompts of an object name.

    Raises:
        PromptError: For a text that names none of the classes and for any other kind of prompt.
    """
    card.check_takes(prompts)
    return class_numbers(to_voxels(prompts, geometry).phrases, classes, card.name)


def check_classes(classes: Sequence[str], source: object) -> None:
    """Check the class names of a network.

    Raises:
        WeightsError: If two classes have one name, if a name is empty or if there is no class.
    """
    names = [name.strip().casefold() for name in classes]
    faulty = next((name for name in names if not name or names.count(name) > 1), None)
    if not names or faulty is not None:
        fault = f"calls two classes '{faulty}'" if faulty else "leaves a class without a name"
        raise WeightsError(f"{source} {fault if names else 'names no class'}; name each in it.")


def parse_overlap(text: float | str) -> float:
    """The overlap of neighbouring windows as a fraction of their width.

    Raises:
        ModelError: If it is not a number from 0 to 0.9.
    """
    try:
        overlap = float(text)
    except ValueError:
        overlap = -1.0
    if not 0 <= overlap <= 0.9:
        raise ModelError(f"The overlap is {text}; give a number from 0 to 0.9, such as 0.5.")
    return overlap
