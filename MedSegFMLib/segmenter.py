"""The interface that every model implements, with its input and output types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import PromptError
from .progress import Progress
from .prompts.mask import Mask
from .prompts.places import PlaceQuestion
from .prompts.types import Prompt, is_start, prompt_name
from .system.suggestions import with_suggestion
from .volumes.geometry import Geometry
from .volumes.images import Channels
from .volumes.region import Region, Shape, shape_triple
from .volumes.segmentations.vocabulary import match
from .volumes.volume import Volume

Logits = NDArray[np.float32]

# Beyond this logit a probability is 0 or 1 in 32 bits; within it the exponential does not overflow.
_MOST_LOGIT = 30.0


# What stands for the value of a private option in whatever others may read.
OWN = "*"


@dataclass(frozen=True)
class RegionRule:
    """How much of the volume around the prompts a model uses.

    Attributes:
        margin_voxels: least margin on each side of a box, in voxels.
        margin_fraction: least margin on each side of a box, as a fraction of the box's width; the
            greater of both margins applies.
        click_radius_voxels: margin on each side of the first mark if there is no box.
        shared: whether all objects share one region (one encoder pass) or each has its own.
        chooses_size: whether the model chooses the region around marks if there is no box; it is a
            `session.looks.RegionChooser` then.
    """

    margin_voxels: int
    margin_fraction: float
    click_radius_voxels: int
    shared: bool
    chooses_size: bool = False

    def margin(self, box: Region) -> Shape:
        """The margin around a box in voxels, along k, j and i."""
        return shape_triple(
            max(self.margin_voxels, ceil(self.margin_fraction * n)) for n in box.shape_kji
        )


@dataclass(frozen=True)
class ModelOption:
    """An option of a model's `create` that users may set in the panel.

    Attributes:
        name: its name in `create` and after `--option`.
        title: the name that users read.
        description: what it does, for the tool tip.
        choices: the values it may have, as text; () for any text that `create` accepts.
        default: what the model does without it, for the user.
        packages: for an option with which another computer does the work: what the model needs then
            instead of the card's packages, and no weights. None for any other option.
        is_private: whether it is the user's own: kept in their settings, and never read from or
            written to a scene or result, which others may have made or get. Such as a server, which
            gets the volume.
        is_secret: whether it is not shown, such as a key.
        at_import: whether imported weights may lack it, so that it is asked for and recorded at
            their import (`models.importing`): as "text", or as the path of a "file" or "folder".
    """

    name: str
    title: str
    description: str
    choices: tuple[str, ...] = ()
    default: str = ""
    packages: tuple[str, ...] | None = None
    is_private: bool = False
    is_secret: bool = False
    at_import: Literal["", "text", "file", "folder"] = ""


@dataclass(frozen=True)
class ModelCard:
    """A model's properties, inputs and costs, as the panel and the command line show them.

    Attributes:
        name: the name that users type.
        title: the name that users read.
        prompts: the names of the supported prompts, as in `prompts.types.PROMPT_NAMES`. A model
            without "line" gets lines as boxes or clicks (`prompts.line_marks`).
        dimensions: 3 if the network processes volumes, 2 if it processes slices.
        packages: importable packages it needs beyond the base installation.
        weights: the name of its weights in the catalogue, None if it needs none.
        uses_previous: whether a prediction continues from that of the previous step.
        can_predict_empty: whether an empty prediction means that the object is absent, even within
            a box; otherwise a box always contains something.
        base: the name in the catalogue of further weights it needs, those of the network it is
            built on.
        base_bytes: constant part of the memory estimate.
        bytes_per_voxel: further memory for each voxel of the region.
        cpu_only: whether it cannot use a GPU.
        trial_options: options of `create` with which a trial of new weights takes the least time.
        finds_ball: whether any weights that are of use segment a bright ball in its box.
        starts_from: what it gets for a mask to start from, if it supports "mask": "previous", its
            previous answer; "prior", the mask itself; "prompts", a box around it and clicks inside
            and outside it, of those that it supports (`prompts.mask_marks`).
        options: the options that users may set in the panel.
        takes_words: whether "text" means any words rather than classes, so that what they mean may
            be found in the wrong place (`consistency.asking`).
        channels: the images of one volume that it takes at once: their names in its own order, or
            their number. None in a card of `registry` if the weights decide; the card of a
            segmenter says it.
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
    trial_options: Mapping[str, Any] = field(default_factory=dict)
    finds_ball: bool = False
    starts_from: Literal["previous", "prior", "prompts"] = "prompts"
    options: tuple[ModelOption, ...] = ()
    takes_words: bool = False
    channels: Channels = 1

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names of the prompts that users may give: the supported ones, and lines for boxes."""
        as_others = {"box", "point"}.intersection(self.prompts) and "line" not in self.prompts
        return (*self.prompts, "line") if as_others else self.prompts

    def check_takes(self, prompts: Iterable[Prompt]) -> None:
        """Check that the model supports the type of each prompt.

        Masks to avoid or to keep are for any model: sessions apply them to its answers.

        Raises:
            PromptError: it does not; the message lists the supported types.
        """
        given = (prompt for prompt in prompts if not isinstance(prompt, Mask) or is_start(prompt))
        for name in map(prompt_name, given):
            if name not in self.accepted:
                raise PromptError(
                    f"{self.title} does not support {name} prompts; it supports "
                    f"{', '.join(self.accepted)}."
                )

    def with_options(self, names: Iterable[str]) -> ModelCard:
        """The card of the model with these options, which may need other packages, no weights."""
        for option in self.options:
            if option.packages is not None and option.name in names:
                return replace(self, packages=option.packages, weights=None)
        return self

    def public_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as others may see them: `OWN` for a private value, and nothing secret."""
        private = {option.name for option in self.options if option.is_private}
        secret = {option.name for option in self.options if option.is_secret}
        return {
            name: OWN if name in private else value
            for name, value in options.items()
            if name not in secret
        }

    def private_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the options that are the user's own, with their values."""
        private = {option.name for option in self.options if option.is_private}
        return {name: value for name, value in options.items() if name in private}

    def memory_bytes(self, region_voxels: int) -> int:
        """Estimated peak memory of a prediction on a region of `region_voxels` voxels."""
        return self.base_bytes + region_voxels * self.bytes_per_voxel


