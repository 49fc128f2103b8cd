"""What is typed in a terminal: results, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_volume_files import BAD_FILES
from command_line import refused, run
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume, __version__
from MedSegFMLib.metrics import dice
from MedSegFMLib.registry import DEFAULT_MODEL, MODELS

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
    words = ("segment", volume_path, "--model", "randomwalk", "--out")
    assert run(*words, by_voxel, "--point", 11, 10, 8) == 0
    assert run(*words, by_place, "--point-ras", *place) == 0
    assert np.array_equal(Volume.read(by_voxel).array_kji, Volume.read(by_place).array_kji)


def test_several_boxes_are_several_labels(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "seg.nrrd"
    first = [*"--box 4 4 3 12 18 15 --point 8 10 8".split()]
    second = [*"--box 12 4 3 20 18 15 --point 15 10 8".split()]
    words = first + second
    assert run("segment", plain, "--out", out, *words) == 0
    labels = Volume.read(out).array_kji
    assert labels[8, 10, 8] == 1 and labels[8, 10, 15] == 2


def test_objects_are_begun_and_named_by_hand(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, saved = tmp_path / "seg.nrrd", tmp_path / "p.json"
    words = "--object [/x] --point 8 10 8 --object b --negative 1 1 1 --box 12 4 3 20 18 15".split()
    assert run("segment", plain, "--out", out, *words, "--prompts-out", saved) == 0
    assert "[/x]" in capsys.readouterr().out
    document = json.loads(saved.read_text(encoding="utf-8"))
    assert [item["name"] for item in document["objects"]] == ["[/x]", "b"]
    assert [item["object"] for item in document["prompts"]] == [1, 2, 2]
    assert "'a' has no prompts" in refused(
        capsys, "segment", plain, "--out", out, "--object", "a", "--object", "b", *BOX
    )


def test_marks_before_the_first_box_belong_to_its_object(plain: Path, tmp_path: Path) -> None:
    saved = tmp_path / "p.json"
    words = ["--point", 8, 10, 8, *BOX, *BOX, "--prompts-out", saved]
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *words) == 0
    prompts = json.loads(saved.read_text(encoding="utf-8"))["prompts"]
    assert [item["object"] for item in prompts] == [1, 1, 2]


def test_negative_numbers_may_have_exponents(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--point-ras", "-1e-5", "-.5E1", "-2."]
    error = refused(capsys, "segment", plain, "--out", tmp_path / "s.nrrd", *words)
    assert "(-1e-05, -5, -2)" in error


def test_show_tells_what_a_volume_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    Volume(array, Geometry.from_spacing((3, 4, 5), (1, 1, 2.5))).write(tmp_path / "v.nrrd")
    assert run("show", tmp_path / "v.nrrd") == 0
    assert [" ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()] == [
        "5 x 4 x 3 voxels (i x j x k)",
        "1 x 1 x 2.5 mm",
        "RAS (directions of i, j and k)",
        "no",
        "R -0.5 to 4.5, A -0.5 to 3.5, S -1.2 to 6.2 mm",
        "type int16",
        "values 0 to 59",
    ]


@pytest.mark.parametrize("at", [[], ["--at", "3", "2", "1"]])
def test_show_draws_the_volume(at: list[str], plain: Path, tmp_path: Path) -> None:
    preview = tmp_path / "p.png"
    assert run("show", plain, "--preview", preview, *at) == 0
    assert preview.read_bytes().startswith(b"\x89PNG")


def test_show_refuses_what_it_cannot_show(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preview = ["--preview", tmp_path / "p.png"]
    assert "outside the volume" in refused(capsys, "show", plain, *preview, "--at", 99, 0, 0)
    assert "is an input of" in refused(capsys, "show", plain, "--preview", plain)
    assert ".png" in refused(capsys, "show", plain, "--preview", tmp_path / "p.txt")
    assert list(tmp_path.iterdir()) == [plain.parent]


def test_the_preview_is_a_picture(plain: Path, tmp_path: Path) -> None:
    preview = tmp_path / "p.png"
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", "--preview", preview, *BOX) == 0
    assert preview.read_bytes().startswith(b"\x89PNG")


def test_the_demo_segments_the_phantom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--out", tmp_path / "d") == 0
    names = {path.name for path in (tmp_path / "d").iterdir()}
    files = "phantom.nii.gz reference.nii.gz cases.json segmentation.nii.gz preview.png"
    assert names == set(files.split())
    lines = capsys.readouterr().out.splitlines()
    scores = [
        float(line.split()[-1]) for line in lines if line.split()[:1] in (["liver"], ["kidney"])
    ]
    assert len(scores) == 2 and min(scores) > 0.85


@pytest.mark.parametrize("columns", ["80", "100"])
def test_models_lists_every_model(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run("models", "--json") == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(records) == set(MODELS)
    assert [name for name, record in records.items() if record["default"]] == [DEFAULT_MODEL]
    assert records["ensam"]["weights_present"] and records["randomwalk"]["weights_present"] is None
    assert run("models") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in MODELS) and "graphcut" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_models_names_missing_weights_before_missing_packages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("MedSegFMLib.weights.store._PACKAGE", tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr("MedSegFMLib.registry.find_spec", lambda package: None)
    assert run("models") == 0
    assert "no weights yet; also needs safetensors" in capsys.readouterr().out
    words = ["segment", "v.nrrd", "--out", tmp_path / "s.nrrd", "--model", "ensam"]
    make_blob(Geometry.from_spacing((18, 22, 24)))[0].write(tmp_path / "v.nrrd")
    monkeypatch.chdir(tmp_path)
    assert 'pip install ".[models]"' in refused(capsys, *words, *BOX)


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


def test_a_volume_that_is_missing_is_said_before_its_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "segment", tmp_path / "none", "--out", tmp_path / "out", *BOX)
    assert "none does not exist" in said


@pytest.mark.parametrize("value", [np.inf, 3])
def test_voxels_that_cannot_be_segmented_are_refused(
    value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.full((18, 22, 24), 3, np.float32)
    array[2, 2, 2] = value
    Volume(array, Geometry(array.shape, np.eye(4))).write(tmp_path / "v.nrrd")
    said = refused(capsys, "segment", tmp_path / "v.nrrd", "--out", tmp_path / "s.nrrd", *BOX)
    assert "nothing to segment" in said
    assert not (tmp_path / "s.nrrd").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no prompts"),
        ("--box 9 9 9 5 12 12", "inverted"),
        ("--box 5 5 5 5 9 9", "inverted or empty"),
        ("--box 0 0 0 99 9 9", "extends outside the volume"),
        ("--box -1 0 0 9 9 9", "extends outside the volume"),
        ("--box 0 0 nan 9 9 9", "finite"),
        ("--box 1 2 3", "expected 6 arguments"),
        ("--box-ras 900 900 900 950 950 950", "outside the volume"),
        ("--point 24 0 0", "outside the volume"),
        ("--negative -1 0 0", "outside the volume"),
        ("--point-ras 0 0 5000", "outside the volume"),
        ("--point a b c", "invalid float"),
        ("--text liver", "does not support text"),
        ("--prompts nowhere.json", "cannot be read"),
        ("--box 4 4 3 20 18 15 --model unet", "no model 'unet'"),
        ("--box 4 4 3 20 18 15 --device cuda", "cuda"),
        ("--box 4 4 3 20 18 15 --device gpu", "gpu"),
        ("--box 4 4 3 20 18 15 --preview nowhere/p.png", "does not exist"),
        ("--box 4 4 3 20 18 15 --preview p.docx", "p.docx"),
        ("--box 4 4 3 20 18 15 --model randomwalk --weights w.bin", "takes no weights"),
        ("--box 4 4 3 20 18 15 --option size", "not NAME=VALUE"),
        ("--box 4 4 3 20 18 15 --option size=9", "no option 'size'; its options are weights"),
        ("--box 4 4 3 20 18 15 --model sam --option depth=9", "its options are weights, size"),
        ("--box 4 4 3 20 18 15 --option device=cpu", "use --device cpu"),
        ("--box 4 4 3 20 18 15 --option weights=w.bin", "use --weights w.bin"),
        ("--box 4 4 3 20 18 15 --option name=sam", "no option 'name'"),
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


@pytest.mark.parametrize("out", ["s.png", "s", "nowhere/s.nrrd", "in", "in/ball.nrrd", "/"])
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
    words = ["--out", same, "--preview", same]
    assert "same name" in refused(capsys, "segment", plain, *words, *BOX)


def test_no_output_replaces_what_is_read(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", tmp_path / "s.nrrd"]
    saved = tmp_path / "p.json"
    assert run("segment", plain, *out, *BOX, "--prompts-out", saved) == 0
    capsys.readouterr()
    words = ["--prompts", saved, "--prompts-out", saved]
    assert "is an input of this command" in refused(capsys, "segment", plain, *out, *words)
    assert "use .json" in refused(
        capsys, "segment", plain, *out, *BOX, "--prompts-out", tmp_path / "p.txt"
    )
    inside = ["--out", plain.parent / "s.nrrd", *BOX]
    assert "inside the volume's folder" in refused(capsys, "segment", plain.parent, *inside)


@pytest.mark.parametrize(
    ("header", "line"),
    [("v.mhd", "ElementDataFile = raw.nrrd"), ("v.nhdr", "data file: raw.nrrd")],
)
def test_the_voxels_that_a_header_names_are_not_replaced(
    header: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / header).write_text(f"ObjectType = Image\n{line}\n")
    raw = tmp_path / "raw.nrrd"
    raw.write_bytes(b"voxels")
    assert "is an input of" in refused(capsys, "segment", tmp_path / header, "--out", raw, *BOX)
    assert raw.read_bytes() == b"voxels"


def test_a_read_only_volume_is_enough(plain: Path, tmp_path: Path) -> None:
    plain.chmod(stat.S_IRUSR)
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *BOX) == 0


def test_a_command_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice" in refused(capsys, "segmentate")
    assert "COMMAND" in refused(capsys)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"medsegfm {__version__}\n"


def test_what_a_command_returns_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    for status, expected in ((None, 0), (0, 0), (1, 1)):
        monkeypatch.setattr("MedSegFMLib.commands.models.run", lambda _, status=status: status)
        assert run("models") == expected


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "run the same command again to resume"),
        (PermissionError(13, "Permission denied", "x.nii"), 2, "x.nii: Permission denied"),
        (MemoryError(), 2, "not enough memory"),
    ],
)
def test_what_stops_a_command_is_told_in_one_sentence(
    error: BaseException,
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(_: object) -> None:
        raise error

    monkeypatch.setattr("MedSegFMLib.commands.models.run", stopped)
    assert run("models") == status
    assert said in (told := capsys.readouterr().err) and told.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="streams are closed and full as in a shell")
@pytest.mark.parametrize(
    ("after", "status"),
    [
        ("models >&-", 0),
        ("models 2>&-", 0),
        ("models >/dev/full", 2),
        ("show ∅.nrrd 2>&-", 2),
        ("show ∅.nrrd >&-", 2),
    ],
)
def test_closed_full_and_plain_streams_end_without_a_traceback(after: str, status: int) -> None:
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m MedSegFMLib {after}"],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, **ascii_only},
        capture_output=True,
        check=False,
    )
    assert done.returncode == status
    assert done.stderr.count(b"\n") <= 1 and b"Traceback" not in done.stderr
    assert b"does not exist" not in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="a pipe that breaks is a matter of POSIX")
def test_a_reader_that_has_seen_enough_ends_the_program_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "MedSegFMLib", "weights", "list"],
        cwd=Path(__file__).resolve().parents[2],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
