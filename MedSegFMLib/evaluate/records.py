"""What a run is made of: a task, the rows that it gives, and the failure that it ends in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..datasets.cases import Case

Key = tuple[str, str, int]
"""Case, model and seed."""

# In place of a case's name in the failure of a model that cannot be loaded at all.
ALL_CASES = "(all cases)"


@dataclass(frozen=True)
class Task:
    """One model on one case with the prompts of one seed, the smallest piece of a run.

    model: as the user named it. seed: 0 or more.
    """

    case: Case
    model: str
    seed: int

    @property
    def key(self) -> Key:
        """What the task's rows are found by."""
        return self.case.name, self.model, self.seed


@dataclass(frozen=True)
class Failure:
    """A task that could not be done, and why in one sentence; a row of failures.csv.

    case: ALL_CASES where the model could not be loaded, so that none of its tasks was done.
    """

    case: str
    model: str
    seed: int
    reason: str

    @property
    def key(self) -> Key:
        """That of the task."""
        return self.case, self.model, self.seed


@dataclass(frozen=True)
class Crash(Failure):
    """A failure that nobody foresaw, after which the process is not to be trusted."""


class PlacedKind(StrEnum):
    """What a row calls the prompt of its step, as results.csv holds it.

    NONE: nothing was left to correct, or the model takes no clicks.
    """

    BOX = "box"
    TEXT = "text"
    POSITIVE_CLICK = "click +"
    NEGATIVE_CLICK = "click -"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """The score of one object after one step of a task; a row of results.csv.

    prompt: a `PlacedKind`. seconds: from the prompt to the mask, the scores not counted; where all
    objects are segmented at once, those of the step, in each row. peak_bytes: the process's peak
    since the object, or all at once, began. resampled: whether the label was on another grid.
    failed: why the object has no result that counts, its scores being the worst; else empty.
    """

    case: str
    modality: str
    object: str
    model: str
    seed: int
    step: int
    prompt: str
    dsc: float
    nsd: float
    hd95_mm: float
    seconds: float
    peak_bytes: int
    resampled: bool
    failed: str = ""

    @property
    def key(self) -> Key:
        """That of the task."""
        return self.case, self.model, self.seed


@dataclass(frozen=True)
class Done:
    """What a task gave: its rows, its picture as JPEG, and the seconds it took in all."""

    rows: list[Row]
    picture: bytes
    seconds: float


Outcome = Done | Failure
