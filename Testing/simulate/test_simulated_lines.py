"""Simulated RECIST lines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from MedSegFMLib import Geometry
from MedSegFMLib.errors import MaskError
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.simulate import longest_diameter


def ends_kji(line, geometry: Geometry) -> np.ndarray:
    return geometry.ijk_from_ras(line.positions_ras)[:, ::-1]


def test_a_bar_is_measured_from_edge_to_edge() -> None:
    geometry = Geometry.from_spacing((4, 6, 12), (2, 1, 5))
    bar = np.zeros(geometry.shape_kji, bool)
    bar[2, 3, 4:9] = True
    line = longest_diameter(bar, geometry)
    # Five voxels of 2 mm.
    assert line.length_mm == pytest.approx(10)
    assert np.allclose(ends_kji(line, geometry), [[2, 3, 3.5], [2, 3, 8.5]])


def test_distances_are_in_millimetres_not_in_voxels() -> None:
    geometry = Geometry.from_spacing((1, 12, 12), (1, 3, 1))
    cross = np.zeros(geometry.shape_kji, bool)
    cross[0, 5, 2:9] = True
    cross[0, 4:7, 5] = True
    # Seven voxels of 1 mm, three of 3 mm.
    assert longest_diameter(cross, geometry).length_mm == pytest.approx(9)


def test_the_slice_is_that_of_the_largest_part_however_many_small_ones_another_has() -> None:
    geometry = Geometry.from_spacing((3, 20, 20), (1, 1, 1))
    object_kji = np.zeros(geometry.shape_kji, bool)
    object_kji[0, ::2, ::2] = True
    object_kji[2, 4:9, 4:9] = True
    ends = ends_kji(longest_diameter(object_kji, geometry), geometry)
    assert (ends[:, 0] == 2).all()
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(5 * math.sqrt(2))


def test_the_line_lies_on_an_axial_slice_in_any_order_of_axes() -> None:
    geometry = Geometry.from_spacing((9, 14, 11), (0.7, 1.3, 3.1))
    ellipsoid = np.zeros(geometry.shape_kji, bool)
    ellipsoid[1:8, 4:9, 3:8] = True
    expected = longest_diameter(ellipsoid, geometry)
    turned = geometry.permute((2, 0, 1))
    found = longest_diameter(ellipsoid.transpose(2, 0, 1), turned)
    # Both diagonals of the rectangle are the longest.
    assert found.length_mm == pytest.approx(expected.length_mm)
    assert found.positions_ras[0][2] == pytest.approx(found.positions_ras[1][2])


def test_an_object_at_the_border_of_the_volume_gives_a_line_within_it(
    geometry: Geometry,
) -> None:
    line = longest_diameter(np.ones(geometry.shape_kji, bool), geometry)
    assert len(to_voxels([line], geometry).boxes) == 1


def test_a_single_voxel_is_crossed() -> None:
    geometry = Geometry.from_spacing((3, 3, 3), (2, 1, 1))
    voxel = np.zeros(geometry.shape_kji, bool)
    voxel[1, 1, 1] = True
    assert longest_diameter(voxel, geometry).length_mm == pytest.approx(2)


def test_errors_of_the_ends_stay_within_the_slice_and_are_those_of_the_seed() -> None:
    geometry = Geometry.from_spacing((5, 40, 40), (1, 0.5, 4))
    block = np.zeros(geometry.shape_kji, bool)
    block[2, 10:31, 8:29] = True
    exact = longest_diameter(block, geometry)
    moved = longest_diameter(block, geometry, jitter=0.1, seed=3)
    assert moved == longest_diameter(block, geometry, jitter=0.1, seed=3)
    assert moved != longest_diameter(block, geometry, jitter=0.1, seed=4)
    assert (ends_kji(moved, geometry)[:, 0] == 2).all()
    errors = np.subtract(moved.positions_ras, exact.positions_ras)
    distances = np.linalg.norm(errors, axis=1)
    assert (distances > 0).all()
    assert (distances <= 0.1 * math.sqrt(2) * exact.length_mm + 1e-9).all()


def test_an_empty_object_and_a_bad_error_are_refused(geometry: Geometry) -> None:
    with pytest.raises(MaskError, match="leave this object out"):
        longest_diameter(np.zeros(geometry.shape_kji, bool), geometry)
    with pytest.raises(ValueError, match="jitter is -1"):
        longest_diameter(np.ones(geometry.shape_kji, bool), geometry, jitter=-1)
