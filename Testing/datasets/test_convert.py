"""`medsegfm convert` and the challenge's npz files: what is read, written and refused."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.challenge_boxes import read_boxes
from MedSegFMLib.datasets.challenge_npz import read_image, read_objects, write_case
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.evaluate.protocol import BOX_MIDDLES
from MedSegFMLib.simulate import challenge_box

SPACING = (0.8, 1.0, 3.0)


def write_pair(folder: Path, geometry: Geometry, name: str = "CT_one") -> Path:
    """An image and a label map with the labels 2 and 7, in a list."""
    volume, mask = make_blob(geometry)
    labels = mask.astype(np.uint8) * 2
    labels[:, :, : labels.shape[2] // 2] *= 3
    labels[labels == 6] = 7
    folder.mkdir(exist_ok=True)
    volume.write(folder / f"{name}.nii.gz")
    Volume(labels, geometry).write(folder / f"{name}-label.nii.gz")
    case = {
        "name": name,
        "image": f"{name}.nii.gz",
        "label": f"{name}-label.nii.gz",
        "modality": "CT",
        "objects": {"2": "right half", "7": "left half"},
    }
    (folder / "cases.json").write_text(json.dumps({"cases": [case]}))
    return folder / "cases.json"


def write_npz(path: Path, **changes: Any) -> Path:
    """A file as the challenge's own tools write it; None leaves a key out."""
    volume, mask = make_blob(Geometry.from_spacing((6, 8, 9), (1, 1, 1)))
    labels = mask.astype(np.uint8) * 2
    labels[:, :4] *= 2
    arrays: dict[str, Any] = {
        "imgs": np.clip(volume.array_kji * 2, 0, 255).astype(np.uint8),
        "gts": labels,
        "spacing": SPACING,
        **changes,
    }
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def box_dicts(labels: np.ndarray) -> list[dict[str, np.int64]]:
    """What the challenge's get_boxes.py makes, without jitter."""
    dicts = []
    for label in np.unique(labels)[1:]:
        (k0, j0, i0), (k1, j1, i1) = challenge_box(labels == label, 0, 0)
        ends = {"z_min": k0, "z_max": k1 - 1, "z_mid": (k0 + k1) // 2}
        ends |= {"z_mid_y_min": j0, "z_mid_y_max": j1 - 1}
        ends |= {"z_mid_x_min": i0, "z_mid_x_max": i1 - 1}
        dicts.append({key: np.int64(value) for key, value in ends.items()})
    return dicts


# There and back


@pytest.mark.parametrize("order", ["xyz", "zyx"])
def test_a_case_comes_back_with_its_voxels_place_and_names(
    geometry: Geometry, order: str, tmp_path: Path
) -> None:
    cases = write_pair(tmp_path / "in", geometry)
    words = ["--spacing-order", order]
    assert run("convert", cases, "--out", tmp_path / "npz", *words) == 0
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "back", *words) == 0
    (before,), (after,) = read_cases(cases), read_cases(tmp_path / "back" / "cases.json")
    assert (after.name, after.modality, after.objects) == (
        before.name,
        before.modality,
        before.objects,
    )
    old, new = load_case(before), load_case(after)
    assert np.array_equal(old.image.array_kji, new.image.array_kji)
    assert np.array_equal(old.label.array_kji, new.label.array_kji)
    assert new.image.geometry.matches(old.image.geometry) and not new.resampled


def test_spacing_is_written_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    cases = write_pair(tmp_path / "in", Geometry.from_spacing((6, 8, 9), SPACING))
    for order, expected in (("xyz", SPACING), ("zyx", SPACING[::-1])):
        out = tmp_path / order
        assert run("convert", cases, "--out", out, "--spacing-order", order) == 0
        with np.load(out / "CT_one.npz") as written:
            assert np.allclose(written["spacing"], expected)
            assert written["imgs"].shape == written["gts"].shape == (6, 8, 9)
            assert set(written["gts"].flat) == {0, 2, 7}
        # The list beside it tells the order, so that both are read alike.
        (case,) = read_cases(out / "cases.json")
        assert np.allclose(load_case(case).image.geometry.spacing_ijk_mm, SPACING)


def test_a_file_without_directions_is_read_as_simpleitk_takes_an_array(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "MR_a.npz")
    image = read_image(path)
    assert image.geometry.axis_codes == "LPS" and image.geometry.spacing_ijk_mm == SPACING
    assert read_image(path, "zyx").geometry.spacing_ijk_mm == SPACING[::-1]


