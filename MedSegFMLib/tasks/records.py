"""The key of a task of any kind, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Key = tuple[str, str, int]
"""Case, model and seed."""

# In place of a case's name in the failure of a model that cannot be loaded.
ALL_CASES = "(all cases)"


class Task(Protocol):
    """One model on one case, the smallest unit of a run."""

    @property
    def model(self) -> str:
        """The model as the user specified it."""

    @property
    def key(self) -> Key:
        """The key of the task in a run and in its files."""


class Completed(Protocol):
    """The result of a task."""

    @property
    def seconds(self) -> float:
        """Its total time."""


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


Outcome = Completed | Failure
