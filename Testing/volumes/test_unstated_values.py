"""Headers that leave out the grid or scale values: said or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import VolumeError

GIVEN = Volume(
    np.arange(60, dtype=np.int16).reshape(3, 4, 5), Geometry.from_spacing((3, 4, 5), (1, 2, 3))
)
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 4 3\nendian: little\nencoding: raw\n{}\n"
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    "DimSize = 5 4 3\n{}ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
)
SPACING, PLACE = "no distance between voxels", "no orientation in the patient"


@pytest.mark.parametrize(
    ("name", "header", "said"),
    [
        ("a.nrrd", NRRD.format(""), [SPACING, PLACE]),
        ("a.nrrd", NRRD.format("spacings: 1 2 nan\n"), [SPACING, PLACE]),
        ("a.nrrd", NRRD.format("spacings: 1 2 3\n"), [PLACE]),
        (
            "a.nrrd",
            NRRD.format("space: 3D-right-handed\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n"),
            [PLACE],
        ),
        ("a.nrrd", NRRD.format("space: LPS\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n"), []),
        ("a.mha", META.format(""), [SPACING]),
        ("a.mha", META.format("ElementSpacing = 1 2 3\n"), []),
        ("a.mha", META.format("ElementSize = 1 2 3\n"), []),
    ],
)
def test_a_grid_that_is_not_stated_is_said(
    tmp_path: Path, name: str, header: str, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_bytes(header.encode() + GIVEN.array_kji.tobytes())
    assert np.array_equal(Volume.read(tmp_path / name).array_kji, GIVEN.array_kji)
    assert [words for words in (SPACING, PLACE) if words in caplog.text] == said


@pytest.mark.parametrize(
    ("slope", "intercept", "is_refused"),
    [
        (np.inf, 0, True),
        (2, np.nan, True),
        (2, -np.inf, True),
        (np.nan, np.nan, False),
        (0, 5, False),
    ],
)
def test_scales_of_values_that_cannot_be_applied_are_refused(
    tmp_path: Path, slope: float, intercept: float, is_refused: bool
) -> None:
    GIVEN.write(tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<2f", content, 112, slope, intercept)
    (tmp_path / "a.nii").write_bytes(content)
    if is_refused:
        with pytest.raises(VolumeError, match=r"a\.nii is damaged \(its values are scaled by"):
            Volume.read(tmp_path / "a.nii")
    else:
        assert np.array_equal(Volume.read(tmp_path / "a.nii").array_kji, GIVEN.array_kji)


@pytest.mark.parametrize(
    ("line", "is_refused"), [("Slope = 2", True), ("Offset = -1024", True), ("Slope = 1", False)]
)
def test_a_scale_that_itk_ignores_is_refused(tmp_path: Path, line: str, is_refused: bool) -> None:
    header = META.format(f"ElementSpacing = 1 2 3\nElementToIntensityFunction{line}\n")
    (tmp_path / "a.mha").write_bytes(header.encode() + GIVEN.array_kji.tobytes())
    if is_refused:
        with pytest.raises(VolumeError, match="which is not applied in reading"):
            Volume.read(tmp_path / "a.mha")
    else:
        assert np.array_equal(Volume.read(tmp_path / "a.mha").array_kji, GIVEN.array_kji)
