"""`medsegfm train … --events`: what another program hears, and how it stops a training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from MedSegFMLib.cli import main
from MedSegFMLib.commands.training_events import REPORT, read_report
from MedSegFMLib.worker.launchers import TrainingLauncher
from MedSegFMLib.worker.training_process import Advanced, Finished, TrainingProcess


def launcher(words: list[str], **more: object) -> TrainingLauncher:
    settings = dict(word.split("=", 1) for word in words)
    return TrainingLauncher("ensam", {**settings, **more}, sys.executable)


def followed(
    process: TrainingProcess, until: Callable[[Any], bool] = lambda event: False
) -> list[Any]:
    """All it tells until there is such an event, or it is gone."""
    told: list[Any] = []

    def is_there() -> bool:
        told.extend(process.poll())
        return any(until(event) or isinstance(event, Finished) for event in told)

    wait_until(is_there, describe=lambda: told)
    return told


def test_progress_and_the_result_are_told_with_the_recipes_report(
    tmp_path: Path, tiny_words: list[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / REPORT).write_text('{"before": {"dice": 0.5}}')
    told = followed(TrainingProcess(launcher(tiny_words, out=out, samples=4)))
    assert any(isinstance(event, Advanced) and event.phrase for event in told)
    (end,) = [event for event in told if isinstance(event, Finished)]
    assert end.error is None, end.last_words
    assert end.result is not None and end.result.parent == out and end.result.exists()
    assert end.report == {"before": {"dice": 0.5}}


def test_the_end_of_the_input_stops_a_training_which_saves_and_goes_on_later(
    tmp_path: Path, tiny_words: list[str]
) -> None:
    long = launcher(tiny_words, out=tmp_path / "run", samples=100_000)
    process = TrainingProcess(long)
    begun = followed(process, lambda event: isinstance(event, Advanced) and event.fraction > 0)
    assert not isinstance(begun[-1], Finished), begun
    process.stop()
    end = followed(process)[-1]
    assert (end.result, end.error) == (None, None) and (
        tmp_path / "run" / "checkpoint.json"
    ).is_file()


def test_what_is_wrong_is_told_in_its_sentence_with_the_usual_status(tmp_path: Path) -> None:
    end = followed(TrainingProcess(launcher(["samples=x"], out=tmp_path / "run")))[-1]
    assert end.error == "samples is 'x'; it must be a whole number."
    done = subprocess.run(
        launcher(["samples=x"], out=tmp_path / "run").arguments(),
        env=dict(launcher([]).environment()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith("medsegfm: samples is 'x'")
    assert json.loads(done.stdout) == {"error": "samples is 'x'; it must be a whole number."}


def test_a_program_that_is_not_there_is_said() -> None:
    end = followed(TrainingProcess(TrainingLauncher("ensam", {}, os.devnull)))[-1]
    assert "The training cannot be started" in end.error


def test_a_report_that_is_absent_or_damaged_is_none(tmp_path: Path) -> None:
    assert read_report(tmp_path) is None
    (tmp_path / REPORT).write_text("{")
    assert read_report(tmp_path) is None


def test_the_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--events" in capsys.readouterr().out
