"""`medsegfm evaluate`: what is run, what is kept, and what is said when something goes wrong."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import refused, run
from evaluate_rows import steps_of
from sample_volumes import make_blob
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib import Geometry, Volume, create
from MedSegFMLib.commands import console
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.evaluate.protocol import Protocol, derive_seed
from MedSegFMLib.evaluate.records import Done, Outcome, Row, Task
from MedSegFMLib.evaluate.results import case_picture
from MedSegFMLib.evaluate.results.case_digest import case_digest
from MedSegFMLib.evaluate.results.case_picture import picture_name
from MedSegFMLib.evaluate.run import run_case, runner, task
from MedSegFMLib.evaluate.run.task import run_task
from MedSegFMLib.progress import no_progress
from MedSegFMLib.system.memory import peak_memory
from MedSegFMLib.system.threads import usable_cores
from MedSegFMLib.tasks.csv_files import read_records, write_records
from MedSegFMLib.tasks.process_pool import ProcessPool
from MedSegFMLib.tasks.records import Failure
from MedSegFMLib.tasks.run_tasks import run_tasks
from MedSegFMLib.tasks.scheduler import Scheduler
from MedSegFMLib.weights import store


@pytest.fixture
def cases_path(tmp_path: Path) -> Path:
    """Two labelled cases: one with two objects, one whose label is on a flipped grid."""
    folder = tmp_path / "cases"
    folder.mkdir()
    entries = []
    for n, name in enumerate(["two", "flipped"]):
        volume, mask = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)), seed=n)
        labels = mask.astype(np.uint8)
        if name == "two":
            volume.array_kji[:, :, 12:][mask[:, :, 12:]] += 100
            labels[:, :, 12:] *= 2
        label = Volume(labels, volume.geometry)
        volume.write(folder / f"{name}.nrrd")
        (label if name == "two" else label.flip(0).flip(2)).write(folder / f"{name}-label.nrrd")
        entries.append(
            {
                "name": name,
                "image": f"{name}.nrrd",
                "label": f"{name}-label.nrrd",
                "modality": "MR",
                "objects": {"1": "left", "2": "right"} if name == "two" else {"1": "ball"},
            }
        )
    (folder / "cases.json").write_text(json.dumps({"cases": entries}))
    return folder / "cases.json"


def test_evaluate_scores_every_case_and_shows_it(cases_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--models", "ellipsoid,randomwalk", "--jobs", 1]
    assert run("evaluate", cases_path, "--out", out, *words) == 0
    rows = (out / "results.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith(
        "case,modality,object,model,seed,step,prompt,dsc,nsd,hd95_mm,seconds,peak_bytes"
    )
    assert len(rows) == 1 + 3 * 2 * 6
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == {"ellipsoid", "randomwalk"} and summary["randomwalk"]["n"] == 2
    assert summary["randomwalk"]["dsc_final"] > 0.9
    # The label on the flipped grid was brought to the image's.
    assert next(row for row in rows if row.startswith("flipped")).endswith("True,,")
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 4 and "<svg" in html
    assert "http" not in html.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "").replace("https://matplotlib.org", "")


def test_results_under_an_earlier_name_of_a_model_go_on(
    cases_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", cases_path, "--models", "graphcut", "--jobs", 1, "--out", tmp_path / "o"]
    assert run(*words) == 0
    rows = read_records(tmp_path / "o" / "results.csv", Row)
    assert {row.model for row in rows} == {"graphcut"}
    monkeypatch.setattr(task, "run_case", lambda *_: pytest.fail("all is done"))
    assert run(*words) == 0
    assert read_records(tmp_path / "o" / "results.csv", Row) == rows


def test_evaluate_goes_on_where_it_was_stopped(
    cases_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", cases_path, "--models", "randomwalk", "--jobs", 1, "--out"]
    assert run(*words, tmp_path / "whole") == 0
    done: list[str] = []
    really = run_case.run_case

    def stopped_after_one(asked, *rest):  # type: ignore[no-untyped-def]
        if done:
            raise KeyboardInterrupt
        done.append(asked.case.name)
        return really(asked, *rest)

    monkeypatch.setattr(task, "run_case", stopped_after_one)
    assert run(*words, tmp_path / "parts") == 130
    monkeypatch.setattr(
        task,
        "run_case",
        lambda asked, *rest: (done.append(asked.case.name), really(asked, *rest))[1],
    )
    assert run(*words, tmp_path / "parts") == 0
    assert done == ["two", "flipped"]

    def without_times(folder: str) -> list[list[str]]:
        lines = (tmp_path / folder / "results.csv").read_text(encoding="utf-8").splitlines()
        return [line.split(",")[:10] for line in lines]

    assert without_times("parts") == without_times("whole")


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


@pytest.fixture
def cases_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the cases that are run from now on, in this process."""
    names: list[str] = []

    def noted(asked, *rest):  # type: ignore[no-untyped-def]
        names.append(asked.case.name)
        return run_case.run_case(asked, *rest)

    monkeypatch.setattr(task, "run_case", noted)
    return names


