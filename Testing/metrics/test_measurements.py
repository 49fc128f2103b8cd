"""Measurements of segments whose sizes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sample_volumes import ball_mask, sheared_grid

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError
from MedSegFMLib.metrics.measurements import measure_segments, outside_notes
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation


def of(mask: np.ndarray, geometry: Geometry, image: Volume | None = None, suv: bool = False):
    labels = Volume(mask.astype(np.uint8), geometry)
    return measure_segments(Segmentation.from_labelmap(labels, {1: "x"}), image, suv)[0]


def test_a_ball_has_the_volume_surface_and_diameters_of_a_ball(directions: np.ndarray) -> None:
    geometry = Geometry.from_spacing((30, 60, 60), (1.0, 1.0, 2.0), directions)
    k, j, i = np.indices(geometry.shape_kji)
    mask = ((k - 14) * 2.0) ** 2 + (j - 30.0) ** 2 + (i - 29.0) ** 2 <= 20.0**2
    found = of(mask, geometry)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 8, rel=0.01)
    assert found.surface_mm2 == pytest.approx(4 * np.pi * 400, rel=0.03)
    assert found.diameter_mm == pytest.approx(40, abs=0.01)
    assert found.axial_diameter_mm == pytest.approx(40, abs=0.7)


def test_the_axial_diameter_is_within_one_slice_and_the_other_is_not() -> None:
    geometry = Geometry.from_spacing((8, 10, 12), (1.0, 1.0, 4.0))
    mask = np.zeros(geometry.shape_kji, bool)
    mask[2, 3, 2:6] = True
    mask[5, 7, 2] = True
    found = of(mask, geometry)
    assert found.axial_diameter_mm == 3.0
    assert found.diameter_mm == pytest.approx(np.sqrt(12**2 + 4**2 + 3**2))
    sagittal = Volume(mask, geometry).permute((2, 0, 1))
    assert of(sagittal.array_kji, sagittal.geometry).axial_diameter_mm == pytest.approx(3.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_voxels_have_diameters(count: int) -> None:
    geometry = Geometry.from_spacing((4, 5, 6), (1.0, 1.0, 1.0))
    mask = np.zeros(geometry.shape_kji, bool)
    mask[1, 1, :count] = True
    assert of(mask, geometry).diameter_mm == count - 1


def test_intensities_are_those_inside_and_an_image_on_another_grid_is_met() -> None:
    geometry = Geometry.from_spacing((6, 6, 6), (2.0, 2.0, 2.0))
    mask = np.zeros(geometry.shape_kji, bool)
    mask[2:4, 2:4, 2:4] = True
    image = Volume(np.where(mask, np.indices(mask.shape)[2] * 10.0, 500), geometry)
    found = of(mask, geometry, image)
    assert (found.mean, found.sd) == (25.0, 5.0)
    crop = image.flip(0)
    assert of(mask, geometry, crop).mean == 25.0


def test_an_image_on_a_coarser_grid_changes_values_and_no_sizes() -> None:
    geometry = Geometry.from_spacing((20, 20, 20), (1.0, 1.0, 1.0))
    mask = ball_mask(geometry, 5.0)
    coarse = Geometry.from_spacing((3, 3, 4), (5.5, 5.5, 5.5))
    found = of(mask, geometry, Volume(np.full(coarse.shape_kji, 7.0), coarse))
    assert replace(found, mean=None, sd=None) == of(mask, geometry)
    assert found.mean == 7.0


def test_what_is_beyond_the_image_is_said_and_refused_if_it_is_everything() -> None:
    geometry = Geometry.from_spacing((6, 6, 6), (2.0, 2.0, 2.0))
    mask = np.zeros(geometry.shape_kji, np.uint8)
    mask[1:5, 2, 2] = 1
    labels = Volume(mask, geometry)
    segments = Segmentation.from_labelmap(labels, {1: "lesion"})
    whole = Volume(np.ones(geometry.shape_kji), geometry)
    assert outside_notes(segments, whole) == []
    first, last = (whole.crop(Region((k, 0, 0), (k + 1, 6, 6))) for k in (1, 5))
    assert "'lesion' has 3 of 4 voxels outside" in outside_notes(segments, first)[1]
    assert measure_segments(segments, first)[0].voxels == 4
    with pytest.raises(GeometryError, match="No segment is within the image"):
        measure_segments(segments, last)


def test_suv_peak_is_the_mean_of_a_sphere_of_one_millilitre() -> None:
    geometry = Geometry.from_spacing((21, 21, 21), (2.0, 2.0, 2.0))
    mask = np.zeros(geometry.shape_kji, bool)
    mask[5:16, 5:16, 5:16] = True
    array = np.ones(geometry.shape_kji)
    array[10, 10, 10] = 126.0
    offsets = np.indices((21, 21, 21)).reshape(3, -1).T - 10
    inside = ((offsets * 2.0) ** 2).sum(axis=1) <= (3000 / (4 * np.pi)) ** (2 / 3)
    found = of(mask, geometry, Volume(array, geometry), suv=True)
    assert found.suv_peak == pytest.approx(1 + 125 / inside.sum())
    assert of(mask, geometry, Volume(array, geometry)).suv_peak is None


def test_an_empty_segment_has_no_measurements() -> None:
    geometry = Geometry.from_spacing((3, 3, 3), (1.0, 1.0, 1.0))
    found = of(np.zeros((3, 3, 3), bool), geometry)
    assert found.voxels == 0 and found.diameter_mm is None


def test_a_ball_on_a_sheared_grid_is_the_same_ball(directions: np.ndarray) -> None:
    grid = sheared_grid((40, 60, 60), directions, spacing=(1.0, 1.0, 1.0), tilt=0.4)
    mask = ball_mask(grid, 15.0)
    values = Volume(ball_mask(grid, 8.0) * 100.0, grid)
    found = of(mask, grid, values, suv=True)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 3.375, rel=0.01)
    assert found.surface_mm2 == pytest.approx(4 * np.pi * 225, rel=0.05)
    assert found.diameter_mm == pytest.approx(30, abs=0.7)
    assert found.axial_diameter_mm == pytest.approx(30, abs=1.2)
    assert found.mean == pytest.approx(100 * (8 / 15) ** 3, rel=0.03)
    # The sphere of 1 ml, of 6.2 mm, is within the bright one if it is a sphere in millimetres.
    assert found.suv_peak == pytest.approx(100)
