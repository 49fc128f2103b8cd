"""Results that are continued: what is run again, what is kept, and folders that will not do."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import refused, run
from evaluate_rows import steps_of

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.records import Row
from MedSegFMLib.evaluate.results.case_digest import case_digest
from MedSegFMLib.evaluate.run import run_case, task
from MedSegFMLib.tasks.csv_files import read_records, write_records


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


def test_results_of_another_protocol_are_not_mixed(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--jobs", 1, "--out", tmp_path / "o"]
    assert run(*words) == 0
    capsys.readouterr()
    error = refused(capsys, *words, "--clicks", 3)
    assert "another protocol (clicks 5 there, 3 requested)" in error


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
