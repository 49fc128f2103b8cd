"""What a run is made of: a task, the rows that it gives, and the failure that it ends in."""

from __future__ import annotations

from dataclasses import dataclass

from ..cases import Case

Key = tuple[str, str, int]
"""Case, model and seed."""


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
    """A task that could not be done, and why in one sentence."""

    case: str
    model: str
    seed: int
    reason: str

    @property
    def key(self) -> Key:
        """That of the task."""
        return self.case, self.model, self.seed


@dataclass(frozen=True)
class Row:
    """The score of one object after one step of a task; a row of results.csv.

    prompt: "box", "click +", "click -", or "none" where nothing was left to correct or the model
    takes no clicks. seconds: from the prompt to the mask, the scores not counted. peak_bytes: the
    process's peak since the object began. resampled: whether the label was on another grid.
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

    @property
    def key(self) -> Key:
        """That of the task."""
        return self.case, self.model, self.seed
