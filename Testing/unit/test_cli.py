"""What is typed in a terminal: results, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from test_volume_io import BAD_FILES
from volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.cli import main
from MedSegFMLib.metrics import dice
from MedSegFMLib.registry import MODELS

BOX = ["--box", "4", "4", "3", "20", "18", "15"]


@pytest.fixture
def volume_path(directions: np.ndarray, tmp_path: Path) -> Path:
    geometry = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1), directions, (5, -6, 70))
    make_blob(geometry)[0].write(tmp_path / "ball.nrrd")
    return tmp_path / "ball.nrrd"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A volume in one orientation, for what does not depend on it."""
    folder = tmp_path / "in"
    folder.mkdir()
    make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))[0].write(folder / "ball.nrrd")
    return folder / "ball.nrrd"


def run(*words: object) -> int:
    try:
        return main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run what must be refused: status 2, one line on stderr, nothing on stdout."""
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.out == ""
    return captured.err


def test_a_box_and_clicks_give_a_labelmap_on_the_grid_of_the_volume(
    volume_path: Path, tmp_path: Path
) -> None:
    out, saved = tmp_path / "seg.nii.gz", tmp_path / "prompts.json"
    words = [*BOX, *["--point", "11", "10", "8", "--negative", "1", "1", "1"]]
    assert run("segment", volume_path, "--out", out, *words, "--prompts-out", saved) == 0
    segmented, volume = Volume.read(out), Volume.read(volume_path)
    assert segmented.geometry.matches(volume.geometry, 1e-4)
    assert segmented.array_kji.dtype == np.uint8
    assert dice(volume.array_kji > 50, segmented.array_kji > 0) > 0.95
    again = tmp_path / "again.nii.gz"
    assert run("segment", volume_path, "--out", again, "--prompts", saved) == 0
    assert np.array_equal(Volume.read(again).array_kji, segmented.array_kji)


def test_prompts_in_millimetres_mean_the_same_as_in_voxels(
    volume_path: Path, tmp_path: Path
) -> None:
    geometry = Volume.read(volume_path).geometry
    place = geometry.ras_from_ijk((11, 10, 8))
    by_voxel, by_place = tmp_path / "v.nrrd", tmp_path / "p.nrrd"
    assert run("segment", volume_path, "--out", by_voxel, "--point", 11, 10, 8) == 0
    assert run("segment", volume_path, "--out", by_place, "--point-ras", *place) == 0
    assert np.array_equal(Volume.read(by_voxel).array_kji, Volume.read(by_place).array_kji)


def test_several_boxes_are_several_labels(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "seg.nrrd"
    first = [*"--box 4 4 3 12 18 15 --point 8 10 8".split()]
    second = [*"--box 12 4 3 20 18 15 --point 15 10 8".split()]
    words = first + second
    assert run("segment", plain, "--out", out, *words) == 0
    labels = Volume.read(out).array_kji
    assert labels[8, 10, 8] == 1 and labels[8, 10, 15] == 2


def test_the_preview_is_a_picture(plain: Path, tmp_path: Path) -> None:
    preview = tmp_path / "p.png"
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", "--preview", preview, *BOX) == 0
    assert preview.read_bytes().startswith(b"\x89PNG")


def test_the_demo_segments_the_phantom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--out", tmp_path / "d") == 0
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert names == {"phantom.nii.gz", "segmentation.nii.gz", "preview.png"}
    lines = capsys.readouterr().out.splitlines()
    scores = [
        float(line.split()[-1]) for line in lines if line.split()[:1] in (["liver"], ["kidney"])
    ]
    assert len(scores) == 2 and min(scores) > 0.85


def test_models_lists_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "--json") == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(records) == set(MODELS)
    assert records["graphcut"]["default"] and records["graphcut"]["weights_present"] is None
    assert run("models") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in MODELS)


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_volume_is_refused_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = BAD_FILES[name][0](folder)
    before = path.read_bytes() if path.exists() else None
    assert path.name in refused(capsys, "segment", path, "--out", tmp_path / "s.nrrd", *BOX)
    assert list(tmp_path.iterdir()) == [folder]
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN"), (np.inf, "NaN or infinite"), (3, "nothing to segment")]
)
def test_voxels_that_cannot_be_segmented_are_refused(
    value: float, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.full((18, 22, 24), 3, np.float32)
    array[2, 2, 2] = value
    Volume(array, Geometry(array.shape, np.eye(4))).write(tmp_path / "v.nrrd")
    assert said in refused(
        capsys, "segment", tmp_path / "v.nrrd", "--out", tmp_path / "s.nrrd", *BOX
    )
    assert not (tmp_path / "s.nrrd").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no prompts"),
        ("--box 9 9 9 5 12 12", "inside out"),
        ("--box 5 5 5 5 9 9", "inside out or empty"),
        ("--box 0 0 0 99 9 9", "leaves the volume"),
        ("--box -1 0 0 9 9 9", "leaves the volume"),
        ("--box 0 0 nan 9 9 9", "finite"),
        ("--box 1 2 3", "expected 6 arguments"),
        ("--box-ras 900 900 900 950 950 950", "outside the volume"),
        ("--point 24 0 0", "outside the volume"),
        ("--negative -1 0 0", "outside the volume"),
        ("--point-ras 0 0 5000", "outside the volume"),
        ("--point a b c", "invalid float"),
        ("--text liver", "takes no text"),
        ("--prompts nowhere.json", "cannot be read"),
        ("--box 4 4 3 20 18 15 --model unet", "no model 'unet'"),
        ("--box 4 4 3 20 18 15 --device cuda", "cuda"),
        ("--box 4 4 3 20 18 15 --device gpu", "gpu"),
        ("--box 4 4 3 20 18 15 --preview nowhere/p.png", "does not exist"),
        ("--box 4 4 3 20 18 15 --preview p.docx", "p.docx"),
        ("--box 4 4 3 20 18 15 --weights w.bin", "takes no weights"),
        ("--volume", "unrecognized"),
    ],
)
def test_bad_prompts_and_choices_are_refused_in_one_sentence(
    words: str, said: str, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plain.read_bytes()
    error = refused(capsys, "segment", plain, "--out", tmp_path / "s.nrrd", *words.split())
    assert said in error
    assert list(tmp_path.iterdir()) == [plain.parent] and plain.read_bytes() == before


@pytest.mark.parametrize("out", ["s.png", "s", "nowhere/s.nrrd", "in", "in/ball.nrrd"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    out: str, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plain.read_bytes()
    refused(capsys, "segment", plain, "--out", tmp_path / out, *BOX)
    assert plain.read_bytes() == before and list(tmp_path.iterdir()) == [plain.parent]


def test_a_full_disk_leaves_nothing_half_written(
    plain: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import SimpleITK as sitk

    def full_disk(image: object, name: str, **_: object) -> None:
        Path(name).write_bytes(b"half of i")
        raise RuntimeError("itk::ERROR: No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", full_disk)
    out = tmp_path / "s.nrrd"
    assert "free some space" in refused(capsys, "segment", plain, "--out", out, *BOX)
    assert list(tmp_path.iterdir()) == [plain.parent]


def test_the_same_name_for_two_outputs_is_refused(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = tmp_path / "s.nrrd"
    words = ["--out", same, "--prompts-out", same]
    assert "same name" in refused(capsys, "segment", plain, *words, *BOX)


def test_a_read_only_volume_is_enough(plain: Path, tmp_path: Path) -> None:
    plain.chmod(stat.S_IRUSR)
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *BOX) == 0


def test_a_command_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice" in refused(capsys, "segmentate")
    assert "COMMAND" in refused(capsys)


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
    words = ["--models", "ellipsoid,graphcut", "--jobs", 1]
    assert run("evaluate", cases_path, "--out", out, *words) == 0
    rows = (out / "results.csv").read_text().splitlines()
    assert rows[0].startswith(
        "case,modality,object,model,step,prompt,dsc,nsd,hd95_mm,seconds,peak_bytes"
    )
    assert len(rows) == 1 + 3 * 2 * 6
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary) == {"ellipsoid", "graphcut"} and summary["graphcut"]["n"] == 2
    assert summary["graphcut"]["dsc_final"] > 0.9
    # The label on the flipped grid was brought to the image's.
    assert next(row for row in rows if row.startswith("flipped")).endswith("True")
    html = (out / "report.html").read_text()
    assert html.count("data:image/jpeg") == 4 and "<svg" in html
    assert "http" not in html.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "").replace("https://matplotlib.org", "")


def test_evaluate_goes_on_where_it_was_stopped(
    cases_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMLib.evaluate import runner

    words = ["evaluate", cases_path, "--models", "graphcut", "--jobs", 1, "--out"]
    assert run(*words, tmp_path / "whole") == 0
    done: list[str] = []
    really = runner.run_case

    def stopped_after_one(case, *rest):  # type: ignore[no-untyped-def]
        if done:
            raise KeyboardInterrupt
        done.append(case.name)
        return really(case, *rest)

    monkeypatch.setattr(runner, "run_case", stopped_after_one)
    assert run(*words, tmp_path / "parts") == 130
    monkeypatch.setattr(
        runner, "run_case", lambda case, *rest: (done.append(case.name), really(case, *rest))[1]
    )
    assert run(*words, tmp_path / "parts") == 0
    assert done == ["two", "flipped"]

    def without_times(folder: str) -> list[list[str]]:
        lines = (tmp_path / folder / "results.csv").read_text().splitlines()
        return [line.split(",")[:9] for line in lines]

    assert without_times("parts") == without_times("whole")


def test_several_processes_give_the_same_rows_as_one(cases_path: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        out = tmp_path / f"jobs{jobs}"
        words = ["--models", "graphcut", "--jobs", jobs, "--clicks", 1]
        assert run("evaluate", cases_path, "--out", out, *words) == 0
    one, two = (
        [line.split(",")[:9] for line in (tmp_path / d / "results.csv").read_text().splitlines()]
        for d in ("jobs1", "jobs2")
    )
    assert one == two


def test_a_case_that_fails_does_not_stop_the_others(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cases_path.parent / "two.nrrd").unlink()
    words = ["--models", "ellipsoid", "--jobs", 1]
    assert run("evaluate", cases_path, "--out", tmp_path / "out", *words) == 0
    assert "Not done: two, ellipsoid: Case two:" in capsys.readouterr().out
    assert "two.nrrd does not exist" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(cases=[]), "holds no cases"),
        (lambda d: d["cases"].append(d["cases"][0]), "two twice"),
        (lambda d: d["cases"][0].pop("image"), "no list of cases"),
        (lambda d: d["cases"][0]["objects"].update(x="y"), "no list of cases"),
        (lambda d: [c["objects"].update({"7": "ghost"}) for c in d["cases"]], "labelled ghost"),
    ],
)
def test_a_bad_list_of_cases_is_refused(  # type: ignore[no-untyped-def]
    change, said: str, cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(cases_path.read_text())
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
    assert "another protocol" in refused(capsys, *words, "--seed", 1)
    assert "no model" in refused(capsys, *words, "--models", "unet")
    assert "--clicks" in refused(capsys, *words, "--clicks", -1)
    shutil.rmtree(tmp_path / "o")
    (tmp_path / "o").write_text("a file in the way")
    assert "cannot be made" in refused(capsys, *words)
