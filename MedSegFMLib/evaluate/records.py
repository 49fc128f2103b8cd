"""Records of a run: tasks, rows of scores, and failures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..datasets.cases import Case

Key = tuple[str, str, int]
"""Case, model and seed."""

# In place of a case's name in the failure of a model that cannot be loaded.
ALL_CASES = "(all cases)"


@dataclass(frozen=True)
class Task:
    """One model on one case with the prompts of one seed, the smallest unit of a run.

    Attributes:
        case: the case.
        model: as the user specified it.
        seed: 0 or more.
    """

    case: Case
    model: str
    seed: int

    @property
    def key(self) -> Key:
        """The key of the task's rows."""
        return self.case.name, self.model, self.seed


@dataclass(frozen=True)
class Failure:
    """A task that failed; a row of failures.csv.

    Attributes:
        case: the name of the case; ALL_CASES if the model could not be loaded, so that all of its
            tasks failed.
        model: the model.
        seed: the seed.
        reason: one sentence.
    """

    case: str
    model: str
    seed: int
    reason: str

    @property
    def key(self) -> Key:
        """The key of the task."""
        return self.case, self.model, self.seed


@dataclass(frozen=True)
class Crash(Failure):
    """An unexpected failure, after which the process may be damaged."""


class PlacedKind(StrEnum):
    """The kind of prompt of a step, as in results.csv.

    NONE: nothing was left to correct, or the model takes no clicks.
    """

    BOX = "box"
    TEXT = "text"
    MASK = "mask"
    POSITIVE_CLICK = "click +"
    NEGATIVE_CLICK = "click -"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """The scores of one object after one step of a task; a row of results.csv.

    Attributes:
        case: the name of the case.
        modality: its modality.
        object: the name of the object.
        model: the model.
        seed: the seed.
        step: the step, 0 for the first prompt.
        prompt: a `PlacedKind`.
        dsc: Dice, 0 to 1.
        nsd: surface Dice, 0 to 1.
        hd95_mm: HD95 in millimetres.
        seconds: from the prompt to the mask, without scoring; if all objects are segmented at once,
            the time of the step, in each row.
        peak_bytes: the process's peak memory since the object, or all at once, began.
        resampled: whether the label was on another grid.
        failed: why the object has no result that counts, with the worst scores; otherwise empty.
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
        """The key of the task."""
        return self.case, self.model, self.seed


@dataclass(frozen=True)
class Done:
    """The results of a task.

    Attributes:
        rows: its rows.
        picture: its picture as JPEG.
        seconds: its total time.
    """

    rows: list[Row]
    picture: bytes
    seconds: float


Outcome = Done | Failure
