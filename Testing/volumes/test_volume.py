from __future__ import annotations

import numpy as np
import pytest
from sample_volumes import random_volume

from MedSegFMLib import Geometry, Region, Volume
from MedSegFMLib.errors import VolumeError


def value_at(volume: Volume, position_ras: np.ndarray) -> float:
    i, j, k = np.round(volume.geometry.ijk_from_ras(position_ras)).astype(int)
    return float(volume.array_kji[k, j, i])


@pytest.mark.parametrize(
    "move",
    [
        lambda v: v.crop(Region((2, 3, 1), (8, 9, 10))),
        lambda v: v.pad((1, 2, 3), (3, 2, 1)),
        lambda v: v.permute((2, 0, 1)),
        lambda v: v.flip(0).flip(2),
        lambda v: v.reoriented("RAS"),
        lambda v: v.reoriented("PIL"),
        lambda v: v.resample(v.geometry.flip(1), order=0),
    ],
    ids=["crop", "pad", "permute", "flip", "RAS", "PIL", "resample"],
)
def test_a_voxel_stays_where_it_is_in_the_patient(move, geometry: Geometry) -> None:  # type: ignore[no-untyped-def]
    volume = random_volume(geometry)
    moved = move(volume)
    for ijk in [(4, 5, 6), (7, 4, 3), (3, 7, 5)]:
        place = geometry.ras_from_ijk(ijk)
        assert value_at(moved, place) == value_at(volume, place)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SRP", "IAL"])
def test_reorienting_gives_the_axes_asked_for(codes: str, geometry: Geometry) -> None:
    assert random_volume(geometry).reoriented(codes).geometry.axis_codes == codes


def test_axis_codes_that_miss_a_direction_are_refused(geometry: Geometry) -> None:
    with pytest.raises(VolumeError, match="RAS"):
        random_volume(geometry).reoriented("RAL")


def test_a_shift_by_one_voxel_equals_a_roll(geometry: Geometry) -> None:
    volume = random_volume(geometry, "float32")
    shifted = geometry.ijk_to_ras.copy()
    shifted[:3, 3] = geometry.ras_from_ijk((1, 0, 0))
    moved = volume.resample(Geometry(geometry.shape_kji, shifted))
    assert np.allclose(moved.array_kji[:, :, :-1], volume.array_kji[:, :, 1:], atol=1e-2)


def test_linear_resampling_keeps_a_ramp_a_ramp(geometry: Geometry) -> None:
    centres = geometry.ras_from_ijk(np.argwhere(np.ones(geometry.shape_kji))[:, ::-1])
    ramp = Volume((centres @ (1, 2, 3)).reshape(geometry.shape_kji), geometry)
    finer = geometry.resampled((0.5, 1.0, 1.7))
    inner = np.argwhere(np.ones(finer.shape_kji))
    expected = (finer.ras_from_ijk(inner[:, ::-1]) @ (1, 2, 3)).reshape(finer.shape_kji)
    error = np.abs(ramp.resample(finer).array_kji - expected)[3:-3, 3:-3, 3:-3]
    assert error.max() < 1e-2


def test_nearest_resampling_invents_no_label(geometry: Geometry) -> None:
    labels = Volume(np.random.default_rng(0).choice([0, 3, 200], geometry.shape_kji), geometry)
    resampled = labels.resample(geometry.resampled((1.1, 0.6, 1.9)), order=0)
    assert set(np.unique(resampled.array_kji)) <= {0, 3, 200}
    assert resampled.array_kji.dtype == labels.array_kji.dtype


def test_a_bool_mask_can_be_resampled(geometry: Geometry) -> None:
    mask = Volume(np.ones(geometry.shape_kji, dtype=bool), geometry)
    assert mask.resample(geometry.flip(0), order=0).array_kji.all()


def test_anisotropy_of_twenty_to_one_is_carried() -> None:
    volume = random_volume(Geometry.from_spacing((3, 40, 40), (0.5, 0.5, 10.0)))
    even = volume.resample(volume.geometry.resampled((0.5, 0.5, 0.5)), order=0)
    assert even.array_kji.shape == (60, 40, 40)
    assert np.array_equal(even.array_kji[10], volume.array_kji[0])
    assert np.array_equal(even.array_kji[30], volume.array_kji[1])


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2)), np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2), complex), np.zeros((2, 2, 3))],
    ids=["2D", "4D", "complex", "other shape"],
)
def test_voxels_that_do_not_fit_are_refused(array: np.ndarray) -> None:
    with pytest.raises(VolumeError):
        Volume(array, Geometry((2, 2, 2), np.eye(4)))


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN"), (np.inf, "NaN or infinite"), (7, "value 7")]
)
def test_what_cannot_be_segmented_says_why(value: float, said: str) -> None:
    array = np.full((2, 2, 2), 7.0)
    array[1, 1, 1] = value
    with pytest.raises(VolumeError, match=said):
        Volume(array, Geometry((2, 2, 2), np.eye(4))).intensity_range()


def test_a_volume_is_told_in_one_line(geometry: Geometry) -> None:
    told = repr(random_volume(geometry))
    assert told.startswith("<Volume 11 x 14 x 9 voxels of int16, 0.7 x 1.3 x 3.1 mm, ")
    assert "\n" not in told


def test_voxels_are_contiguous_and_not_copied_without_need(geometry: Geometry) -> None:
    array = np.zeros(geometry.shape_kji)
    assert Volume(array, geometry).array_kji is array
    assert Volume(np.asfortranarray(array), geometry).array_kji.flags.c_contiguous
