"""`medsegfm segment` over many volumes, and `medsegfm review` of what it made."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from dicom_files import slices, write_files
from sample_volumes import make_blob
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib import Box, Geometry, Segmentation, Volume
from MedSegFMLib.commands.segmenting import batch_work, many_volumes
from MedSegFMLib.prompts.json_format import write_prompts
from MedSegFMLib.prompts.prompt_list import PromptList

GRID = Geometry.from_spacing((10, 14, 16), (1.0, 1.0, 2.0))
BALL = PromptList().with_object("ball").added(1, Box.from_ijk(GRID, (2, 2, 1), (14, 12, 9)))
FAST = ["--model", "randomwalk", "--quick", "--jobs", 1]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A folder with two balls, of which the second is hard to see, and their prompts."""
    folder = tmp_path / "in"
    folder.mkdir()
    ball, _ = make_blob(GRID)
    noise = np.random.default_rng(0).normal(0, 150, GRID.shape_kji)
    ball.write(folder / "a.nii.gz")
    Volume((ball.array_kji + noise).astype(np.float32), GRID).write(folder / "b.nrrd")
    for name in "ab":
        write_prompts(BALL, folder / f"{name}.json")
    return folder


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the cases that are segmented from now on, in this process."""
    names: list[str] = []

    def noted(job, segmenter):  # type: ignore[no-untyped-def]
        names.append(job.name)
        return batch_work.segment_job(job, segmenter)

    monkeypatch.setattr(many_volumes, "segment_job", noted)
    return names


def test_a_broken_file_among_good_ones_is_listed_and_stops_nothing(
    volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (volumes / "broken.nii.gz").write_bytes(b"\x1f\x8bnothing")
    write_prompts(BALL, volumes / "broken.json")
    make_blob(GRID)[0].write(volumes / "lonely.nii.gz")
    out = tmp_path / "out"
    assert run("segment", volumes, *FAST, "--out", out) == 1
    rows = table(out / "results.csv")
    assert [row["case"] for row in rows] == ["b", "a"]
    assert float(rows[0]["expected_dice"]) < float(rows[1]["expected_dice"])
    failures = {row["case"]: row["reason"] for row in table(out / "failures.csv")}
    assert failures.keys() == {"broken", "lonely"}
    assert "broken.nii.gz cannot be unzipped" in failures["broken"]
    assert "lonely.json, does not exist" in failures["lonely"]
    for row in rows:
        found = Segmentation.read(out / row["output"]).segments[0]
        assert found.voxels == int(row["voxels"]) > 50
    said = capsys.readouterr()
    assert said.out.index(" b ") < said.out.index(" a ") and "Not done: broken" in said.err


def test_processes_give_what_this_process_gives(volumes: Path, tmp_path: Path) -> None:
    words = ["segment", volumes, "--model", "randomwalk", "--out"]
    assert run(*words, tmp_path / "one", "--jobs", 1) == 0
    assert run(*words, tmp_path / "two", "--jobs", 2) == 0
    one, two = (table(tmp_path / name / "results.csv") for name in ("one", "two"))
    for row in (*one, *two):
        row["seconds"] = ""
    assert one == two and all(row["agreement"] != "nan" for row in one)


def test_a_second_run_segments_only_what_changed_by_content(
    volumes: Path, tmp_path: Path, segmented: list[str]
) -> None:
    out = tmp_path / "out"
    words = ["segment", volumes, *FAST, "--out", out]
    assert run(*words) == 0 and segmented == ["a", "b"]
    before = (out / "results.csv").read_text()
    os.utime(volumes / "a.nii.gz", (1, 1))
    assert run(*words) == 0 and segmented == ["a", "b"]
    assert (out / "results.csv").read_text() == before
    times = (volumes / "b.json").stat()
    write_prompts(
        PromptList().with_object("ball").added(1, Box.from_ijk(GRID, (3, 2, 1), (14, 12, 9))),
        volumes / "b.json",
    )
    os.utime(volumes / "b.json", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run(*words) == 0 and segmented == ["a", "b", "b"]
    (out / "a.nii.gz").unlink()
    assert run(*words) == 0 and segmented == ["a", "b", "b", "a"]
    assert run(*words, "--largest") == 0 and segmented[4:] == ["a", "b"]


def test_files_that_a_batch_did_not_write_are_left_alone(
    volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], segmented: list[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.nii.gz").write_bytes(b"of somebody else")
    words = ["segment", volumes, *FAST, "--out", out]
    assert run(*words) == 1 and segmented == ["b"]
    assert (out / "a.nii.gz").read_bytes() == b"of somebody else"
    assert "a.nii.gz exists and is not of this batch" in capsys.readouterr().err
    (out / "a.nii.gz").unlink()
    assert run(*words) == 0
    # A corrected mask is no result any more that may be made again.
    (out / "a.nii.gz").write_bytes(b"corrected")
    capsys.readouterr()
    assert run(*words) == 0 and "a was changed after it was written" in capsys.readouterr().out
    assert run(*words, "--largest") == 1
    assert (out / "a.nii.gz").read_bytes() == b"corrected"


def test_a_list_names_prompts_masks_models_and_outputs(volumes: Path, tmp_path: Path) -> None:
    old = np.zeros(GRID.shape_kji, np.uint8)
    old[3:7, 4:10, 4:12] = 3
    Volume(old, GRID).write(volumes / "old.nii.gz")
    # As a spreadsheet in Europe saves it.
    (volumes / "list.csv").write_text(
        "\ufeffVolume;prompts;mask;case;output;model\n"
        "a.nii.gz;a.json;;case 1;x.seg.nrrd;ellipsoid\n"
        "b.nrrd;;old.nii.gz:3;case 2;;\n"
        ";;;;;\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    assert run("segment", volumes / "list.csv", *FAST, "--out", out) == 0
    rows = {row["case"]: row for row in table(out / "results.csv")}
    assert [rows["case 1"][c] for c in ("model", "output")] == ["ellipsoid", "x.seg.nrrd"]
    assert [rows["case 2"][c] for c in ("model", "output")] == ["randomwalk", "case 2.nii.gz"]
    kept = Volume.read(out / "case 2.nii.gz").array_kji
    assert np.array_equal(kept == 1, old == 3)
    assert run("replay", out / "x.seg.nrrd", volumes / "a.nii.gz") == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("image,prompts\na.nii.gz,a.json\n", "lacks the column volume and has the column 'image'"),
        ("volume,promts\na.nii.gz,a.json\n", "has the column 'promts'; its columns are volume and"),
        ("volume,case,case\na.nii.gz,1,2\n", "has the column case twice"),
        ("volume,prompts\n,a.json\n", "line 2: the volume is missing"),
        ("volume\na.nii.gz,a.json\n", "line 2: 2 cells for 1 columns"),
        ("volume\n", "lists no volumes"),
        ("", "is empty"),
        ("volume,case\na.nii.gz,x\nb.nrrd,X\n", "has two cases 'X' (a.nii.gz and b.nrrd)"),
        ("volume,case\na.nii.gz,../x\n", "cannot be the name of a file"),
        ("volume,output\na.nii.gz,x.png\n", "has an ending that is not written"),
        ("volume,output\na.nii.gz,x.nrrd\nb.nrrd,x.nrrd\n", "have one output"),
        ("volume,model\na.nii.gz,nothing\n", "There is no model 'nothing'"),
        ("volume,frame\na.nii.gz,last\n", "The frame of a is 'last'"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_before_anything_is_made(
    text: str, why: str, volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (volumes / "list.csv").write_text(text, encoding="utf-8")
    said = refused(capsys, "segment", volumes / "list.csv", *FAST, "--out", tmp_path / "out")
    assert why in said and not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(
    volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    words = ["segment", volumes, *FAST, "--out"]
    assert "cannot be created" in refused(capsys, *words, tmp_path / "file" / "out")
    assert "is a file; many results need a folder" in refused(
        capsys, "segment", volumes / "list.csv", "--out", tmp_path / "file"
    )
    assert "is the name of one file" in refused(
        capsys, "segment", volumes / "list.csv", "--out", tmp_path / "x.nii.gz"
    )
    assert "--preview is for one volume" in refused(
        capsys, *words, tmp_path / "out", "--preview", tmp_path / "p.png"
    )
    assert "choose another folder with --out" in refused(capsys, *words, volumes)
    assert "--propagate follows objects through one 4D volume" in refused(
        capsys, *words, tmp_path / "out", "--propagate"
    )
    assert "--jobs is for many volumes" in refused(
        capsys, "segment", volumes / "a.nii.gz", "--jobs", 2, "--out", tmp_path / "x.nii.gz"
    )


_WAITING_AT_B = """
import sys, time
from MedSegFMLib.cli import main
from MedSegFMLib.commands.segmenting import many_volumes
from MedSegFMLib.commands.segmenting.batch_work import segment_job

