"""Units of length: converted or refused, never taken as millimetres in silence."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import VolumeError

MATRIX = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("form", ["sform", "qform", "neither"])
@pytest.mark.parametrize(
    ("unit", "factor"), [("meter", 1e3), ("micron", 1e-3), ("mm", 1.0), ("unknown", 1.0)]
)
def test_units_of_nifti_are_converted_as_in_itk(
    tmp_path: Path,
    kind: type[nibabel.Nifti1Image],
    form: str,
    unit: str,
    factor: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = kind(np.zeros((4, 5, 6), np.int16), None)
    image.set_sform(MATRIX, int(form == "sform"))
    image.set_qform(MATRIX, int(form == "qform"))
    image.header.set_xyzt_units(unit, "sec")
    image.to_filename(tmp_path / "a.nii")
    geometry = Volume.read(tmp_path / "a.nii").geometry
    assert np.allclose(geometry.spacing_ijk_mm, np.multiply((2, 3, 4), factor))
    if form != "neither":
        assert np.allclose(geometry.origin_ras, np.multiply((10, 20, 30), factor))
    if kind is nibabel.Nifti1Image:
        assert np.allclose(sitk.ReadImage(tmp_path / "a.nii").GetSpacing(), geometry.spacing_ijk_mm)
    assert ("converted to millimetres" in caplog.text) == (factor != 1)


def _with_line(path: Path, line: bytes) -> Path:
    """A file with a further line in its header."""
    content = path.read_bytes()
    before = b"ElementDataFile" if path.suffix == ".mha" else b"encoding"
    path.write_bytes(content.replace(before, line + b"\n" + before, 1))
    return path


@pytest.mark.parametrize(
    ("ending", "line", "unit"),
    [
        (".mha", b"DistanceUnits = um", "um"),
        (".mha", b"DistanceUnits = cm", "cm"),
        (".nrrd", b'space units: "microns" "microns" "microns"', "microns"),
        (".nrrd", b'units: "mm" "mm" "m"', "m"),
        (".nrrd", b'space units: "Micrometers" "mm" "mm"', "Micrometers"),
    ],
)
def test_other_units_than_millimetres_are_refused(
    tmp_path: Path, ending: str, line: bytes, unit: str
) -> None:
    path = tmp_path / f"a{ending}"
    Volume(np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), MATRIX)).write(path)
    with pytest.raises(VolumeError, match=rf"states lengths in {unit} \("):
        Volume.read(_with_line(path, line))


@pytest.mark.parametrize(
    ("ending", "line"),
    [(".mha", b"DistanceUnits = mm"), (".nrrd", b'space units: "mm" "mm" "mm"')],
)
def test_millimetres_are_read(tmp_path: Path, ending: str, line: bytes) -> None:
    path = tmp_path / f"a{ending}"
    given = Volume(np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), MATRIX))
    given.write(path)
    assert Volume.read(_with_line(path, line)).geometry.matches(given.geometry)
