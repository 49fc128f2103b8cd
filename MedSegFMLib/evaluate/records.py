"""Records of a run: tasks and rows of scores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..datasets.cases import Case
from ..tasks.records import Failure, Key


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


class PlacedKind(StrEnum):
    """The kind of prompt of a step, as in results.csv.

    NONE: nothing was left to correct, or the model takes no clicks.
    """

    BOX = "box"
    LINE = "line"
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
        f1: F1 of the instances of a class, 0 to 1; None for an object.
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
    f1: float | None = None

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
