"""`medsegfm evaluate`: what is run and shown, and what is refused before anything is done."""

from __future__ import annotations

import csv
import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume, create
from MedSegFMLib.commands import console
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.evaluate.protocol import Protocol, derive_seed
from MedSegFMLib.evaluate.records import Row, Task
from MedSegFMLib.evaluate.results import case_picture
from MedSegFMLib.evaluate.results.case_picture import picture_name
from MedSegFMLib.evaluate.run import run_case, runner
from MedSegFMLib.progress import no_progress
from MedSegFMLib.tasks.csv_files import read_records
from MedSegFMLib.weights import store


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


def test_an_object_can_be_begun_by_a_click(cases_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--models", "randomwalk", "--jobs", 1, "--clicks", 0, "--no-box"]
    assert run("evaluate", cases_path, "--out", out, *words) == 0
    rows = list(csv.DictReader((out / "results.csv").open(encoding="utf-8")))
    assert {row["prompt"] for row in rows} == {"click +"}
    assert "a click in the middle, then 0 clicks" in (out / "report.html").read_text(
        encoding="utf-8"
    )


def test_two_weights_of_a_model_are_two_models(cases_path: Path, tmp_path: Path) -> None:
    out, weights = tmp_path / "out", tmp_path / "mine.safetensors"
    shutil.copy(store.find("ensam"), weights)
    models = ["ensam", f"ensam={weights}"]
    words = ["--models", ",".join(models), "--jobs", 1, "--clicks", 0, "--out", out]
    assert run("evaluate", cases_path, *words) == 0
    rows = read_records(out / "results.csv", Row)
    installed, named = ([row.dsc for row in rows if row.model == name] for name in models)
    assert len(installed) == 3 and installed == named


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
