"""`medsegfm convert` writes the names of objects as the challenge's `text_prompts`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.datasets.challenge_npz import read_objects
from MedSegFMLib.datasets.challenge_prompts import FilePrompts, read_instances, read_prompts
from MedSegFMLib.evaluate.challenge_answer import read_request
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation

GRID = Geometry.from_spacing((6, 8, 9), (1, 1, 2))


def write_volumes(folder: Path) -> Path:
    """An image and a label map with the labels 2, 3 and 7."""
    labels = np.zeros(GRID.shape_kji, np.uint8)
    labels[1:3, 1:4, 1:4], labels[3:5, 4:7, 4:7], labels[1:3, 5:7, 5:8] = 2, 3, 7
    Volume(labels.astype(np.int16) * 90, GRID).write(folder / "a.nii.gz")
    Volume(labels, GRID).write(folder / "a-label.nii.gz")
    return folder / "a.nii.gz"


def written(folder: Path, objects: dict[str, str], **more: Any) -> Path:
    """The npz file of a case with these objects."""
    write_volumes(folder)
    case = {"name": "a", "image": "a.nii.gz", "label": "a-label.nii.gz", "modality": "CT"}
    listed = folder / "cases.json"
    listed.write_text(json.dumps({"cases": [case | {"objects": objects} | more]}))
    assert run("convert", listed, "--out", folder / "npz") == 0
    return folder / "npz" / "a.npz"


def test_names_of_a_list_are_texts_as_the_challenge_stores_them(tmp_path: Path) -> None:
    path = written(tmp_path, {"7": "liver", "2": "left kidney"})
    prompts = read_prompts(path)
    assert dict(prompts.texts) == {2: "left kidney", 7: "liver"} and not prompts.is_instances
    with np.load(path, allow_pickle=True) as arrays:
        said = arrays["text_prompts"].item()
    assert said == {"2": "left kidney", "7": "liver", "instance_label": 0}
    request = read_request(path, "xyz")
    assert request.kinds == ("texts",) and request.labels == (2, 7)
    # There and back.
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "volumes") == 0
    assert run("convert", tmp_path / "volumes", "--out", tmp_path / "again") == 0
    assert read_prompts(tmp_path / "again" / "a.npz") == prompts


def test_labels_without_a_name_get_no_text(tmp_path: Path) -> None:
    image = write_volumes(tmp_path)
    words = ["convert", image, "--label", tmp_path / "a-label.nii.gz", "--out"]
    assert run(*words, tmp_path / "none.npz") == 0
    assert read_prompts(tmp_path / "none.npz") == FilePrompts()
    assert run(*words, tmp_path / "one.npz", "--objects", "2=spleen,3=label 3") == 0
    assert dict(read_prompts(tmp_path / "one.npz").texts) == {2: "spleen"}


def test_names_that_are_numbered_because_they_are_equal_have_one_phrase(tmp_path: Path) -> None:
    path = written(tmp_path, {"2": "lesion 2", "3": "lesion 3", "7": "vertebra 7"})
    assert dict(read_prompts(path).texts) == {2: "lesion", 3: "lesion", 7: "vertebra 7"}
    assert read_objects(path) == {2: "lesion 2", 3: "lesion 3", 7: "vertebra 7"}


def test_instances_of_a_class_have_its_phrase(tmp_path: Path) -> None:
    path = written(tmp_path, {"2": "x", "3": "y"}, instances="cell")
    assert read_instances(path) == "cell" and dict(read_prompts(path).texts) == {1: "cell"}


@pytest.mark.parametrize("words", [(), ("--objects", "5=spleen")])
def test_names_of_segments_are_texts(words: tuple[str, ...], tmp_path: Path) -> None:
    image = write_volumes(tmp_path)
    labels = Volume.read(tmp_path / "a-label.nii.gz")
    names = {2: "spleen", 3: "left kidney", 7: "liver", 9: "absent"}
    Segmentation.from_labelmap(labels, names).write(tmp_path / "a.seg.nrrd")
    out = tmp_path / "a.npz"
    assert run("convert", image, "--label", tmp_path / "a.seg.nrrd", "--out", out, *words) == 0
    expected = {5: "spleen"} if words else {n: name for n, name in names.items() if n != 9}
    assert dict(read_prompts(out).texts) == expected
