"""That the labels of a case are instances of one class stays known in every list of cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused, run

from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.evaluate.instances import prompted_cases
from MedSegFMLib.evaluate.protocols import read_protocol


def write_cells(path: Path, **texts: Any) -> Path:
    """Two cells in a file of the challenge, whose texts are {"1": "cell", "instance_label": 1}."""
    labels = np.zeros((6, 8, 9), np.uint8)
    labels[1:3, 1:4, 1:4], labels[3:5, 4:7, 4:7] = 1, 2
    said = {"1": "cell", "instance_label": 1, **texts}
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path, imgs=labels * 90, gts=labels, spacing=(1.0, 1.0, 2.0), text_prompts=said
    )
    return path


def write_list(folder: Path, **more: Any) -> Path:
    case = {"name": "a", "image": "a.npz", "modality": "CT", "objects": {"1": "x", "2": "y"}}
    path = folder / "cases.json"
    path.write_text(json.dumps({"cases": [case | more]}), encoding="utf-8")
    return path


def asked(source: Path) -> list[Case]:
    return prompted_cases(read_cases(source), read_protocol("cvpr25-text"))


@pytest.mark.parametrize("out", ["list.json", "volumes"])
def test_a_converted_folder_is_asked_for_its_instances_as_the_folder_itself(
    out: str, tmp_path: Path
) -> None:
    write_cells(tmp_path / "npz/Microscopy_a.npz")
    assert run("convert", tmp_path / "npz", "--out", tmp_path / out) == 0
    for source in (tmp_path / "npz", tmp_path / out):
        (case,) = asked(source)
        assert (case.objects, case.instances) == (((1, "cell"),), "cell")


def test_instances_stay_known_on_the_way_to_npz_files(tmp_path: Path) -> None:
    write_cells(tmp_path / "npz/Microscopy_a.npz")
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "volumes") == 0
    assert run("convert", tmp_path / "volumes", "--out", tmp_path / "back") == 0
    assert [case.instances for case in asked(tmp_path / "back")] == ["cell"]


def test_without_the_word_a_list_takes_it_from_its_npz_file(tmp_path: Path) -> None:
    write_cells(tmp_path / "a.npz")
    assert [case.instances for case in read_cases(write_list(tmp_path))] == ["cell"]
    write_cells(tmp_path / "a.npz", instance_label=0)
    assert [case.instances for case in read_cases(write_list(tmp_path))] == [None]


@pytest.mark.parametrize(("given", "meant"), [("nucleus", "nucleus"), (None, None)])
def test_the_word_of_a_list_counts_before_its_npz_file(
    given: str | None, meant: str | None, tmp_path: Path
) -> None:
    write_cells(tmp_path / "a.npz")
    (case,) = read_cases(write_list(tmp_path, instances=given))
    assert case.instances == meant


def test_a_file_that_cannot_be_read_is_left_to_its_own_case(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no archive")
    assert [case.name for case in read_cases(write_list(tmp_path))] == ["a"]
    (tmp_path / "a.npz").unlink()
    assert [case.name for case in read_cases(write_list(tmp_path))] == ["a"]


@pytest.mark.parametrize("given", [1, True, " ", "", ["cell"]])
def test_instances_that_are_no_phrase_are_refused(
    given: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = write_list(tmp_path, instances=given)
    said = refused(capsys, "evaluate", listed, "--models", "ellipsoid", "--out", tmp_path / "o")
    assert "case a is malformed (instances is" in said and "the phrase of the class" in said
