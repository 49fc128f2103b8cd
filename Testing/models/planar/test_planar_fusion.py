"""Three planes' answers made one, by hand-derived cases."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib import Geometry
from MedSegFMLib.models.planar.fusion import (
    FUSIONS,
    majority,
    mean,
    regional,
    reliability,
    reliable,
)
from MedSegFMLib.models.planar.stacks import stack_planes

NAMES = ("axial", "coronal", "sagittal")


def constant(values: tuple[float, ...], geometry: Geometry) -> dict[str, np.ndarray]:
    return {
        name: np.full(geometry.shape_kji, value, np.float32)
        for name, value in zip(NAMES, values, strict=False)
    }


def test_the_mean_is_the_mean_logit(geometry: Geometry) -> None:
    fused = mean(constant((3, -1, 1), geometry), stack_planes(geometry))
    assert fused.dtype == np.float32 and fused == pytest.approx(1)


def test_two_planes_outvote_the_surest_third(geometry: Geometry) -> None:
    planes = stack_planes(geometry)
    assert (majority(constant((1, 1, -9), geometry), planes) > 0).all()
    assert (mean(constant((1, 1, -9), geometry), planes) < 0).all()
    assert (majority(constant((-1, 9, -1), geometry), planes) < 0).all()


def test_of_two_planes_that_disagree_the_surer_one_decides(geometry: Geometry) -> None:
    planes = stack_planes(geometry)
    assert (majority(constant((1, -4), geometry), planes) < 0).all()
    assert (majority(constant((4, -1), geometry), planes) > 0).all()


@pytest.mark.parametrize("name", FUSIONS)
def test_planes_of_one_mind_are_believed(name: str, geometry: Geometry) -> None:
    random = np.random.default_rng(0).normal(size=geometry.shape_kji).astype(np.float32)
    fused = FUSIONS[name](dict.fromkeys(NAMES, random), stack_planes(geometry))
    assert fused.dtype == np.float32 and fused.shape == random.shape
    assert np.array_equal(fused > 0, random > 0)


@pytest.mark.parametrize("name", FUSIONS)
def test_one_plane_alone_is_believed(name: str, geometry: Geometry) -> None:
    random = np.random.default_rng(0).normal(size=geometry.shape_kji).astype(np.float32)
    fused = FUSIONS[name]({"coronal": random}, stack_planes(geometry))
    assert np.array_equal(fused > 0, random > 0)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_volume_with_other_axes_is_fused_alike(name: str, geometry: Geometry) -> None:
    random = np.random.default_rng(0)
    given = {n: random.normal(size=geometry.shape_kji).astype(np.float32) for n in NAMES}
    fused = FUSIONS[name](given, stack_planes(geometry))
    other = geometry.permute((2, 0, 1)).flip(0)
    moved = {n: np.flip(array.transpose(2, 0, 1), 0) for n, array in given.items()}
    assert FUSIONS[name](moved, stack_planes(other)) == pytest.approx(
        np.flip(fused.transpose(2, 0, 1), 0), abs=1e-6
    )


def test_a_slice_unlike_its_neighbours_is_little_relied_on() -> None:
    masks = np.zeros((5, 10, 10), bool)
    masks[[0, 1, 3, 4], 2:6, 2:6] = True
    # Dice of the pairs: 1, 0, 0, 1; each slice has the mean of its two, from 0.1 to 1.
    assert reliability(masks) == pytest.approx([1, 0.55, 0.1, 0.55, 1])
    assert reliability(np.zeros((1, 4, 4), bool)) == pytest.approx([1])


def test_a_plane_that_flickers_is_outweighed_by_one_that_does_not() -> None:
    geometry = Geometry.from_spacing((12, 12, 12), (1, 1, 1))
    planes = stack_planes(geometry)
    steady = np.full(geometry.shape_kji, 3, np.float32)
    flickering = np.full(geometry.shape_kji, -3, np.float32)
    flickering[::2] = 3
    fused = reliable({"axial": flickering, "coronal": steady}, planes)
    assert (fused > 0).all() and not (mean({"a": flickering, "b": steady}, planes) > 0).all()


def test_a_plane_of_coarse_pixels_weighs_less() -> None:
    geometry = Geometry.from_spacing((12, 12, 12), (1, 1, 4))
    # Axial pixels are 1 mm, coronal and sagittal ones 1 x 4: as wide as 2, half the weight each.
    fused = reliable(constant((3, -3, -3), geometry), stack_planes(geometry))
    assert fused == pytest.approx(0)


def test_a_region_in_which_planes_disagree_is_taken_or_left_whole() -> None:
    geometry = Geometry.from_spacing((6, 10, 24))
    planes = stack_planes(geometry)
    given = {name: np.full(geometry.shape_kji, -2, np.float32) for name in NAMES}
    for array in given.values():
        array[2:4, 2:6, 2:6] = 3
    # The axial plane alone is sure of one part, with doubts in its middle, and barely of another.
    given["axial"][2:4, 2:6, 8:14] = 9
    given["axial"][2:4, 3:5, 10:12] = 2
    given["axial"][2:4, 2:6, 16:22] = 1
    given["axial"][2:4, 3:5, 18:20] = 9
    fused = regional(given, planes)
    assert (fused[2:4, 2:6, 2:6] > 0).all(), "all agree"
    assert (fused[2:4, 2:6, 8:14] > 0).all(), "taken whole"
    assert (fused[2:4, 2:6, 16:22] < 0).all(), "left whole"
    speckled = reliable(given, planes) > 0
    assert not speckled[2:4, 3:5, 10:12].any() and speckled[2:4, 3:5, 18:20].all()
    outside = np.ones(geometry.shape_kji, bool)
    outside[2:4, 2:6, 2:22] = False
    assert (fused[outside] < 0).all()


def test_parts_of_different_planes_that_touch_are_decided_apart() -> None:
    geometry = Geometry.from_spacing((4, 6, 12))
    given = {name: np.full(geometry.shape_kji, -1, np.float32) for name in NAMES}
    given["axial"][:, :, :4] = 9
    given["coronal"][:, :, 4:8] = 1
    fused = regional(given, stack_planes(geometry))
    assert (fused[:, :, :4] > 0).all() and (fused[:, :, 4:] < 0).all()
