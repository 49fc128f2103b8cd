"""NIfTI headers: qform, sform and pixdim, NIfTI-2, offsets, and axes nearly at right angles."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, VolumeError

ARRAY = np.random.default_rng(0).integers(-900, 900, (3, 4, 5)).astype(np.int16)
LPS = np.diag([-1, -1, 1, 1])
QFORM = np.eye(4)
QFORM[:3, 3] = (1, 2, 3)
SFORM = np.eye(4)
SFORM[:3, :3] = Rotation.from_euler("z", 0.3).as_matrix()
SFORM[:3, 3] = (4, 5, 6)


def write(path: Path, qform: np.ndarray, sform: np.ndarray, codes: tuple[int, int]) -> Path:
    image = nibabel.Nifti1Image(ARRAY.T, None)
    image.set_qform(qform, 1)
    image.set_sform(sform, 1)
    data = bytearray(image.to_bytes())
    struct.pack_into("<hh", data, 252, *codes)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("qcode", range(5))
@pytest.mark.parametrize("scode", range(5))
def test_the_form_that_is_used_is_the_one_of_itk(qcode: int, scode: int, tmp_path: Path) -> None:
    path = write(tmp_path / "v.nii", QFORM, SFORM, (qcode, scode))
    image, read = sitk.ReadImage(str(path)), Volume.read(path)
    for ijk in ((0, 0, 0), (4, 3, 2)):
        theirs = (LPS @ (*image.TransformIndexToPhysicalPoint(ijk), 1))[:3]
        assert np.allclose(theirs, read.geometry.ras_from_ijk(ijk), atol=1e-4)
    assert np.array_equal(read.array_kji, ARRAY)


def test_forms_that_disagree_and_forms_that_lack_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Volume.read(write(tmp_path / "v.nii", QFORM, SFORM, (1, 1)))
    assert "two grids (qform and sform)" in caplog.text and "its sform" in caplog.text
    caplog.clear()
    Volume.read(write(tmp_path / "v.nii", QFORM, SFORM, (0, 0)))
    assert "no position" in caplog.text
    caplog.clear()
    Volume.read(write(tmp_path / "v.nii", QFORM, QFORM, (1, 1)))
    assert caplog.text == ""


@pytest.mark.parametrize("factor", [0.5, 1.02, 10])
def test_an_sform_of_another_size_than_the_header_is_refused(factor: float, tmp_path: Path) -> None:
    other = SFORM @ np.diag([1, factor, 1, 1])
    path = write(tmp_path / "v.nii", QFORM, other, (0, 2))
    with pytest.raises(GeometryError, match=r"v\.nii .*1 x 1 x 1 mm \(pixdim\)"):
        Volume.read(path)
    # Unless the qform is the one that is used.
    read = Volume.read(write(path, QFORM, other, (1, 4)))
    assert read.geometry.matches(Geometry(ARRAY.shape, QFORM), 1e-5)


def rounded(digits: int) -> tuple[np.ndarray, np.ndarray]:
    exact = np.eye(4)
    axes = Rotation.from_euler("xyz", (0.1, 0.2, 0.3)).as_matrix()
    exact[:3, :3] = axes * (0.7, 0.7, 1.5)
    exact[:3, 3] = (1, 2, 3)
    other = exact.copy()
    other[:3, :3] = np.round(exact[:3, :3], digits)
    return exact, other


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_matrix_rounded_to_three_decimals_gets_the_nearest_right_angles(
    ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exact, matrix = rounded(3)
    path = tmp_path / f"v{ending}"
    Volume(ARRAY, Geometry(ARRAY.shape, matrix)).write(path)
    read = Volume.read(path)
    assert read.geometry.matches(Geometry(ARRAY.shape, exact), 0.01)
    axes = read.geometry.directions
    assert np.abs(axes.T @ axes - np.eye(3)).max() < 1e-6
    assert "not quite at right angles" in caplog.text
    assert np.array_equal(read.array_kji, ARRAY)


def test_a_sheared_matrix_is_kept(tmp_path: Path) -> None:
    _, matrix = rounded(0)
    matrix = matrix + np.diag([0.5, 0.4, 0, 0])
    matrix[0, 1] = 0.3
    path = write(tmp_path / "v.nii", QFORM, matrix, (0, 2))
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    data = bytearray(path.read_bytes())
    struct.pack_into("<3f", data, 80, *lengths)
    path.write_bytes(data)
    assert Volume.read(path).geometry.matches(Geometry(ARRAY.shape, matrix), 1e-5)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".hdr"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_2_is_read(ending: str, order: str, tmp_path: Path) -> None:
    kind = nibabel.Nifti2Pair if ending == ".hdr" else nibabel.Nifti2Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(ARRAY.dtype.newbyteorder(order))
    nibabel.save(kind(ARRAY.T, SFORM, header), tmp_path / f"v{ending}")
    read = Volume.read(tmp_path / f"v{ending}")
    assert np.array_equal(read.array_kji, ARRAY) and read.array_kji.dtype == np.int16
    assert read.geometry.matches(Geometry(ARRAY.shape, SFORM), 1e-5)
    path = tmp_path / f"v{'.img' if ending == '.hdr' else ending}"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(VolumeError, match="cut short"):
        Volume.read(path)


@pytest.mark.parametrize("is_zipped", [False, True])
@pytest.mark.parametrize("gap", [b"\0\0\0\0", b""])
def test_an_offset_of_zero_means_behind_the_header(
    is_zipped: bool, gap: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write(tmp_path / "v.nii", QFORM, QFORM, (1, 1)).read_bytes()
    data = data[:108] + bytes(4) + data[112:348] + gap + data[352:]
    path = tmp_path / ("v.nii.gz" if is_zipped else "v.nii")
    path.write_bytes(gzip.compress(data) if is_zipped else data)
    assert np.array_equal(Volume.read(path).array_kji, ARRAY)
    assert "begin in its header" in caplog.text


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 3.0), (2, 0), (0, 7), (float("nan"), 0)])
def test_slope_and_intercept_are_applied_unless_they_mean_none(
    slope: float, intercept: float, tmp_path: Path
) -> None:
    data = bytearray(write(tmp_path / "v.nii", QFORM, QFORM, (1, 1)).read_bytes())
    struct.pack_into("<2f", data, 112, slope, intercept)
    (tmp_path / "v.nii").write_bytes(data)
    expected = ARRAY * slope + intercept if slope > 0 else ARRAY
    assert np.array_equal(Volume.read(tmp_path / "v.nii").array_kji, expected)


@pytest.mark.parametrize("name", ["v.nii", "v.nrrd", "v.mha", "v.mgh", "v.dcm", "v"])
def test_gzip_under_another_name_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(bytes(500)))
    with pytest.raises(VolumeError, match=r"is gzip-compressed; (rename|unzip) it"):
        Volume.read(tmp_path / name)


def test_nifti_under_the_name_of_freesurfer_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(ARRAY.T.astype(np.int16), SFORM), tmp_path / "v.nii.gz")
    path = (tmp_path / "v.nii.gz").rename(tmp_path / "v.mgz")
    with pytest.raises(VolumeError, match=r"v\.mgz is not a FreeSurfer volume"):
        Volume.read(path)


@pytest.mark.parametrize("ending", [".mgz", ".mgh"])
def test_freesurfer_volumes_are_read_whole_or_not_at_all(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{ending}"
    nibabel.save(nibabel.MGHImage(ARRAY.T.astype(np.int16), SFORM), path)
    read = Volume.read(path)
    assert np.array_equal(read.array_kji, ARRAY)
    assert read.geometry.matches(Geometry(ARRAY.shape, SFORM), 1e-4)
    data = path.read_bytes()
    for left in (10, len(data) // 2, len(data) - 9):
        path.write_bytes(data[:left])
        if ending == ".mgz" or left < 300:
            with pytest.raises(VolumeError, match=path.name):
                Volume.read(path)
