"""A crew that only counts seconds: the real scheduling, with workers that are numbers."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from MedSegFMLib.evaluate.records import Done, Task
from MedSegFMLib.evaluate.run.executor import Died, News, Ready


@dataclass
class SimulatedCrew:
    """A crew (`evaluate.run.executor.Crew`) whose clock jumps from one event to the next.

    places: workers of each kind. kinds: the kind that each model needs, "gpu" where none is said.
    outcome: the news that a task ends in, and after how many seconds. opened: the news that the
    loading of a model ends in, and after how many. driver_seconds: the driver is busy so long with
    each news, during which nobody is given anything. node_size, node_dies_at: so many workers of
    the kind "gpu" in a node, and when the first node is lost with its places.
    """

    outcome: Callable[[Task], tuple[News, float]]
    places: dict[str, int] = field(default_factory=lambda: {"gpu": 1})
    kinds: Mapping[str, str] = field(default_factory=dict)
    opened: Callable[[str], tuple[News, float]] = lambda model: (Ready(), 1.0)
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
        self._events: list[tuple[float, int, int, News]] = []
        self._order = itertools.count()
        self._since: dict[int, tuple[str, float]] = {}
        self._kind_of: dict[int, str] = {}

    def clock(self) -> float:
        return self.now

    def kind(self, model: str) -> str:
        return self.kinds.get(model, "gpu")

    def hire(self, model: str) -> int:
        worker = next(self._numbers)
        self._kind_of[worker] = self.kind(model)
        self.loads.append(model)
        self._plan(worker, *self.opened(model), "start")
        return worker

    def give(self, worker: int, task: Task) -> None:
        self._plan(worker, *self.outcome(task), "task")
        at_work = sum(what == "task" for what, _ in self._since.values())
        self.most_at_once = max(self.most_at_once, at_work)

    def wait(self) -> list[tuple[int, News]]:
        dies = self.node_dies_at
        if dies is not None and (not self._events or self._events[0][0] >= dies):
            return self._lose_node(dies)
        if not self._events:
            return []
        at, _, worker, news = heapq.heappop(self._events)
        self._handle(at)
        self._end(worker, news, at)
        return [(worker, news)]

    def dismiss(self, worker: int) -> None:
        self._kind_of.pop(worker, None)

    def close(self) -> None:
        self._events.clear()

    def _plan(self, worker: int, news: News, seconds: float, what: str) -> None:
        self._since[worker] = what, self.now
        heapq.heappush(self._events, (self.now + seconds, next(self._order), worker, news))

    def _handle(self, at: float) -> None:
        self.now = max(self.now, at) + self.driver_seconds
        self.driver_busy += self.driver_seconds

    def _end(self, worker: int, news: News, at: float) -> None:
        what, since = self._since.pop(worker)
        is_lost = what == "task" and not isinstance(news, Done)
        self.spent["lost" if is_lost else what] += at - since

    def _lose_node(self, at: float) -> list[tuple[int, News]]:
        self.node_dies_at = None
        self._handle(at)
        node = [n for n, kind in self._kind_of.items() if kind == "gpu"][: self.node_size]
        self.places["gpu"] -= self.node_size
        self._events = [event for event in self._events if event[2] not in node]
        heapq.heapify(self._events)
        dead: list[tuple[int, News]] = []
        for worker in node:
            if worker in self._since:
                dead.append((worker, Died("its node was lost")))
                self._end(worker, dead[-1][1], at)
        return dead
