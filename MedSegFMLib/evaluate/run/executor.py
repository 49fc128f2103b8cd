"""Tasks done by workers, here or on other machines: what an executor is.

An executor only starts workers, hands them tasks and tells what became of these. What comes next is
decided by `Scheduler`, for every executor alike; `run_tasks` is the loop.
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
class ModelFailed:
    """The worker could not load its model, and why in one sentence; it has ended."""

    reason: str


@dataclass(frozen=True)
class WorkerDied:
    """The worker ended while it loaded its model or worked on its task; how, in a few words."""

    how: str


WorkerEvent = Ready | ModelFailed | WorkerDied | Outcome


class Executor(Protocol):
    """Workers, each a process that holds one model. They are numbered as they are started.

    capacity: how many workers each resource has room for at once. alone: whether a task is tried
    again while no other is at work, which leaves it all the memory of the machine.
    """

    @property
    def capacity(self) -> Mapping[str, int]:
        """The most workers on each resource."""

    @property
    def alone(self) -> bool:
        """Whether a task is tried again alone."""

    def resource(self, model: str) -> str:
        """The resource that the model's workers take: a process, a core or a GPU."""

    def start_worker(self, model: str) -> int:
        """Begin to start a worker for the model; `wait` tells when it is ready for a task."""

    def give(self, worker: int, task: Task) -> None:
        """Hand a task to a worker that has none."""

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        """Wait for events and return them with their workers' numbers; at times there are none."""

    def stop_worker(self, worker: int) -> None:
        """End a worker that has no task, or that has ended by itself."""

    def close(self) -> None:
        """End all workers at once."""
