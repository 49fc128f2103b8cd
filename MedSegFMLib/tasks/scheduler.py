"""The decisions of a run, which worker does what next, independent of the executor.

A worker stays with one model while there is work for it, so that models are rarely loaded. Failed
tasks are repeated once, after all new ones.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterable

from .executor import Executor, ModelFailed, Ready, WorkerDied, WorkerEvent
from .records import ALL_CASES, Crash, Failure, Key, Outcome, Task
from .time_left import TimeLeft

_LOG = logging.getLogger(__name__)
# The number of consecutive failures to load a model, with no worker that has it, that ends it.
_MOST_LOAD_FAILURES = 2
_OUT_OF_MEMORY = "the memory may not be enough for it."


class Scheduler:
    """The state of a run: waiting tasks, running tasks, and earlier attempts.

    Args:
        tasks: the tasks.
        executor: the executor, whose workers are identified by numbers.
        clock: returns seconds since any moment.
    """

    def __init__(
        self, tasks: Iterable[Task], executor: Executor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._executor = executor
        self._waiting: dict[str, deque[Task]] = defaultdict(deque)
        for task in tasks:
            self._waiting[task.model].append(task)
        self._resource = {model: executor.resource(model) for model in self._waiting}
        # With executor.alone, failed tasks wait here until no other is left.
        self._again: list[Task] = []
        self._tried: set[Key] = set()
        self._model_of: dict[int, str] = {}
        self._starting: set[int] = set()
        self._running: dict[int, Task] = {}
        self._load_failures: dict[str, int] = defaultdict(int)
        self._is_last_round = False
        self.time_left = TimeLeft(clock)

    @property
    def finished(self) -> bool:
        """Whether every task is settled."""
        return not (any(self._waiting.values()) or self._running or self._again)

    def seconds_left(self) -> float | None:
        """The estimated seconds until all is done; None if there is no estimate yet."""
        left = {model: len(tasks) for model, tasks in self._waiting.items()}
        for task in itertools.chain(self._running.values(), self._again):
            left[task.model] += 1
        return self.time_left.seconds_left(left)

    def next_model(self) -> str | None:
        """The model for which another worker should be started now; None for no model.

        It is the one with the most waiting work per worker, counting the new worker.
        """
        if not any(self._waiting.values()) and self._again and not self._model_of:
            self._is_last_round = True
            for task in self._again:
                self._waiting[task.model].append(task)
            self._again.clear()
        if self._is_last_round and self._model_of:
            return None
        workers = self._count(self._model_of)
        starting = self._count(self._starting)
        taken: dict[str, int] = defaultdict(int)
        for model, number in workers.items():
            taken[self._resource[model]] += number
        open_to = [
            model
            for model, tasks in self._waiting.items()
            if len(tasks) > starting[model]
            and (self._load_failures[model] < _MOST_LOAD_FAILURES or not workers[model])
            and taken[self._resource[model]] < self._executor.capacity[self._resource[model]]
        ]

        def waiting_work(model: str) -> float:
            return len(self._waiting[model]) * self.time_left.mean(model) / (workers[model] + 1)

        return max(open_to, key=waiting_work, default=None)

    def started(self, worker: int, model: str) -> None:
        """Record that a worker is being started for the model."""
        self._model_of[worker] = model
        self._starting.add(worker)

    def handle(
        self, worker: int, event: WorkerEvent
    ) -> Generator[tuple[list[Task], Outcome], None, None]:
        """Process an event of a worker; yields the outcomes as `run_tasks` does."""
        model = self._model_of[worker]
        was_starting = worker in self._starting
        self._starting.discard(worker)
        if isinstance(event, Ready):
            self._load_failures[model] = 0
        elif isinstance(event, ModelFailed) or (was_starting and isinstance(event, WorkerDied)):
            self._forget(worker)
            yield from self._model_failed(model, event)
        else:
            yield self._settled(worker, self._running.pop(worker), event)

    def next_task(self, worker: int) -> Task | None:
        """The next task of the worker; None if it should stop, after which it is forgotten."""
        if worker not in self._model_of:
            return None
        tasks = self._waiting[self._model_of[worker]]
        if not tasks:
            self._forget(worker)
            return None
        self._running[worker] = tasks.popleft()
        return self._running[worker]

    def _settled(
        self, worker: int, task: Task, event: Outcome | WorkerDied
    ) -> tuple[list[Task], Outcome]:
        if not isinstance(event, WorkerDied | Failure):
            self.time_left.note(task.model, event.seconds)
            return [task], event
        # After an unexpected error the process may be damaged, and fail at every further task.
        if isinstance(event, WorkerDied | Crash):
            self._forget(worker)
        if isinstance(event, WorkerDied):
            event = Failure(*task.key, f"The process died ({event.how}); {_OUT_OF_MEMORY}")
        if task.key in self._tried:
            return [task], event
        self._tried.add(task.key)
        _LOG.info("%s with %s is repeated: %s", task.key[0], task.model, event.reason)
        if self._executor.alone:
            self._again.append(task)
        else:
            self._waiting[task.model].append(task)
        return [], event

    def _model_failed(
        self, model: str, event: ModelFailed | WorkerDied
    ) -> Generator[tuple[list[Task], Outcome], None, None]:
        self._load_failures[model] += 1
        if self._load_failures[model] < _MOST_LOAD_FAILURES or model in self._model_of.values():
            return
        tasks = [*self._waiting[model], *(task for task in self._again if task.model == model)]
        self._waiting[model].clear()
        self._again = [task for task in self._again if task.model != model]
        if isinstance(event, WorkerDied):
            reason = f"The process died while it loaded the model ({event.how}); {_OUT_OF_MEMORY}"
        else:
            reason = event.reason
        by_seed: dict[int, list[Task]] = defaultdict(list)
        for task in tasks:
            by_seed[task.key[2]].append(task)
        for seed, own in by_seed.items():
            yield own, Failure(ALL_CASES, model, seed, reason)

    def _forget(self, worker: int) -> None:
        del self._model_of[worker]

    def _count(self, workers: Iterable[int]) -> dict[str, int]:
        """The number of the workers of each model."""
        return Counter(self._model_of[worker] for worker in workers)
