"""Updates that `SegmentationLogic.pump` returns beside the worker's events: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..consistency.lower_bound import LowerBound
from ..worker.events import Event


@dataclass(frozen=True)
class Written:
    """Segments were brought to the present prompts.

    Attributes:
        added, removed: The number of voxels that each segment gained and lost, by label.
        seconds: The time that the main thread took.
        cut_off: The labels of segments that reach outside the segmentation's grid and are cut
            off there.
        clicked: The label of the object whose segment was brought to one more click; None after
            any other change of the prompts, such as undo, and after one of the model.
        voxels: The size of each object that was answered, in voxels of the volume, by label.
        lower_bounds: The lower bound of the Dice of each object whose model is calibrated, by
            label.
    """

    added: Mapping[int, int]
    removed: Mapping[int, int]
    seconds: float
    cut_off: tuple[int, ...] = ()
    clicked: int | None = None
    voxels: Mapping[int, int] = field(default_factory=dict)
    lower_bounds: Mapping[int, LowerBound] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptsChanged:
    """The prompts, the objects or the current object have changed."""


@dataclass(frozen=True)
class Warned:
    """A sentence for the user about something that was refused or failed; nothing was lost."""

    sentence: str


@dataclass(frozen=True)
class ConsistencyStarted:
    """The segments are there, and the agreement of the model's planes was requested."""


@dataclass(frozen=True)
class ConsistencyProgressed:
    """How far the measurement of the planes' agreement is, 0 to 1."""

    fraction: float


@dataclass(frozen=True)
class ConsistencyReady:
    """The agreement of the planes was measured; see `SegmentationLogic.consistency`."""


@dataclass(frozen=True)
class VolumeGone:
    """The volume left the scene, or the scene was closed; choose another."""


Update = (
    Event
    | Written
    | PromptsChanged
    | ConsistencyStarted
    | ConsistencyProgressed
    | ConsistencyReady
    | Warned
    | VolumeGone
)
