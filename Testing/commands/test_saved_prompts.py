"""Saved prompts of several objects are continued by name and corrected by number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.prompts.json_format import read_prompts
from MedSegFMLib.prompts.types import Box, Lasso, Point, Scribble, prompt_name

LIVER = "--object liver --box 4 4 3 12 18 15".split()
SPLEEN = "--object spleen --box 12 4 3 20 18 15 --point 15 10 8".split()


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))[0].write(tmp_path / "ball.nrrd")
    return tmp_path / "ball.nrrd"


@pytest.fixture
def saved(plain: Path, tmp_path: Path) -> Path:
    """Prompts of liver (1: box) and spleen (2: box, 3: point)."""
    path = tmp_path / "saved.json"
    words = ["--model", "randomwalk", *LIVER, *SPLEEN, "--prompts-out", path]
    assert run("segment", plain, "--out", tmp_path / "first.nrrd", *words) == 0
    return path


def corrected(plain: Path, saved: Path, *words: object) -> list[tuple[str, str]]:
    """The objects and kinds of the prompts after a command with the saved ones."""
    out = saved.with_name("corrected.json")
    given = ["--model", "randomwalk", "--prompts", saved, *words, "--prompts-out", out]
    assert run("segment", plain, "--out", saved.with_name("seg.nrrd"), *given) == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    names = {item["label"]: item["name"] for item in document["objects"]}
    return [(names[item["object"]], item["type"]) for item in document["prompts"]]


@pytest.mark.parametrize("name", ["liver", "Liver", " liver ", "1"])
def test_an_object_of_saved_prompts_is_continued_by_its_name(
    plain: Path, saved: Path, name: str
) -> None:
    found = corrected(plain, saved, "--object", name, *"--point 8 10 8 --negative 4 4 3".split())
    assert found[3:] == [("liver", "point")] * 2
    assert read_prompts(saved.with_name("corrected.json")).labels == (1, 2)
    # The other object keeps its voxels where the click says nothing.
    labels = Volume.read(saved.with_name("seg.nrrd")).array_kji
    assert labels[8, 10, 15] == 2 and labels[8, 10, 8] == 1


def test_another_name_begins_an_object_after_saved_ones(plain: Path, saved: Path) -> None:
    found = corrected(plain, saved, *"--object kidney --point 8 10 8".split())
    assert found[3:] == [("kidney", "point")]


def test_a_second_box_belongs_to_the_object_that_is_named_before_it(
    plain: Path, saved: Path
) -> None:
    box = "--box 4 4 3 14 18 15".split()
    assert corrected(plain, saved, "--object", "liver", *box)[3:] == [("liver", "box")]
    found = corrected(plain, saved, "--object", "liver", *box, *box)
    assert found[3:] == [("liver", "box"), ("Segment_3", "box")]


@pytest.mark.parametrize(
    "words",
    [
        "--point 8 10 8",
        "--negative 8 10 8",
        "--scribble 8 10 8 9 10 8",
        "--lasso 6 8 8 9 8 8 9 12 8",
        "--freeze 4 4 3 5 5 5",
    ],
)
def test_without_a_name_a_click_after_several_saved_objects_is_refused(
    plain: Path, saved: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--out", saved.with_name("s.nrrd"), "--prompts", saved, *words.split()]
    capsys.readouterr()
    message = refused(capsys, "segment", plain, "--model", "randomwalk", *given)
    assert "1 liver, 2 spleen" in message and "--object NAME" in message


def test_a_box_after_several_saved_objects_begins_one_of_its_own(plain: Path, saved: Path) -> None:
    found = corrected(plain, saved, *"--box 1 1 1 4 4 4 --point 2 2 2".split())
    assert found[3:] == [("Segment_3", "box"), ("Segment_3", "point")]


def test_two_objects_of_one_name_are_told_apart_by_label(
    plain: Path, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved.write_text(saved.read_text(encoding="utf-8").replace("spleen", "liver"), encoding="utf-8")
    given = ["--out", saved.with_name("s.nrrd"), "--prompts", saved]
    capsys.readouterr()
    message = refused(capsys, "segment", plain, *given, *"--object liver --point 8 10 8".split())
    assert "give a label of 1, 2" in message
    assert corrected(plain, saved, *"--object 2 --point 15 10 9".split())[3:] == [
        ("liver", "point")
    ]


def test_prompts_are_deleted_and_moved_by_the_numbers_of_the_file(plain: Path, saved: Path) -> None:
    corrected(plain, saved, *"--delete 2 --move 3 16 11 9 --move 1 9 11 9".split())
    (_, box), (_, point) = read_prompts(saved.with_name("corrected.json")).entries
    geometry = Volume.read(plain).geometry
    assert isinstance(box, Box) and isinstance(point, Point)
    assert np.allclose(geometry.ijk_from_ras(point.position_ras), (16, 11, 9))
    assert np.allclose(geometry.ijk_from_ras(box.center_ras), (9, 11, 9))


def test_the_last_prompts_are_taken_back(plain: Path, saved: Path) -> None:
    assert corrected(plain, saved, "--undo") == [("liver", "box"), ("spleen", "box")]
    # An object without prompts goes; one that gets others stays.
    assert corrected(plain, saved, "--undo", "--undo") == [("liver", "box")]
    found = corrected(plain, saved, "--delete", 1, "--object", "liver", "--point", 8, 10, 8)
    assert found[-1] == ("liver", "point")
    assert read_prompts(saved.with_name("corrected.json")).labels == (1, 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--delete 4", "numbered from 1 to 3"),
        ("--delete 0", "There is no prompt 0"),
        ("--move 9 1 1 1", "numbered from 1 to 3"),
        ("--move 1.5 1 1 1", "no number of a prompt"),
        ("--move 3 99 1 1", "outside the volume"),
        ("--undo --undo --undo --undo", "take back fewer"),
        ("--undo --undo --undo", "There are no prompts"),
    ],
)
def test_impossible_corrections_are_refused(
    plain: Path, saved: Path, words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    given = ["--out", saved.with_name("s.nrrd"), "--prompts", saved, *words.split()]
    assert sentence in refused(capsys, "segment", plain, *given)


def test_corrections_need_saved_prompts(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--out", plain.with_name("s.nrrd"), *LIVER, "--undo"]
    assert "--prompts FILE.json" in refused(capsys, "segment", plain, *given)


def test_strokes_and_outlines_are_typed_in_voxels(plain: Path, tmp_path: Path) -> None:
    saved = tmp_path / "drawn.json"
    words = "--scribble 8 10 8 12 10 8 --negative-lasso 1 1 8 3 1 8 3 4 8 1 4 8".split()
    given = ["--model", "randomwalk", *words, "--prompts-out", saved]
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *given) == 0
    (_, stroke), (_, outline) = read_prompts(saved).entries
    geometry = Volume.read(plain).geometry
    assert stroke == Scribble.from_ijk(geometry, [(8, 10, 8), (12, 10, 8)])
    corners = [(1, 1, 8), (3, 1, 8), (3, 4, 8), (1, 4, 8)]
    assert outline == Lasso.from_ijk(geometry, corners, positive=False)
    labels = Volume.read(tmp_path / "s.nrrd").array_kji
    assert labels[8, 10, 8:13].all() and not labels[8, 1:4, 1:3].any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--scribble 8 10 8 12 10", "5 numbers"),
        ("--lasso 8 10 8 12 10 8", "at least three"),
        ("--scribble 8 10 8 99 10 8", "(99, 10, 8) (i, j, k) is outside"),
    ],
)
def test_strokes_that_are_none_are_refused(
    plain: Path, words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", "ensam", "--out", plain.with_name("s.nrrd"), *words.split()]
    assert sentence in refused(capsys, "segment", plain, *given)


def test_each_line_begins_an_object_and_is_printed_as_it_is_typed(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "s.nrrd", tmp_path / "p.json"
    lines = "--line 4 10 8 12 10 8 --negative 1 1 1 --line 14 10 8 18 10 8".split()
    given = ["--model", "randomwalk", "--out", out, "--prompts-out", file]
    assert run("segment", plain, *given, *lines) == 0
    prompts = read_prompts(file)
    assert [(label, prompt_name(prompt)) for label, prompt in prompts.entries] == [
        (1, "line"),
        (1, "point"),
        (2, "line"),
    ]
    assert "line 4 10 8 12 10 8" in capsys.readouterr().out


def test_an_object_of_saved_prompts_that_has_none_stays_empty_and_is_named(
    plain: Path, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(saved.read_text(encoding="utf-8"))
    document["objects"].append({"label": 3, "name": "kidney"})
    saved.write_text(json.dumps(document), encoding="utf-8")
    capsys.readouterr()
    corrected(plain, saved)
    said = "'kidney' has no prompt and stays empty; give one after --object"
    assert said in capsys.readouterr().err
    corrected(plain, saved, *"--object kidney --point 8 10 8".split())
    assert "stays empty" not in capsys.readouterr().err
    (tmp_path / "many").mkdir()
    plain.rename(tmp_path / "many" / "ball.nrrd")
    words = ["--model", "randomwalk", "--prompts", saved, "--out", tmp_path / "results"]
    assert run("segment", tmp_path / "many", *words) == 0
    assert said in (tmp_path / "results" / "results.csv").read_text(encoding="utf-8")
