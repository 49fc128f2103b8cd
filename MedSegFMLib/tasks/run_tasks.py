"""The loop that runs the tasks of a scheduler with an executor."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from .executor import Executor
from .records import Outcome, Task
from .scheduler import Scheduler


def run_tasks(
    scheduler: Scheduler, executor: Executor
) -> Generator[tuple[list[Task], Outcome], None, None]:
    """Run all tasks of a scheduler; yields the outcomes, each with the tasks it settles.

    An outcome settles one task; none if a failed task is to be repeated; and all remaining tasks
    with one seed of a model that cannot be loaded. Closing the iterator, or an exception such as
    KeyboardInterrupt, ends the workers at once.
    """
    with closing(executor):
        while not scheduler.finished:
            while (model := scheduler.next_model()) is not None:
                scheduler.started(executor.start_worker(model), model)
            for worker, event in executor.wait():
                yield from scheduler.handle(worker, event)
                task = scheduler.next_task(worker)
                if task is None:
                    executor.stop_worker(worker)
                else:
                    executor.give(worker, task)
