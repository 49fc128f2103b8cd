"""`medsegfm view`: the picture is of the objects, and a wrong choice is refused in one sentence."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from PIL import Image
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.commands import segment
from MedSegFMLib.commands.arguments.picture import title_of, with_joined_window
from MedSegFMLib.drawing.outlines import object_colour
from MedSegFMLib.volumes.segmentations.segmentation import Segment, Segmentation

GEOMETRY = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1), origin_ras=(5, -6, 70))


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    make_blob(GEOMETRY)[0].write(folder / "ball.nrrd")
    return folder / "ball.nrrd"


def labels(geometry: Geometry = GEOMETRY) -> np.ndarray:
    array = np.zeros(geometry.shape_kji, np.uint8)
    array[3:9, 4:10, 4:10], array[10:15, 12:20, 12:20] = 1, 2
    return array


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "m.seg.nrrd"
    Volume(labels(), GEOMETRY).write(path, {1: "liver", 2: "spleen"})
    return path


def pixels_of(path: Path, colour: str) -> int:
    rgb = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.abs(picture - rgb) < 40).all(axis=-1).sum())


def test_every_object_is_drawn_and_its_slices_are_printed(
    volume: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "look.png"
    assert run("view", volume, "--mask", mask, "--out", out) == 0
    assert all(pixels_of(out, object_colour(n)) > 300 for n in range(2))
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in printed[:3]] == [
        "liver: axial",
        "liver: coronal",
        "liver: sagittal",
    ]
    assert len(printed) == 7 and printed[-1] == f"Wrote {out}."
    alone = tmp_path / "alone.png"
    assert run("view", volume, "--out", alone) == 0
    assert pixels_of(alone, object_colour(0)) == pixels_of(alone, object_colour(1)) == 0


def test_an_object_a_voxel_or_a_montage_is_chosen(
    volume: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["view", volume, "--mask", mask, "--out", tmp_path / "look.png"]
    assert run(*words, "--object", "Spleen") == 0
    assert "liver" not in capsys.readouterr().out
    assert run(*words, "--at", 5, 6, 7) == 0
    assert capsys.readouterr().out.startswith("axial, k = 7;")
    assert run(*words, "--montage", "--every", 3) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines[:4]] == [f"axial, k = {k}" for k in (4, 7, 10, 13)]


def test_a_mask_may_be_stored_in_another_order_or_for_a_part(volume: Path, tmp_path: Path) -> None:
    whole = Volume(labels(), GEOMETRY)
    straight, turned, part = (tmp_path / f"{name}.nrrd" for name in ("a", "b", "c"))
    whole.write(straight)
    whole.reoriented("PSR").write(turned)
    segment = Segmentation.from_labelmap(whole).segments[0]
    whole.crop(segment.region).write(part)
    out = tmp_path / "look.png"
    counts = []
    for path in (straight, turned, part):
        assert run("view", volume, "--mask", path, "--out", out, "--object", 1) == 0
        counts.append(pixels_of(out, object_colour(0)))
    assert counts[0] == counts[1] > 300 and counts[2] > 300


def test_the_names_of_a_result_are_those_of_its_prompts(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seg = tmp_path / "s.nii.gz"
    prompts = "--object pancreas --box 4 4 3 20 18 15".split()
    words = ["--model", "ellipsoid", "--prompts-out", tmp_path / "p.json"]
    assert run("segment", volume, "--out", seg, *prompts, *words) == 0
    capsys.readouterr()
    shown = ["--mask", seg, "--prompts", tmp_path / "p.json"]
    assert run("view", volume, *shown, "--out", tmp_path / "look.png") == 0
    assert "pancreas: axial" in capsys.readouterr().out


def test_overlapping_and_empty_segments_are_drawn_or_named(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = np.zeros(GEOMETRY.shape_kji, bool)
    inner[5:7, 5:8, 5:8] = True
    segments = [
        Segment.from_mask(1, "organ", labels() == 1),
        Segment.from_mask(2, "lesion", inner),
        Segment.from_mask(3, "nothing", np.zeros_like(inner)),
    ]
    path, out = tmp_path / "m.seg.nrrd", tmp_path / "look.png"
    Segmentation(GEOMETRY, tuple(segments)).write(path)
    assert run("view", volume, "--mask", path, "--out", out) == 0
    assert all(pixels_of(out, object_colour(n)) > 100 for n in range(2))
    assert "Without voxels: nothing." in capsys.readouterr().out


@pytest.mark.filterwarnings("error")
def test_names_in_letters_that_the_font_lacks_are_drawn_without_a_warning(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, out = tmp_path / "m.seg.nrrd", tmp_path / "look.png"
    Volume(labels(), GEOMETRY).write(mask, {1: "肝臓", 2: "spleen"})
    assert run("view", volume, "--mask", mask, "--out", out) == 0 and out.is_file()
    captured = capsys.readouterr()
    assert "肝臓: axial" in captured.out and captured.err == ""


def test_view_refuses_what_it_cannot_show(
    volume: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "look.png"
    other = tmp_path / "other.nrrd"
    moved = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1), origin_ras=(5.4, -6, 70))
    Volume(labels(), moved).write(other)
    away = tmp_path / "away.nrrd"
    far = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1), origin_ras=(905, -6, 70))
    Volume(labels(), far).write(away)

    def refusal(*words: object) -> str:
        return refused(capsys, "view", volume, "--out", out, *words)

    assert "another grid" in refusal("--mask", other)
    assert "another grid" in refusal("--mask", away)
    assert "the segments are 1 liver, 2 spleen" in refusal("--mask", mask, "--object", "kidney")
    assert "outside the volume" in refusal("--at", 24, 0, 0)
    assert "--mask SEG" in refusal("--object", "liver")
    assert "use abdomen, lung, bone" in refusal("--window", "40", "lungs")
    assert "width above 0" in refusal("--window", 40, 0)
    assert "--every is 0" in refusal("--every", 0)
    assert "leave out" in refusal("--at", 1, 2, 3, "--montage")
    assert ".png" in refused(capsys, "view", volume, "--out", tmp_path / "look.pdf")
    assert "input of this command" in refused(capsys, "view", volume, "--mask", mask, "--out", mask)
    assert not out.exists()


def test_a_window_may_be_typed_before_the_volume(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_joined_window("view --window lung x".split()) == ["view", "--window=lung", "x"]
    out = tmp_path / "look.png"
    assert run("view", "--window", "lung", volume, "--out", out) == 0
    assert "lung: level −600, width 1500" in capsys.readouterr().out
    assert run("view", volume, "--window", "-600", "1400", "--out", out) == 0
    assert "level −600, width 1400" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("study7/dicom", "CT study7"),
        ("study7/image.nii.gz", "CT study7/image.nii.gz"),
        ("study7/ct.nii.gz", "CT ct.nii.gz"),
    ],
)
def test_a_title_says_which_volume_it_is(path: str, title: str, tmp_path: Path) -> None:
    place = tmp_path / path
    (place if "." not in place.name else place.parent).mkdir(parents=True)
    voxels = np.zeros((2, 2, 2))
    assert title_of(place, Volume(voxels, Geometry.from_spacing((2, 2, 2)), "CT")) == title
    named = Volume(voxels, Geometry.from_spacing((2, 2, 2)), "CT", "Thorax 3 mm")
    assert title_of(place, named) == "CT Thorax 3 mm"


@pytest.mark.skipif(os.name != "posix", reason="a pipe that breaks is a matter of POSIX")
@pytest.mark.parametrize("command", ["view --out", "show --preview"])
def test_a_picture_is_written_although_nobody_reads_what_is_printed(
    command: str, volume: Path, tmp_path: Path
) -> None:
    name, option = command.split()
    out = tmp_path / "look.png"
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "MedSegFMLib", name, volume, option, out]
    try:
        done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_window_of_pictures_is_that_of_models_that_look_at_slices() -> None:
    def options(model: str, *window: str) -> dict[str, str]:
        given = argparse.Namespace(model=model, window=list(window), weights=None, option=[])
        return segment.with_window(segment.model_options(given), given)

    assert options("medsam", "lung") == options("medical-sam3", "lung") == {"window": "lung"}
    assert options("crossplane", "40", "400") == {"window": "40,400"}
    assert options("medsam", "auto") == options("ensam", "lung") == {}
    own = argparse.Namespace(model="sam", window=["lung"], weights=None, option=["window=bone"])
    assert segment.with_window(segment.model_options(own), own) == {"window": "bone"}
