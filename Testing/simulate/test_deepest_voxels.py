"""Where a simulated user clicks inside an error: as deep as a distance transform says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from MedSegFMLib.simulate.deepest_voxels import deepest_voxels

Component = NDArray[np.bool_]


def ball(radius: float, side: int) -> Component:
    middle = (side - 1) / 2
    k, j, i = np.ogrid[:side, :side, :side]
    component: Component = (k - middle) ** 2 + (j - middle) ** 2 + (i - middle) ** 2 <= radius**2
    return component


def pitted(component: Component, share: float) -> Component:
    return component & (np.random.default_rng(3).random(component.shape) >= share)


def shell(radius: float, thickness: float, side: int) -> Component:
    return ball(radius, side) & ~ball(radius - thickness, side)


COMPONENTS = {
    "one voxel": np.pad(np.ones((1, 1, 1), dtype=bool), 2),
    "a ball shallower than the steps that are tried": ball(11, 26),
    "a ball a little deeper than the steps that are tried": ball(22, 52),
    "a ball deeper than the steps that are tried": ball(27.3, 58),
    "a ball much deeper": ball(45, 92),
    "a deep ball with a few single voxels missing": pitted(ball(26, 56), 0.0005),
    "a ball with many single voxels missing": pitted(ball(20, 44), 0.05),
    "a thin shell": shell(24, 1.5, 52),
    "a thick shell": shell(25, 9, 54),
    "a slab that fills the grid": np.ones((9, 60, 70), dtype=bool),
    "a block that fills the grid": np.ones((46, 48, 47), dtype=bool),
    "a wedge": np.triu(np.ones((60, 60), dtype=bool))[None].repeat(30, axis=0),
}


@pytest.mark.parametrize("name", COMPONENTS)
def test_they_are_those_that_a_distance_transform_finds(name: str) -> None:
    component = COMPONENTS[name]
    # The border of the grid is outside.
    depth = np.round(distance_transform_edt(np.pad(component, 1))[1:-1, 1:-1, 1:-1] ** 2)
    expected = np.argwhere(depth == depth.max())
    assert np.array_equal(deepest_voxels(component), expected)


def test_of_a_thick_component_few_voxels_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Counting(cKDTree):
        def query(self, points: NDArray[np.float64]) -> object:
            asked.append(len(np.atleast_2d(points)))
            return super().query(points)

    monkeypatch.setattr("scipy.spatial.cKDTree", Counting)
    component = ball(45, 92)
    deepest_voxels(component)
    assert 0 < sum(asked) < 0.05 * component.sum()
