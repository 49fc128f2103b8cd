"""Random lives of a session: it answers as a fresh one does."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test
from machines import profile

from Testing.attacks.session_machine import SessionMachine


def test_lives() -> None:
    run_state_machine_as_test(SessionMachine, settings=profile(lives=150, steps=30))
