"""Random lives of a scene: nothing is lost, and segments are what the model gives."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test
from machines import profile

from Testing.attacks.scene_machine import SceneMachine


def test_lives() -> None:
    run_state_machine_as_test(SceneMachine, settings=profile(lives=150, steps=30))
