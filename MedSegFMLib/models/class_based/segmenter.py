"""A network that knows classes as a model: it looks at a volume once, then draws what is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...errors import ModelError, WeightsError
from ...progress import Progress
from ...prompts.types import Prompt
from ...prompts.voxels import to_voxels
from ...segmenter import Encoding, ModelCard, Prediction, RegionRule, class_numbers
from ...system.device import memory_errors
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.volume import Volume
from .class_maps import ClassMaps, united

# Such a model sees the whole volume, whatever is named.
WHOLE_VOLUME = RegionRule(margin_voxels=0, margin_fraction=0.0, click_radius_voxels=0, shared=False)

# Of the time of a volume, the part for scoring it; the rest is telling the classes apart.
LOOKING = 0.9


class ClassNetwork(Protocol):
    """What scores a volume."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what it knows, without background."""

    def class_maps(self, volume: Volume, progress: Progress) -> ClassMaps:
        """Score every voxel of a volume; progress ends at 1."""


@dataclass(frozen=True, eq=False)
class ClassEncoding(Encoding):
    """maps: who has which voxel of the region."""

    maps: ClassMaps


class ClassSegmenter:
    """The `Segmenter` around a network of classes."""

    def __init__(self, card: ModelCard, network: ClassNetwork) -> None:
        self.card = card
        self._network = network

    @property
    def classes(self) -> tuple[str, ...]:
        """What it knows, without background; an object is one of them, named by a text prompt."""
        return self._network.classes

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> ClassEncoding:
        """Score a region (None: all) of a volume.

        Raises VolumeError where the volume holds NaN or infinity, or cannot be brought to the
        network's spacing; DeviceError without memory.
        """
        progress(0.0, "Preparing the volume")
        volume.intensity_range()
        region = region or Region.whole(volume.geometry.shape_kji)
        with memory_errors(self.card.name):
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
        """The class that the texts name, or several together, on the part where it is.

        Raises PromptError for a text that names no class and for any other prompt.
        """
        if not isinstance(encoding, ClassEncoding):
            raise TypeError(
                f"{self.card.title} cannot predict from a {type(encoding).__name__} of a model."
            )
        progress(0.0, "Reading the prompts")
        numbers = requested_classes(self.card, self.classes, prompts, encoding.geometry)
        with memory_errors(self.card.name):
            found, logits = united([encoding.maps.draw(number) for number in numbers])
        progress(1.0, "Predicting the mask")
        offset = found.shifted(encoding.region.start_kji).start_kji
        return Prediction(encoding.geometry, offset, logits)


def requested_classes(
    card: ModelCard, classes: Sequence[str], prompts: Sequence[Prompt], geometry: Geometry
) -> list[int]:
    """Which of a model's classes, counted from 0, the prompts for an object name.

    Raises PromptError for a text that names none of them and for any other prompt.
    """
    card.check_takes(prompts)
    return class_numbers(to_voxels(prompts, geometry).phrases, classes, card.name)


def check_classes(classes: Sequence[str], source: object) -> None:
    """Raise WeightsError where two classes have one name, or one has none."""
    known = [name.strip().casefold() for name in classes]
    faulty = next((name for name in known if not name or known.count(name) > 1), None)
    if not known or faulty is not None:
        fault = f"calls two classes '{faulty}'" if faulty else "leaves a class without a name"
        raise WeightsError(f"{source} {fault if known else 'names no class'}; name each in it.")


def parse_overlap(text: float | str) -> float:
    """The overlap of neighbouring windows as a part of their width; ModelError for no such."""
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.9:
        raise ModelError(f"The overlap is {text}; give a number from 0 to 0.9, such as 0.5.")
    return part


def parse_yes_no(name: str, text: bool | str) -> bool:
    """An option that is true or false, as text or not; ModelError for anything else."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    said = words.get(str(text).lower())
    if said is None:
        raise ModelError(f"{name} is '{text}'; give true or false.")
    return said
