"""Series of one file for each slice: right to 1e-4 mm, or refused by the name of the file."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_files import Slice, noise, slices, write_files
from pydicom.uid import generate_uid

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, MedSegFMError, VolumeError

ARRAY = noise()
_LPS = np.diag([-1, -1, 1, 1])
_SPACING_IJK = (1.0, 1.0, 5.0)


def truth(
    origin: tuple[float, ...] = (-10, -20, 30), step: tuple[float, ...] = (0, 0, 5)
) -> Geometry:
    matrix = np.eye(4)
    matrix[:3, 2], matrix[:3, 3] = step, origin
    return Geometry(ARRAY.shape, _LPS @ matrix)


def check_right(volume: Volume, geometry: Geometry | None = None) -> None:
    assert volume.geometry.matches(geometry or truth(), 1e-4)
    assert np.array_equal(volume.array_kji, ARRAY)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("names", ["{:03d}.dcm", "IM{:04d}", "1.2.3.{:d}"])
def test_slices_in_any_order_of_files_and_under_any_name_are_sorted_by_place(
    direction: int, names: str, tmp_path: Path
) -> None:
    mixed = [slices(ARRAY)[n] for n in (3, 0, 5, 1, 4, 2)][::direction]
    write_files(tmp_path, mixed, name=names)
    check_right(Volume.read(tmp_path))


@pytest.mark.parametrize("gap", ["-5", "5", "7.5", "0", None])
def test_the_stated_spacing_between_slices_and_its_sign_decide_nothing(
    gap: str | None, tmp_path: Path
) -> None:
    write_files(tmp_path, slices(ARRAY), SpacingBetweenSlices=gap)
    check_right(Volume.read(tmp_path))


def test_a_tilted_gantry_is_read_as_the_sheared_grid_that_it_is_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, slices(ARRAY, (0, 1.5, 5)))
    check_right(Volume.read(tmp_path), truth(step=(0, 1.5, 5)))
    assert "tilted gantry" in caplog.text


@pytest.mark.parametrize("step", [0.73, 1.25, 2.4499])
def test_positions_rounded_to_a_tenth_of_a_millimetre_give_the_line_through_all(
    step: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = noise((40, 6, 7))
    origin = (-10.03, -20.07, 30.013)
    write_files(tmp_path, slices(array, (0, 0, step), origin, digits=".1f"))
    volume = Volume.read(tmp_path)
    assert abs(volume.geometry.spacing_ijk_mm[2] - step) < 0.002
    assert not volume.geometry.is_sheared
    meant = volume.geometry.ras_from_ijk([(0, 0, k) for k in range(40)])
    assert (
        np.abs(meant @ _LPS[:3, :3] - [np.add(origin, (0, 0, k * step)) for k in range(40)]).max()
        < 0.08
    )
    assert "line through all" in caplog.text


@pytest.mark.parametrize("k", [0, 2, 5])
@pytest.mark.parametrize("off", [(0, 0, 0.4), (0, 0.3, 0), (0.08, 0, 0), (0, 0, -0.3)])
def test_a_slice_off_the_others_is_refused_by_name(
    k: int, off: tuple[float, ...], tmp_path: Path
) -> None:
    series = slices(ARRAY)
    series[k] = series[k].changed(position=tuple(np.add(series[k].position, off)), digits=".6f")
    write_files(tmp_path, series)
    with pytest.raises(GeometryError, match=f"00{k}.dcm is .* off the line"):
        Volume.read(tmp_path)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_a_missing_slice_is_named_by_its_neighbours(k: int, tmp_path: Path) -> None:
    write_files(tmp_path, slices(ARRAY))[k].unlink()
    with pytest.raises(GeometryError, match=f"00{k - 1}.dcm and 00{k + 1}.dcm are 10 mm apart"):
        Volume.read(tmp_path)


def test_slices_missing_at_the_end_of_pet_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write_files(tmp_path, slices(ARRAY), "PT", NumberOfSlices=6)
    check_right(Volume.read(tmp_path))
    assert caplog.text == ""
    paths[5].unlink()
    assert np.array_equal(Volume.read(tmp_path).array_kji, ARRAY[:5])
    assert "states 6 slices and 5 are here" in caplog.text


def test_one_of_three_slices_missing_is_seen_by_the_stated_spacing(tmp_path: Path) -> None:
    write_files(tmp_path, slices(ARRAY[:3]), SpacingBetweenSlices="5")[1].unlink()
    with pytest.raises(GeometryError, match="10 mm apart"):
        Volume.read(tmp_path)


@pytest.mark.parametrize("k", [0, 3, 5])
@pytest.mark.parametrize(
    ("change", "missing"),
    [({"position": None}, "ImagePositionPatient"), ({"spacing": None}, "PixelSpacing")],
)
def test_a_slice_without_its_place_is_refused_by_name(
    k: int, change: dict[str, None], missing: str, tmp_path: Path
) -> None:
    series = slices(ARRAY)
    series[k] = series[k].changed(**change)
    write_files(tmp_path, series)
    with pytest.raises(VolumeError, match=rf"00{k}\.dcm states no {missing}"):
        Volume.read(tmp_path)


def test_the_thickness_of_slices_is_no_spacing(tmp_path: Path) -> None:
    write_files(tmp_path, [one.changed(position=None) for one in slices(ARRAY)])
    with pytest.raises(VolumeError, match="states no ImagePositionPatient"):
        Volume.read(tmp_path)


ODD: dict[str, tuple[dict[str, object], str]] = {
    "orientation": ({"column": (0, 0, -1)}, "another orientation"),
    "mirrored rows": ({"row": (-1, 0, 0)}, "another orientation"),
    "spacing": ({"spacing": (1.0, 0.9)}, "another pixel spacing"),
    "matrix": ({"pixels": noise((9, 10))}, "another matrix"),
    "localizer": ({"extra": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}}, "a localizer"),
    "space": ({"extra": {"FrameOfReferenceUID": generate_uid()}}, "another frame of reference"),
    "patient": ({"extra": {"PatientID": "4712"}}, "another study or patient"),
}


@pytest.mark.parametrize("oddity", ODD)
def test_an_odd_slice_in_the_middle_is_named_with_the_gap_that_it_leaves(
    oddity: str, tmp_path: Path
) -> None:
    change, words = ODD[oddity]
    series = slices(ARRAY)
    series[2] = series[2].changed(**change)
    write_files(tmp_path, series)
    with pytest.raises(GeometryError, match=rf"without 002\.dcm \({words}\)"):
        Volume.read(tmp_path)


@pytest.mark.parametrize("oddity", ODD)
def test_an_odd_image_beside_a_whole_stack_is_set_aside_and_named(
    oddity: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change, words = ODD[oddity]
    scout = Slice(noise((8, 10), 7), (-10, 0, 80)).changed(**change)
    write_files(tmp_path, [*slices(ARRAY), scout])
    check_right(Volume.read(tmp_path))
    assert f"006.dcm ({words})" in caplog.text


def test_several_scouts_of_their_own_kinds_are_set_aside(tmp_path: Path) -> None:
    odd = [Slice(noise((8, 10), 7), (-10, 0, 80)).changed(**c) for c, _ in ODD.values()]
    write_files(tmp_path, [*odd[:2], *slices(ARRAY), *odd[2:]])
    check_right(Volume.read(tmp_path))


def test_two_stacks_of_one_series_are_chosen_by_number(tmp_path: Path) -> None:
    other = noise(seed=3)
    sagittal = slices(other, (4, 0, 0), row=(0, 1, 0), column=(0, 0, -1))
    write_files(tmp_path, [*slices(ARRAY), *sagittal])
    with pytest.raises(VolumeError, match=r"stacks of 6 and 6 images in one series .*--series"):
        Volume.read(tmp_path)
    assert {np.array_equal(Volume.read(tmp_path, n).array_kji, ARRAY) for n in (1, 2)} == {
        False,
        True,
    }


def test_a_copied_file_is_left_out_and_another_image_at_its_place_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write_files(tmp_path, slices(ARRAY), SeriesInstanceUID="1.2.3")
    shutil.copy(paths[3], tmp_path / "003 (1).dcm")
    check_right(Volume.read(tmp_path))
    assert "(a copy)" in caplog.text
    (tmp_path / "003 (1).dcm").unlink()
    again = slices(noise(seed=9))[3:4]
    write_files(
        tmp_path, again, name="again.dcm", SeriesInstanceUID="1.2.3", StudyInstanceUID="1.3"
    )
    (tmp_path / "again.dcm").unlink()
    study = "1.2.4"
    for path in paths:
        path.unlink()
    write_files(tmp_path, [*slices(ARRAY), *again], StudyInstanceUID=study)
    with pytest.raises(
        VolumeError, match=r"003\.dcm and 006\.dcm|003\.dcm .*006\.dcm are at one place"
    ):
        Volume.read(tmp_path)


@pytest.mark.parametrize("k", [0, 3, 5])
@pytest.mark.parametrize("names", ["{:03d}.dcm", "IM{:04d}", "1.2.3.{:d}"])
@pytest.mark.parametrize("damage", ["empty", "start", "cut", "last byte", "zeros"])
def test_a_damaged_file_is_named(k: int, names: str, damage: str, tmp_path: Path) -> None:
    path = write_files(tmp_path, slices(ARRAY), name=names)[k]
    (tmp_path / "README").write_text("Made up.\n")
    data = path.read_bytes()
    cuts = {"empty": b"", "start": data[:90], "cut": data[: len(data) // 2], "last byte": data[:-1]}
    path.write_bytes(cuts.get(damage, bytes(len(data))))
    with pytest.raises(VolumeError, match=f"{path.name} (is a DICOM file that was|has .* bytes)"):
        Volume.read(tmp_path)


def test_a_single_slice_is_a_volume(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, slices(ARRAY[:1]), SpacingBetweenSlices="-4")
    for source in (tmp_path, path):
        volume = Volume.read(source)
        assert volume.array_kji.shape == (1, 8, 10)
        assert np.allclose(volume.geometry.spacing_ijk_mm, (1, 1, 4))


@pytest.mark.parametrize(
    "values", ["1\\0\\0\\0\\1\\0.1", "2\\0\\0\\0\\1\\0", "1\\0\\0", "x\\0\\0\\0\\1\\0"]
)
def test_axes_that_are_none_are_refused_by_name(values: str, tmp_path: Path) -> None:
    paths = write_files(tmp_path, slices(ARRAY))
    written = b"1.0000000000\\0.0000000000\\0.0000000000\\0.0000000000\\1.0000000000\\0.0000000000"
    data = paths[2].read_bytes()
    assert written in data
    paths[2].write_bytes(data.replace(written, values.encode().ljust(len(written))))
    with pytest.raises(VolumeError, match=r"002\.dcm has a ImageOrientationPatient that"):
        Volume.read(tmp_path)


def test_no_message_or_log_contains_the_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for number, change in enumerate(({"position": None}, {"spacing": (0.0, 1.0)}, {"slope": 0})):
        series = slices(ARRAY)
        series[2] = series[2].changed(**change)
        folder = tmp_path / str(number)
        write_files(folder, series, StudyDate="20260230", AcquisitionDate="not a date")
        with pytest.raises(MedSegFMError) as caught:
            Volume.read(folder)
        assert "\n" not in str(caught.value)
        for text in (str(caught.value), caplog.text):
            assert not any(word in text for word in ("Doe", "Jane", "4711", "1950", "20260230"))
