"""What is asked of a worker and what it tells: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..consistency import Consistency
from ..errors import MedSegFMError
from ..prompts.prompt_list import PromptList
from ..volumes.region import Region, Shape, shape_triple


@dataclass(frozen=True)
class Request:
    """Segment all objects of a prompt list in the volume.

    model, device, options: as `registry.create` takes them; options hold what JSON can, and paths.
    consistency: whether the answers shall tell where the planes disagree, which takes longer.
    clear_cache: whether the worker drops what it computed from the volume before, so that the cost
        of the request can be compared with that of other models.

    A request without prompts loads the model, so that the first prompt finds it ready.
    """

    model: str
    prompts: PromptList
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    consistency: bool = False
    clear_cache: bool = False


@dataclass(frozen=True)
class Cost:
    """What a request took in the worker.

    seconds: from the prompts to the masks, with the model loaded. loading_seconds: to load it; 0
        where it was there.
    peak_bytes: the most memory meanwhile, of the GPU where the model used one, of the worker's
        process otherwise, with the model and the volume in it; 0 where the system does not tell.
    on_gpu: which of the two.
    """

    seconds: float
    loading_seconds: float
    peak_bytes: int
    on_gpu: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """One object as a model sees it; outside these voxels the object has none.

    offset_kji: where the arrays begin in the volume.
    mask_kji: uint8, (k, j, i), 1 inside. It covers the smallest box that holds the object, none
        (0, 0, 0) where the object is empty.
    consistency: how well the model's planes agree; None unless asked for.
    """

    offset_kji: Shape
    mask_kji: NDArray[np.uint8]
    consistency: Consistency | None = None

    @property
    def region(self) -> Region | None:
        """The voxels that the arrays cover; None where the object is empty and nothing is."""
        if not self.mask_kji.size:
            return None
        return Region.whole(shape_triple(self.mask_kji.shape)).shifted(self.offset_kji)


@dataclass(frozen=True)
class Started:
    """The worker is there: so long after it was called for, and of that version."""

    seconds: float
    version: str


@dataclass(frozen=True)
class Progressed:
    """How far a request is, 0 to 1, a phrase for the user, and the seconds since it was made."""

    number: int
    fraction: float
    phrase: str
    seconds: float


@dataclass(frozen=True)
class Opened:
    """A model was loaded for a request, and stays whatever becomes of that.

    prompts: the names of those that it takes; with some weights a model takes fewer than its card
        in the registry says.
    classes: what it knows by name, as a text prompt takes them; () where prompts say what.
    """

    number: int
    model: str
    prompts: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Predicted:
    """A request is answered: each label that has prompts, its answer, and what they took."""

    number: int
    answers: Mapping[int, Answer]
    cost: Cost | None = None


@dataclass(frozen=True)
class Noted:
    """What the user should know of a request that goes on, for instance that it runs on the CPU."""

    number: int
    sentence: str


@dataclass(frozen=True)
class Failed:
    """A request cannot be answered; of number 0, no worker can be started or kept.

    last_words: the end of what a worker that died wrote to its stderr; empty where none died.
    """

    number: int
    error: MedSegFMError
    last_words: str = ""


@dataclass(frozen=True)
class Stopped:
    """A request was cancelled, or a later one or another volume took its place."""

    number: int


@dataclass(frozen=True)
class Restarted:
    """The worker ended and another one takes over with the same volume and request.

    last_words: the end of what it wrote to its stderr.
    after_cancel: whether it was ended because it did not stop when asked to.
    """

    last_words: str
    after_cancel: bool = False


Event = Started | Opened | Progressed | Predicted | Noted | Failed | Stopped | Restarted
