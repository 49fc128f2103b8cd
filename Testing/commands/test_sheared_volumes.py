"""A tilted gantry through the command line: segmented on a regular grid, written on its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from dicom_files import slices, write_files
from sample_volumes import sheared_ball, sheared_grid

from MedSegFMLib import Geometry, Region, Volume
from MedSegFMLib.errors import OutputError
from MedSegFMLib.metrics import dice
from MedSegFMLib.volumes.io import image_files
from MedSegFMLib.volumes.right_angles import StraightGrid, regular_grid

SHAPE = (14, 26, 24)


def box_of(mask: np.ndarray) -> list[int]:
    places = np.argwhere(mask)[:, ::-1]
    return [*places.min(axis=0).tolist(), *(places.max(axis=0) + 1).tolist()]


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii.gz"])
def test_a_sheared_volume_gets_its_mask_on_its_own_grid(
    ending: str, directions: np.ndarray, tmp_path: Path
) -> None:
    volume, mask = sheared_ball(directions)[:2]
    volume.write(tmp_path / "tilt.nrrd")
    out, map_out = tmp_path / f"seg{ending}", tmp_path / f"map{ending}"
    words = ["--model", "randomwalk", "--consistency", map_out, "--preview", tmp_path / "p.png"]
    assert run("segment", tmp_path / "tilt.nrrd", "--box", *box_of(mask), *words, "--out", out) == 0
    found = Volume.read(out)
    assert found.geometry.matches(volume.geometry, 1e-3)
    assert dice(mask, found.array_kji > 0) > 0.9
    assert Volume.read(map_out).geometry.matches(volume.geometry, 1e-3)


def test_a_result_on_a_sheared_grid_is_shown_replayed_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume, mask, _ = sheared_ball(np.eye(3))
    volume.write(tmp_path / "tilt.nrrd")
    assert run("show", tmp_path / "tilt.nrrd", "--preview", tmp_path / "p.png") == 0
    assert "17 degrees off right angles" in capsys.readouterr().out
    out = tmp_path / "seg.seg.nrrd"
    words = ["--model", "randomwalk", "--box", *box_of(mask), "--smooth", 1, "--out", out]
    assert run("segment", tmp_path / "tilt.nrrd", *words) == 0
    assert run("replay", out) == 0
    assert "is the same, voxel by voxel" in capsys.readouterr().out
    assert run("measure", out, tmp_path / "tilt.nrrd", "--out", tmp_path / "t.json") == 0
    (row,) = json.loads((tmp_path / "t.json").read_text())
    assert row["volume_ml"] == pytest.approx(4 / 3 * np.pi * 0.343, rel=0.15)
    assert row["surface_mm2"] == pytest.approx(4 * np.pi * 49, rel=0.15)


def test_a_dicom_series_of_a_tilted_gantry_is_segmented(tmp_path: Path) -> None:
    volume, mask = sheared_ball(np.diag([-1.0, -1.0, 1.0]))[:2]
    step = volume.geometry.ijk_to_ras[:3, 2] * (-1, -1, 1)
    write_files(tmp_path / "in", slices(volume.array_kji, step, spacing=(0.9, 0.9)))
    words = ["--model", "randomwalk", "--box", *box_of(mask), "--out", tmp_path / "s.nrrd"]
    assert run("segment", tmp_path / "in", *words) == 0
    assert dice(mask, Volume.read(tmp_path / "s.nrrd").array_kji > 0) > 0.9


@pytest.mark.parametrize("tilt", [-1.7, 0.02, 0.9])
def test_the_regular_grid_holds_every_voxel_and_keeps_slices(
    tilt: float, directions: np.ndarray
) -> None:
    geometry = sheared_grid(SHAPE, directions, tilt=tilt)
    regular = regular_grid(geometry)
    assert not regular.is_sheared and regular.axis_codes == geometry.axis_codes
    assert np.allclose(regular.spacing_ijk_mm, (0.9, 0.9, 3.0))
    assert regular.shape_kji[0] == SHAPE[0]
    places = regular.ijk_from_ras(geometry.ras_from_ijk(geometry.corners_ijk()))
    assert places.min() > -1e-6
    assert (places <= np.array(regular.shape_kji[::-1]) - 1 + 1e-6).all()


def test_a_straight_grid_keeps_voxel_types_and_leaves_upright_and_nearly_upright_voxels_alone(
    directions: np.ndarray,
) -> None:
    volume, mask = sheared_ball(directions)[:2]
    grid = StraightGrid.of(volume.geometry)
    straight = grid.volume(volume)
    assert grid.is_resampled and not straight.geometry.is_sheared
    assert straight.array_kji.dtype == volume.array_kji.dtype
    labels = grid.labels(volume.with_array(mask.astype(np.uint8) * 3))
    assert set(np.unique(labels.array_kji)) == {0, 3}
    assert dice(straight.array_kji > 50, labels.array_kji > 0) > 0.95
    for geometry in (Geometry.from_spacing(SHAPE), sheared_grid(SHAPE, directions, tilt=0.004)):
        near = StraightGrid.of(geometry)
        assert not near.is_resampled and not near.geometry.is_sheared
        assert near.volume(Volume(volume.array_kji, geometry)).array_kji is volume.array_kji


def test_a_region_of_a_volume_and_back_holds_it(directions: np.ndarray) -> None:
    grid = StraightGrid.of(sheared_grid(SHAPE, directions))
    region = Region((3, 4, 5), (9, 12, 20))
    there = grid.region(region)
    assert grid.region_back(there).contains(region)
    places = grid.geometry.ijk_from_ras(
        grid.own.ras_from_ijk(np.argwhere(np.ones(region.shape_kji))[:, ::-1] + (5, 4, 3))
    )[:, ::-1]
    assert (np.rint(places) >= there.start_kji).all() and (np.rint(places) < there.stop_kji).all()


def test_a_volume_that_the_format_cannot_hold_is_refused_before_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    volume, mask = sheared_ball(np.eye(3))[:2]
    volume.write(tmp_path / "v.nrrd")
    monkeypatch.setattr(image_files, "_MOST_NIFTI_VOXELS", 20)
    monkeypatch.setattr(
        "MedSegFMLib.commands.segment.create", lambda *_, **__: pytest.fail("the model was loaded")
    )
    words = ["--box", *box_of(mask), "--out", tmp_path / "s.nii.gz"]
    assert "use .nrrd or .mha" in refused(capsys, "segment", tmp_path / "v.nrrd", *words)
    with pytest.raises(OutputError, match="at most 20"):
        volume.write(tmp_path / "s.nii")
