"""How long tasks take, learned from those that are done."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping


class TimeLeft:
    """The seconds that a model's tasks take, and what is left at the pace so far.

    clock: seconds since any moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._number: dict[str, int] = defaultdict(int)
        self._seconds: dict[str, float] = defaultdict(float)

    def note(self, model: str, seconds: float) -> None:
        """A task of the model is done and took so long."""
        self._number[model] += 1
        self._seconds[model] += seconds

    def mean(self, model: str) -> float:
        """Seconds of a task of the model, of any model while it has none done, 1 at first."""
        if self._number[model]:
            return self._seconds[model] / self._number[model]
        number = sum(self._number.values())
        return sum(self._seconds.values()) / number if number else 1.0

    def seconds_left(self, left: Mapping[str, int]) -> float | None:
        """For so many tasks of each model, by as many workers as before; None while none is done.

        A slow model that comes last is counted as slow once one task of it is done.
        """
        done = sum(self._seconds.values())
        if not done:
            return None
        work = sum(number * self.mean(model) for model, number in left.items())
        return work * (self._clock() - self._begun) / done


def duration_text(seconds: float) -> str:
    """A time to wait: "40 s", "12 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
