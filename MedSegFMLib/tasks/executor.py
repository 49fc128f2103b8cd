"""The interface of executors, which run tasks in workers, here or on other machines.

An executor only starts workers, assigns tasks and reports events. What comes next is decided by
`Scheduler`, for every executor alike; `run_tasks` is the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .records import Outcome, Task

# The functions of a worker: load the model that the user specified, for a device; run a task.
Load = Callable[[str, str], Any]
Work = Callable[[Any, Any], Outcome]


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its model."""


@dataclass(frozen=True)
class ModelFailed:
    """The worker could not load its model, and has ended.

    Attributes:
        reason: one sentence.
    """

    reason: str


@dataclass(frozen=True)
class WorkerDied:
    """The worker ended while it loaded its model or worked on its task.

    Attributes:
        how: a few words.
    """

    how: str


WorkerEvent = Ready | ModelFailed | WorkerDied | Outcome


class Executor(Protocol):
    """Workers, each a process with one model, numbered in the order in which they are started."""

    @property
    def capacity(self) -> Mapping[str, int]:
        """The maximal number of workers on each resource."""

    @property
    def alone(self) -> bool:
        """Whether a task is repeated while no other one runs, with all memory of the machine."""

    def resource(self, model: str) -> str:
        """The resource that the model's workers use: a process, a core or a GPU."""

    def start_worker(self, model: str) -> int:
        """Begin to start a worker for the model; `wait` reports when it is ready for a task."""

    def give(self, worker: int, task: Task) -> None:
        """Assign a task to an idle worker."""

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        """Wait for events and return them with their workers' numbers; sometimes there are none."""

    def stop_worker(self, worker: int) -> None:
        """End a worker that has no task, or that has ended by itself."""

    def close(self) -> None:
        """End all workers at once."""
