"""The values of DICOM voxels: exact in every transfer syntax, with each slice's own slope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_files import BIG, DEFLATED, ENCODERS, EXPLICIT, IMPLICIT, noise, slices, write_enhanced
from dicom_files import write_files as write
from pydicom import dcmread

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.system.memory import physical_memory

ARRAY = noise()
UNITS = [("Units", "BQML", "CNTS"), ("RescaleType", "HU", "US")]
SYNTAXES = [IMPLICIT, EXPLICIT, BIG, DEFLATED, *ENCODERS]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("is_enhanced", [False, True])
@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_every_transfer_syntax_is_exact(
    syntax: str, is_enhanced: bool, dtype: str, tmp_path: Path
) -> None:
    array = ARRAY if dtype == "int16" else (ARRAY.astype(np.int32) + 40000).astype(np.uint16)
    series = slices(array)
    if is_enhanced:
        write_enhanced(tmp_path / "a.dcm", [series[n] for n in (3, 0, 5, 1, 4, 2)], syntax=syntax)
    else:
        write(tmp_path, series, syntax=syntax)
    read = Volume.read(tmp_path).array_kji
    assert read.dtype == dtype and np.array_equal(read, array)


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED, *ENCODERS])
@pytest.mark.parametrize("left", [0.5, 0.9, -3])
def test_a_file_that_was_cut_short_is_refused_in_every_syntax(
    syntax: str, left: float, tmp_path: Path
) -> None:
    path = write(tmp_path, slices(ARRAY), syntax=syntax)[-1]
    data = path.read_bytes()
    path.write_bytes(data[: left if left < 0 else int(len(data) * left)])
    with pytest.raises(VolumeError, match=path.name):
        Volume.read(tmp_path)


@pytest.mark.parametrize("syntax", ENCODERS)
def test_damaged_bytes_of_a_codec_never_crash(syntax: str, tmp_path: Path) -> None:
    (path,) = write(tmp_path, slices(ARRAY[:1]), syntax=syntax)
    data = path.read_bytes()
    start = data.index(b"\xe0\x7f\x10\x00")
    rng = np.random.default_rng(0)
    for _ in range(20):
        changed = bytearray(data)
        for at in rng.integers(start, len(data), 8):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            Volume.read(path)
        except VolumeError as error:
            assert path.name in str(error)


PET = {
    "small": [1.0, *(0.0005 + 0.0001 * k for k in range(1, 6))],
    "large": [1.0, *(2.5 + 0.1 * k for k in range(1, 6))],
    "last": [0.37, 0.37, 0.37, 0.37, 0.37, 1.0],
}


@pytest.mark.parametrize("name", PET)
def test_every_slice_has_its_own_slope(name: str, tmp_path: Path) -> None:
    stored = np.abs(ARRAY) * 10
    series = [
        one.changed(slope=s, intercept=0.5 * k)
        for k, (one, s) in enumerate(zip(slices(stored), PET[name], strict=True))
    ]
    write(tmp_path, series, "PT")
    read = Volume.read(tmp_path).array_kji
    assert read.dtype == np.float64
    assert np.array_equal(read, np.stack([one.values for one in series]))


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(1, -1024, "int32"), (2, 0, "int32"), (-1, 0, "int32"), (1, 0, "int16"), (0.5, 0, "float64")],
)
def test_whole_slopes_give_integers_that_hold_every_value(
    slope: float, intercept: float, dtype: str, tmp_path: Path
) -> None:
    array = np.full((2, 3, 4), -32768, np.int16)
    array[1] = 32767
    write(tmp_path, slices(array, slope=slope, intercept=intercept))
    read = Volume.read(tmp_path).array_kji
    assert read.dtype == dtype
    assert np.array_equal(read, array * float(slope) + intercept)


def test_hounsfield_units_of_twelve_bits_are_signed_integers(tmp_path: Path) -> None:
    array = (np.abs(ARRAY) * 2).astype(np.uint16)
    write(tmp_path, slices(array, intercept=-1024), BitsStored=12, HighBit=11)
    read = Volume.read(tmp_path).array_kji
    assert read.dtype == np.int16 and np.array_equal(read, array.astype(int) - 1024)


@pytest.mark.parametrize("has_sign", [False, True])
def test_unused_high_bits_are_filled_with_the_sign(has_sign: bool, tmp_path: Path) -> None:
    array = ARRAY.clip(-2000, 2000)
    stored = array if has_sign else (array & 0x0FFF).astype(np.int16)
    write(tmp_path, slices(stored), BitsStored=12, HighBit=11)
    assert np.array_equal(Volume.read(tmp_path).array_kji, array)


def test_numbers_beyond_the_stated_bits_are_refused_and_overlays_masked(tmp_path: Path) -> None:
    array = np.abs(ARRAY).astype(np.uint16)
    array[2, 3, 4] += 1 << 13
    paths = write(tmp_path, slices(array), BitsStored=12, HighBit=11)
    with pytest.raises(VolumeError, match=r"002\.dcm has voxels beyond the 12 bits"):
        Volume.read(tmp_path)
    for path in paths:
        path.unlink()
    series = slices(array)
    write(tmp_path, series, BitsStored=12, HighBit=11)
    from pydicom import dcmread

    for path in paths:
        dataset = dcmread(path)
        dataset.add_new(0x60000102, "US", 13)
        dataset.save_as(path)
    assert np.array_equal(Volume.read(tmp_path).array_kji, array & 0x0FFF)


def test_signed_and_unsigned_slices_in_one_series_keep_their_values(tmp_path: Path) -> None:
    series = slices(ARRAY)
    high = (np.abs(ARRAY[2]).astype(np.uint16)) + 40000
    series[2] = series[2].changed(pixels=high.astype(np.uint16), extra={"PixelRepresentation": 0})
    write(tmp_path, series)
    read = Volume.read(tmp_path).array_kji
    assert read.dtype == np.int32 and read[2].min() >= 40000
    assert np.array_equal(read, np.stack([one.values for one in series]))


def test_a_slice_without_a_slope_that_others_have_is_refused(tmp_path: Path) -> None:
    series = slices(ARRAY, intercept=-1024)
    series[4] = series[4].changed(slope=None, intercept=None)
    write(tmp_path, series)
    with pytest.raises(VolumeError, match=r"004\.dcm states no RescaleSlope"):
        Volume.read(tmp_path)


@pytest.mark.parametrize(("element", "unit", "other"), UNITS)
def test_a_slice_in_another_unit_is_refused_by_name(
    element: str, unit: str, other: str, tmp_path: Path
) -> None:
    series = slices(ARRAY, extra={element: unit})
    series[4] = series[4].changed(extra={element: other})
    write(tmp_path, series, "PT")
    with pytest.raises(VolumeError, match=r"004\.dcm states its values in another unit"):
        Volume.read(tmp_path)


def test_numbers_with_a_point_are_refused_by_name(tmp_path: Path) -> None:
    for path in write(tmp_path, slices(ARRAY)):
        dataset = dcmread(path)
        dataset.FloatPixelData = ARRAY[0].astype(np.float32).tobytes()
        dataset.BitsAllocated = 32
        del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
        dataset.save_as(path)
    with pytest.raises(VolumeError, match=r"000\.dcm stores its voxels as floating-point numbers"):
        Volume.read(tmp_path)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "3 values per voxel"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "3 values per voxel"),
        ({"HighBit": 14}, "HighBit 14"),
        ({"BitsStored": 17}, "17 of 16 bits"),
        ({"BitsAllocated": 1, "BitsStored": 1}, "1 of 1 bits"),
        ({"Rows": 9}, "bytes of voxels instead of 180"),
        ({"Rows": 60000, "Columns": 60000}, r"bytes of voxels instead of|of memory"),
        ({"RescaleSlope": "0"}, "RescaleSlope that is 0"),
        ({"RescaleSlope": "1e400"}, "RescaleSlope that has to be finite"),
    ],
)
def test_voxels_that_are_not_one_grey_value_each_are_refused_by_name(
    elements: dict[str, object], said: str, tmp_path: Path
) -> None:
    from pydicom import dcmread

    for path in write(tmp_path, slices(ARRAY)):
        dataset = dcmread(path)
        for key, value in elements.items():
            setattr(dataset, key, value)
        dataset.save_as(path)
    with pytest.raises(VolumeError, match=said) as caught:
        Volume.read(tmp_path)
    assert "000.dcm" in str(caught.value)


def test_a_size_beyond_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for syntax in (EXPLICIT, DEFLATED):
        write(tmp_path / syntax, slices(ARRAY), syntax=syntax)
        monkeypatch.setattr(physical_memory, "physical_memory_bytes", lambda: 100)
        with pytest.raises(VolumeError, match="of memory"):
            Volume.read(tmp_path / syntax)
        monkeypatch.undo()
