"""An estimate of the remaining time from the tasks that are done."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping


class TimeLeft:
    """The mean duration of a model's tasks, and the remaining time at the pace so far.

    Args:
        clock: returns seconds since any moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._number: dict[str, int] = defaultdict(int)
        self._seconds: dict[str, float] = defaultdict(float)

    def note(self, model: str, seconds: float) -> None:
        """Record the duration of a task of the model."""
        self._number[model] += 1
        self._seconds[model] += seconds

    def mean(self, model: str) -> float:
        """Mean seconds of a model's tasks; of all tasks before it has one done, and 1 at first."""
        if self._number[model]:
            return self._seconds[model] / self._number[model]
        number = sum(self._number.values())
        return sum(self._seconds.values()) / number if number else 1.0

    def seconds_left(self, left: Mapping[str, int]) -> float | None:
        """The time for the given numbers of tasks of each model, with the same number of workers.

        None before a task is done. A slow model that runs last is estimated as slow once one task
        of it is done.
        """
        done = sum(self._seconds.values())
        if not done:
            return None
        work = sum(number * self.mean(model) for model, number in left.items())
        return work * (self._clock() - self._begun) / done


def duration_text(seconds: float) -> str:
    """A duration as text: "40 s", "12 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
