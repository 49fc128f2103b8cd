"""Patient CDs: folders in folders, the list of series, and the choice of one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from dicom_files import Slice, noise, slices, write_enhanced, write_files
from pydicom.fileset import FileSet

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.volumes.io.dicom.series import contents_of, list_series

CT, MR = noise(), noise((5, 8, 10), 1)


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A CD with two CT series, one with a scout, and an MR series in one file."""
    write_files(
        tmp_path / "PA0" / "ST0" / "SE0",
        [*slices(CT), Slice(CT[0], (0, 0, 0), column=(0, 0, -1))],
        name="IM{:04d}",
        SeriesDescription="Thorax 5.0",
        SeriesNumber="2",
    )
    write_files(tmp_path / "PA0" / "ST0" / "SE1", slices(MR), SeriesNumber="3")
    write_enhanced(tmp_path / "PA0" / "ST1" / "I0", slices(MR), "MR", SeriesNumber="1")
    write_files(tmp_path / "PA0" / "ST1" / "SR", slices(MR[:1]), Modality="SR")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "README.TXT").write_text("A viewer for Windows.\n")
    (tmp_path / "VIEWER.EXE").write_bytes(b"MZ" + bytes(range(256)))
    return tmp_path


def test_the_series_of_a_cd_are_listed_in_a_table(
    disc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list_series(contents_of(disc))
    assert [(r.number, r.modality, r.description, r.slices, r.frames) for r in rows] == [
        (1, "MR", "", 5, 1),
        (2, "CT", "Thorax 5.0", 6, 1),
        (3, "CT", "Thorax 5.0", 1, 1),
        (4, "CT", "", 5, 1),
    ]
    assert np.allclose(rows[1].spacing_ijk_mm or (), (1, 1, 5))
    assert run("show", disc) == 0
    shown = capsys.readouterr()
    for word in ("modality", "Thorax", "1 x 1 x 5", "--series NUMBER"):
        assert word in shown.out
    assert not any(word in shown.out + shown.err for word in ("Doe", "4711", "1950"))


def test_a_series_is_chosen_by_number_or_uid(
    disc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VolumeError, match=r"3 DICOM series; choose one: MR '', 5 slices: --series"):
        Volume.read(disc)
    for row in list_series(contents_of(disc)):
        array = {1: MR, 2: CT, 3: CT[:1], 4: MR}[row.number]
        assert np.array_equal(Volume.read(disc, row.number).array_kji, array)
        if row.number != 3:
            assert np.array_equal(Volume.read(disc, row.uid).array_kji, array)
    for wrong in (0, 5, "1.2", "-1", ""):
        with pytest.raises(VolumeError, match=r"choose one of 1 to 4"):
            Volume.read(disc, wrong)
    assert run("show", disc, "--series", "2") == 0
    assert "10 x 8 x 6 voxels" in capsys.readouterr().out


def test_the_directory_of_a_cd_stands_for_its_folder(disc: Path) -> None:
    assert np.array_equal(Volume.read(disc / "DICOMDIR", 2).array_kji, CT)


def test_files_that_the_directory_of_a_cd_lists_and_that_are_gone_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    media, disc = FileSet(), tmp_path / "disc"
    study = {"StudyDate": "20200117", "StudyTime": "101010", "StudyID": "1", "AccessionNumber": ""}
    for number, array in enumerate((CT, MR), start=1):
        series = {**study, "StudyInstanceUID": "1.2.3", "SeriesNumber": str(number)}
        for path in write_files(tmp_path / "made" / str(number), slices(array), **series):
            media.add(path)
    media.write(disc)
    assert np.array_equal(Volume.read(disc, 1).array_kji, CT)
    assert caplog.text == ""
    last = next(disc.rglob("SE000000")) / "IM000005"
    last.unlink()
    assert np.array_equal(Volume.read(disc / "DICOMDIR", 1).array_kji, CT[:5])
    assert f"lists a file that is not there, such as {last};" in caplog.text
    caplog.clear()
    assert np.array_equal(Volume.read(disc, 2).array_kji, MR)
    assert caplog.text == ""
    assert run("show", disc) == 0
    assert "lists a file that is not there" in capsys.readouterr().err


def test_a_damaged_file_of_a_cd_is_named_unless_another_folder_is_chosen(
    disc: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disc / "PA0" / "ST0" / "SE0" / "IM0005"
    path.write_bytes(path.read_bytes()[:70])
    for choice in (None, 2):
        with pytest.raises(VolumeError, match="IM0005 is a DICOM file that was cut short"):
            Volume.read(disc, choice)
    assert np.array_equal(Volume.read(disc, 1).array_kji, MR)
    assert "IM0005 is damaged" in caplog.text
    assert run("show", disc) == 0
    shown = capsys.readouterr()
    assert "Thorax" in shown.out and "Not listed" in shown.err and "IM0005" in shown.err


def test_stacks_of_one_file_are_chosen_by_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks = [*slices(CT), *slices(MR, (0, 0, 3), (9, 9, 200))]
    labels = [{"FrameContentSequence": {"StackID": n}} for n in "1" * len(CT) + "2" * len(MR)]
    path = write_enhanced(tmp_path / "a.dcm", stacks, "MR", labels=labels)
    with pytest.raises(VolumeError, match="stacks of 6 and 5 images"):
        Volume.read(path)
    assert np.array_equal(Volume.read(path, 1).array_kji, CT)
    assert np.array_equal(Volume.read(path, 2).array_kji, MR)
    assert run("show", path) == 0
    assert "1 x 1 x 3" in capsys.readouterr().out


def test_a_file_without_places_for_its_frames_hides_no_series(tmp_path: Path) -> None:
    write_files(tmp_path / "cine", slices(CT[:1]), NumberOfFrames="2")
    with pytest.raises(VolumeError, match=r"000\.dcm has several frames without a place"):
        Volume.read(tmp_path)
    write_files(tmp_path / "mr", slices(MR))
    assert np.array_equal(Volume.read(tmp_path).array_kji, MR)


def test_the_only_series_needs_no_choice(tmp_path: Path) -> None:
    write_files(tmp_path / "mr", slices(MR))
    assert np.array_equal(Volume.read(tmp_path, 1).array_kji, MR)
    with pytest.raises(VolumeError, match="no DICOM series 2; leave --series out"):
        Volume.read(tmp_path, 2)


def test_many_series_are_summed_up_in_the_message(tmp_path: Path) -> None:
    for n in range(11):
        write_files(tmp_path / str(n), slices(MR[:1]), SeriesNumber=str(n))
    with pytest.raises(VolumeError, match="and 3 more, which medsegfm show lists"):
        Volume.read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links need a privilege on Windows")
def test_a_loop_of_links_ends(disc: Path) -> None:
    (disc / "PA0" / "loop").symlink_to(disc)
    assert len(list_series(contents_of(disc))) == 4


def test_a_volume_keeps_modality_and_description_of_its_series(
    disc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = Volume.read(disc, "2")
    assert (volume.modality, volume.description) == ("CT", "Thorax 5.0")
    turned = volume.reoriented("PSR").pad((0, 0, 0), (1, 1, 1))
    turned = turned.with_array(turned.array_kji + 1)
    assert turned.modality == "CT" and turned.description == "Thorax 5.0"
    assert run("show", disc, "--series", "2") == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["modality", "CT"] in lines and ["series", "Thorax 5.0"] in lines
    picture = disc.parent / "look.png"
    assert run("show", disc, "--series", "2", "--preview", picture) == 0
    assert picture.stat().st_size > 5000
