"""The loop that leads a crew through the tasks of a schedule."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from ..records import Outcome, Task
from .executor import Crew
from .scheduler import Schedule


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
