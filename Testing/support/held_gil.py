"""Slicer's event loop as Python threads see it: the main thread keeps Python's lock while Qt waits.

PythonQt's thread support is off in Slicer, so that nothing releases the lock between two ticks of a
timer. A Python thread runs only while the main thread executes Python, a few milliseconds a tick.
`time.sleep` and Qt under PySide6 release the lock; tests that wait so are kinder.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

from waiting import GENEROUS_SECONDS

# The period of the panel's timer.
TICK_SECONDS = 0.05


def hold(seconds: float) -> None:
    """Wait as Qt does in Slicer, without a release of Python's lock: no other thread runs."""
    # Functions of a PyDLL keep the lock, other than those of a CDLL. `poll` rests the processor.
    ctypes.PyDLL(None).poll(None, ctypes.c_ulong(0), ctypes.c_int(round(seconds * 1000)))


@dataclass
class HeldLoop:
    """Slicer's main loop: calls a tick, then waits with Python's lock held, and so on.

    Attributes:
        tick: What the module's timer calls; it gets the only time in which threads run.
        period_seconds: The wait between two ticks.
        ticks: How many there were.
        longest_tick_seconds: The longest of them, for which the user's window stands still.
    """

    tick: Callable[[], object]
    period_seconds: float = TICK_SECONDS
    ticks: int = 0
    longest_tick_seconds: float = 0.0

    def run_until(
        self,
        condition: Callable[[], object],
        seconds: float = GENEROUS_SECONDS,
        describe: Callable[[], object] = lambda: "the condition never held",
    ) -> int:
        """Run until the condition holds after a tick; the number of ticks that this took.

        Raises:
            AssertionError: It did not within the limit; with `describe()`.
        """
        before, end = self.ticks, time.monotonic() + seconds
        while True:
            self._tick()
            if condition():
                return self.ticks - before
            assert time.monotonic() < end, f"after {self.ticks - before} ticks: {describe()}"
            hold(self.period_seconds)

    def _tick(self) -> None:
        begin = time.monotonic()
        self.tick()
        self.ticks += 1
        self.longest_tick_seconds = max(self.longest_tick_seconds, time.monotonic() - begin)
