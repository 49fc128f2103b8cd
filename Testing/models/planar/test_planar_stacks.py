"""Stacks of the three patient planes, and grey levels, whatever the order of a volume's axes."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib import Geometry, Region, Volume
from MedSegFMLib.errors import ModelError, VolumeError
from MedSegFMLib.models.planar.grey_levels import GreyWindow, chosen_window
from MedSegFMLib.models.planar.stacks import PLANE_NAMES, planes_to_segment, stack_planes
from MedSegFMLib.volumes.intensities import looks_like_ct
from MedSegFMLib.volumes.patient_planes import planes


def numbered(geometry: Geometry) -> Volume:
    count = int(np.prod(geometry.shape_kji))
    return Volume(np.arange(count, dtype=np.int32).reshape(geometry.shape_kji), geometry)


def test_a_stack_brought_back_is_the_volume(geometry: Geometry) -> None:
    array = numbered(geometry).array_kji
    for plane in stack_planes(geometry).values():
        stack = plane.stack(array)
        assert stack.flags.c_contiguous and stack.shape == plane.shape(array.shape)
        back = plane.unstack(stack)
        assert back.flags.c_contiguous and np.array_equal(back, array)


def test_each_slice_is_the_picture_that_the_views_show(geometry: Geometry) -> None:
    array = numbered(geometry).array_kji
    stacks = stack_planes(geometry)
    for plane in planes(geometry):
        stack = stacks[plane.name].stack(array)
        pictures = [plane.cut(array, index) for index in range(array.shape[plane.axis_kji])]
        if stacks[plane.name].flips[0]:
            pictures.reverse()
        assert np.array_equal(stack, np.stack(pictures))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_volume_with_other_axes_gives_the_same_stacks(
    geometry: Geometry, axes: tuple[int, int, int], flipped: tuple[int, ...]
) -> None:
    volume = numbered(geometry)
    other = volume.permute(axes)
    for axis in flipped:
        other = other.flip(axis)
    here, there = stack_planes(geometry), stack_planes(other.geometry)
    for name in PLANE_NAMES:
        assert np.array_equal(
            here[name].stack(volume.array_kji), there[name].stack(other.array_kji)
        )
        assert here[name].spacing_mm == pytest.approx(there[name].spacing_mm)


def test_slices_grow_to_the_superior_anterior_and_left_side(geometry: Geometry) -> None:
    for name, world, sign in [("axial", 2, 1), ("coronal", 1, 1), ("sagittal", 0, -1)]:
        plane = stack_planes(geometry)[name]
        step = np.zeros(3)
        step[2 - plane.axes_kji[0]] = -1 if plane.flips[0] else 1
        moved = geometry.ras_from_ijk(step) - geometry.ras_from_ijk(np.zeros(3))
        assert np.argmax(np.abs(moved)) == world and np.sign(moved[world]) == sign


def test_regions_and_voxels_go_where_the_array_goes(geometry: Geometry) -> None:
    array = numbered(geometry).array_kji
    region = Region((2, 3, 1), (6, 12, 9))
    voxels = np.array([(2, 3, 1), (5, 11, 8), (4, 4, 4)])
    for plane in stack_planes(geometry).values():
        stack = plane.stack(array)
        own = plane.region(region, array.shape)
        assert np.array_equal(stack[own.slices], plane.stack(array[region.slices]))
        placed = plane.voxels(voxels, array.shape)
        assert np.array_equal(stack[tuple(placed.T)], array[tuple(voxels.T)])


def test_whole_pictures_keep_the_slices_of_a_region(geometry: Geometry) -> None:
    region = Region((2, 3, 1), (6, 12, 9))
    for plane in stack_planes(geometry).values():
        wide = plane.region(plane.whole_slices(region, geometry.shape_kji), geometry.shape_kji)
        own = plane.region(region, geometry.shape_kji)
        assert (wide.start_kji[0], wide.stop_kji[0]) == (own.start_kji[0], own.stop_kji[0])
        assert wide.shape_kji[1:] == plane.shape(geometry.shape_kji)[1:]


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((1, 30, 40), ["axial"]),
        ((7, 30, 40), ["axial"]),
        ((8, 30, 40), ["axial", "coronal", "sagittal"]),
        ((30, 1, 40), ["coronal"]),
        ((3, 3, 3), ["axial"]),
        ((2, 3, 9), ["axial"]),
        ((3, 2, 9), ["coronal"]),
    ],
)
def test_planes_too_narrow_to_show_anything_are_left_out(
    shape: tuple[int, int, int], names: list[str]
) -> None:
    geometry = Geometry.from_spacing(shape, (1, 1, 5))
    assert planes_to_segment(stack_planes(geometry), shape) == names


def volume_of(array: np.ndarray, modality: str = "") -> Volume:
    return Volume(array, Geometry.from_spacing(array.shape), modality)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_ct_is_shown_through_the_soft_tissue_window(dtype: type) -> None:
    array = np.array([-1000, -160, -59, 40, 240, 1200], dtype).reshape(1, 1, 6)
    assert looks_like_ct(array)
    window = GreyWindow.from_volume(volume_of(array))
    # (v + 160) / 400 * 255, fractions dropped.
    levels = window.grey_levels(array, Region.whole(array.shape))
    assert levels.ravel().tolist() == [0, 0, 64, 127, 255, 255]


def test_ct_without_air_is_recognised_by_what_its_file_states() -> None:
    array = np.array([-160, -59, 40, 240, 1200], np.int16).reshape(1, 1, 5)
    assert GreyWindow.from_volume(volume_of(array, "CT")).high == 240
    assert GreyWindow.from_volume(volume_of(array)).high > 1000
    air = np.array([-1000, -160, 40, 240, 1200], np.int16).reshape(1, 1, 5)
    assert GreyWindow.from_volume(volume_of(air, "MR")).high > 1000


def test_a_chosen_window_is_used_for_any_volume() -> None:
    array = np.array([-1400, -600, 0, 150, 900], np.float32).reshape(1, 1, 5)
    window = GreyWindow.from_volume(volume_of(array, "MR"), chosen_window("lung"))
    # (v + 1350) / 1500 * 255, fractions dropped; 0 is a value like any other.
    levels = window.grey_levels(array, Region.whole(array.shape))
    assert levels.ravel().tolist() == [0, 127, 229, 255, 255]
    assert chosen_window("auto") is None and chosen_window("40,400").high == 240
    with pytest.raises(ModelError, match=r"window=lungs .*no window 'lungs'"):
        chosen_window("lungs")


def test_other_volumes_lose_the_extremes_of_what_is_above_zero_and_keep_their_zeros() -> None:
    array = np.concatenate([np.zeros(1000), np.arange(1, 1001)]).astype(np.float32)
    array = array.reshape(1, 1, -1)
    window = GreyWindow.from_volume(volume_of(array))
    low, high = np.percentile(np.arange(1, 1001), (0.5, 99.5))
    assert (window.low, window.high) == pytest.approx((low, high)) and window.keep_zero
    levels = window.grey_levels(array, Region.whole(array.shape)).ravel()
    assert not levels[:1000].any() and levels[-1] == 255
    assert levels[1500] == int((array[0, 0, 1500] - low) / (high - low) * 255)


def test_a_mask_and_a_volume_below_zero_are_shown_too() -> None:
    mask = np.array([0, 1, 1, 0], np.uint8).reshape(1, 1, 4)
    whole = Region.whole(mask.shape)
    assert GreyWindow.from_volume(volume_of(mask)).grey_levels(mask, whole).ravel().tolist() == [
        0,
        255,
        255,
        0,
    ]
    below = np.array([-4.0, -3, -2, -1], np.float32).reshape(1, 1, 4)
    assert np.ptp(GreyWindow.from_volume(volume_of(below)).grey_levels(below, whole)) > 200


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_cannot_be_shown_are_refused(value: float) -> None:
    array = np.zeros((2, 2, 2))
    array[0, 0, 0] = value
    # The whole volume decides: it may be far from the prompts.
    with pytest.raises(VolumeError, match=r"^The volume contains"):
        GreyWindow.from_volume(volume_of(array))
