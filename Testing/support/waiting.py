"""How tests wait: for a condition, never for a time that is enough on an idle machine."""

from __future__ import annotations

import time
from collections.abc import Callable

# A limit that is reached only if the condition never comes; pytest's own timeout is longer.
GENEROUS_SECONDS = 300.0


def wait_until(
    condition: Callable[[], object],
    seconds: float = GENEROUS_SECONDS,
    describe: Callable[[], object] = lambda: "the condition never held",
    interval: float = 0.01,
) -> None:
    """Return as soon as the condition holds; an AssertionError with `describe()` at the limit.

    The condition is tried once more after the limit, since a busy machine may have slept through
    it.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            assert condition(), f"after {seconds:g} s: {describe()}"
            return
        time.sleep(interval)
