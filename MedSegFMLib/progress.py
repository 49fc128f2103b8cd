"""How long work tells how far it is, and hears that it should stop."""

from __future__ import annotations

from collections.abc import Callable

# Called with the fraction done, 0 to 1, and a phrase for the user; it may raise `Cancelled`.
# Every loop that can take longer than about 0.2 s calls it.
Progress = Callable[[float, str], None]


def no_progress(fraction: float, phrase: str) -> None:
    """Tell nobody, and never cancel."""


def part_of(progress: Progress, start: float, stop: float) -> Progress:
    """The progress of a step that takes the whole from the fraction `start` to `stop`."""

    def report(fraction: float, phrase: str) -> None:
        progress(start + (stop - start) * fraction, phrase)

    return report
