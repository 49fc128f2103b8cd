"""Requests to a worker and its events, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..consistency import Consistency
from ..consistency.lower_bound import LowerBound
from ..errors import MedSegFMError
from ..prompts.places import PlaceQuestion
from ..prompts.prompt_list import PromptList
from ..volumes.region import Region, Shape, shape_triple


@dataclass(frozen=True)
class Request:
    """A request to segment all objects of a prompt list in the volume.

    A request without prompts loads the model, so that it is ready for the first prompt.

    Attributes:
        model: as for `registry.create`.
        prompts: the prompts of all objects.
        device: as for `registry.create`.
        options: as for `registry.create`; values must be representable in JSON, or paths.
        consistency: whether to measure the consistency of the planes too, which takes longer.
        clear_cache: whether the worker drops cached results of the volume first, so that the cost
            of the request is comparable with that of other models.
        asks: whether a model of words asks where an object is if its looks at it disagree; see
            `consistency.asking`.
    """

    model: str
    prompts: PromptList
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    consistency: bool = False
    clear_cache: bool = False
    asks: bool = False


@dataclass(frozen=True)
class Cost:
    """The cost of a request in the worker.

    Attributes:
        seconds: from the prompts to the masks, with the model loaded.
        loading_seconds: the time to load the model; 0 if it was loaded.
        peak_bytes: the peak memory of the GPU if the model used one, otherwise of the worker's
            process, including the model and the volume; 0 if the system does not report it.
        on_gpu: whether it is that of the GPU.
    """

    seconds: float
    loading_seconds: float
    peak_bytes: int
    on_gpu: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """A model's mask of one object; voxels outside it do not belong to the object.

    Attributes:
        offset_kji: the first voxel of the arrays in the volume.
        mask_kji: uint8, (k, j, i), 1 inside. It covers the smallest box that contains the object;
            (0, 0, 0) if the object is empty.
        consistency: the consistency of the model's planes; None unless requested.
        lower_bound: of the Dice; None if the model is not calibrated.
        seen: the region that the model looked at; None if it is unknown.
        question: the places where it may be, if the answer is a question; its mask is empty then.
    """

    offset_kji: Shape
    mask_kji: NDArray[np.uint8]
    consistency: Consistency | None = None
    lower_bound: LowerBound | None = None
    seen: Region | None = None
    question: PlaceQuestion | None = None

    @property
    def region(self) -> Region | None:
        """The voxels that the arrays cover; None if the object is empty."""
        if not self.mask_kji.size:
            return None
        return Region.whole(shape_triple(self.mask_kji.shape)).shifted(self.offset_kji)


@dataclass(frozen=True)
class Started:
    """The worker has started.

    Attributes:
        seconds: the time since it was launched.
        version: its version of MedSegFM.
    """

    seconds: float
    version: str


@dataclass(frozen=True)
class Progressed:
    """The progress of a request.

    Attributes:
        number: the request.
        fraction: 0 to 1.
        phrase: a phrase for the user.
        seconds: the time since the request.
    """

    number: int
    fraction: float
    phrase: str
    seconds: float


@dataclass(frozen=True)
class Opened:
    """A model was loaded for a request; it stays loaded, whatever becomes of the request.

    Attributes:
        number: the request.
        model: the model.
        prompts: the names of the prompts that it supports, which may be fewer than those in its
            card, depending on the weights.
        classes: the classes that it supports as text prompts; () if there are none.
        channels: the images of a volume that it takes at once with its weights, as in its card.
    """

    number: int
    model: str
    prompts: tuple[str, ...]
    classes: tuple[str, ...]
    channels: tuple[str, ...] | int = 1


@dataclass(frozen=True, eq=False)
class Predicted:
    """The answer to a request.

    Attributes:
        number: the request.
        answers: the answer for each label that has prompts.
        cost: the cost of the request.
    """

    number: int
    answers: Mapping[int, Answer]
    cost: Cost | None = None


@dataclass(frozen=True)
class Noted:
    """A note for the user about a request that continues, for example that it runs on the CPU."""

    number: int
    sentence: str


@dataclass(frozen=True)
class Failed:
    """A request that cannot be answered.

    Attributes:
        number: the request; 0 if no worker can be started or kept.
        error: the error.
        last_words: the end of the stderr of a worker that died; empty if none died.
    """

    number: int
    error: MedSegFMError
    last_words: str = ""


@dataclass(frozen=True)
class Stopped:
    """A request that was cancelled, or replaced by a later one or by another volume."""

    number: int


@dataclass(frozen=True)
class Restarted:
    """The worker ended, and another one takes over with the same volume and request.

    Attributes:
        last_words: the end of its stderr.
        after_cancel: whether it was ended because it did not obey a cancel.
        hung: whether it was ended because it had sent nothing for too long.
    """

    last_words: str
    after_cancel: bool = False
    hung: bool = False


Event = Started | Opened | Progressed | Predicted | Noted | Failed | Stopped | Restarted
