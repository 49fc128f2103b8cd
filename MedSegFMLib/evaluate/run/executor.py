"""Tasks done by workers, here or on other machines: what a crew is.

A crew only starts workers, hands them tasks and tells what became of these. What comes next is
decided by `Schedule`, for every crew alike; `run_tasks` is the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..records import Outcome, Task

# What a worker does: load the model that the user named so, for a device, and a task with it.
Load = Callable[[str, str], Any]
Work = Callable[[Task, Any], Outcome]


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its model."""


@dataclass(frozen=True)
class Refused:
    """The worker could not load its model, and why in one sentence; it has ended."""

    reason: str


@dataclass(frozen=True)
class Died:
    """The worker ended while it loaded its model or worked on its task; how, in a few words."""

    how: str


News = Ready | Refused | Died | Outcome


class Crew(Protocol):
    """Workers, each a process that holds one model. They are numbered as they are hired.

    places: how many workers there may be of each kind at once; alone: whether a task is tried again
    while no other is at work, which leaves it all the memory of the machine.
    """

    @property
    def places(self) -> Mapping[str, int]:
        """The most workers of each kind."""

    @property
    def alone(self) -> bool:
        """Whether a task is tried again alone."""

    def kind(self, model: str) -> str:
        """The kind of worker that the model needs."""

    def hire(self, model: str) -> int:
        """Begin to start a worker for the model; `wait` tells when it is ready for a task."""

    def give(self, worker: int, task: Task) -> None:
        """Hand a task to a worker that has none."""

    def wait(self) -> list[tuple[int, News]]:
        """Wait for news and return it with the worker's number; none at times is no fault."""

    def dismiss(self, worker: int) -> None:
        """End a worker that has no task, or that has ended by itself."""

    def close(self) -> None:
        """End all workers at once."""
