"""Reading and writing, judged by SimpleITK and nibabel."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from bad_volume_files import BAD_FILES, ENDINGS, metaimage, nifti
from dicom_series import write_dicom
from sample_volumes import random_volume

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, MedSegFMError, OutputError, VolumeError
from MedSegFMLib.volumes.io.image_files import WRITERS

_LPS = np.diag([-1, -1, 1, 1])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_volume_comes_back_as_it_was_written(
    ending: str, dtype: str, geometry: Geometry, tmp_path: Path
) -> None:
    volume = random_volume(geometry, dtype)
    volume.write(tmp_path / f"v{ending}")
    back = Volume.read(tmp_path / f"v{ending}")
    assert np.array_equal(back.array_kji, volume.array_kji)
    assert back.array_kji.dtype == volume.array_kji.dtype
    # NIfTI headers hold 32-bit floats: 40 mm from the origin those are some 4e-6 mm apart.
    tolerance = 1e-5 if ".nii" in ending else 1e-6
    assert back.geometry.matches(geometry, tolerance)


@pytest.mark.parametrize("ending", ENDINGS)
def test_simpleitk_agrees_where_voxels_are(ending: str, geometry: Geometry, tmp_path: Path) -> None:
    path = tmp_path / f"v{ending}"
    random_volume(geometry).write(path)
    image, read = sitk.ReadImage(str(path)), Volume.read(path)
    for ijk in [(0, 0, 0), (10, 0, 0), (0, 13, 0), (10, 13, 8)]:
        theirs = (*image.TransformIndexToPhysicalPoint(ijk), 1)
        assert np.allclose((_LPS @ theirs)[:3], read.geometry.ras_from_ijk(ijk), atol=1e-6)
        assert image.GetPixel(ijk) == read.array_kji[ijk[::-1]]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nibabel_agrees_where_voxels_are(ending: str, geometry: Geometry, tmp_path: Path) -> None:
    path = tmp_path / f"v{ending}"
    volume = random_volume(geometry)
    volume.write(path)
    image, read = nibabel.load(path), Volume.read(path)
    assert np.array_equal(np.asarray(image.dataobj).T, volume.array_kji)
    corners = geometry.corners_ijk()
    theirs = nibabel.affines.apply_affine(image.affine, corners)
    assert np.abs(theirs - read.geometry.ras_from_ijk(corners)).max() < 2e-6


def test_what_nibabel_writes_is_read_where_nibabel_means_it(
    geometry: Geometry, tmp_path: Path
) -> None:
    voxels = np.arange(11 * 14 * 9, dtype=np.int16).reshape(11, 14, 9)
    nibabel.save(nibabel.Nifti1Image(voxels, geometry.ijk_to_ras), tmp_path / "n.nii.gz")
    read = Volume.read(tmp_path / "n.nii.gz")
    assert np.array_equal(read.array_kji, voxels.T)
    assert read.geometry.matches(geometry, 1e-5)


def test_a_dicom_folder_is_read_as_simpleitk_reads_it(geometry: Geometry, tmp_path: Path) -> None:
    volume = write_dicom(random_volume(geometry), tmp_path)
    read = Volume.read(tmp_path)
    assert read.geometry.matches(volume.geometry, 1e-3)
    assert np.array_equal(read.array_kji, volume.array_kji)


def test_a_folder_with_two_series_asks_which(geometry: Geometry, tmp_path: Path) -> None:
    write_dicom(random_volume(geometry), tmp_path, "1.2.3.1", "a")
    volume = write_dicom(random_volume(geometry).flip(1), tmp_path, "1.2.3.2", "b")
    with pytest.raises(VolumeError, match="2 DICOM series"):
        Volume.read(tmp_path)
    with pytest.raises(VolumeError, match="no DICOM series 9"):
        Volume.read(tmp_path, "9")
    for choice in ("1.2.3.2", 2, "2"):
        assert np.array_equal(Volume.read(tmp_path, choice).array_kji, volume.array_kji)


def test_a_missing_slice_is_refused(geometry: Geometry, tmp_path: Path) -> None:
    write_dicom(random_volume(geometry), tmp_path)
    (tmp_path / "s004.dcm").unlink()
    with pytest.raises(GeometryError, match="missing"):
        Volume.read(tmp_path)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(VolumeError, match="no DICOM"):
        Volume.read(tmp_path)


@pytest.mark.parametrize("written", ["oops", " nan", "1e99"])
def test_damaged_positions_of_slices_are_refused_by_name(written: str, tmp_path: Path) -> None:
    write_dicom(random_volume(Geometry.from_spacing((3, 4, 5), origin_ras=(-7.25, 0, 0))), tmp_path)
    path = tmp_path / "s001.dcm"
    assert b"7.25" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"7.25", written.encode()))
    with pytest.raises(MedSegFMError) as caught:
        Volume.read(tmp_path)
    assert tmp_path.name in str(caught.value)


def test_the_choice_of_series_says_what_each_is(tmp_path: Path) -> None:
    volume = random_volume(Geometry((3, 4, 5), _LPS))
    write_dicom(volume, tmp_path, "1.2.3.1", "a", {"0008|103e": "t1_mpr"})
    write_dicom(volume, tmp_path, "1.2.3.2", "b")
    with pytest.raises(VolumeError, match=r"MR 't1_mpr', 3 slices: --series 1\.2\.3\.1.*MR ''"):
        Volume.read(tmp_path)


def test_a_segmentation_beside_a_series_is_left_out(tmp_path: Path) -> None:
    volume = write_dicom(random_volume(Geometry((3, 4, 5), _LPS)), tmp_path, "1.2.3.1", "a")
    write_dicom(volume.flip(1), tmp_path, "1.2.3.2", "b", {"0008|0060": "SEG"})
    assert np.array_equal(Volume.read(tmp_path).array_kji, volume.array_kji)
    with pytest.raises(VolumeError, match="is a DICOM segmentation, not an image"):
        Volume.read(tmp_path / "b000.dcm")


def test_the_only_series_in_folders_of_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    volume = write_dicom(random_volume(Geometry((3, 4, 5), _LPS)), tmp_path / "inside")
    assert np.array_equal(Volume.read(tmp_path).array_kji, volume.array_kji)


def _long_name(folder: Path) -> Path:
    return folder / f"{'long' * 80}.nii.gz"


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_volume_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, said = BAD_FILES[name]
    path = make(tmp_path)
    with pytest.raises(MedSegFMError, match=said) as caught:
        Volume.read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_too_long_is_refused_for_reading_and_can_nearly_be_for_writing(
    tmp_path: Path,
) -> None:
    volume = random_volume(Geometry((3, 3, 3), np.eye(4)))
    with pytest.raises(VolumeError, match="cannot be read"):
        Volume.read(_long_name(tmp_path))
    with pytest.raises(OutputError, match="cannot be written"):
        volume.write(_long_name(tmp_path))
    volume.write(tmp_path / f"{'l' * 248}.nii.gz")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


def test_a_locked_file_or_folder_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = nifti(tmp_path / "locked.nii")

    def locked(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(VolumeError, match=r"locked\.nii cannot be read \(Permission denied\)"):
        Volume.read(path)
    monkeypatch.setattr(Path, "exists", locked)
    with pytest.raises(VolumeError, match="Permission denied"):
        Volume.read(tmp_path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_endings_in_capitals_are_read_and_written(ending: str, tmp_path: Path) -> None:
    volume = random_volume(Geometry((3, 4, 5), np.eye(4)))
    path = tmp_path / f"SEG{ending.upper()}"
    volume.write(path)
    assert np.array_equal(Volume.read(path).array_kji, volume.array_kji)
    lower = path.rename(tmp_path / f"seg{ending}")
    assert np.array_equal(Volume.read(lower).array_kji, volume.array_kji)
    assert list(tmp_path.iterdir()) == [lower]


def test_voxels_in_ascii_are_read(tmp_path: Path) -> None:
    path = metaimage()(tmp_path)
    assert Volume.read(path).array_kji.ravel().tolist() == [*range(1, 9)]


@pytest.mark.parametrize(
    ("dtype", "back"), [(">i2", "int16"), (">f8", "float64"), (np.longdouble, "float64")]
)
def test_voxels_of_other_machines_are_written_as_this_ones(
    dtype: object, back: str, tmp_path: Path
) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)  # type: ignore[call-overload]
    Volume(array, Geometry(array.shape, np.eye(4))).write(tmp_path / "v.nrrd")
    read = Volume.read(tmp_path / "v.nrrd").array_kji
    assert read.dtype == back and np.array_equal(read, array)


def test_words_of_itk_carry_no_addresses(tmp_path: Path) -> None:
    (tmp_path / "v.nrrd").write_text("NRRD0004\nbad")
    (tmp_path / "v.vtk").write_text("# vtk DataFile Version 3.0\nx\nASCII\nDATASET NONE\n")
    for path in tmp_path.iterdir():
        with pytest.raises(VolumeError) as caught:
            Volume.read(path)
        assert "(0x" not in str(caught.value)


def test_two_grids_in_one_nifti_file_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, geometry: Geometry
) -> None:
    image = nibabel.Nifti1Image(np.zeros((11, 14, 9), np.int16), geometry.ijk_to_ras)
    image.set_sform(geometry.ijk_to_ras, 1)
    image.set_qform(geometry.ijk_to_ras, 1)
    nibabel.save(image, tmp_path / "one.nii.gz")
    moved = geometry.ijk_to_ras.copy()
    moved[0, 3] += 5
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / "two.nii.gz")
    with caplog.at_level(logging.WARNING, "MedSegFMLib"):
        Volume.read(tmp_path / "one.nii.gz")
        assert not caplog.messages
        Volume.read(tmp_path / "two.nii.gz")
    assert ["two.nii.gz" in m and "5 mm apart" in m for m in caplog.messages] == [True]


def test_a_gzip_of_several_members_is_not_taken_for_truncated(tmp_path: Path) -> None:
    volume = random_volume(Geometry((9, 14, 11), np.eye(4)))
    volume.write(tmp_path / "plain.nii")
    data = (tmp_path / "plain.nii").read_bytes()
    parts = gzip.compress(data[:1000]) + gzip.compress(data[1000:])
    (tmp_path / "parts.nii.gz").write_bytes(parts)
    assert np.array_equal(Volume.read(tmp_path / "parts.nii.gz").array_kji, volume.array_kji)


@pytest.mark.parametrize("name", ["seg.png", "seg", "seg.mhd", "seg.nhdr"])
def test_an_ending_that_is_not_written_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="ending"):
        random_volume(Geometry((3, 3, 3), np.eye(4))).write(tmp_path / name)


def test_a_format_of_its_own_gets_the_names_and_the_longest_ending_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(volume: Volume, path: Path, names: Mapping[int, str]) -> None:
        path.write_text(f"{volume.array_kji.shape} {names}")

    monkeypatch.setitem(WRITERS, ".own.nrrd", write)
    volume = random_volume(Geometry((3, 4, 5), np.eye(4)))
    volume.write(tmp_path / "A.OWN.nrrd", {1: "liver"})
    assert (tmp_path / "A.OWN.nrrd").read_text(encoding="utf-8") == "(3, 4, 5) {1: 'liver'}"
    volume.write(tmp_path / "a.nrrd")
    assert np.array_equal(Volume.read(tmp_path / "a.nrrd").array_kji, volume.array_kji)


def test_the_guide_names_every_ending_that_is_written() -> None:
    guide = Path(__file__).parents[2] / "Docs" / "user-guide.md"
    (sentence,) = re.findall(r"`--out` is written as ([^\n]+)", guide.read_text("utf-8"))
    assert set(re.findall(r"`(\.[a-z.]+)`", sentence)) == set(WRITERS)


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seg.nii.gz"
    path.write_text("the result of yesterday")

    def full_disk(image: object, name: str, **_: object) -> None:
        Path(name).write_bytes(b"half of i")
        raise RuntimeError("itk::ERROR: No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        random_volume(Geometry((3, 3, 3), np.eye(4))).write(path)
    assert path.read_text(encoding="utf-8") == "the result of yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32"])
def test_a_sheared_volume_is_written_on_its_own_grid(
    ending: str, dtype: str, geometry: Geometry, tmp_path: Path
) -> None:
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 2] += 0.3 * matrix[:3, 1] - 0.1 * matrix[:3, 0]
    volume = random_volume(Geometry(geometry.shape_kji, matrix), dtype)
    path = tmp_path / f"s{ending.upper() if dtype == 'uint8' else ending}"
    volume.write(path)
    back = Volume.read(path)
    assert np.array_equal(back.array_kji, volume.array_kji)
    assert back.geometry.is_sheared and back.geometry.matches(volume.geometry, 1e-4)
    if ".nii" in ending:
        assert np.allclose(nibabel.load(path).affine, matrix, atol=1e-5)
    elif dtype == "int16":
        image = sitk.ReadImage(str(path))
        place = (_LPS @ (*image.TransformIndexToPhysicalPoint((4, 5, 6)), 1))[:3]
        assert np.allclose(place, volume.geometry.ras_from_ijk((4, 5, 6)), atol=1e-4)


def test_every_real_case_is_read(real_data: Path) -> None:
    for listing in ("cases.json", "smoke.json"):
        for case in json.loads((real_data / listing).read_text(encoding="utf-8"))["cases"]:
            Volume.read(real_data / case["image"]).intensity_range()
            Volume.read(real_data / case["label"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("geo_ct_gantrytilt_ge/dicom", "16.dcm and 17.dcm are 6.999 mm apart and others 4.002 mm"),
        ("geo_pcasl/image.nii.gz", "4 axes"),
        ("geo_nibabel_example4d/image.nii.gz", "4 axes"),
        ("geo_rgb_nifti/image.nii.gz", "3 values"),
        ("geo_rgba_nifti/image.nii.gz", "4 values"),
        ("../labels/labels_frog/frogtissue.mhd", "compressed voxels"),
    ],
)
def test_real_files_that_are_no_volume_are_refused(name: str, said: str, real_data: Path) -> None:
    with pytest.raises(MedSegFMError, match=said):
        Volume.read(real_data / "geometry" / name)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("geo_ct_pitch/image.nii.gz", "RAS"),
        ("geo_fetal_double_oblique/image.nii.gz", "LPS"),
        ("geo_dicom_enhanced_multiframe/sagittal_gre_5slices", "PIR"),
        ("geo_dicom_single_slice/ct_image.dcm", "LPS"),
        ("geo_us_freehand_reconstruction/spine_phantom.mha", "LPS"),
    ],
)
def test_unusual_real_volumes_are_read(name: str, codes: str, real_data: Path) -> None:
    assert Volume.read(real_data / "geometry" / name).geometry.axis_codes == codes