@dataclass(frozen=True)
class Encoding:
    """A model's cached features of a region of a volume, which make further prompts cheap.

    Models derive from it to hold their features.

    Attributes:
        geometry: the grid of the whole volume.
        region: the encoded region.
        nbytes: the memory of the features.
    """

    geometry: Geometry
    region: Region
    nbytes: int


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's prediction on a region of a volume.

    Attributes:
        geometry: the grid of the whole volume.
        offset_kji: the first voxel of the region.
        logits_kji: float32, (k, j, i) of the region; voxels above 0 belong to the object.
        planes: for models that process slices, the probabilities, 0 to 1 on the same region, by
            plane ("axial", "coronal", "sagittal"), of the planes that were segmented.
        question: if the answer is a question, the places where it may be; its mask is empty until a
            click has decided.
    """

    geometry: Geometry
    offset_kji: Shape
    logits_kji: Logits
    planes: Mapping[str, Logits] = field(default_factory=dict)
    question: PlaceQuestion | None = None

    def __repr__(self) -> str:
        voxels = int((self.logits_kji > 0).sum())
        return f"<Prediction of {voxels} voxels in {self.region}>"

    @property
    def region(self) -> Region:
        """The region that `logits_kji` covers."""
        return Region.whole(shape_triple(self.logits_kji.shape)).shifted(self.offset_kji)

    @property
    def nbytes(self) -> int:
        """The memory of its arrays."""
        return self.logits_kji.nbytes + sum(plane.nbytes for plane in self.planes.values())

    @property
    def mask(self) -> Volume:
        """The object on the whole grid: uint8, 1 inside."""
        array = np.zeros(self.geometry.shape_kji, dtype=np.uint8)
        array[self.region.slices] = self.logits_kji > 0
        return Volume(array, self.geometry)

    def with_logits(self, logits_kji: Logits) -> Prediction:
        """A copy with other logits on the same region."""
        return replace(self, logits_kji=logits_kji)


def probabilities(logits: Logits) -> Logits:
    """The logistic function of logits of any shape: float32, 0 to 1."""
    result = np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT)
    np.negative(result, out=result)
    np.exp(result, out=result)
    result += 1
    return np.reciprocal(result, out=result)


def certainty(logits: Logits) -> float:
    """The mean probability of the voxels that logits assign to the object; 0 if there are none."""
    inside = logits[logits > 0]
    return float(probabilities(inside).mean()) if inside.size else 0.0


class Segmenter(Protocol):
    """A model: `encode` a region once, `predict` for each set of prompts."""

    @property
    def card(self) -> ModelCard:
        """The model's properties, inputs and costs."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, without background; () if prompts define the objects."""

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        """Encode a region of a volume (None: all of it); the volume is never written to."""

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object from its prompts.

        Prompts outside the encoded region but inside the volume are not errors: they are ignored.

        Args:
            encoding: the result of `encode`.
            prompts: all prompts of the object in order.
            previous: the prediction from the prompts without the last one, or None; the mask to
                start from, as a plain `Prediction`, if the card says that it is the previous one.
            progress: called with the completed fraction and a phrase.

        Raises:
            PromptError: a prompt is outside the volume or not supported by the model.
        """


def class_numbers(phrases: Sequence[str], classes: Sequence[str], model: str) -> list[int]:
    """The index, from 0, of the class that each phrase names, in any way to write its name.

    Raises:
        PromptError: a phrase names no class, or may be several, or there is no phrase.
    """
    if not phrases:
        raise PromptError(f"No class is named; the classes of {model} are {', '.join(classes)}.")
    return [_class_number(phrase, classes, model) for phrase in phrases]


def _class_number(phrase: str, classes: Sequence[str], model: str) -> int:
    meant = match(phrase, classes)
    if len(meant.found) == 1:
        return meant.found[0]
    several = [classes[n] for n in meant.found or meant.candidates]
    if several:
        way = "name one of them" if len(several) > 1 else "name it so if you mean it"
        raise PromptError(f"'{phrase}' may be {' or '.join(several)} of {model}; {way}.")
    raise PromptError(
        f"The model {model} has no class {with_suggestion(phrase, classes)}; its classes are "
        f"{', '.join(classes)}."
    )
