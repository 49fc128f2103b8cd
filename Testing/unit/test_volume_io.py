"""Reading and writing, judged by SimpleITK and nibabel."""

from __future__ import annotations

import gzip
import json
import logging
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from test_volume import random_volume

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, MedSegFMError, OutputError, VolumeError

ENDINGS = [".nii", ".nii.gz", ".nrrd", ".mha"]
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
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(tmp_path))
    chosen = next(uid for uid in series if uid.startswith("1.2.3.2"))
    assert np.array_equal(Volume.read(tmp_path, chosen).array_kji, volume.array_kji)


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


def test_a_folder_of_folders_names_those(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_dicom(random_volume(Geometry((3, 4, 5), _LPS)), tmp_path / "inside")
    with pytest.raises(VolumeError, match="give one of its folders: inside"):
        Volume.read(tmp_path)


def write_dicom(
    volume: Volume,
    folder: Path,
    series: str = "1.2.3.1",
    prefix: str = "s",
    tags: dict[str, str] | None = None,
) -> Volume:
    """Write one slice per file and return the volume with slices in the order GDCM sorts them."""
    folder.mkdir(exist_ok=True)
    others = tags or {}
    geometry = volume.geometry
    lps = _LPS @ geometry.ijk_to_ras
    rows, columns = lps[:3, 0] / geometry.spacing_ijk_mm[0], lps[:3, 1] / geometry.spacing_ijk_mm[1]
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, voxels in enumerate(volume.array_kji):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(geometry.spacing_ijk_mm[:2])
        position = lps[:3] @ (0, 0, k, 1)
        tags = {
            "0020|000e": series,
            "0020|000d": "1.2.3",
            "0008|0018": f"{series}.{k + 1}",
            "0008|0060": "MR",
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{v:.10g}" for v in position),
            "0020|0037": "\\".join(f"{v:.10g}" for v in (*rows, *columns)),
            "0018|0050": f"{geometry.spacing_ijk_mm[2]:.10g}",
            **others,
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{prefix}{k:03d}.dcm"))
        writer.Execute(image)
    normal = np.cross(rows, columns)
    return volume if normal @ lps[:3, 2] > 0 else volume.flip(0)


def _nifti(path: Path, **changes: tuple[str, int, tuple[float, ...]]) -> Path:
    volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), Geometry((3, 4, 5), np.eye(4)))
    volume.write(path)
    data = bytearray(path.read_bytes())
    for form, offset, values in changes.values():
        struct.pack_into(form, data, offset, *values)
    path.write_bytes(bytes(data))
    return path


def _zero_spacing_nifti(folder: Path) -> Path:
    return _nifti(folder / "z.nii", spacing=("<f", 88, (0.0,)))


def _nan_axes_nifti(folder: Path) -> Path:
    changes = {"code": ("<hh", 252, (0, 1)), "axes": ("<12f", 280, (float("nan"),) * 12)}
    return _nifti(folder / "n.nii", **changes)  # type: ignore[arg-type]


def _singular_nifti(folder: Path) -> Path:
    changes = {"code": ("<hh", 252, (0, 1)), "axes": ("<12f", 280, (1.0,) * 12)}
    return _nifti(folder / "s.nii", **changes)  # type: ignore[arg-type]


def _short(ending: str, keep: float):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"short{ending}"
        random_volume(Geometry((9, 14, 11), np.eye(4))).write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])
        return path

    return make


def _text_in(ending: str, old: bytes, new: bytes):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"header{ending}"
        random_volume(Geometry((9, 14, 11), _LPS)).write(path)
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new))
        return path

    return make


def _array(array: np.ndarray, ending: str, vector: bool = False):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"array{ending}"
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
        return path

    return make


def _missing(folder: Path) -> Path:
    return folder / "nowhere.nii.gz"


def _empty(folder: Path) -> Path:
    (folder / "empty.nrrd").touch()
    return folder / "empty.nrrd"


def _text(folder: Path) -> Path:
    (folder / "text.nii.gz").write_bytes(gzip.compress(b"not a header " * 50))
    return folder / "text.nii.gz"


def _changed_nifti(form: str, offset: int, *values: float):  # type: ignore[no-untyped-def]
    return lambda folder: _nifti(folder / "c.nii", change=(form, offset, values))


def _metaimage(*lines: str, voxels: str = "1 2 3 4 5 6 7 8"):  # type: ignore[no-untyped-def]
    fields = {
        "NDims": "3",
        "BinaryData": "False",
        "DimSize": "2 2 2",
        "ElementSpacing": "1 1 1",
        "ElementType": "MET_SHORT",
        **dict(line.split(" = ") for line in lines),
    }
    data = {"ElementDataFile": fields.pop("ElementDataFile", "LOCAL")}

    def make(folder: Path) -> Path:
        head = "".join(f"{key} = {value}\n" for key, value in (fields | data).items())
        (folder / "m.mha").write_text(f"ObjectType = Image\n{head}{voxels}\n")
        return folder / "m.mha"

    return make


