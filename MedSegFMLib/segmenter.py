"""The one interface that every model meets, and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import PromptError
from .progress import Progress
from .prompts.types import Prompt, prompt_name
from .volumes.geometry import Geometry
from .volumes.region import Region, Shape, shape_triple
from .volumes.volume import Volume

Logits = NDArray[np.float32]

# Beyond this a probability is 0 or 1 in 32 bits, and the exponential does not overflow.
_MOST_LOGIT = 30.0


@dataclass(frozen=True)
class RegionRule:
    """How much of the volume around the prompts a model looks at.

    margin_voxels, margin_fraction: beyond a box on each side, the greater of so many voxels and
        that part of the box's width.
    click_radius_voxels: on each side of the first mark where there is no box.
    shared: whether all objects are seen in one region (one encoder pass) or each in its own.
    """

    margin_voxels: int
    margin_fraction: float
    click_radius_voxels: int
    shared: bool

    def margin(self, box: Region) -> Shape:
        """How many voxels beyond a box the model looks, along k, j and i."""
        return shape_triple(
            max(self.margin_voxels, ceil(self.margin_fraction * n)) for n in box.shape_kji
        )


@dataclass(frozen=True)
class ModelCard:
    """What a model is, takes and costs: data that the panel and the command line show.

    name: what the user types; title: what the user reads.
    prompts: the prompt names it takes, as in `prompts.types.PROMPT_NAMES`.
    dimensions: 3 where it sees volumes, 2 where it sees slices.
    packages: importable packages it needs beyond the light installation.
    weights: the name of its weights in the catalogue, None where it needs none.
    uses_previous: whether its prediction continues from that of the step before.
    can_predict_empty: whether an empty answer means that the object is not there, in a box too;
        else a box always holds something.
    base: the name in the catalogue of further weights it needs, of a network it sees through.
    base_bytes, bytes_per_voxel: memory estimate for a region of n voxels, base + n * per voxel.
    cpu_only: whether no GPU is of use to it.
    """

    name: str
    title: str
    summary: str
    prompts: tuple[str, ...]
    modalities: tuple[str, ...]
    dimensions: int
    code_licence: str
    weights_licence: str | None
    region_rule: RegionRule
    packages: tuple[str, ...] = ()
    weights: str | None = None
    uses_previous: bool = False
    can_predict_empty: bool = False
    base: str | None = None
    base_bytes: int = 0
    bytes_per_voxel: int = 0
    cpu_only: bool = False

    def check_takes(self, prompts: Iterable[Prompt]) -> None:
        """Raise PromptError, which names what it takes, for a prompt the model does not take."""
        for name in map(prompt_name, prompts):
            if name not in self.prompts:
                raise PromptError(
                    f"The model {self.name} takes no {name} prompts; it takes "
                    f"{', '.join(self.prompts)}."
                )

    def memory_bytes(self, region_voxels: int) -> int:
        """Estimated peak memory of a prediction on a region of so many voxels."""
        return self.base_bytes + region_voxels * self.bytes_per_voxel


@dataclass(frozen=True)
class Encoding:
    """What a model keeps of a region of a volume, so that each further prompt is cheap.

    Models derive from it to hold their features. nbytes: the memory those take.
    """

    geometry: Geometry
    region: Region
    nbytes: int


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's answer on the region it changed.

    geometry: the grid of the whole volume.
    offset_kji: where the region begins in it.
    logits_kji: float32, (k, j, i) of the region; above 0 is the object.
    planes: for models that look at planes, the probabilities, 0 to 1 on the same region, that each
        gave: of "axial", "coronal" and "sagittal" those that were looked at.
    """

    geometry: Geometry
    offset_kji: Shape
    logits_kji: Logits
    planes: Mapping[str, Logits] = field(default_factory=dict)

    def __repr__(self) -> str:
        voxels = int((self.logits_kji > 0).sum())
        return f"<Prediction of {voxels} voxels in {self.region}>"

    @property
    def region(self) -> Region:
        """The voxels that `logits_kji` covers."""
        return Region.whole(shape_triple(self.logits_kji.shape)).shifted(self.offset_kji)

    @property
    def mask(self) -> Volume:
        """The object on the whole grid: uint8, 1 inside."""
        array = np.zeros(self.geometry.shape_kji, dtype=np.uint8)
        array[self.region.slices] = self.logits_kji > 0
        return Volume(array, self.geometry)

    def with_logits(self, logits_kji: Logits) -> Prediction:
        """Other logits on the same region."""
        return replace(self, logits_kji=logits_kji)


def probabilities(logits: Logits) -> Logits:
    """float32 in 0 to 1: the logistic function of logits of any shape."""
    result = np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT)
    np.negative(result, out=result)
    np.exp(result, out=result)
    result += 1
    return np.reciprocal(result, out=result)


class Segmenter(Protocol):
    """A model: `encode` a region once, `predict` for each set of prompts."""

    @property
    def card(self) -> ModelCard:
        """What the model is and takes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes it knows, without background; () if prompts say what to find."""

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        """Prepare a region (None: all) of a volume; the volume is never written to."""

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object after its prompts, given the answer to those before the last.

        Prompts outside the encoded region but inside the volume are not errors: they say nothing
        here. Raises PromptError for a prompt outside the volume or one the model does not take.
        """


def class_numbers(phrases: Sequence[str], classes: Sequence[str], model: str) -> list[int]:
    """Which of a model's classes, counted from 0, each phrase names; case does not matter.

    Raises PromptError for a phrase that names none of them, and where there is no phrase.
    """
    known = [name.strip().casefold() for name in classes]
    if not phrases:
        raise PromptError(f"No class is named; the model {model} knows {', '.join(classes)}.")
    for phrase in phrases:
        if phrase.strip().casefold() not in known:
            raise PromptError(
                f"The model {model} knows no '{phrase}'; it knows {', '.join(classes)}."
            )
    return [known.index(phrase.strip().casefold()) for phrase in phrases]
