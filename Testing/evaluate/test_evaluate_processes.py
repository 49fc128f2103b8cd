"""Tasks in several processes: the same rows, failures of one task alone, threads and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.records import Done, Outcome, Row, Task
from MedSegFMLib.evaluate.run import run_case, runner, task
from MedSegFMLib.evaluate.run.task import run_task
from MedSegFMLib.system.memory import peak_memory
from MedSegFMLib.system.threads import usable_cores
from MedSegFMLib.tasks.csv_files import read_records
from MedSegFMLib.tasks.process_pool import ProcessPool
from MedSegFMLib.tasks.records import Failure
from MedSegFMLib.tasks.run_tasks import run_tasks
from MedSegFMLib.tasks.scheduler import Scheduler


def test_several_processes_give_the_same_rows_as_one(cases_path: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        out = tmp_path / f"jobs{jobs}"
        words = ["--models", "randomwalk", "--jobs", jobs, "--clicks", 1]
        assert run("evaluate", cases_path, "--out", out, *words) == 0
    one, two = (
        [
            line.split(",")[:10]
            for line in (tmp_path / d / "results.csv").read_text(encoding="utf-8").splitlines()
        ]
        for d in ("jobs1", "jobs2")
    )
    assert one == two


def test_a_case_that_fails_does_not_stop_the_others(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (cases_path.parent / "two.nrrd").unlink()
    words = ["--models", "ellipsoid", "--jobs", 1]
    assert run("evaluate", cases_path, "--out", tmp_path / "out", *words) == 1
    captured = capsys.readouterr()
    assert "Not done: two, ellipsoid: Case two:" in captured.err
    assert "Not done" not in captured.out and "Dice AUC (0-4)" in captured.out
    assert "two.nrrd does not exist" in (tmp_path / "out" / "report.html").read_text(
        encoding="utf-8"
    )


def test_an_unexpected_error_is_a_failure_of_its_task_alone(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails_on_two(asked, *rest):  # type: ignore[no-untyped-def]
        if asked.case.name == "two":
            raise ZeroDivisionError("division\nby zero")
        return run_case.run_case(asked, *rest)

    monkeypatch.setattr(task, "run_case", fails_on_two)
    out = tmp_path / "out"
    assert run("evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", out) == 1
    said = "Not done: two, ellipsoid: Unexpected ZeroDivisionError (division by zero).\n"
    assert capsys.readouterr().err == said
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["ellipsoid"]["n"] == 1


def _killed_on_two(task: Task, *others: Any, **options: Any) -> Outcome:
    """Runs in the worker processes."""
    if task.case.name == "two":
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task, *others, **options)


def test_a_process_that_is_killed_is_a_failure_of_its_task_alone(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "run_task", _killed_on_two)
    out = tmp_path / "out"
    words = ["--models", "ellipsoid,randomwalk", "--clicks", 1, "--jobs", 2]
    assert run("evaluate", cases_path, "--out", out, *words) == 1
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.startswith("Not done")]
    assert [line.split(":")[1] for line in lines] == [" two, ellipsoid", " two, randomwalk"]
    assert all("The process died (signal 9)" in line for line in lines)
    assert set(json.loads((out / "summary.json").read_text(encoding="utf-8"))) == {
        "ellipsoid",
        "randomwalk",
    }
    assert "The process died" in (out / "report.html").read_text(encoding="utf-8")


def _load_nothing(model: str, device: str) -> None:
    return None


def _outcomes(work: Any, tasks: list[Task], processes: int) -> list[Outcome]:
    """The last outcome of each task by so many processes, in the order in which they come."""
    executor = ProcessPool(_load_nothing, work, "cpu", processes)
    return [outcome for done, outcome in run_tasks(Scheduler(tasks, executor), executor) if done]


def _killed_at_first(task: Task, _: None) -> Outcome:
    if not task.case.image.exists():
        task.case.image.write_text("begun")
        os.kill(os.getpid(), signal.SIGKILL)
    return Done([], b"", 1.0)


def test_what_a_killed_process_was_at_is_tried_once_more(tmp_path: Path) -> None:
    cases = [Case(name, tmp_path, tmp_path / name, tmp_path, "CT", ()) for name in "ab"]
    tasks = [Task(case, "any", 0) for case in cases]
    assert _outcomes(_killed_at_first, tasks, 2) == [Done([], b"", 1.0)] * 2


def _tell_environment(task: Task, _: None) -> Outcome:
    return Failure(*task.key, os.environ.get(task.case.name, "unset"))


def test_worker_processes_compute_with_one_thread_and_this_one_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    before = dict(os.environ)
    tasks = [Task(Case(name, tmp_path, tmp_path, tmp_path, "CT", ()), "any", 0) for name in names]
    outcomes = _outcomes(_tell_environment, tasks, 1)
    assert [outcome.reason for outcome in outcomes] == ["1", "1"]  # type: ignore[union-attr]
    assert dict(os.environ) == before


_SLOW_ON_FLIPPED = """
import os, sys, time
from MedSegFMLib.cli import main
from MedSegFMLib.evaluate.run import runner
from MedSegFMLib.evaluate.run.task import run_task

def slow(task, *others, **options):
    if task.case.name == "flipped":
        print(os.getpid(), flush=True)
        time.sleep(3600)
    return run_task(task, *others, **options)

if __name__ == "__main__":
    runner.run_task = slow
    sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_stops_at_once_and_keeps_what_is_done(cases_path: Path, tmp_path: Path) -> None:
    script, out = tmp_path / "slow.py", tmp_path / "out"
    script.write_text(_SLOW_ON_FLIPPED)
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", "2", "--out", out]
    with subprocess.Popen(
        [sys.executable, script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        worker = int(program.stdout.readline())
        wait_until(lambda: read_records(out / "results.csv", Row))
        # As a terminal does: to every process of the group.
        os.killpg(program.pid, signal.SIGINT)
        # At once: the case it is at takes an hour.
        assert program.wait(GENEROUS_SECONDS) == 130
        assert program.stderr.read().splitlines()[-1].startswith("medsegfm: interrupted")
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert {row.case for row in read_records(out / "results.csv", Row)} == {"two"}


def test_a_system_without_affinity_and_resource_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == 3
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(peak_memory, "_STATUS", Path("nowhere"))
    assert peak_memory.peak_bytes() == 0
