"""References in .seg.nrrd files: labels by the names of segments, in layers too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dicom_files import noise, slices, write_files
from segmentation_samples import masks_by_name, overlapping

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.errors import CasesError
from MedSegFMLib.volumes.segmentations.dicom_source import read_source
from MedSegFMLib.volumes.segmentations.dicom_write import Algorithm
from MedSegFMLib.volumes.segmentations.rtstruct_write import write_rtstruct


def case_of(folder: Path, objects: dict[str, str]) -> Path:
    given = overlapping(Geometry.from_spacing((6, 8, 10), (1.0, 1.0, 2.0)))
    given.write(folder / "ref.seg.nrrd")
    Volume(np.arange(480.0).reshape(6, 8, 10), given.geometry).write(folder / "image.nrrd")
    item = {"name": "a", "image": "image.nrrd", "label": "ref.seg.nrrd", "modality": "CT"}
    text = json.dumps({"cases": [{**item, "objects": objects}]})
    (folder / "cases.json").write_text(text, encoding="utf-8")
    return folder / "cases.json"


def test_labels_are_those_of_the_case_by_the_names_of_segments(tmp_path: Path) -> None:
    (case,) = read_cases(case_of(tmp_path, {"7": "tumour", "2": "left_kidney"}))
    loaded = load_case(case).label
    masks = masks_by_name(overlapping(loaded.geometry))
    assert np.array_equal(loaded.array_kji == 7, masks["tumour"])
    assert np.array_equal(loaded.array_kji == 2, masks["Left_Kidney"])


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({"1": "liver", "2": "tumour"}, "'liver' and 'tumour' overlap in 32 voxels"),
        ({"1": "spleen"}, "no segment 'spleen'; the segments are 1 liver"),
    ],
)
def test_what_a_reference_does_not_hold_is_refused_by_name(
    objects: dict[str, str], said: str, tmp_path: Path
) -> None:
    (case,) = read_cases(case_of(tmp_path, objects))
    with pytest.raises(CasesError, match=said) as raised:
        load_case(case)
    assert "ref.seg.nrrd" in str(raised.value)


def test_contours_are_references_on_the_slices_of_the_image(tmp_path: Path) -> None:
    written = {
        "PatientSex": "F",
        "StudyDate": "20200101",
        "StudyTime": "120000",
        "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.1",
    }
    write_files(tmp_path / "ct", slices(noise()), **written)
    source = read_source(tmp_path / "ref.rtstruct.dcm", tmp_path / "ct")
    given = overlapping(source.geometry)
    write_rtstruct(given, tmp_path / "ref.rtstruct.dcm", source, Algorithm("test"))
    item = {"name": "a", "image": "ct", "label": "ref.rtstruct.dcm", "modality": "CT"}
    text = json.dumps({"cases": [{**item, "objects": {"3": "tumour", "5": "Left_Kidney"}}]})
    (tmp_path / "cases.json").write_text(text, encoding="utf-8")
    (case,) = read_cases(tmp_path / "cases.json")
    loaded = load_case(case)
    assert not loaded.resampled
    assert np.array_equal(loaded.label.array_kji == 3, masks_by_name(given)["tumour"])