def test_what_a_file_does_not_tell_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MR_a", "MR_b"):
        write_npz(tmp_path / "npz" / f"{name}.npz", spacing=(5.0, 0.8, 0.8))
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.count("hold no directions") == 1 and "in 2 of 2 cases" in said
    assert "looks as if it were zyx, not xyz" in said
    assert [case.modality for case in read_cases(tmp_path / "out" / "cases.json")] == ["MR", "MR"]


def test_what_files_without_labels_do_not_tell_is_said_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MR_a", "MR_b"):
        write_npz(tmp_path / "npz" / f"{name}.npz", gts=None, spacing=(5.0, 0.8, 0.8))
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "bare") == 0
    said = capsys.readouterr().err
    assert "hold no directions" in said and "in 2 of 2 cases" in said
    assert "The spacing of 2 cases, MR_a the first, looks as if it were zyx, not xyz" in said
    write_npz(tmp_path / "npz/MR_c.npz")
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "both") == 0
    assert "in 3 of 3 cases" in capsys.readouterr().err


def test_npz_files_are_listed_where_they_are_and_evaluated(tmp_path: Path) -> None:
    write_npz(tmp_path / "npz" / "US_a.npz", gts=None)
    with np.load(write_npz(tmp_path / "other.npz")) as other:
        gts = other["gts"]
    (tmp_path / "gts").mkdir()
    np.savez_compressed(tmp_path / "gts" / "US_a.npz", gts=gts)
    words = ["--labels", tmp_path / "gts", "--out", tmp_path / "list" / "cases.json"]
    (tmp_path / "list").mkdir()
    assert run("convert", tmp_path / "npz", *words) == 0
    (case,) = read_cases(tmp_path / "list" / "cases.json")
    assert np.array_equal(load_case(case).label.array_kji, gts)
    assert case.objects == ((2, "label 2"), (4, "label 4")) and case.modality == "US"
    evaluated = ["--models", "ellipsoid", "--jobs", 1, "--protocol", "cvpr25"]
    listed = tmp_path / "list" / "cases.json"
    assert run("evaluate", listed, "--out", tmp_path / "o", *evaluated) == 0


