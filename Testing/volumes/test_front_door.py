"""What reaches ITK: whole, undamaged files of four formats, with headers that mean one thing."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import write_dicom

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, MedSegFMError, VolumeError
from MedSegFMLib.system.memory import physical_memory
from MedSegFMLib.volumes.io import image_files
from Testing.attacks.image_files import VOXELS, compressed, nifti

_RAW = VOXELS.astype("<i2").tobytes()
Fields = dict[str, str | None]
_FLAWED = "cut short|cannot be unzipped|bytes more|damaged|bytes of compressed"


def metaimage(
    folder: Path, changes: dict[str, str | None] | None = None, raw: bytes = _RAW
) -> Path:
    fields: Fields = {
        "NDims": "3",
        "DimSize": "8 7 6",
        "ElementSpacing": "1 1 1",
        "ElementType": "MET_SHORT",
        **(changes or {}),
    }
    data = fields.pop("ElementDataFile", "LOCAL")
    lines = [f"{key} = {value}\n" for key, value in fields.items() if value is not None]
    path = folder / "v.mha"
    path.write_bytes("".join([*lines, f"ElementDataFile = {data}\n"]).encode() + raw)
    return path


def nrrd(folder: Path, changes: Fields | None = None, raw: bytes = _RAW) -> Path:
    fields: Fields = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "8 7 6",
        "space directions": "(1,0,0) (0,1,0) (0,0,1)",
        "endian": "little",
        "encoding": "raw",
        **(changes or {}),
    }
    lines = [f"{key}: {value}\n" for key, value in fields.items() if value is not None]
    path = folder / "v.nrrd"
    path.write_bytes("".join(["NRRD0004\n", *lines, "\n"]).encode() + raw)
    return path


@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".nii.gz"])
def test_no_flipped_bit_of_a_compressed_payload_changes_a_voxel(
    ending: str, tmp_path: Path
) -> None:
    content, start = compressed(ending)
    path = tmp_path / f"v{ending}"
    path.write_bytes(content)
    assert np.array_equal(Volume.read(path).array_kji, VOXELS)
    refused = 0
    for position in range(start, len(content), 5):
        data = bytearray(content)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        try:
            assert np.array_equal(Volume.read(path).array_kji, VOXELS)
        except VolumeError:
            refused += 1
    # Bits of gzip's time and system make no difference.
    assert refused >= (len(content) - start) // 5 - 3


@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".nii.gz", ".nii"])
@pytest.mark.parametrize("change", ["half", "a byte less", "a byte more"])
def test_a_payload_of_another_size_is_refused(ending: str, change: str, tmp_path: Path) -> None:
    content = nifti() if ending == ".nii" else compressed(ending)[0]
    path = tmp_path / f"v{ending}"
    cut = {"half": content[: len(content) // 2], "a byte less": content[:-1]}
    path.write_bytes(cut.get(change, content + b"x"))
    with pytest.raises(VolumeError, match=_FLAWED):
        Volume.read(path)


def test_zeros_after_gzip_and_several_members_are_allowed(tmp_path: Path) -> None:
    data = nifti()
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]) + bytes(512))
    assert np.array_equal(Volume.read(path).array_kji, VOXELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"NDims": "73"}, "NDims is 73"),
        ({"NDims": "-1"}, "NDims is -1"),
        ({"NDims": None}, "lacks NDims"),
        ({"ElementDataFile": "%n.raw 1 2 1"}, "not the name of one file"),
        ({"ElementDataFile": "LIST"}, "not the name of one file"),
        ({"ElementDataFile": "../v.raw"}, "not the name of one file"),
        ({"ElementDataFile": "/etc/passwd"}, "not the name of one file"),
        ({"ElementDataFile": "C:v.raw"}, "not the name of one file"),
        ({"ElementDataFile": "sub\\v.raw"}, "not the name of one file"),
        ({"DimSize": "8 7"}, "2 numbers instead of 3"),
        ({"DimSize": "8 7 6 1"}, "4 numbers instead of 3"),
        ({"DimSize": "8 7 1_0"}, "DimSize is"),
        ({"DimSize": "8 7 99999999999"}, "DimSize 8 7 99999999999"),
        ({"dimsize": "8 7 6"}, "occurs twice or in other letters"),
        ({"ElementType": "MET_STRING"}, "ElementType is"),
        ({"ElementType": "MET_INT"}, "cut short"),
        ({"ElementType": "MET_UCHAR"}, "bytes more"),
        ({"ElementSpacing": "1 1"}, "2 numbers instead of 3"),
        ({"Offset": "1e999 0 0"}, "infinite or beyond"),
        ({"Color": "1"}, "1 numbers instead of 4"),
        ({"Comment": "x" * 300}, "too long"),
        ({"HeaderSize": "5"}, "HeaderSize is 5"),
        ({"CompressedData": "True"}, "lacks CompressedDataSize"),
        ({"CompressedData": "maybe"}, "CompressedData is"),
        ({"NDims : 73\nX": "1"}, "has the line"),
        ({"X": "1\rNDims = 73"}, "has the line"),
    ],
)
def test_damaged_metaimage_headers_are_refused_before_itk(
    changes: Fields, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert np.array_equal(Volume.read(metaimage(tmp_path)).array_kji, VOXELS)
    monkeypatch.setattr(image_files, "_read_file", lambda _: pytest.fail("ITK was reached"))
    with pytest.raises(MedSegFMError, match=message):
        Volume.read(metaimage(tmp_path, changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimension": "73"}, "dimension is 73"),
        ({"sizes": "8 7"}, "2 numbers instead of 3"),
        ({"type": "block"}, "type is"),
        ({"type": "int"}, "cut short"),
        ({"type": "uchar"}, "bytes more"),
        ({"encoding": "bzip2"}, "raw, gzip and text"),
        ({"endian": None}, "endian is"),
        ({"data file": "LIST"}, "not the name of one file"),
        ({"data file": "v%03d.raw 1 3 1"}, "not the name of one file"),
        ({"data file": "/dev/zero"}, "not the name of one file"),
        ({"datafile": "a\nsizes: 8 7 6\nx"}, "occurs twice"),
        ({"space directions": "(1,0) (0,1) (0,0)"}, "2 numbers instead of 3"),
        ({"space directions": "(0,0,0) (0,1,0) (0,0,1)"}, "spacing"),
        ({"space": "nowhere"}, "space is"),
        ({"line skip": "1"}, "line skip 1"),
        ({"nonsense": "1"}, "has the line"),
    ],
)
def test_damaged_nrrd_headers_are_refused_before_itk(
    changes: Fields, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert np.array_equal(Volume.read(nrrd(tmp_path)).array_kji, VOXELS)
    monkeypatch.setattr(image_files, "_read_file", lambda _: pytest.fail("ITK was reached"))
    with pytest.raises(MedSegFMError, match=message):
        Volume.read(nrrd(tmp_path, changes))


@pytest.mark.parametrize("ending", [".gipl", ".vtk", ".mrc", ".img.gz", ".png", ".tif", ".jpg"])
def test_other_formats_are_refused_with_the_list_of_those_supported(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"v{ending}"
    path.write_bytes(gzip.compress(bytes(500)) if ending == ".img.gz" else bytes(500))
    with pytest.raises(VolumeError, match=r"NIfTI-1 .*NRRD .*MetaImage .*DICOM"):
        Volume.read(path)


def test_a_name_does_not_make_a_format(tmp_path: Path) -> None:
    """Content of one supported format under the name of another is not read."""
    contents = {".mha": metaimage(tmp_path).read_bytes(), ".nrrd": nrrd(tmp_path).read_bytes()}
    contents[".nii"] = nifti()
    for ending in contents:
        for other, content in contents.items():
            (tmp_path / f"x{ending}").write_bytes(content)
            if other != ending:
                with pytest.raises(VolumeError):
                    Volume.read(tmp_path / f"x{ending}")


def test_a_pair_of_nifti_files_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    data = nifti()
    header = bytearray(data[:348])
    header[344:348] = b"ni1\0"
    header[108:112] = bytes(4)
    (tmp_path / "v.hdr").write_bytes(header)
    (tmp_path / "v.img").write_bytes(_RAW)
    for name in ("v.hdr", "v.img"):
        assert np.array_equal(Volume.read(tmp_path / name).array_kji, VOXELS)
    (tmp_path / "v.img").write_bytes(_RAW[:300])
    with pytest.raises(VolumeError, match="cut short"):
        Volume.read(tmp_path / "v.hdr")
    (tmp_path / "v.img").unlink()
    with pytest.raises(VolumeError, match=r"v\.img, which is missing"):
        Volume.read(tmp_path / "v.hdr")
    (tmp_path / "v.hdr").write_bytes(header[:344] + bytes(4))
    with pytest.raises(VolumeError, match="Analyze"):
        Volume.read(tmp_path / "v.hdr")


def _detached_mhd(folder: Path) -> Path:
    (folder / "voxels.zraw").write_bytes(zlib.compress(_RAW))
    changes = {"CompressedData": "True", "ElementDataFile": "voxels.zraw"}
    return metaimage(folder, changes, b"").rename(folder / "v.mhd")


def _mhd_with_header(folder: Path) -> Path:
    (folder / "voxels.raw").write_bytes(b"12345" + _RAW)
    changes = {"HeaderSize": "-1", "ElementDataFile": "voxels.raw"}
    return metaimage(folder, changes, b"").rename(folder / "v.mhd")


def _nhdr(folder: Path) -> Path:
    (folder / "voxels.raw.gz").write_bytes(gzip.compress(_RAW))
    changes = {"encoding": "gzip", "data file": "./voxels.raw.gz"}
    return nrrd(folder, changes, b"").rename(folder / "v.nhdr")


def _text_nrrd(folder: Path) -> Path:
    text = "\n".join(map(str, VOXELS.ravel())) + "\n"
    return nrrd(folder, {"encoding": "ascii", "endian": None}, text.encode())


@pytest.mark.parametrize("make", [_detached_mhd, _mhd_with_header, _nhdr, _text_nrrd])
def test_headers_with_a_file_beside_them_are_read(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = make(tmp_path)
    assert np.array_equal(Volume.read(path).array_kji, VOXELS)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(expected, VOXELS)


def test_a_stated_size_is_compared_with_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical_memory, "physical_memory_bytes", lambda: 100)
    with pytest.raises(VolumeError, match="of memory"):
        Volume.read(metaimage(tmp_path))


def test_a_small_file_cannot_state_a_large_volume(tmp_path: Path) -> None:
    changes = {"DimSize": "2048 2048 100", "CompressedData": "True"}
    data = zlib.compress(bytes(1000))
    path = metaimage(tmp_path, changes | {"CompressedDataSize": str(len(data))}, data)
    with pytest.raises(VolumeError, match=r"cut short|of memory"):
        Volume.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX systems")
def test_a_pipe_in_a_series_is_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0001.dcm")
    with pytest.raises(VolumeError, match=r"0001\.dcm, which is a named pipe"):
        Volume.read(tmp_path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e200, -1e200, 1e308, 1e-200, 5e-324, 1e7, 1e-10])
def test_extreme_grids_are_refused_without_warnings(value: float) -> None:
    with pytest.raises(GeometryError):
        Geometry.from_spacing((3, 4, 5), (1, value, 1))
    with pytest.raises(GeometryError):
        Geometry((3, 4, 5), np.diag([1, 1, value, 1]))
    with pytest.raises(GeometryError):
        Geometry.from_spacing((3, 4, 5)).resampled((value, 1, 1))
    if abs(value) > 1e9:
        with pytest.raises(GeometryError):
            Geometry.from_spacing((3, 4, 5), origin_ras=(value, 0, 0))
        with pytest.raises(GeometryError):
            Geometry.from_spacing((3, 4, 5), (value, value, 1), np.full((3, 3), value))


@pytest.mark.parametrize("shape", [(1, 2, 2**31), (1, 2, float("nan")), (1, 2, float("inf"))])
def test_shapes_that_no_volume_has_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(GeometryError):
        Geometry(shape, np.eye(4))


def test_matrices_that_are_not_numbers_are_refused() -> None:
    for matrix in ("x", [[10**400] * 4] * 4, [[1, 2], [3]], None):
        with pytest.raises(GeometryError):
            Geometry((1, 2, 3), matrix)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["s000.dcm", "s003.dcm", "s005.dcm"])
@pytest.mark.parametrize("left", [0, 100, 300, -1])
def test_a_damaged_slice_is_not_left_out_silently(name: str, left: int, tmp_path: Path) -> None:
    write_dicom(Volume(VOXELS, Geometry(VOXELS.shape, np.diag([-1, -1, 1, 1]))), tmp_path)
    assert Volume.read(tmp_path).array_kji.shape == VOXELS.shape
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes.txt").write_text("not a slice")
    plan = b"\2\0\2\0UI\x1e\x001.2.840.10008.5.1.4.1.1.481.3\0"
    (tmp_path / "contours.dcm").write_bytes(bytes(128) + b"DICM" + plan)
    assert Volume.read(tmp_path).array_kji.shape == VOXELS.shape
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(VolumeError, match=f"{name} is a DICOM file that was cut short"):
        Volume.read(tmp_path)
