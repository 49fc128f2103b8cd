"""A run: all tasks with the executor that the user asked for, and its progress."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ..progress import Progress
from ..system.threads import free_cores
from .attempt import Choice, open_model
from .executor import Executor, Work
from .in_process import InProcessExecutor
from .process_pool import ProcessPool
from .records import Failure, Outcome, Task
from .run_tasks import run_tasks
from .scheduler import Scheduler
from .time_left import duration_text


@dataclass(frozen=True)
class Workers:
    """Where tasks run.

    Attributes:
        jobs: the number of processes; None for one per core, and 1 for this process. With a
            cluster, the maximal number of workers of each kind.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        ray: the address of a cluster, "auto" to find one, or "local" for one that lasts as long as
            the run; None for no cluster.
        machines: gets the machines of a cluster that computed, as `environment.machine` describes
            them.
    """

    jobs: int | None = None
    device: str = "auto"
    ray: str | None = None
    machines: list[dict[str, Any]] = field(default_factory=list)

    def executor(self, choices: Mapping[str, Choice], work: Work) -> Executor:
        """The executor for models by the text that names them in tasks.

        Raises:
            ClusterError: there is no such cluster.
        """
        load = functools.partial(open_model, choices=choices)
        if self.ray is not None:
            from .ray_executor import RayExecutor

            names = {text: choice.name for text, choice in choices.items()}
            return RayExecutor(load, work, self.device, self.ray, names, self.jobs, self.machines)
        jobs = self.jobs or free_cores()
        if jobs == 1:
            return InProcessExecutor(load, work, self.device)
        return ProcessPool(load, work, self.device, jobs)


def run_all(
    missing: Sequence[Task],
    total: int,
    executor: Executor,
    add: Callable[[Outcome], None],
    progress: Progress,
    verb: str,
) -> int:
    """Run tasks, and hand each outcome on at once.

    Args:
        missing: the tasks.
        total: the number of all tasks, with those that are done.
        executor: the executor, which is closed at the end.
        add: stores an outcome.
        progress: reports progress with the time left; may raise Cancelled.
        verb: what is done, for the progress: "Evaluating".

    Returns:
        The number of the tasks that were computed.
    """
    computed, done = 0, total - len(missing)
    scheduler = Scheduler(missing, executor)
    with closing(run_tasks(scheduler, executor)) as outcomes:
        for settled, outcome in outcomes:
            add(outcome)
            computed += not isinstance(outcome, Failure)
            done += len(settled)
            left = scheduler.seconds_left()
            time_left = f", about {duration_text(left)} left" if left else ""
            progress(done / total, f"{verb}, {done} of {total} done{time_left}")
    return computed
