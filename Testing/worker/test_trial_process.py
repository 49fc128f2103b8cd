"""A trial of weights in a process: its result, its crash, its end when it is cancelled."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from MedSegFMLib.errors import Cancelled, WeightsError
from MedSegFMLib.models.phantom_trial import LEFT_OUT
from MedSegFMLib.progress import no_progress
from MedSegFMLib.weights import store
from MedSegFMLib.worker.trial_process import ProcessTrial


@dataclass(frozen=True)
class Script:
    """Python code as the program."""

    code: str

    def arguments(self) -> list[str]:
        return [sys.executable, "-c", self.code]

    def environment(self) -> Mapping[str, str]:
        return dict(os.environ)


def trial_of(code: str) -> ProcessTrial:
    return ProcessTrial(lambda words: Script(code))


def test_the_shipped_weights_pass_in_a_process(tmp_path: Path) -> None:
    shipped = store.shipped("ensam")
    assert shipped is not None
    trial = ProcessTrial()
    trial("ensam", shipped, no_progress)
    assert trial.left_out == ""
    with pytest.raises(WeightsError, match=r"none\.safetensors does not exist; check the path\.$"):
        trial("ensam", tmp_path / "none.safetensors", no_progress)


def test_what_was_left_out_is_known_here() -> None:
    trial = trial_of(f"print('noise'); print('{LEFT_OUT} (it is night).')")
    trial("ensam", Path("w"), no_progress)
    assert trial.left_out == f"{LEFT_OUT} (it is night)."


def test_the_program_gets_the_options_that_the_weights_need() -> None:
    given: list[str] = []

    def program(words: list[str]) -> Script:
        given.extend(words)
        return Script("")

    ProcessTrial(program, {"classes": "liver,spleen", "patch": "32"})(
        "sam3d", Path("w"), no_progress
    )
    assert given[2:] == ["sam3d", "w", "--option=classes=liver,spleen", "--option=patch=32"]


def test_a_crash_refuses_the_weights_and_nothing_else() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    with pytest.raises(WeightsError, match=r"The trial of w crashed \(SIGSEGV\)"):
        trial_of(code)("ensam", Path("w"), no_progress)


def test_a_program_that_prints_much_is_not_blocked() -> None:
    code = "import sys; print('x' * 10**6); print('x' * 10**6, file=sys.stderr)"
    trial_of(code)("ensam", Path("w"), no_progress)


def test_a_program_that_cannot_be_started_refuses_the_weights() -> None:
    @dataclass(frozen=True)
    class Nothing(Script):
        def arguments(self) -> list[str]:
            return ["/nowhere/python"]

    with pytest.raises(WeightsError, match="cannot be started"):
        ProcessTrial(lambda words: Nothing(""))("ensam", Path("w"), no_progress)


def test_a_cancelled_trial_ends_its_program() -> None:
    begun = time.monotonic()

    def cancel(fraction: float, phrase: str) -> None:
        if fraction:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        trial_of("import time; time.sleep(3600)")("ensam", Path("w"), cancel)
    # The program ends, and is waited for, long before its hour is over.
    assert time.monotonic() - begun < 1800
