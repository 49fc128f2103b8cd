"""Several images on command lines: read as one volume, replayed, in lists, the shell and cases."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from nnunet_folders import write_folder
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Session, Text, Volume, create
from MedSegFMLib.results.replay import read_ledger
from MedSegFMLib.volumes.images import combined

GEOMETRY = Geometry.from_spacing((10, 16, 18), (0.9, 0.8, 2.1))
BOX = ("--box", 3, 3, 2, 15, 13, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images MR0 and MR1, and MR1 on a smaller grid."""
    for n in range(2):
        make_blob(GEOMETRY, seed=n)[0].write(tmp_path / f"MR{n}.nrrd")
    volume = Volume.read(tmp_path / "MR1.nrrd")
    volume.pad((1, 0, 0), (0, 2, 0)).write(tmp_path / "wider.nrrd")
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An nnU-Net of two images."""
    return write_folder(tmp_path_factory.mktemp("trained") / "two", channels=2)


def images(folder: Path, *names: str) -> list[str]:
    return [word for name in names for word in ("--image", f"{name}={folder / name}.nrrd")]


def mask_by_python(folder: Path, trained: Path, *, wider: bool = False) -> np.ndarray:
    second = Volume.read(folder / ("wider.nrrd" if wider else "MR1.nrrd"))
    read = {"MR0": Volume.read(folder / "MR0.nrrd"), "MR1": second}
    session = Session(create("nnunet", "cpu", weights=trained), combined(read, resample=wider))
    session.add(Text("liver"))
    return session.predict().mask.array_kji


def test_a_network_of_two_images_segments_both_and_the_result_is_replayed(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out.nii.gz"
    words = ["segment", *images(folder, "MR1", "MR0"), "--model", "nnunet", "--weights", trained]
    assert run(*words, "--text", "liver", "--out", out) == 0
    assert np.array_equal(Volume.read(out).array_kji, mask_by_python(folder, trained))
    ledger = read_ledger(out)
    assert list(ledger.images) == ["MR0", "MR1"] and ledger.primary == "MR1"
    capsys.readouterr()
    assert run("replay", out, "--weights", trained) == 0, "both are found in its folder"
    assert "is the same" in capsys.readouterr().out
    assert run("replay", out, *images(folder, "MR0", "MR1"), "--weights", trained) == 2
    assert "is not the volume" in capsys.readouterr().err, "another primary image"
    given = [*images(folder, "MR0", "MR1"), "--primary", "MR1"]
    assert run("replay", out, *given, "--weights", trained) == 0
    swapped = [f"--image=MR0={folder / 'MR1.nrrd'}", f"--image=MR1={folder / 'MR1.nrrd'}"]
    assert run("replay", out, *swapped, "--primary", "MR1", "--weights", trained) == 2
    assert "those given are others" in capsys.readouterr().err


def test_images_on_another_grid_are_resampled_on_request_alone(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*images(folder, "MR0"), "--image", f"MR1={folder / 'wider.nrrd'}"]
    words = ["segment", *given, "--model", "nnunet", "--weights", trained, "--text", "liver"]
    out = folder / "out.nrrd"
    assert "is on another grid" in refused(capsys, *words, "--out", out)
    assert not out.exists()
    assert run(*words, "--resample-images", "--out", out) == 0
    assert np.array_equal(Volume.read(out).array_kji, mask_by_python(folder, trained, wider=True))
    capsys.readouterr()
    assert run("replay", out, *given, "--resample-images", "--weights", trained) == 0


def test_a_model_of_one_image_uses_the_primary_one_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = folder / "out.nrrd", folder / "alone.nrrd"
    words = ["--model", "randomwalk", *BOX]
    several = [*images(folder, "MR0", "MR1"), "--primary", "MR1"]
    assert run("segment", *several, *words, "--out", out) == 0
    assert (
        "Random walker takes one image of a volume and uses MR1, not MR0; make another the "
        "primary image (--primary NAME) to use that.\n"
    ) in capsys.readouterr().out
    assert run("segment", folder / "MR1.nrrd", *words, "--out", alone) == 0
    assert np.array_equal(Volume.read(out).array_kji, Volume.read(alone).array_kji)
    assert read_ledger(out).images == {}, "its result depends on one image"
    assert run("replay", out) == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "There is no volume"),
        (["{f}/MR0.nrrd", "--image", "a={f}/MR1.nrrd"], "are both given"),
        (["--image", "a={f}/MR1.nrrd", "--frame", "1"], "--frame is for one image"),
        (["--image", "a={f}/MR1.nrrd", "--series", "1"], "NAME=FILE:N"),
        (["--image", "a={f}/MR1.nrrd", "--primary", "b"], "The primary image is 'b'"),
        (["{f}/MR0.nrrd", "--primary", "b"], "--primary is for several images"),
        (["{f}/MR0.nrrd", "--resample-images"], "--resample-images is for several images"),
        (["--image", "MR0.nrrd"], "is not NAME=FILE"),
        (["--image", "a={f}/MR1.nrrd", "--propagate"], "leave out --image"),
        (["--image", "a={f}/none.nrrd"], "does not exist"),
    ],
    ids=lambda words: "_".join(words)[:40] if isinstance(words, list) else "",
)
def test_what_does_not_go_with_several_images_is_refused(
    words: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(f=folder) for word in words]
    error = refused(capsys, "segment", *given, *BOX, "--out", folder / "out.nrrd")
    assert sentence in error


def test_no_output_replaces_an_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["segment", *images(folder, "MR0", "MR1"), "--model", "randomwalk", *BOX]
    assert "is an input" in refused(capsys, *words, "--out", folder / "MR1.nrrd")


def test_a_list_has_several_images_in_a_row(folder: Path, trained: Path) -> None:
    listed, out = folder / "list.csv", folder / "results"
    listed.write_text(
        "images,primary,case,text,model,weights\n"
        f"MR1=MR1.nrrd;MR0=MR0.nrrd,MR0,both,liver,nnunet,{trained}\n"
    )
    assert run("segment", listed, "--out", out, "--jobs", 1, "--quick") == 0
    found = Volume.read(out / "both.nii.gz").array_kji
    assert np.array_equal(found, mask_by_python(folder, trained))
    make_blob(GEOMETRY, seed=5)[0].write(folder / "MR1.nrrd")
    assert run("segment", listed, "--out", out, "--jobs", 1, "--quick") == 0
    again = Volume.read(out / "both.nii.gz").array_kji
    assert np.array_equal(again, mask_by_python(folder, trained)), "an image that changed counts"
    assert not np.array_equal(again, found)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("MR0.nrrd,MR1=MR1.nrrd,", "it has images and volume"),
        (",MR1,", "is not NAME=FILE"),
        (",MR1=MR1.nrrd,pet", "The primary image is 'pet'"),
        (",,", "the volume is missing"),
    ],
    ids=["both", "unnamed", "primary", "none"],
)
def test_a_row_of_images_is_checked(
    row: str, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "list.csv").write_text(f"volume,images,primary,case\n{row},x\n")
    words = ("segment", folder / "list.csv", *BOX, "--out", folder / "results")
    assert sentence in refused(capsys, *words)


def test_the_shell_takes_several_images(
    folder: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out.seg.nrrd"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"text liver\nsave {out}\n"))
    words = ["shell", *images(folder, "MR1", "MR0"), "--primary", "MR0"]
    assert run(*words, "--model", "nnunet", "--weights", trained) == 0
    capsys.readouterr()
    assert run("replay", out, "--weights", trained) == 0
    assert list(read_ledger(out).images) == ["MR0", "MR1"]


def test_the_shell_says_which_image_a_model_of_one_uses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("box 3 3 2 15 13 8\n"))
    assert run("shell", *images(folder, "MR1", "MR0"), "--model", "randomwalk") == 0
    assert "uses MR1, not MR0" in capsys.readouterr().err


def cases_file(folder: Path, **changes: object) -> Path:
    labels = np.zeros(GEOMETRY.shape_kji, np.uint8)
    labels[3:7, 5:11, 6:12] = 1
    Volume(labels, GEOMETRY).write(folder / "label.nrrd")
    case = {
        "name": "both",
        "images": {"MR1": "MR1.nrrd", "MR0": "MR0.nrrd"},
        "primary": "MR0",
        "label": "label.nrrd",
        "modality": "MR",
        "objects": {"1": "liver"},
        **changes,
    }
    kept = {name: value for name, value in case.items() if value is not None}
    (folder / "cases.json").write_text(json.dumps({"cases": [kept]}))
    return folder / "cases.json"


def test_cases_of_several_images_are_evaluated(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = f"nnunet={trained},randomwalk"
    words = ["evaluate", cases_file(folder), "--models", models, "--clicks", 0, "--jobs", 1]
    assert run(*words, "--out", folder / "results") == 0
    with (folder / "results" / "results.csv").open() as file:
        rows = {row["model"].partition("=")[0]: row for row in csv.DictReader(file)}
    predicted = mask_by_python(folder, trained) > 0
    reference = Volume.read(folder / "label.nrrd").array_kji > 0
    dice = 2 * (predicted & reference).sum() / (predicted.sum() + reference.sum())
    assert float(rows["nnunet"]["dsc"]) == pytest.approx(dice, abs=1e-4)
    assert "randomwalk takes one image of each case and uses the primary one" in (
        capsys.readouterr().out
    )
    make_blob(GEOMETRY, seed=7)[0].write(folder / "MR1.nrrd")
    assert run(*words, "--out", folder / "results") == 0
    with (folder / "results" / "results.csv").open() as file:
        again = {row["model"].partition("=")[0]: row for row in csv.DictReader(file)}
    assert again["nnunet"] != rows["nnunet"], "an image that changed is evaluated again"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": {"a": "MR0.nrrd"}, "image": "MR0.nrrd"}, "both image and images"),
        ({"images": {}}, "There is no image"),
        ({"images": ["MR0.nrrd"]}, "malformed"),
        ({"images": {"a": 3.5}}, "malformed"),
        ({"primary": "pet"}, "The primary image is 'pet'"),
        ({"resample": "yes"}, "must be true or false"),
        ({"images": {"MR0": "MR0.nrrd", "MR1": "wider.nrrd"}}, "is on another grid"),
        ({"images": {"MR0": "MR0.nrrd", "MR1": "none.nrrd"}}, "does not exist"),
    ],
    ids=["both", "none", "a list", "a number", "primary", "resample", "grid", "missing"],
)
def test_cases_of_images_are_checked(
    changes: dict[str, object], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", cases_file(folder, **changes), "--models", "randomwalk", "--jobs", 1]
    assert run(*words, "--out", folder / "results") in (1, 2)
    assert sentence in capsys.readouterr().err


def test_images_of_a_case_are_resampled_on_request(folder: Path, trained: Path) -> None:
    images = {"MR0": "MR0.nrrd", "MR1": "wider.nrrd"}
    cases = cases_file(folder, images=images, resample=True)
    words = ["evaluate", cases, "--models", f"nnunet={trained}", "--clicks", 0, "--jobs", 1]
    assert run(*words, "--out", folder / "results") == 0


def test_an_npz_file_gets_the_primary_image(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = cases_file(folder)
    assert run("convert", cases, "--out", folder / "npz") == 0
    assert "npz files hold the primary one" in capsys.readouterr().err
    with np.load(folder / "npz" / "both.npz") as arrays:
        assert arrays["imgs"].shape == GEOMETRY.shape_kji
