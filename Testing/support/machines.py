"""Lives of a state machine from a number, for the attacks and for the tests."""

from __future__ import annotations

from typing import Any

from escapes import escape_of
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

# Lives in one number: the first ones of a run are the simplest.
LIVES = 10


def profile(lives: int, steps: int) -> settings:
    """The same lives each time, without a time limit: machines are busy."""
    return settings(
        max_examples=lives,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def escape_in_lives(machine: Any, number: int, steps: int = 25) -> str | None:
    """How one of the lives with this number broke a rule of the machine; None if none did."""
    chosen = settings(
        profile(LIVES, steps), derandomize=False, phases=[Phase.generate, Phase.shrink]
    )
    return escape_of(lambda: run_state_machine_as_test(seed(number)(machine), settings=chosen))
