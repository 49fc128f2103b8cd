"""TIFF stacks: every page there, and a spacing that the user states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from command_line import refused, run

from MedSegFMLib import Volume
from MedSegFMLib.errors import GeometryError, MedSegFMError, VolumeError

ARRAY = np.random.default_rng(0).integers(0, 60000, (5, 6, 7)).astype(np.uint16)
SPACING = (0.5, 0.7, 2.0)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_are_slices_with_the_stated_spacing(
    compression: str | None,
    dtype: str,
    order: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    array = (ARRAY % 251).astype(dtype)
    path = tmp_path / "v.tif"
    tifffile.imwrite(
        path, array, compression=compression, byteorder=order, photometric="minisblack"
    )
    read = Volume.read(path, spacing_ijk_mm=SPACING)
    assert np.array_equal(read.array_kji, array) and read.array_kji.dtype == dtype
    assert read.geometry.spacing_ijk_mm == SPACING
    assert "placed at the origin" in caplog.text


def test_without_a_spacing_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(tmp_path / "v.tiff", ARRAY, photometric="minisblack")
    assert "--spacing I J K" in refused(capsys, "show", tmp_path / "v.tiff")
    assert run("show", tmp_path / "v.tiff", "--spacing", *SPACING) == 0
    assert "0.5 x 0.7 x 2 mm" in capsys.readouterr().out
    for spacing in ((0, 1, 1), (-1, 1, 1), (1, float("nan"), 1)):
        with pytest.raises((GeometryError, VolumeError), match="spacing"):
            Volume.read(tmp_path / "v.tiff", spacing_ijk_mm=spacing)
    Volume.read(tmp_path / "v.tiff", spacing_ijk_mm=SPACING).write(tmp_path / "v.nrrd")
    with pytest.raises(VolumeError, match="states its own spacing"):
        Volume.read(tmp_path / "v.nrrd", spacing_ijk_mm=SPACING)


def test_a_file_that_was_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in ARRAY:
            writer.write(page, contiguous=False, photometric="minisblack")
    data = path.read_bytes()
    assert np.array_equal(Volume.read(path, spacing_ijk_mm=SPACING).array_kji, ARRAY)
    for left in range(0, len(data), 7):
        path.write_bytes(data[:left])
        with pytest.raises(VolumeError, match=r"v\.tif"):
            Volume.read(path, spacing_ijk_mm=SPACING)
    rng = np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            Volume.read(path, spacing_ijk_mm=SPACING)
        except MedSegFMError as error:
            assert "v.tif" in str(error)


def test_pages_that_are_no_slices_of_one_volume_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((5, 6, 3), np.uint8), photometric="rgb")
    with pytest.raises(VolumeError, match="in colour"):
        Volume.read(tmp_path / "c.tif", spacing_ijk_mm=SPACING)
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(ARRAY[0], photometric="minisblack")
        writer.write(ARRAY[0, :3], photometric="minisblack")
    with pytest.raises(VolumeError, match="the page 2 of another size"):
        Volume.read(tmp_path / "two.tif", spacing_ijk_mm=SPACING)
