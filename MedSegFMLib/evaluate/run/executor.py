"""Tasks done by workers, here or on other machines: what a crew is, and the loop that leads one.

A crew only starts workers, hands them tasks and tells what became of these. What comes next is
decided by `Schedule`, for every crew alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..results.records import Outcome, Task

if TYPE_CHECKING:
    from .scheduler import Schedule

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


def work_off(schedule: Schedule, crew: Crew) -> Generator[tuple[list[Task], Outcome], None, None]:
    """Do all tasks of a schedule; the outcomes as they come, each with the tasks it settles.

    That is one task, none where a failed one is yet to be tried again, and all that are left,
    with one seed, of a model that cannot be loaded. Closing the iterator, or an exception such as
    KeyboardInterrupt, ends the workers at once.
    """
    with closing(crew):
        while not schedule.finished:
            while (model := schedule.next_hire()) is not None:
                schedule.hired(crew.hire(model), model)
            for worker, news in crew.wait():
                yield from schedule.heard(worker, news)
                task = schedule.next_task(worker)
                if task is None:
                    crew.dismiss(worker)
                else:
                    crew.give(worker, task)
