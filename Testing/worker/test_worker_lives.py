"""Random lives of a worker's client: each request ends, and once."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test
from machines import profile

from Testing.attacks.worker_machine import WorkerMachine


def test_lives() -> None:
    run_state_machine_as_test(WorkerMachine, settings=profile(lives=300, steps=40))
