"""Progress reporting and cancellation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count as count_from
from itertools import pairwise

# Called with the completed fraction, 0 to 1, and a phrase for the user; it may raise `Cancelled`.
# Every loop that can take longer than about 0.2 s calls it.
Progress = Callable[[float, str], None]


def no_progress(fraction: float, phrase: str) -> None:
    """Report nothing and never cancel."""


def part_of(progress: Progress, start: float, stop: float) -> Progress:
    """Progress of one step, which covers the whole from the fraction `start` to `stop`."""

    def report(fraction: float, phrase: str) -> None:
        progress(start + (stop - start) * fraction, phrase)

    return report


def parts_of(
    progress: Progress, count: int, first: float = 0.0, last: float = 1.0
) -> list[Progress]:
    """Progress of `count` steps of equal length between two fractions of the whole."""
    bounds = [first + (last - first) * n / count for n in range(count)] + [last]
    return [part_of(progress, start, stop) for start, stop in pairwise(bounds)]


def parts_of_the_rest(progress: Progress, share: float = 0.5) -> Iterator[Progress]:
    """Progress of steps of unknown number, each the same share of what those before it left."""
    for n in count_from():
        yield part_of(progress, 1 - (1 - share) ** n, 1 - (1 - share) ** (n + 1))