def test_what_is_done_in_part_is_run_again(
    cases_path: Path, tmp_path: Path, cases_run: list[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", out]
    assert run(*words) == 0
    whole = read_records(out / "results.csv", Row)
    for broken in (whole[1:], [*whole, whole[0]]):
        cases_run.clear()
        write_records(broken, out / "results.csv", Row)
        assert run(*words) == 0
        assert cases_run == ["two"]
        assert [row.step for row in read_records(out / "results.csv", Row)] == [
            row.step for row in whole
        ]
    # The steps are all there, but not those of every object.
    cases_run.clear()
    write_records([row for row in whole if row.object != "right"], out / "results.csv", Row)
    assert run(*words) == 0
    assert cases_run == ["two"]


def test_a_case_that_changed_is_run_again(
    cases_path: Path, tmp_path: Path, cases_run: list[str]
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]
    assert run(*words) == 0 and run(*words) == 0
    assert cases_run == ["two", "flipped"]
    os.utime(cases_path.parent / "flipped.nrrd", (1, 1))
    assert run(*words) == 0
    document = json.loads(cases_path.read_text(encoding="utf-8"))
    document["cases"][0]["objects"] = {"1": "right", "2": "left"}
    cases_path.write_text(json.dumps(document))
    assert run(*words) == 0
    assert cases_run[2:] == ["flipped", "two"]
    # Where it cannot be run any more, neither its rows nor its picture stay.
    (cases_path.parent / "two.nrrd").write_bytes(b"no volume")
    assert run(*words) == 1
    assert {row.case for row in read_records(tmp_path / "o" / "results.csv", Row)} == {"flipped"}
    assert (tmp_path / "o" / "report.html").read_text(encoding="utf-8").count(
        "data:image/jpeg"
    ) == 1


def test_results_stay_while_the_files_are_away(
    cases_path: Path, tmp_path: Path, cases_run: list[str]
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]
    assert run(*words) == 0
    (cases_path.parent / "two.nrrd").unlink()
    assert run(*words) == 0
    assert cases_run == ["two", "flipped"]


def test_a_folder_of_slices_counts_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct" / "1.dcm").write_bytes(b"one")
    (tmp_path / "label.nrrd").write_bytes(b"label")
    case = Case("a", tmp_path, tmp_path / "ct", tmp_path / "label.nrrd", "CT", ((1, "liver"),))
    before = case_digest(case)
    assert case_digest(case) == before is not None
    (tmp_path / "ct" / "2.dcm").write_bytes(b"two")
    assert case_digest(case) != before


def test_a_later_run_with_another_model_keeps_the_earlier_one(
    cases_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", cases_path, "--jobs", 1, "--clicks", 1, "--out", out, "--models"]
    assert run(*words, "randomwalk") == 0
    assert run(*words, "ellipsoid") == 0
    assert list(json.loads((out / "summary.json").read_text(encoding="utf-8"))) == [
        "randomwalk",
        "ellipsoid",
    ]
    assert (out / "report.html").read_text(encoding="utf-8").count("data:image/jpeg") == 4


def test_prompts_differ_by_case_and_object_and_not_by_run() -> None:
    seeds = {
        derive_seed(4, case, name, step) for case in "ab" for name in "cd" for step in range(3)
    }
    assert len(seeds) == 12
    assert derive_seed(4, "ct01", "liver", 2) == 4042005419
    assert derive_seed(4, "ct01", "liver", 2) != derive_seed(5, "ct01", "liver", 2)


def test_pictures_of_like_named_cases_are_two() -> None:
    names = {picture_name((case, "randomwalk", 0)) for case in ("a b", "a_b", "a/b", "x" * 300)}
    assert len(names) == 4
    assert all(len(name) < 120 and not set(name) & set(' /\\:*?"<>|') for name in names)


def test_a_picture_of_many_objects_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, _ = make_blob(Geometry.from_spacing((6, 8, 9), (1, 1, 1)))
    labels = np.zeros((6, 8, 9), np.uint8)
    labels[1:5, 2:6, :] = np.arange(1, 10)
    objects = tuple((n, f"organ {n}") for n in range(1, 10))
    case = Case("many", tmp_path, tmp_path / "i", tmp_path / "l", "CT", objects)
    loaded = LoadedCase(volume, Volume(labels, volume.geometry), False)
    asked = Task(case, "ellipsoid", 0)
    rows, masks = run_case.run_case(asked, loaded, create("ellipsoid"), Protocol(1), no_progress)
    assert len(rows) == 18
    drawn: list[Any] = []
    monkeypatch.setattr(case_picture.picture, "draw_panels", lambda *a, **_: drawn.append(a))
    monkeypatch.setattr(case_picture.picture, "write_picture", lambda *_: None)
    case_picture.write_picture(case, loaded, masks, "ellipsoid", tmp_path / "p.jpg")
    ((scene, _, title),) = drawn
    outlines = scene.outlines
    assert title == "ellipsoid, the first 7 of 9 objects"
    assert len(outlines) == 14
    for n, (result, reference) in enumerate(zip(outlines[::2], outlines[1::2], strict=True), 1):
        assert (reference.colour, reference.dashed) == ("#FFFFFF", True) != (result.colour, True)
        assert reference.name == "reference" and not result.dashed
        assert reference.region is not None
        assert (labels[reference.region.slices] == n).sum() == reference.mask_kji.sum() > 0
        assert reference.mask_kji.sum() == (labels == n).sum() >= result.mask_kji.sum() > 0


def test_the_report_shows_no_steps_at_which_nothing_was_placed(
    cases_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run("evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", out) == 0
    assert len(read_records(out / "results.csv", Row)) == 3 * 6
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count(">box</td>") == 3 and ">none</td>" not in html
    assert "references in white dashes" in html


def test_progress_says_how_many_are_done(cases_path: Path, tmp_path: Path) -> None:
    said: list[tuple[float, str]] = []
    runner.evaluate(
        read_cases(cases_path),
        ["ellipsoid"],
        [0],
        tmp_path,
        Protocol(clicks=0),
        jobs=1,
        progress=lambda *words: said.append(words),
    )
    assert [fraction for fraction, _ in said] == [0, 0.5, 1]
    assert all(
        phrase.startswith(f"Evaluating, {n} of 2 done") for n, (_, phrase) in enumerate(said)
    )
    assert re.fullmatch(r"Evaluating, 1 of 2 done, about \d+ s left", said[1][1])


def test_a_system_without_affinity_and_resource_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == 3
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(peak_memory, "_STATUS", Path("nowhere"))
    assert peak_memory.peak_bytes() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(cases=[]), "contains no cases"),
        (lambda d: d["cases"].append(d["cases"][0]), "two twice"),
        (lambda d: d.pop("cases"), "lacks the list 'cases'"),
        (lambda d: d["cases"][0].pop("image"), "case two lacks 'image'"),
        (lambda d: d["cases"][1].pop("name"), "case 2 lacks 'name'"),
        (lambda d: d["cases"].append("three"), "case 3 is malformed"),
        (lambda d: d["cases"][0]["objects"].update(x="y"), "case two is malformed"),
        (lambda d: d["cases"][0].update(objects={}), "case two lists no objects"),
        (lambda d: d["cases"][0]["objects"].update({"3": "left"}), "case two has left twice"),
        (lambda d: [c["objects"].update({"7": "ghost"}) for c in d["cases"]], "labelled ghost"),
    ],
)
def test_a_bad_list_of_cases_is_refused(  # type: ignore[no-untyped-def]
    change, said: str, cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(cases_path.read_text(encoding="utf-8"))
    change(document)
    cases_path.write_text(json.dumps(document))
    words = ["--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "out"]
    assert said in refused(capsys, "evaluate", cases_path, *words)


def test_results_of_another_protocol_are_not_mixed(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]
    assert run(*words) == 0
    capsys.readouterr()
    error = refused(capsys, *words, "--clicks", 3)
    assert "another protocol (clicks 5 there, 3 requested)" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--models unet", "no model 'unet'"),
        ("--clicks -1", "--clicks is -1"),
        ("--seed -1", "--seed is '-1'"),
        ("--jobs 0", "--jobs is 0"),
        ("--jitter 0.5", "--jitter is 0.5"),
        ("--jitter nan", "--jitter is nan"),
    ],
)
def test_choices_that_are_none_are_refused(
    words: str, said: str, cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["evaluate", cases_path, "--models", "ellipsoid", "--out", tmp_path / "out"]
    assert said in refused(capsys, *start, *words.split())
    assert not (tmp_path / "out").exists()


def test_every_seed_is_a_run_of_its_own(cases_path: Path, tmp_path: Path) -> None:
    words = ["evaluate", cases_path, "--models", "randomwalk", "--jobs", 1, "--clicks", 1, "--out"]
    assert run(*words, tmp_path / "two", "--seed", "0,1", "--jitter", 0.2) == 0
    assert run(*words, tmp_path / "one", "--seed", "1", "--jitter", 0.2) == 0
    two, one = (read_records(tmp_path / name / "results.csv", Row) for name in ("two", "one"))
    scores = {
        seed: [(row.case, row.object, row.dsc) for row in two if row.seed == seed]
        for seed in (0, 1)
    }
    assert scores[0] != scores[1]
    assert scores[1] == [(row.case, row.object, row.dsc) for row in one]
    # A seed that is asked for later is run alone, beside those that are there.
    assert run(*words, tmp_path / "one", "--seed", "0", "--jitter", 0.2) == 0
    both = read_records(tmp_path / "one" / "results.csv", Row)
    assert [row.seed for row in both] == [row.seed for row in two]


def test_models_may_be_given_with_spaces(cases_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--models", "ellipsoid, randomwalk", "--clicks", 0, "--jobs", 1]
    assert run("evaluate", cases_path, "--out", out, *words) == 0
    assert list(json.loads((out / "summary.json").read_text(encoding="utf-8"))) == [
        "ellipsoid",
        "randomwalk",
    ]


def _a_file_in_the_way(out: Path) -> None:
    out.write_text("a file")


def _results_that_are_a_folder(out: Path) -> None:
    (out / "results.csv").mkdir(parents=True)


def _protocol_with(text: str) -> Callable[[Path], None]:
    def make(out: Path) -> None:
        out.mkdir()
        (out / "protocol.json").write_text(text)

    return make


def _protocol_that_is_a_folder(out: Path) -> None:
    (out / "protocol.json").mkdir(parents=True)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_a_file_in_the_way, "cannot be created"),
        (_results_that_are_a_folder, "results.csv cannot be read"),
        (_protocol_with('{"clicks": 5'), "protocol.json is damaged"),
        (_protocol_with("[5]"), "protocol.json is damaged"),
        (_protocol_with('{"cases": 3}'), "protocol.json is damaged"),
        (_protocol_with("{}"), "clicks none there, 5 requested"),
        (_protocol_that_is_a_folder, "protocol.json cannot be read"),
    ],
)
def test_a_folder_that_will_not_do_is_refused(
    make: Callable[[Path], None],
    said: str,
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path / "o")
    words = ["--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]
    assert said in refused(capsys, "evaluate", cases_path, *words)


def test_a_folder_that_cannot_be_written_to_is_refused(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    # Whoever runs the tests as root may write to a folder that is read-only.
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert "cannot be created (Permission denied)" in refused(capsys, *words)
    monkeypatch.undo()
    (tmp_path / "o" / "pictures").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written to" in refused(capsys, *words)


def test_an_object_can_be_begun_by_a_click(cases_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--models", "randomwalk", "--jobs", 1, "--clicks", 0, "--no-box"]
    assert run("evaluate", cases_path, "--out", out, *words) == 0
    rows = list(csv.DictReader((out / "results.csv").open(encoding="utf-8")))
    assert {row["prompt"] for row in rows} == {"click +"}
    assert "a click in the middle, then 0 clicks" in (out / "report.html").read_text(
        encoding="utf-8"
    )


def test_a_run_that_was_cut_off_in_the_middle_of_a_line_goes_on(
    cases_path: Path, tmp_path: Path, cases_run: list[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", out]
    assert run(*words) == 0
    whole = (out / "results.csv").read_bytes()
    (out / "results.csv").write_bytes(whole[:-20])
    cases_run.clear()
    assert run(*words) == 0
    assert cases_run == ["flipped"]
    assert len(read_records(out / "results.csv", Row)) == 3 * 6


def test_a_line_may_be_cut_off_within_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_records(steps_of("randomwalk", "Läsion", 0.5), path, Row)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex("ä".encode()) + 1])
    assert [row.step for row in read_records(path, Row)] == [0, 1, 2, 3, 4]


def test_two_weights_of_a_model_are_two_models(cases_path: Path, tmp_path: Path) -> None:
    out, weights = tmp_path / "out", tmp_path / "mine.safetensors"
    shutil.copy(store.find("ensam"), weights)
    models = ["ensam", f"ensam={weights}"]
    words = ["--models", ",".join(models), "--jobs", 1, "--clicks", 0, "--out", out]
    assert run("evaluate", cases_path, *words) == 0
    rows = read_records(out / "results.csv", Row)
    installed, named = ([row.dsc for row in rows if row.model == name] for name in models)
    assert len(installed) == 3 and installed == named


def test_options_make_another_model_whose_results_are_continued(
    cases_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["--jobs", 1, "--clicks", 0, "--out", out, "--models"]
    typed = "ensam,ensam?refine=no,ensam? refine = no"
    assert run("evaluate", cases_path, *words, typed) == 0
    models = ["ensam", "ensam?refine=no"]
    assert list(json.loads((out / "summary.json").read_text(encoding="utf-8"))) == models
    rows = read_records(out / "results.csv", Row)
    refined, own = ([r.dsc for r in rows if r.model == name] for name in models)
    assert len(refined) == len(own) == 3 and refined != own
    runs = json.loads((out / "runs.json").read_text(encoding="utf-8"))
    assert set(runs[0]["weights"]) == set(models)
    assert run("evaluate", cases_path, *words, "ensam?refine=%6Eo") == 0
    runs = json.loads((out / "runs.json").read_text(encoding="utf-8"))
    assert runs[1]["done"] == 0, "it is the same model"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("ensam?refin=no", "no option 'refin'"),
        ("ensam?refine", "not name=value"),
        ("ensam=", "The weights of 'ensam=' do not exist"),
        ("ensam=nowhere.safetensors", "The weights of 'ensam=nowhere.safetensors' do not exist"),
        ("randomwalk=x", "randomwalk takes no weights"),
        ("unet=x", "no model 'unet'"),
    ],
)
def test_weights_that_are_not_there_are_refused_before_anything_is_done(
    model: str, said: str, cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--models", f"ellipsoid,{model}", "--out", tmp_path / "out"]
    assert said in refused(capsys, "evaluate", cases_path, *words)
    assert not (tmp_path / "out").exists()


def test_a_model_without_weights_is_listed_once_and_the_others_go_on(
    cases_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "none"))
    out = tmp_path / "out"
    words = ["--models", "sam,ellipsoid", "--clicks", 0, "--jobs", 1, "--out", out]
    assert run("evaluate", cases_path, *words) == 1
    said = capsys.readouterr().err
    assert said.count("Not done") == 1 and "(all cases), sam: No trained weights of sam" in said
    assert {row.model for row in read_records(out / "results.csv", Row)} == {"ellipsoid"}
    # A later run with another model does not forget it.
    assert run("evaluate", cases_path, *["--models", "randomwalk"], *words[2:]) == 1
    assert "(all cases), sam:" in capsys.readouterr().err


def test_a_log_hears_of_progress_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with console.progress_bar("evaluate") as progress:
        for n in range(401):
            now[0] = n * 2.0
            progress(n / 400, f"{n} of 400 done")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "evaluate: 8 %, 30 of 400 done"
    said_at = [2 * int(line.split(" %, ")[1].split()[0]) for line in lines]
    assert {later - earlier for earlier, later in pairwise([0, *said_at])} <= set(range(30, 61))
    # A tenth takes 80 s: each that ends is told, unless a line stood there just before.
    assert all(any(0 <= at - tenth < 30 for at in said_at) for tenth in range(80, 721, 80))
