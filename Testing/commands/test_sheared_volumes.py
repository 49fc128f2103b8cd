"""A tilted gantry through the command line: segmented on a regular grid, written on its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from dicom_files import slices, write_files

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import OutputError
from MedSegFMLib.metrics import dice
from MedSegFMLib.volumes.io import image_files
from MedSegFMLib.volumes.right_angles import brought_back, on_regular_grid, regular_grid

SHAPE = (14, 26, 24)


def sheared(directions: np.ndarray, tilt: float = 0.9) -> Geometry:
    geometry = Geometry.from_spacing(SHAPE, (0.9, 0.9, 3.0), directions, (5, -6, 70))
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 2] += tilt * directions[:, 1]
    return Geometry(SHAPE, matrix)


def ball(geometry: Geometry) -> tuple[Volume, np.ndarray]:
    """A bright ball of millimetres, not of voxels."""
    places = geometry.ras_from_ijk(np.argwhere(np.ones(SHAPE))[:, ::-1]).reshape(*SHAPE, 3)
    centre = geometry.ras_from_ijk((np.array(SHAPE[::-1]) - 1) / 2)
    mask = np.linalg.norm(places - centre, axis=-1) < 7
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    return Volume(np.rint(mask * 100 + noise).astype(np.int16), geometry), mask


def box_of(mask: np.ndarray) -> list[int]:
    places = np.argwhere(mask)[:, ::-1]
    return [*places.min(axis=0).tolist(), *(places.max(axis=0) + 1).tolist()]


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii.gz"])
def test_a_sheared_volume_gets_its_mask_on_its_own_grid(
    ending: str, directions: np.ndarray, tmp_path: Path
) -> None:
    volume, mask = ball(sheared(directions))
    volume.write(tmp_path / "tilt.nrrd")
    out, map_out = tmp_path / f"seg{ending}", tmp_path / f"map{ending}"
    words = ["--model", "randomwalk", "--consistency", map_out, "--preview", tmp_path / "p.png"]
    assert run("segment", tmp_path / "tilt.nrrd", "--box", *box_of(mask), *words, "--out", out) == 0
    found = Volume.read(out)
    assert found.geometry.matches(volume.geometry, 1e-3)
    assert dice(mask, found.array_kji > 0) > 0.9
    assert Volume.read(map_out).geometry.matches(volume.geometry, 1e-3)


def test_a_dicom_series_of_a_tilted_gantry_is_segmented(tmp_path: Path) -> None:
    volume, mask = ball(sheared(np.diag([-1.0, -1.0, 1.0])))
    step = volume.geometry.ijk_to_ras[:3, 2] * (-1, -1, 1)
    write_files(tmp_path / "in", slices(volume.array_kji, step, spacing=(0.9, 0.9)))
    words = ["--model", "randomwalk", "--box", *box_of(mask), "--out", tmp_path / "s.nrrd"]
    assert run("segment", tmp_path / "in", *words) == 0
    assert dice(mask, Volume.read(tmp_path / "s.nrrd").array_kji > 0) > 0.9


@pytest.mark.parametrize("tilt", [-1.7, 0.02, 0.9])
def test_the_regular_grid_holds_every_voxel_and_keeps_slices(
    tilt: float, directions: np.ndarray
) -> None:
    geometry = sheared(directions, tilt)
    regular = regular_grid(geometry)
    assert not regular.is_sheared and regular.axis_codes == geometry.axis_codes
    assert np.allclose(regular.spacing_ijk_mm, (0.9, 0.9, 3.0))
    assert regular.shape_kji[0] == SHAPE[0]
    places = regular.ijk_from_ras(geometry.ras_from_ijk(geometry.corners_ijk()))
    assert places.min() > -1e-6
    assert (places <= np.array(regular.shape_kji[::-1]) - 1 + 1e-6).all()


def test_labels_come_back_to_where_they_were(directions: np.ndarray) -> None:
    volume, mask = ball(sheared(directions))
    regular = on_regular_grid(volume)
    assert regular.array_kji.dtype == volume.array_kji.dtype
    labels = regular.with_array((regular.array_kji > 50).astype(np.uint8) * 3)
    back = brought_back(labels, volume.geometry)
    assert set(np.unique(back.array_kji)) == {0, 3}
    assert dice(mask, back.array_kji > 0) > 0.95
    upright = Volume(volume.array_kji, Geometry.from_spacing(SHAPE))
    assert on_regular_grid(upright) is upright
    assert brought_back(upright, upright.geometry) is upright


def test_a_volume_that_the_format_cannot_hold_is_refused_before_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    volume, mask = ball(sheared(np.eye(3)))
    volume.write(tmp_path / "v.nrrd")
    monkeypatch.setattr(image_files, "_MOST_NIFTI_VOXELS", 20)
    monkeypatch.setattr(
        "MedSegFMLib.commands.segment.create", lambda *_, **__: pytest.fail("the model was loaded")
    )
    words = ["--box", *box_of(mask), "--out", tmp_path / "s.nii.gz"]
    assert "use .nrrd or .mha" in refused(capsys, "segment", tmp_path / "v.nrrd", *words)
    with pytest.raises(OutputError, match="at most 20"):
        volume.write(tmp_path / "s.nii")
