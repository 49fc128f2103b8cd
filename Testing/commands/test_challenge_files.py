"""The challenge's npz files on the command line: with prompts, without labels, with texts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused, run

from MedSegFMLib import Box, Geometry, Session, Volume, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.challenge_npz import read_image, read_objects
from MedSegFMLib.datasets.challenge_prompts import read_prompts
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.evaluate.challenge_answer import answer, read_request
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.prompts.types import Point
from MedSegFMLib.registry import card
from MedSegFMLib.segmenter import Encoding, Prediction
from MedSegFMLib.synthesis.recorded.pack_format import load_pack
from MedSegFMLib.volumes.region import Region

SHAPE = (14, 40, 44)
STARTS = ((3, 8, 9), (5, 22, 24))
BOXES = [
    {"z_min": k, "z_max": k + 6, "z_mid": k + 3}
    | {"z_mid_y_min": j, "z_mid_y_max": j + 11, "z_mid_x_min": i, "z_mid_x_max": i + 11}
    for k, j, i in STARTS
]


def labels_kji() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for value, (k, j, i) in enumerate(STARTS, 1):
        labels[k : k + 7, j : j + 12, i : i + 12] = value
    return labels


def write(path: Path, **arrays: Any) -> Path:
    """A file as the challenge's scripts write it: dicts as objects, numbers as numpy's."""
    noise = np.random.default_rng(0).normal(0, 6, SHAPE)
    image = np.clip(60 + 120 * (labels_kji() > 0) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, imgs=image, spacing=np.array((1.0, 1.0, 2.0)), **arrays)
    return path


def clicks_of(*classes: dict[str, list[tuple[int, int, int]]]) -> list[Any]:
    return [
        {kind: [[np.int64(n) for n in place] for place in places] for kind, places in each.items()}
        for each in classes
    ]


CLICKS = clicks_of({"fg": [(5, 12, 12), (6, 13, 13)], "bg": [(12, 2, 2)]}, {"fg": [], "bg": []})


def segs(path: Path) -> np.ndarray:
    with np.load(path) as arrays:
        assert arrays.files == ["segs"]
        found: np.ndarray = arrays["segs"]
    return found


def test_boxes_become_one_label_map_of_all_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "CT_a.npz", boxes=BOXES)
    out = tmp_path / "out"
    assert run("challenge", path.parent, out, "--model", "randomwalk") == 0
    found = segs(out / "CT_a.npz")
    assert found.dtype == np.uint8 and found.shape == SHAPE and set(found.flat) == {0, 1, 2}
    image = read_image(path)
    session = Session(create("randomwalk", "cpu"), image)
    for k, j, i in STARTS:
        session.add_object()
        session.add(Box.from_ijk(image.geometry, (i, j, k), (i + 12, j + 12, k + 7)))
    assert np.array_equal(found, session.labelmap().array_kji)


def test_clicks_follow_the_box_in_their_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in" / "CT_a.npz",
        boxes=BOXES,
        clicks=CLICKS,
        clicks_order=np.array([["fg", "bg", "fg"], []], dtype=object),
        prev_pred=labels_kji(),
    )
    assert read_prompts(path).clicks == (
        (((5, 12, 12), True), ((12, 2, 2), False), ((6, 13, 13), True)),
        (),
    )
    # Without an order, those on the object come first.
    plain = write(tmp_path / "b.npz", clicks=CLICKS)
    clicks = read_prompts(plain).clicks
    assert clicks is not None and [kind for _, kind in clicks[0]] == [True, True, False]
    asked: list[Any] = []
    segmenter = create("randomwalk", "cpu")
    predict = segmenter.predict

    def noting(encoding: Any, prompts: Any, *rest: Any) -> Any:
        asked.append(tuple(prompts))
        return predict(encoding, prompts, *rest)

    segmenter.predict = noting  # type: ignore[method-assign]
    labels = answer(read_request(path, "xyz"), segmenter)
    assert set(labels.flat) == {0, 1, 2}
    kinds = [[type(prompt) for prompt in prompts] for prompts in asked]
    assert kinds[0] == [Box, Point, Point, Point]
    # The clicks on the first class are background of the second.
    assert kinds[1].count(Box) == 1 and not any(
        isinstance(p, Point) and p.positive for p in asked[1]
    )
    assert [p.positive for p in asked[0][1:]] == [True, False, True]


def test_an_answer_may_start_from_the_previous_one(tmp_path: Path) -> None:
    previous = np.roll(labels_kji(), 1, axis=2)
    clicks = clicks_of({"fg": [(5, 12, 12)], "bg": []}, {"fg": [(8, 28, 30)], "bg": []})
    path = write(tmp_path / "in" / "CT_a.npz", boxes=BOXES, clicks=clicks, prev_pred=previous)
    words = ["--model", "randomwalk", "--from-previous"]
    assert run("challenge", path, tmp_path / "out", *words) == 0
    # The clicks agree with the masks that it starts from.
    assert np.array_equal(segs(tmp_path / "out" / "CT_a.npz"), previous)


def test_answers_are_scored_beside_their_references(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "CT_a.npz", boxes=BOXES)
    (tmp_path / "gts").mkdir()
    np.savez_compressed(tmp_path / "gts" / "CT_a.npz", gts=labels_kji())
    words = ["--model", "ellipsoid", "--gts", tmp_path / "gts"]
    assert run("challenge", path.parent, tmp_path / "out", *words) == 0
    with (tmp_path / "out" / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["CaseName"] == "CT_a.npz" and row["F1"] == ""
    assert 0.5 < float(row["DSC"]) < 1 and 0.5 < float(row["NSD"]) <= 1


def test_one_file_that_cannot_be_answered_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in" / "a.npz", boxes=BOXES)
    write(tmp_path / "in" / "b.npz")
    write(tmp_path / "in" / "c.npz", boxes=BOXES, clicks=CLICKS[:1])
    assert run("challenge", tmp_path / "in", tmp_path / "out", "--model", "ellipsoid") == 1
    said = capsys.readouterr()
    assert "b.npz has no boxes, clicks or text_prompts" in said.err
    assert "c.npz has boxes for 2 classes and clicks for 1" in said.err
    assert "1 of 3 files were answered" in said.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.npz"]


def test_texts_are_the_names_and_prompts_of_objects(tmp_path: Path) -> None:
    texts = {"1": "liver", "2": ["Kidney (L)", "left kidney in CT"], "instance_label": 0}
    path = write(tmp_path / "a.npz", gts=labels_kji(), text_prompts=texts)
    assert read_objects(path) == {1: "liver", 2: "Kidney (L)"}
    request = read_request(path, "xyz")
    assert request.labels == (1, 2) and not request.prompts.is_instances
    assert read_prompts(
        write(tmp_path / "i.npz", text_prompts={"1": "x", "instance_label": 1})
    ).is_instances
    # The file of the labels alone gets its names from that of the image.
    np.savez_compressed(tmp_path / "gts.npz", gts=labels_kji())
    assert read_objects(tmp_path / "gts.npz", path) == {1: "liver", 2: "Kidney (L)"}
    # Equal names are told apart.
    same = {"1": "lesion", "2": "lesion", "instance_label": 1}
    path = write(tmp_path / "s.npz", gts=labels_kji(), text_prompts=same)
    assert read_objects(path) == {1: "lesion 1", 2: "lesion 2"}
    assert read_protocol("cvpr25-text").text_first


def test_a_coreset_of_a_folder_is_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skimage")
    for name in ("CT_a", "MR_b"):
        for n in range(2):
            (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
            write(tmp_path / "in" / name / f"{name}_{n}.npz", gts=labels_kji())
    listed = tmp_path / "no.txt"
    listed.write_text("CT_a_0\n")
    words = ["--licence", "CC0", "--attribution", "us", "--out", tmp_path / "p.npz"]
    words += ["--coreset", 0.6, "--exclude", listed]
    assert run("pack", tmp_path / "in", *words) == 0
    names = [packed.name for packed in load_pack(tmp_path / "p.npz")]
    # Two of three files that are left, one of each data set.
    assert names[0] == "CT_a/CT_a_1" and len(names) == 2 and names[1].startswith("MR_b/MR_b_")
    assert "2 volumes" in capsys.readouterr().out
    wrong = ["--coreset", 0, *words[:6]]
    assert "--coreset is 0" in refused(capsys, "pack", tmp_path / "in", *wrong)


def test_instances_are_asked_for_at_once_and_scored_by_f1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two instances, of which the answer has one exactly and misses the other."""
    labels = labels_kji()
    texts = {"1": "bright block", "instance_label": 1}
    write(tmp_path / "in" / "CT_i.npz", gts=labels, text_prompts=texts)
    semantic = {"1": "first block", "2": "second block", "instance_label": 0}
    write(tmp_path / "in" / "CT_s.npz", gts=labels, text_prompts=semantic)
    asked: list[str] = []

    class OneOfTwo:
        card = replace(card("ellipsoid"), prompts=("text",), can_predict_empty=True)
        classes = ()

        def encode(self, volume: Volume, region: Any, progress: Any) -> Encoding:
            return Encoding(volume.geometry, Region.whole(SHAPE), 0)

        def predict(self, encoding: Encoding, prompts: Any, *rest: Any) -> Prediction:
            (prompt,) = prompts
            asked.append(prompt.phrase)
            number = 2 if "second" in prompt.phrase else 1
            logits = np.where(labels == number, 1, -1).astype(np.float32)
            return Prediction(encoding.geometry, (0, 0, 0), logits)

    monkeypatch.setattr(ellipsoid, "CARD", OneOfTwo.card)
    monkeypatch.setattr(ellipsoid, "create", lambda device="auto": OneOfTwo())
    out = tmp_path / "out"
    words = ["--models", "ellipsoid", "--protocol", "cvpr25-text", "--jobs", 1, "--out", out]
    assert run("evaluate", tmp_path / "in", *words) == 0
    assert asked == ["bright block", "first block", "second block"]
    with (out / "results.csv").open() as file:
        instances, *others = csv.DictReader(file)
    # One match of one found and two true instances: 2 / 3; their union has Dice 2 / 3 as well.
    assert float(instances["f1"]) == pytest.approx(2 / 3)
    assert float(instances["dsc"]) == pytest.approx(2 / 3)
    assert [(row["f1"], float(row["dsc"])) for row in others] == [("", 1), ("", 1)]
    assert "F1 of instances 0.667 in 1 case" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    assert summary["ellipsoid"]["f1"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert "F1 of the instances" in (out / "report.html").read_text()
    # A second run has nothing left to do, and the label maps are written as for other cases.
    assert run("evaluate", tmp_path / "in", *words) == 0 and len(asked) == 3
    # Each label is an object of its own for boxes and clicks.
    assert [len(case.objects) for case in read_cases(tmp_path / "in")] == [2, 2]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"text_prompts": {"1": 3}}, "the text of label 1 is not a phrase"),
        ({"text_prompts": np.zeros(3)}, "its prompts cannot be read"),
        ({"clicks": [{"fg": [[1, 2]]}]}, "a click is not three numbers"),
        ({"clicks": [3]}, "its prompts cannot be read"),
        ({"clicks": [{"fg": 5}]}, "the clicks of a class are not lists"),
        ({"clicks": [{"fg": [["a", 1, 2]]}]}, "is not the index of a voxel"),
        ({"prev_pred": np.zeros((2, 2))}, "a label map"),
    ],
)
def test_prompts_that_are_none_are_refused(
    arrays: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(VolumeError, match=said):
        read_prompts(write(tmp_path / "a.npz", **arrays))


def test_a_volume_in_a_file_of_the_challenge_is_segmented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.npz")
    words = ["--model", "ellipsoid", "--box", 9, 8, 3, 21, 20, 10]
    assert run("segment", path, "--out", tmp_path / "o.nii.gz", *words) == 0
    made = Volume.read(tmp_path / "o.nii.gz")
    assert made.geometry.shape_kji == SHAPE and made.geometry.spacing_ijk_mm == (1, 1, 2)
    order = ["--spacing-order", "zyx"]
    assert run("segment", path, "--out", tmp_path / "z.nii.gz", *words, *order) == 0
    assert Volume.read(tmp_path / "z.nii.gz").geometry.spacing_ijk_mm == (2, 1, 1)
    capsys.readouterr()
    assert "has no --frame" in refused(
        capsys, "segment", path, "--out", tmp_path / "x.nii.gz", *words, "--frame", 1
    )


def test_files_without_labels_are_converted_to_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in" / "CT_a.npz")
    assert run("convert", tmp_path / "in", "--out", tmp_path / "only") == 0
    assert [path.name for path in (tmp_path / "only").iterdir()] == ["CT_a.nii.gz"]
    write(tmp_path / "in" / "CT_b.npz", gts=labels_kji())
    assert run("convert", tmp_path / "in", "--out", tmp_path / "both") == 0
    assert "1 of 2 files have no labels" in capsys.readouterr().err
    (case,) = read_cases(tmp_path / "both" / "cases.json")
    assert case.name == "CT_b" and (tmp_path / "both" / "CT_a.nii.gz").is_file()
    image = read_image(tmp_path / "in" / "CT_a.npz")
    assert np.array_equal(Volume.read(tmp_path / "both" / "CT_a.nii.gz").array_kji, image.array_kji)
    assert "has no 'gts'" in refused(
        capsys, "convert", tmp_path / "in", "--out", tmp_path / "list.json"
    )


def test_files_of_the_challenge_are_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skimage")
    write(tmp_path / "in" / "CT_a.npz", gts=labels_kji())
    write(tmp_path / "in" / "CT_b.npz")
    folder, out = tmp_path / "in", tmp_path / "pack.npz"
    assert "does not state the licence" in refused(capsys, "pack", folder, "--out", out)
    words = ["--licence", "CC BY 4.0", "--attribution", "somebody"]
    assert run("pack", folder, "--out", out, *words) == 0
    assert "2 volumes, 2 with an image, 1 with labels" in capsys.readouterr().out
    listed = {"name": "a", "image": "in/CT_a.npz", "label": "in/CT_a.npz"}
    listed |= {"licence": "CC0", "attribution": "nobody"}
    (tmp_path / "sources.json").write_text(json.dumps({"sources": [listed]}))
    assert run("pack", tmp_path / "sources.json", "--out", tmp_path / "p2.npz") == 0
    assert "1 volume, 1 with an image, 1 with labels" in capsys.readouterr().out


def test_the_grid_of_a_file_of_the_challenge_is_along_the_patients_axes(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.npz"))
    assert isinstance(image.geometry, Geometry) and image.geometry.shape_kji == SHAPE
