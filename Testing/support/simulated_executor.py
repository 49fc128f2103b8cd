"""An executor that only counts seconds: the real scheduling, with workers that are numbers."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from MedSegFMLib.evaluate.records import Done, Task
from MedSegFMLib.tasks.executor import Ready, WorkerDied, WorkerEvent


@dataclass
class SimulatedExecutor:
    """An executor (`tasks.executor.Executor`) whose clock jumps from one event to the next.

    capacity: workers of each kind. kinds: the kind that each model needs, "gpu" where none is said.
    outcome: the news that a task ends in, and after how many seconds. opened: the news that the
    loading of a model ends in, and after how many. driver_seconds: the driver is busy so long with
    each news, during which nobody is given anything. node_size, node_dies_at: so many workers of
    the kind "gpu" in a node, and when the first node is lost with its places.
    """

    outcome: Callable[[Task], tuple[WorkerEvent, float]]
    capacity: dict[str, int] = field(default_factory=lambda: {"gpu": 1})
    resources: Mapping[str, str] = field(default_factory=dict)
    opened: Callable[[str], tuple[WorkerEvent, float]] = lambda model: (Ready(), 1.0)
    driver_seconds: float = 0.0
    alone: bool = False
    node_size: int = 1
    node_dies_at: float | None = None

    def __post_init__(self) -> None:
        self.now = 0.0
        self.loads: list[str] = []
        # Seconds that workers spent: at tasks that were done, on starts, on what was lost.
        self.spent: dict[str, float] = defaultdict(float)
        self.driver_busy = 0.0
        self.most_at_once = 0
        self._numbers = itertools.count(1)
        self._events: list[tuple[float, int, int, WorkerEvent]] = []
        self._order = itertools.count()
        self._since: dict[int, tuple[str, float]] = {}
        self._resource_of: dict[int, str] = {}

    def clock(self) -> float:
        return self.now

    def resource(self, model: str) -> str:
        return self.resources.get(model, "gpu")

    def start_worker(self, model: str) -> int:
        worker = next(self._numbers)
        self._resource_of[worker] = self.resource(model)
        self.loads.append(model)
        self._plan(worker, *self.opened(model), "start")
        return worker

    def give(self, worker: int, task: Task) -> None:
        self._plan(worker, *self.outcome(task), "task")
        at_work = sum(what == "task" for what, _ in self._since.values())
        self.most_at_once = max(self.most_at_once, at_work)

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        dies = self.node_dies_at
        if dies is not None and (not self._events or self._events[0][0] >= dies):
            return self._lose_node(dies)
        if not self._events:
            return []
        at, _, worker, event = heapq.heappop(self._events)
        self._handle(at)
        self._end(worker, event, at)
        return [(worker, event)]

    def stop_worker(self, worker: int) -> None:
        self._resource_of.pop(worker, None)

    def close(self) -> None:
        self._events.clear()

    def _plan(self, worker: int, event: WorkerEvent, seconds: float, what: str) -> None:
        self._since[worker] = what, self.now
        heapq.heappush(self._events, (self.now + seconds, next(self._order), worker, event))

    def _handle(self, at: float) -> None:
        self.now = max(self.now, at) + self.driver_seconds
        self.driver_busy += self.driver_seconds

    def _end(self, worker: int, event: WorkerEvent, at: float) -> None:
        what, since = self._since.pop(worker)
        is_lost = what == "task" and not isinstance(event, Done)
        self.spent["lost" if is_lost else what] += at - since

    def _lose_node(self, at: float) -> list[tuple[int, WorkerEvent]]:
        self.node_dies_at = None
        self._handle(at)
        node = [n for n, resource in self._resource_of.items() if resource == "gpu"][
            : self.node_size
        ]
        self.capacity["gpu"] -= self.node_size
        self._events = [event for event in self._events if event[2] not in node]
        heapq.heapify(self._events)
        dead: list[tuple[int, WorkerEvent]] = []
        for worker in node:
            if worker in self._since:
                dead.append((worker, WorkerDied("its node was lost")))
                self._end(worker, dead[-1][1], at)
        return dead