def waiting(job, segmenter):
    if job.name == "b":
        time.sleep(3600)
    return segment_job(job, segmenter)

if __name__ == "__main__":
    many_volumes.segment_job = waiting
    sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_goes_on_where_it_was(
    number: int, volumes: Path, tmp_path: Path, segmented: list[str]
) -> None:
    script, out = tmp_path / "waiting.py", tmp_path / "out"
    script.write_text(_WAITING_AT_B)
    words = ["segment", volumes, "--model", "randomwalk", "--quick", "--out", out]
    with subprocess.Popen(
        [sys.executable, script, *words, "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    ) as program:
        results = out / "results.csv"
        wait_until(lambda: results.exists() and bool(table(results)))
        # As a terminal does: to every process of the group.
        os.killpg(program.pid, number)
        program.wait(GENEROUS_SECONDS)
    (out / ".tmp-0123456789abcdef-x.nii.gz").write_bytes(b"half of a file")
    assert [row["case"] for row in table(results)] == ["a"]
    assert run(*words, "--jobs", 1) == 0 and segmented == ["b"]
    assert {row["case"] for row in table(results)} == {"a", "b"}
    assert not list(out.glob(".*"))


def test_dicom_becomes_dicom_and_no_table_names_the_patient(
    volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cd"
    ball, _ = make_blob(GRID)
    stored = slices(ball.array_kji.astype(np.int16), step=(0, 0, 2.0), spacing=(1.0, 1.0))
    common = {"PatientID": "4711", "StudyDate": "20200117"}
    write_files(root / "DOE_JANE" / "s1", stored, **common)
    write_files(root / "two" / "s1", stored, **common)
    write_files(root / "two" / "s2", stored, **common)
    (tmp_path / "list.csv").write_text(
        "volume,case\ncd/DOE_JANE,p1\ncd/two,p2\ncd/DOE_JANE/gone,p3\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    ras = ["--box-ras", -5, 8, 33, 8, 18, 46]
    words = ["segment", tmp_path / "list.csv", *FAST, "--ending", ".dcm", *ras, "--out", out]
    assert run(*words) == 1
    rows = table(out / "results.csv")
    assert [(row["case"], row["output"]) for row in rows] == [("p1", "p1.dcm")]
    failures = {row["case"]: row["reason"] for row in table(out / "failures.csv")}
    assert failures.keys() == {"p2", "p3"}
    capsys.readouterr()
    assert run("review", out) == 0
    texts = [p.read_text() for p in out.iterdir() if p.suffix in (".csv", ".json", ".html")]
    for word in ("DOE", "Doe", "Jane", "4711", "20200117", "1950"):
        assert not any(word in text for text in texts), word
    assert not any(re.search(r"\d\.\d+\.\d+\.\d+\.\d+", text) for text in texts)


def test_the_review_lists_objects_and_slices_the_worst_first(
    volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("segment", volumes, *FAST, "--out", out) == 0
    capsys.readouterr()
    assert run("review", out) == 0
    said = capsys.readouterr().out
    assert said.index(" b ") < said.index(" a ")
    page = (out / "review.html").read_text()
    assert page.index("1. b") < page.index("2. a")
    pictures = re.findall(r'<img[^>]* src="([^"]+)"', page)
    assert pictures == ["pictures/b.jpg", "pictures/a.jpg"]
    assert all((out / picture).stat().st_size > 5000 for picture in pictures)
    assert run("review", out, "--slices", "--most", 3) == 0
    areas = [float(row["wrong_mm2"]) for row in table(out / "slices.csv")]
    assert areas == sorted(areas, reverse=True) and f"{areas[0]:.0f}" in capsys.readouterr().out
    worst = float(table(out / "results.csv")[0]["expected_dice"])
    assert run("review", out, "--below", worst + 1e-3) == 0
    assert " a " not in capsys.readouterr().out
    assert "has no results.csv of a batch" in refused(capsys, "review", tmp_path)
    (tmp_path / "results.csv").write_text("case,modality,object\n", encoding="utf-8")
    said = refused(capsys, "review", tmp_path)
    assert "results.csv is not a table of this command (it has no column 'label')" in said


def test_an_ome_zarr_image_is_a_volume_of_a_folder(volumes: Path, segmented: list[str]) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr is an optional extra")
    ball = Volume.read(volumes / "a.nii.gz")
    for name in ("a.nii.gz", "b.nrrd"):
        (volumes / name).unlink()
    scale = {"type": "scale", "scale": [2, 1, 1]}
    axes = [{"name": n, "type": "space", "unit": "millimeter"} for n in "zyx"]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    group = zarr.open_group(volumes / "z.ome.zarr", mode="w")
    group.create_array("0", data=ball.array_kji)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    words = ["segment", volumes, *FAST, "--box", 2, 2, 1, 14, 12, 9, "--out", volumes / "out"]
    assert run(*words) == 0 and segmented == ["z"]
    assert (volumes / "out" / "z.nii.gz").is_file()


def test_two_volumes_of_one_name_are_named(
    volumes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Volume.read(volumes / "a.nii.gz").write(volumes / "a.mha")
    said = refused(capsys, "segment", volumes, *FAST, "--out", volumes / "out")
    assert "two cases 'a' (a.mha and a.nii.gz)" in said


def test_results_in_a_folder_among_the_volumes_are_no_volumes(
    volumes: Path, segmented: list[str]
) -> None:
    ball, _ = make_blob(GRID)
    stored = slices(ball.array_kji.astype(np.int16), step=(0, 0, 2.0), spacing=(1.0, 1.0))
    for name in ("a.nii.gz", "b.nrrd"):
        (volumes / name).unlink()
    write_files(volumes / "ct", stored)
    ras = ["--box-ras", -5, 8, 33, 8, 18, 46]
    words = ["segment", volumes, *FAST, "--ending", ".dcm", *ras, "--out", volumes / "out"]
    assert run(*words) == 0 and run(*words) == 0 and segmented == ["ct"]