def _plain_in_gz(folder: Path) -> Path:
    return _nifti(folder / "p.nii").rename(folder / "p.nii.gz")


def _mixed_case(folder: Path) -> Path:
    return _nifti(folder / "p.nii").rename(folder / "p.Nii")


def _bad_gzip(folder: Path) -> Path:
    path = _short(".nii.gz", 1)(folder)
    data = bytearray(path.read_bytes())
    data[10:40] = bytes(30)
    path.write_bytes(bytes(data))
    return path


def _nifti_2(folder: Path) -> Path:
    nibabel.save(nibabel.Nifti2Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), folder / "2.nii.gz")
    return folder / "2.nii.gz"


def _long_name(folder: Path) -> Path:
    return folder / f"{'long' * 80}.nii.gz"


# What cannot be read as a volume: also used by the tests of the command line.
BAD_FILES = {
    "missing": (_missing, "does not exist"),
    "not gzip": (_plain_in_gz, "not gzip-compressed"),
    "damaged gzip": (_bad_gzip, "cannot be unzipped"),
    "mixed case": (_mixed_case, "rename it"),
    "NIfTI-2": (_nifti_2, "NIfTI-2"),
    "no axes": (_changed_nifti("<h", 40, 0), "its axes are"),
    "nine axes": (_changed_nifti("<h", 40, 9), "its axes are"),
    "negative axis": (_changed_nifti("<h", 44, -3), "its axes are"),
    "unknown voxels": (_changed_nifti("<h", 70, 77), "type is 77"),
    "NaN offset": (_changed_nifti("<f", 108, float("nan")), "byte nan"),
    "infinite offset": (_changed_nifti("<f", 108, float("inf")), "byte inf"),
    "no data file": (_metaimage("ElementDataFile = "), "ElementDataFile ''"),
    "text as size": (_metaimage("CompressedDataSize = many"), "damaged"),
    "no voxels": (_metaimage("DimSize = 2 0 2"), "DimSize 2 0 2"),
    "short ASCII": (_metaimage(voxels="1 2 3"), "cut short"),
    "empty": (_empty, "empty"),
    "text": (_text, "NIfTI header"),
    **{f"half a {e}": (_short(e, 0.5), "cut short|cannot be read") for e in ENDINGS},
    **{f"most of a {e}": (_short(e, 0.97), "cut short|cannot be read") for e in ENDINGS},
    "a bit of a .nii.gz": (_short(".nii.gz", 0.02), "cut short"),
    "2D": (_array(np.zeros((8, 8), np.uint8), ".png"), "2 axes"),
    "2D NIfTI": (_array(np.zeros((8, 8), np.int16), ".nii"), "2 axes"),
    "4D": (_array(np.zeros((2, 3, 4, 5), np.int16), ".nii"), "4 axes"),
    "RGB": (_array(np.zeros((3, 4, 5, 3), np.uint8), ".nrrd", True), "3 values per voxel"),
    "complex": (_array(np.zeros((3, 4, 5), np.complex64), ".nii"), "complex"),
    "zero spacing": (_zero_spacing_nifti, "spacing"),
    "NaN axes": (_nan_axes_nifti, "NaN"),
    "singular axes": (_singular_nifti, "grid"),
    "zero spacing NRRD": (_text_in(".nrrd", b"(1,0,0)", b"(0,0,0)"), "spacing"),
    "singular MetaImage": (
        _text_in(".mha", b"TransformMatrix = 1 0 0 0 1", b"TransformMatrix = 1 0 0 1 0"),
        "grid",
    ),
    "NaN spacing MetaImage": (
        _text_in(".mha", b"ElementSpacing = 1", b"ElementSpacing = nan"),
        "spacing",
    ),
}


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
    path = _nifti(tmp_path / "locked.nii")

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
    path = _metaimage()(tmp_path)
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
    assert path.read_text() == "the result of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sheared_volume_is_not_written_wrongly(tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[0, 2] = 0.4
    with pytest.raises(GeometryError, match="right angles"):
        random_volume(Geometry((3, 3, 3), matrix)).write(tmp_path / "s.nrrd")


def test_every_real_case_is_read(real_data: Path) -> None:
    for listing in ("cases.json", "smoke.json"):
        for case in json.loads((real_data / listing).read_text())["cases"]:
            Volume.read(real_data / case["image"]).intensity_range()
            Volume.read(real_data / case["label"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("geo_ct_gantrytilt_ge/dicom", "tilted gantry"),
        ("geo_dicom_enhanced_multiframe/siemens_mosaic.dcm", "mosaic"),
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
