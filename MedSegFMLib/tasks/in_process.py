"""An executor with one worker: this process itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .executor import Load, ModelFailed, Ready, Work, WorkerEvent
from .records import Task


class InProcessExecutor:
    """An `Executor` whose one worker is the caller, with one model at a time."""

    capacity: Mapping[str, int] = {"process": 1}
    alone = True

    def __init__(self, load: Load, work: Work, device: str) -> None:
        self._load, self._work, self._device = load, work, device
        self._model: Any = None
        self._events: list[tuple[int, WorkerEvent]] = []
        self._started = 0

    def resource(self, model: str) -> str:
        """The only resource."""
        return "process"

    def start_worker(self, model: str) -> int:
        """Load the model."""
        self._started += 1
        self._model = self._load(model, self._device)
        event = self._model if isinstance(self._model, ModelFailed) else Ready()
        self._events.append((self._started, event))
        return self._started

    def give(self, worker: int, task: Task) -> None:
        """Run the task."""
        self._events.append((worker, self._work(task, self._model)))

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        """Return the new events; there is nothing to wait for."""
        events, self._events = self._events, []
        return events

    def stop_worker(self, worker: int) -> None:
        """Release the model."""
        self._model = None

    def close(self) -> None:
        """Release the model."""
        self._model = None