def test_a_folder_of_npz_files_is_evaluated_as_it_is(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "npz" / "CT_a.npz")
    with np.load(path) as arrays:
        boxes = box_dicts(arrays["gts"])
    write_npz(path, boxes=np.array(boxes, dtype=object))
    words = ["--models", "ellipsoid", "--jobs", 1, "--protocol", "cvpr25", "--clicks", 0]
    assert run("evaluate", path.parent, "--out", tmp_path / "o", *words) == 0
    lines = (tmp_path / "o" / "results.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and all(",box," in line for line in lines[1:])


@pytest.mark.parametrize("name", ["cases.json", "CASES.json"])
def test_a_folder_takes_its_list_along(name: str, tmp_path: Path) -> None:
    listed = write_pair(tmp_path / "volumes", Geometry.from_spacing((6, 8, 9), SPACING), "first")
    listed.rename(listed.with_name(name))
    # To npz and back: names, modality, objects and the order of the spacing stay.
    words = ["--spacing-order", "zyx"]
    assert run("convert", tmp_path / "volumes", "--out", tmp_path / "npz", *words) == 0
    assert (tmp_path / "npz/first.npz").is_file()
    assert run("convert", tmp_path / "npz", "--out", tmp_path / "again") == 0
    cases = [read_cases(tmp_path / folder)[0] for folder in ("volumes", "npz", "again")]
    assert {case.name for case in cases} == {"first"}
    assert {case.modality for case in cases} == {"CT"}
    assert {case.objects for case in cases} == {((2, "right half"), (7, "left half"))}
    before, _, after = map(load_case, cases)
    assert after.image.geometry.matches(before.image.geometry, 1e-4)
    assert np.array_equal(after.label.array_kji, before.label.array_kji)


def test_an_order_of_the_spacing_that_is_given_replaces_that_of_the_list(tmp_path: Path) -> None:
    write_npz(tmp_path / "npz/CT_a.npz")
    case = {"name": "a", "image": "CT_a.npz", "modality": "CT", "objects": {"2": "one"}}
    (tmp_path / "npz/cases.json").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    for order, spacing in (("xyz", SPACING), ("zyx", SPACING[::-1])):
        out = tmp_path / order
        assert run("convert", tmp_path / "npz", "--out", out, "--spacing-order", order) == 0
        written = Volume.read(out / "a.nii.gz").geometry.spacing_ijk_mm
        assert written == pytest.approx(spacing)


def test_one_image_becomes_one_npz_with_boxes_and_grey_values(tmp_path: Path) -> None:
    cases = write_pair(tmp_path / "in", Geometry.from_spacing((6, 8, 9), SPACING))
    image, label = cases.parent / "CT_one.nii.gz", cases.parent / "CT_one-label.nii.gz"
    words = ["--label", label, "--objects", "2=spleen", "--boxes", "--window", 0, 100]
    out = tmp_path / "one.npz"
    assert run("convert", image, "--out", out, *words) == 0
    with np.load(out) as written:
        assert written["imgs"].dtype == np.uint8 and written["imgs"].max() == 255
        assert set(written["gts"].flat) == {0, 2}
        gts = written["gts"]
    # The challenge's own tools read boxes so.
    (box,) = np.load(out, allow_pickle=True)["boxes"]
    assert (box["z_min"], box["z_max"]) == tuple(np.nonzero(gts)[0][[0, -1]])
    ((start, stop),) = read_boxes(out, gts).values()
    assert start == (box["z_min"], box["z_mid_y_min"], box["z_mid_x_min"])
    assert stop == (box["z_max"] + 1, box["z_mid_y_max"] + 1, box["z_mid_x_max"] + 1)


@pytest.mark.parametrize("rule", BOX_MIDDLES)
def test_boxes_are_drawn_on_the_slice_of_the_rule_that_is_named(rule: str, tmp_path: Path) -> None:
    labels = np.zeros((9, 20, 20), np.uint8)
    labels[1, 2:18, 2:18] = labels[2, 4:8, 4:8] = labels[3, 9:12, 9:12] = 1
    volume = Volume(labels, Geometry.from_spacing(labels.shape, (1, 1, 1)))
    volume.write(tmp_path / "a.nii.gz")
    words = ["--label", tmp_path / "a.nii.gz", "--boxes", "--box-rule", rule]
    assert run("convert", tmp_path / "a.nii.gz", "--out", tmp_path / "a.npz", *words) == 0
    (box,) = np.load(tmp_path / "a.npz", allow_pickle=True)["boxes"]
    slices = np.nonzero(labels)[0]
    expected = slices[len(slices) // 2] if "voxel" in rule else 2
    assert box["z_mid"] == expected == (1 if "voxel" in rule else 2)
    # At most one voxel wider: the draw of 0 to 5 in a slice of 256.
    rows = np.flatnonzero(labels[expected].any(axis=1))
    assert box["z_mid_y_min"] == rows[0] and box["z_mid_y_max"] == rows[-1]


# What is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"imgs": None}, "lacks 'imgs'; it contains gts, spacing"),
        ({"spacing": None}, "lacks 'spacing'"),
        ({"gts": np.ones((6, 8, 8), np.uint8)}, "'gts' has the shape (6, 8, 8), and its image"),
        ({"gts": np.zeros((6, 8, 9), np.uint8)}, "has no label above 0"),
        ({"gts": np.ones((6, 8, 9), np.float32)}, "'gts' contains float32"),
        ({"imgs": np.ones((8, 9)), "gts": np.ones((8, 9), int)}, "one 3D volume"),
        ({"imgs": np.ones((6, 8, 9, 3))}, "'imgs' has the shape (6, 8, 9, 3)"),
        ({"spacing": (1.0, np.nan, 1.0)}, "'spacing' is [1.0, nan, 1.0]; three finite numbers"),
        ({"spacing": (1.0, 0.0, 1.0)}, "'spacing' is [1.0, 0.0, 1.0]"),
        ({"spacing": (1.0, 1.0)}, "'spacing' is [1.0, 1.0]"),
        ({"boxes": np.array([{"z_min": 1}, {}], dtype=object)}, "its boxes cannot be read"),
        ({"boxes": np.array([{}], dtype=object)}, "has 1 boxes for 2 labels"),
    ],
)
def test_a_bad_npz_is_refused_and_nothing_is_written(
    changes: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_npz(tmp_path / "npz" / "CT_a.npz")
    write_npz(tmp_path / "npz" / "CT_b.npz", **changes)
    error = refused(capsys, "convert", tmp_path / "npz", "--out", tmp_path / "out")
    assert said in error and "CT_b" in error
    assert [path.name for path in tmp_path.iterdir()] == ["npz"]


def test_files_that_are_no_npz_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "a.npz"
    for content in (b"", b"no archive", write_npz(tmp_path / "b.npz").read_bytes()[:200]):
        bad.write_bytes(content)
        assert "cannot be read as npz" in refused(capsys, "convert", bad, "--out", tmp_path / "o")
    (tmp_path / "empty").mkdir()
    said = refused(capsys, "convert", tmp_path / "empty", "--out", tmp_path / "o")
    assert "contains no npz files" in said
    assert not (tmp_path / "o").exists()


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", boxes=np.array([{}]))
    content = bytearray(path.read_bytes())
    # The flag of encryption, in each file's head and in the list of files.
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(mark), bytes(content)):
            content[found.start() + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(VolumeError, match="password"):
        read_image(path)
    with pytest.raises(VolumeError, match="password"):
        read_boxes(path, np.ones((2, 2, 2), np.uint8))


def test_names_that_belong_to_no_label_are_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", medsegfm_objects=np.array("[1]"))
    with pytest.raises(VolumeError, match="does not map labels to names"):
        read_objects(path)


def test_a_box_tells_the_slice_that_it_was_drawn_on(tmp_path: Path) -> None:
    labels = np.zeros((9, 8, 7), np.uint8)
    # Two blobs with nothing between: most voxels lie in the last slices.
    labels[0, 2, 2] = labels[7:, 2:5, 2:5] = 3
    image = Volume(labels, Geometry.from_spacing(labels.shape, (1, 1, 1)))
    write_case(tmp_path / "a.npz", image, labels, {3: "x"}, boxes={3: ((0, 2, 2), (9, 5, 5))})
    with np.load(tmp_path / "a.npz", allow_pickle=True) as arrays:
        (box,) = arrays["boxes"]
    # As get_boxes.py finds it.
    k = np.unique(np.where(labels > 0)[0])
    assert box["z_mid"] == k[len(k) // 2] == 7 and (box["z_min"], box["z_max"]) == (0, 8)


def test_boxes_that_would_run_code_are_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    boxes = np.empty(1, dtype=object)
    boxes[0] = Evil()
    path = write_npz(tmp_path / "a.npz", boxes=boxes)
    with pytest.raises(VolumeError, match=r"boxes cannot be read .*which is not a number"):
        read_boxes(path, np.ones((2, 2, 2), np.uint8))
    assert not (tmp_path / "ran").exists()
    # The file would do it where it is read without care.
    with np.load(path, allow_pickle=True) as careless:
        assert isinstance(careless["boxes"], np.ndarray)
    assert (tmp_path / "ran").exists() and pickle.HIGHEST_PROTOCOL


def test_no_label_map_takes_the_name_of_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "a-label"):
        write_npz(tmp_path / "npz" / f"{name}.npz")
    said = refused(capsys, "convert", tmp_path / "npz", "--out", tmp_path / "o")
    assert "cases 'a' and 'a-label'" in said and not (tmp_path / "o").exists()


def test_converting_never_writes_over_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = write_pair(tmp_path / "in", Geometry.from_spacing((6, 8, 9), SPACING))
    said = refused(capsys, "convert", cases, "--out", cases.parent)
    assert "exists and is not an empty folder" in said
    said = refused(capsys, "convert", cases.parent / "CT_one.nii.gz", "--out", tmp_path / "o")
    assert "give its label map with --label" in said
    document = json.loads(cases.read_text(encoding="utf-8"))
    document["cases"].append({**document["cases"][0], "name": "a/b"})
    cases.write_text(json.dumps(document))
    said = refused(capsys, "convert", cases, "--out", tmp_path / "o")
    assert "'a/b' cannot be a file's name" in said and not (tmp_path / "o").exists()
    assert "one file for 2 cases" in refused(capsys, "convert", cases, "--out", tmp_path / "o.npz")
    said = refused(capsys, "convert", cases, "--out", tmp_path / "o.json")
    assert "use a folder" in said
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "is the current folder" in refused(capsys, "convert", cases, "--out", ".")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").rmdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--objects", "2"], "--objects is '2'"),
        (["--objects", "2=a,2=b"], "--objects is '2=a,2=b'"),
        (["--objects", "3=none"], "is labelled none"),
        (["--window", "9", "9"], "--window is 9 9"),
    ],
)
def test_choices_that_are_none_are_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_pair(tmp_path / "in", Geometry.from_spacing((6, 8, 9), SPACING))
    image, label = cases.parent / "CT_one.nii.gz", cases.parent / "CT_one-label.nii.gz"
    start = ["convert", image, "--label", label, "--out", tmp_path / "o.npz"]
    assert said in refused(capsys, *start, *words)
    assert not (tmp_path / "o.npz").exists()


def test_a_label_map_beside_its_image_is_refused(
    geometry: Geometry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_pair(tmp_path / "in", geometry)
    label = cases.parent / "CT_one-label.nii.gz"
    volume = Volume.read(label)
    matrix = volume.geometry.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 0] * (volume.geometry.shape_kji[2] + 1)
    Volume(volume.array_kji, Geometry(volume.geometry.shape_kji, matrix)).write(label)
    said = refused(capsys, "convert", cases, "--out", tmp_path / "o")
    assert "do not overlap" in said and "Case CT_one" in said
