"""`medsegfm segment` writes layers, codes and a ledger; replay and measure read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from command_line import refused, run
from dicom_files import slices, write_files
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.results.ledger import parse_ledger, sidecar_of
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation

TWO = ["--object", "liver", "--box", 4, 4, 3, 20, 18, 15]
TWO += ["--object", "tumour", "--box", 8, 8, 6, 20, 18, 15]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    ball, _ = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))
    ball.write(tmp_path / "in" / "ball.nrrd")
    return tmp_path / "in" / "ball.nrrd"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A DICOM series of a ball, of a patient with a name, an ID and dates."""
    ball, _ = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))
    stored = slices(ball.array_kji.astype(np.int16), step=(0, 0, 2.1), spacing=(0.9, 0.9))
    write_files(tmp_path / "ct", stored, PatientID="4711", StudyDate="20200117")
    return tmp_path / "ct"


def segment(volume: Path, out: Path, *words: object) -> int:
    return run("segment", volume, "--model", "randomwalk", "--out", out, *words)


def test_objects_overlap_in_layers_and_a_label_map_says_what_it_flattened(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(volume, tmp_path / "a.seg.nrrd", *TWO) == 0
    layered = Segmentation.read(tmp_path / "a.seg.nrrd")
    ((one, other, voxels),) = layered.overlaps()
    assert (one.name, other.name) == ("liver", "tumour") and voxels > 100
    assert "overlap in" not in capsys.readouterr().out
    assert segment(volume, tmp_path / "a.nii.gz", *TWO) == 0
    said = capsys.readouterr().out
    assert f"liver and tumour overlap in {voxels} voxels, which a label map gives to one" in said
    assert said.index("overlap in") < said.index("Wrote")


def test_segments_of_a_file_are_masks_by_name_or_label(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "a.seg.nrrd"
    assert segment(volume, given, *TWO) == 0
    tumour = Segmentation.read(given).segment("tumour")
    for choice in ("tumour", "2"):
        assert segment(volume, tmp_path / "b.nrrd", "--mask", f"{given}:{choice}") == 0
        found = Volume.read(tmp_path / "b.nrrd")
        assert np.array_equal(found.array_kji > 0, tumour.on(found.geometry))
    capsys.readouterr()
    words = ["segment", volume, "--model", "randomwalk", "--out", tmp_path / "c.nrrd"]
    assert "segments 1 liver, 2 tumour; choose one" in refused(capsys, *words, "--mask", given)
    assert "no segment 'spleen'" in refused(capsys, *words, "--mask", f"{given}:spleen")
    assert not (tmp_path / "c.nrrd").exists()


def test_a_dicom_series_gets_dicom_seg_that_is_a_mask_again(series: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.dcm"
    assert segment(series, out, *TWO) == 0
    dataset = pydicom.dcmread(out)
    assert dataset.PatientID == "4711" and dataset.Modality == "SEG"
    assert [item.SegmentLabel for item in dataset.SegmentSequence] == ["liver", "tumour"]
    assert segment(series, tmp_path / "b.nrrd", "--mask", f"{out}:tumour") == 0
    again = Volume.read(tmp_path / "b.nrrd")
    assert segment(series, tmp_path / "a.seg.nrrd", *TWO) == 0
    tumour = Segmentation.read(tmp_path / "a.seg.nrrd").segment("tumour")
    assert np.array_equal(again.array_kji > 0, tumour.on(again.geometry))
    assert run("replay", out, series) == 0
    assert segment(series, tmp_path / "f.dcm", *TWO, "--fractional") == 0
    assert pydicom.dcmread(tmp_path / "f.dcm").SegmentationType == "FRACTIONAL"
    assert run("replay", tmp_path / "f.dcm", series) == 0


@pytest.mark.parametrize(
    ("out", "words", "said"),
    [
        ("x.dcm", [], "would be DICOM SEG, which refers to the images of a DICOM series"),
        ("x.nrrd", ["--fractional"], "--fractional is for DICOM SEG"),
        ("x.dcm", ["--fractional", "--largest"], "cannot be fractional after --smooth"),
        ("x.nrrd", ["--smooth", "-1"], "--smooth is -1; give a number of 0 or more"),
        ("x.nrrd", ["--min-volume", "nan"], "--min-volume is nan"),
        ("x.nrrd", ["--consistency", "{folder}/m.seg.nrrd"], "holds segments and no map"),
        ("x.stl", [], "has an ending that is not written"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_model(
    volume: Path,
    tmp_path: Path,
    out: str,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("MedSegFMLib.commands.segment.create", lambda *_: pytest.fail("loaded"))
    given = [word.format(folder=tmp_path) for word in words]
    options = ["--model", "randomwalk", "--out", tmp_path / out, *TWO, *given]
    assert said in refused(capsys, "segment", volume, *options)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz", ".nrrd", ".mha"])
def test_a_result_is_made_again_voxel_by_voxel(
    volume: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"o{ending}"
    assert segment(volume, out, *TWO, "--smooth", "1", "--largest", "--fill-holes") == 0
    capsys.readouterr()
    assert run("replay", out, volume) == 0
    assert "is the same, voxel by voxel." in capsys.readouterr().out
    assert run("replay", out, volume, "--model", "ellipsoid") == 0
    said = capsys.readouterr().out
    assert "Model: ellipsoid instead of randomwalk." in said and "is not the same" in said


def test_a_result_on_an_oblique_grid_is_not_taken_for_changed(
    tmp_path: Path, geometry: Geometry
) -> None:
    ball, mask = make_blob(geometry)
    ball.write(tmp_path / "ball.nii.gz")
    low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
    box = ["--box", *low[::-1].tolist(), *high[::-1].tolist()]
    for name in ("o.nii.gz", "o.mha"):
        assert segment(tmp_path / "ball.nii.gz", tmp_path / name, *box) == 0
        assert run("replay", tmp_path / name, tmp_path / "ball.nii.gz") == 0


def test_the_volume_of_a_result_is_found_beside_it(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(volume, volume.parent / "o.seg.nrrd", *TWO) == 0
    assert run("replay", volume.parent / "o.seg.nrrd") == 0
    volume.rename(tmp_path / "elsewhere.nrrd")
    capsys.readouterr()
    assert "is not in its folder" in refused(capsys, "replay", volume.parent / "o.seg.nrrd")


def test_a_treatment_that_leaves_nothing_is_said_and_has_no_bound(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", "ensam", "--box", 4, 4, 3, 20, 18, 15]
    assert run("segment", volume, *words, "--out", tmp_path / "a.mha") == 0
    assert "Dice at least" in capsys.readouterr().out
    words += ["--min-volume", 1000]
    assert run("segment", volume, *words, "--out", tmp_path / "b.mha") == 0
    said = capsys.readouterr().out
    assert "Nothing of 'Segment_1' is left" in said and "Dice at least" not in said


def test_label_maps_in_two_formats_have_a_ledger_each(volume: Path, tmp_path: Path) -> None:
    assert segment(volume, tmp_path / "o.nii.gz", *TWO) == 0
    assert segment(volume, tmp_path / "o.mha", *TWO[:9]) == 0
    assert run("replay", tmp_path / "o.nii.gz", volume) == 0


def test_what_cannot_be_replayed_is_refused_by_name(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.nrrd"
    assert segment(volume, out, *TWO) == 0
    ball = Volume.read(volume)
    ball.with_array(ball.array_kji + 1).write(tmp_path / "other.nrrd")
    capsys.readouterr()
    said = refused(capsys, "replay", out, tmp_path / "other.nrrd")
    assert "other.nrrd is not the volume that the result was made from" in said
    labels = Volume.read(out)
    changed = labels.array_kji.copy()
    changed[0, 0, 0] = 1
    labels.with_array(changed).write(out)
    assert "was changed after it was written" in refused(capsys, "replay", out, volume)
    sidecar_of(out).write_text('{"format": "medsegfm-ledger", "version": 9}')
    assert "is damaged or of another version" in refused(capsys, "replay", out, volume)
    sidecar_of(out).unlink()
    assert "has no ledger, in it or as o.nrrd.medsegfm.json" in refused(
        capsys, "replay", out, volume
    )


def test_a_ledger_has_nothing_of_the_patient(series: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Doe_Jane_4711"
    folder.mkdir()
    series.rename(folder / "ct")
    for name in ("Doe.seg.nrrd", "Doe.dcm", "Doe.mha"):
        assert segment(folder / "ct", tmp_path / name, *TWO) == 0
    texts = [Segmentation.read(tmp_path / f"Doe.{e}").ledger for e in ("seg.nrrd", "dcm")]
    texts.append((tmp_path / "Doe.mha.medsegfm.json").read_text(encoding="utf-8"))
    uids = {
        str(element.value)
        for element in pydicom.dcmread(next((folder / "ct").iterdir()))
        if element.VR == "UI" and "Class" not in element.keyword
    }
    for text in texts:
        ledger = parse_ledger(text, "x")
        assert ledger.model == "randomwalk" and ledger.prompts.objects[1] == (2, "tumour")
        for secret in ("Doe", "Jane", "4711", "1950", "2020", str(tmp_path), *uids):
            document = json.loads(text)
            del document["versions"]
            digests = (document["volume"].pop("sha256"), document.pop("result"))
            assert all(len(digest) == 64 for digest in digests)
            assert secret not in json.dumps(document), secret


def test_segments_are_measured_into_tables(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(volume, tmp_path / "o.seg.nrrd", *TWO) == 0
    outs = ["--out", tmp_path / "m.csv", "--out", tmp_path / "m.json"]
    assert run("measure", tmp_path / "o.seg.nrrd", volume, *outs) == 0
    rows = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == ["liver", "tumour"]
    assert abs(rows[0]["mean"] - 100) < 3 and rows[0]["suv_peak"] is None
    table = (tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("label,name,voxels,volume_ml") and len(table) == 3
    capsys.readouterr()
    words = ["measure", tmp_path / "o.seg.nrrd"]
    assert "use .csv or .json" in refused(capsys, *words, "--out", tmp_path / "m.txt")
    assert "none is given" in refused(capsys, *words, "--suv")


def test_a_dicom_series_gets_contours_that_are_a_mask_and_can_be_measured_and_replayed(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.rtstruct.dcm"
    assert segment(series, out, *TWO) == 0
    assert pydicom.dcmread(out).Modality == "RTSTRUCT"
    assert segment(series, tmp_path / "a.seg.nrrd", *TWO) == 0
    assert segment(series, tmp_path / "b.nrrd", "--mask", f"{out}:tumour") == 0
    tumour = Segmentation.read(tmp_path / "a.seg.nrrd").segment("tumour")
    again = Volume.read(tmp_path / "b.nrrd")
    assert np.array_equal(again.array_kji > 0, tumour.on(again.geometry))
    assert run("replay", out, series) == 0
    capsys.readouterr()
    tables = []
    for words in ([out], [out, series], [tmp_path / "a.seg.nrrd", series]):
        assert run("measure", *words, "--out", tmp_path / "m.csv") == 0
        tables.append((tmp_path / "m.csv").read_text())
    assert tables[1] == tables[2] and tables[0].splitlines()[1].startswith("1,liver,")
    capsys.readouterr()
    words = ["segment", series, "--model", "randomwalk", "--out", out, "--fractional"]
    assert "--fractional is for DICOM SEG" in refused(capsys, *words, *TWO)
