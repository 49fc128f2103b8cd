"""Agreement, intersection, expected Dice, hot spots and suggestion, by hand and by identity."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from consistency_fakes import answer_of, noisy_answer, smooth_noise

from MedSegFMLib import Box, Geometry, Point
from MedSegFMLib.consistency import measure
from MedSegFMLib.consistency.agreement import agreement, disagreement, slice_agreement
from MedSegFMLib.consistency.hot_spots import expected_error, hot_spots
from MedSegFMLib.consistency.intersection import (
    intersection_map,
    intersection_of_object,
)
from MedSegFMLib.consistency.measure import plane_axes
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.volumes.region import Region

AXES = {"axial": 0, "coronal": 1, "sagittal": 2}
NO_MARKS = np.zeros((0, 3), dtype=np.int64)


def masks_of(*rows: str) -> dict[str, np.ndarray]:
    """Masks of one row of voxels, "1" inside."""
    values = [np.array([[[c == "1" for c in row]]]) for row in rows]
    return dict(zip(AXES, values, strict=False))


def test_disagreement_is_the_highest_probability_less_the_lowest() -> None:
    planes = {
        n: np.full((1, 1, 2), p, np.float32) for n, p in zip(AXES, (0.2, 0.9, 0.5), strict=True)
    }
    planes["axial"][0, 0, 1] = 0.9
    before = planes["axial"].copy()
    assert np.allclose(disagreement(planes), [[[0.7, 0.4]]])
    assert np.array_equal(planes["axial"], before), "the planes are not written to"
    assert not disagreement({"axial": planes["axial"]}).any()
    with pytest.raises(ValueError, match="no planes"):
        disagreement({})


def test_agreement_is_the_mean_dice_over_pairs() -> None:
    # Dice 2*1/4, 2*1/5 and 2*2/5.
    assert agreement(masks_of("1100", "0110", "0111")) == pytest.approx((0.5 + 0.4 + 0.8) / 3)
    assert agreement(masks_of("1100", "0110")) == pytest.approx(0.5)
    assert agreement(masks_of("1100", "0011")) == 0
    assert agreement(masks_of("1000", "0000")) == 0
    assert agreement(masks_of("0110", "0110", "0110")) == 1
    assert agreement(masks_of("0000", "0000", "0000")) == 1, "two empty masks are the same"
    assert agreement(masks_of("0110")) is None, "there is nobody to disagree"


def test_slices_are_scored_one_by_one_and_empty_ones_not_at_all() -> None:
    first, second = np.zeros((2, 4, 3, 2), dtype=bool)
    first[0, 0] = second[0, 0] = True
    first[1, 0] = second[1, 1] = True
    first[2, 2, 1] = True
    masks = {"axial": first, "coronal": second}
    assert slice_agreement(masks, 0) == (1, 0, 0, None)
    # Of 4 and 2 voxels 2 alike; of 0 and 2, and of 1 and 0, none.
    assert slice_agreement(masks, 1) == pytest.approx((2 * 2 / 6, 0, 0))
    # Of 2 and 2 voxels 1 alike; of 3 and 2 voxels 1.
    assert slice_agreement(masks, 2) == pytest.approx((2 / 4, 2 / 5))
    assert slice_agreement({"axial": first}, 0) == (None,) * 4
    assert slice_agreement({}, 0) == ()


def test_slices_along_an_axis_are_those_of_the_array_cut_there() -> None:
    rng = np.random.default_rng(3)
    masks = {name: rng.random((4, 5, 6)) > 0.5 for name in AXES}
    for axis, count in enumerate((4, 5, 6)):
        cuts = [{n: m.take([at], axis) for n, m in masks.items()} for at in range(count)]
        assert slice_agreement(masks, axis) == pytest.approx([agreement(cut) for cut in cuts])


@pytest.fixture
def crossing() -> dict[str, np.ndarray]:
    """Coronal apart by 0.1 and 0.4 on one line of an axial slice, sagittal by 0.3 in a voxel."""
    planes = {name: np.full((2, 2, 2), 0.5, dtype=np.float32) for name in AXES}
    planes["coronal"][0, 1] += (0.1, 0.4)
    planes["sagittal"][0, 0, 1] -= 0.3
    return planes


def test_intersection_at_a_voxel_is_the_sum_of_squares_on_the_lines_through_it(
    crossing: dict[str, np.ndarray],
) -> None:
    found = intersection_map(crossing, AXES)
    # The axial and the coronal slice meet along i, the axial and the sagittal one along j.
    coronal, sagittal = 0.1**2 + 0.4**2, 0.3**2
    expected = [[[0, sagittal], [coronal, coronal + sagittal]], [[0, 0], [0, 0]]]
    assert np.allclose(found, expected, atol=1e-6)
    # The coronal and the sagittal slice meet along k.
    with_term = intersection_map(crossing, AXES, coronal_sagittal=True)
    third = np.array([[0, 0.3**2], [0.1**2, 0.4**2]])
    assert np.allclose(with_term, expected + third, atol=1e-6)


def test_intersection_of_an_object_is_the_mean_over_its_voxels(
    crossing: dict[str, np.ndarray],
) -> None:
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0, 1] = True
    coronal, sagittal = 0.1**2 + 0.4**2, 0.3**2
    assert intersection_of_object(crossing, AXES, mask) == pytest.approx(coronal + sagittal / 2)
    third = (0.1**2 + 0.4**2) / 2
    assert intersection_of_object(crossing, AXES, mask, True) == pytest.approx(
        coronal + sagittal / 2 + third
    )
    assert intersection_of_object(crossing, AXES, np.zeros_like(mask)) is None
    assert intersection_of_object({"axial": crossing["axial"]}, AXES, mask) is None
    alike = dict.fromkeys(AXES, crossing["coronal"])
    assert intersection_of_object(alike, AXES, mask, True) == 0


def test_intersection_without_the_axial_plane_has_the_added_term_alone(
    crossing: dict[str, np.ndarray],
) -> None:
    del crossing["axial"]
    assert not intersection_map(crossing, AXES).any()
    third = np.array([[0, 0.3**2], [0.1**2, 0.4**2]])
    assert np.allclose(intersection_map(crossing, AXES, True), np.stack([third] * 2), atol=1e-6)


def test_intersection_follows_the_order_of_the_axes(crossing: dict[str, np.ndarray]) -> None:
    whole = intersection_map(crossing, AXES, True)
    for order in permutations(range(3)):
        turned = {name: array.transpose(order) for name, array in crossing.items()}
        axes = {name: order.index(axis) for name, axis in AXES.items()}
        assert np.allclose(intersection_map(turned, axes, True), whole.transpose(order))


def test_identical_planes_are_perfect_in_every_orientation(geometry: Geometry) -> None:
    seen = smooth_noise(geometry.shape_kji, 0)
    seen = np.where(seen > 0.5, 1, 0).astype(np.float32)
    found = measure(answer_of(geometry, dict.fromkeys(AXES, seen)), [])
    assert found.agreement == 1 and found.expected_dice == 1 and found.intersection == 0
    assert not found.disagreement_kji.any() and found.suggestion is None
    scores = [score for row in found.slices.values() for score in row]
    assert 1 in scores and set(scores) <= {1, None}


def test_expected_dice_takes_the_mean_probability_for_the_truth() -> None:
    geometry = Geometry.from_spacing((1, 1, 4))
    low, high = np.array([[[[0.8, 0.5, 0.2, 0]]], [[[1, 0.7, 0.4, 0]]]], dtype=np.float32)
    found = measure(answer_of(geometry, {"axial": low, "coronal": high}), [])
    # Means 0.9, 0.6, 0.3 and 0; the answer is the first two.
    assert found.expected_dice == pytest.approx(2 * (0.9 + 0.6) / (2 + 0.9 + 0.6 + 0.3))
    error = expected_error(
        {"axial": low, "coronal": high}, np.array([[[True, True, False, False]]])
    )
    assert np.allclose(error, [[[0.1, 0.4, 0.3, 0]]])


def test_an_empty_answer_that_every_plane_gives_leaves_nothing_to_tell() -> None:
    geometry = Geometry.from_spacing((3, 4, 5))
    empty = np.zeros((3, 4, 5), dtype=np.float32)
    found = measure(answer_of(geometry, dict.fromkeys(AXES, empty)), [])
    assert found.agreement == 1 and not found.disagreement_kji.any()
    assert found.expected_dice is None and found.intersection is None
    assert found.hot_spots == () and found.suggestion is None
    assert {name: set(row) for name, row in found.slices.items()} == {name: {None} for name in AXES}


def test_an_empty_answer_that_one_plane_doubts_gets_a_click_on_the_object() -> None:
    geometry = Geometry.from_spacing((5, 5, 5))
    empty, doubt = np.zeros((2, 5, 5, 5), dtype=np.float32)
    doubt[1:4, 1:4, 1:4] = 0.9
    found = measure(answer_of(geometry, {"axial": empty, "coronal": doubt}), [])
    assert found.expected_dice == 0 and found.agreement == 0
    assert found.suggestion is not None and found.suggestion.positive
    assert found.suggestion.click_kji == (2, 2, 2)


def test_one_plane_has_its_own_doubt_and_nobody_to_disagree(geometry: Geometry) -> None:
    found = measure(noisy_answer(geometry, 1), [])
    assert found.agreement is None and found.intersection is None
    assert not found.disagreement_kji.any()
    assert {score for row in found.slices.values() for score in row} == {None}
    assert found.expected_dice is not None and 0.3 < found.expected_dice < 1
    assert found.suggestion is not None


def test_a_single_slice_is_measured(directions: np.ndarray) -> None:
    geometry = Geometry.from_spacing((1, 14, 11), (0.7, 0.7, 5), directions)
    found = measure(noisy_answer(geometry), [])
    assert found.agreement is not None and 0 < found.agreement < 1
    lengths = [len(found.slices[name]) for name in AXES]
    axes = plane_axes(geometry)
    assert lengths == [found.region.shape_kji[axes[name]] for name in AXES]
    assert found.suggestion is not None and found.suggestion.click_kji[0] == 0


def test_an_answer_without_planes_cannot_be_measured() -> None:
    geometry = Geometry.from_spacing((2, 2, 2))
    with pytest.raises(ValueError, match="no planes to compare"):
        measure(Prediction(geometry, (0, 0, 0), np.zeros((2, 2, 2), np.float32)), [])


def turned(answer: Prediction, order: tuple[int, ...], flips: tuple[bool, ...]) -> Prediction:
    """The same answer at the same places, with the volume's axes in another order and sense."""
    geometry = answer.geometry.permute(order)
    start = [answer.region.start_kji[axis] for axis in order]
    stop = [answer.region.stop_kji[axis] for axis in order]
    flipped = [axis for axis, flip in enumerate(flips) if flip]
    for axis in flipped:
        start[axis] = geometry.shape_kji[axis] - stop[axis]
        geometry = geometry.flip(axis)
    planes = {n: np.flip(a.transpose(order), flipped) for n, a in answer.planes.items()}
    logits = np.flip(answer.logits_kji.transpose(order), flipped)
    return Prediction(geometry, (start[0], start[1], start[2]), logits, planes)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_turning_the_volume_turns_map_spots_and_suggestion_and_changes_no_number(
    geometry: Geometry, order: tuple[int, ...]
) -> None:
    answer = noisy_answer(geometry)
    first = measure(answer, []).hot_spots[0]
    prompts: list[Prompt] = [Point.from_ijk(geometry, first.click_kji[::-1])]
    whole = measure(answer, prompts)
    assert len(whole.hot_spots) > 1
    for flips in product((False, True), repeat=3):
        other = turned(answer, order, flips)
        found = measure(other, prompts)
        flipped = [axis for axis, flip in enumerate(flips) if flip]
        expected = np.flip(whole.disagreement_kji.transpose(order), flipped)
        assert np.array_equal(found.disagreement_kji, expected)
        assert found.agreement == pytest.approx(whole.agreement)
        assert found.expected_dice == pytest.approx(whole.expected_dice)
        assert found.intersection == pytest.approx(whole.intersection, rel=1e-5)
        axes = plane_axes(other.geometry)
        for name, row in whole.slices.items():
            back = found.slices[name][:: -1 if flips[axes[name]] else 1]
            assert back == pytest.approx(row)
        for spot, its in zip(found.hot_spots, whole.hot_spots, strict=True):
            place = other.geometry.ras_from_ijk(spot.click_kji[::-1])
            assert np.allclose(place, geometry.ras_from_ijk(its.click_kji[::-1]))
            assert (spot.voxels, spot.positive) == (its.voxels, its.positive)
            assert spot.gain_voxels == pytest.approx(its.gain_voxels)


def test_a_suggestion_lies_on_a_probable_error_and_has_the_other_side_as_its_sign(
    geometry: Geometry,
) -> None:
    answer = noisy_answer(geometry)
    found = measure(answer, [])
    for spot in found.hot_spots:
        at = tuple(np.subtract(spot.click_kji, answer.offset_kji))
        assert answer.region.contains(spot.region)
        single = Region(spot.click_kji, tuple(n + 1 for n in spot.click_kji))  # type: ignore[arg-type]
        assert spot.region.contains(single)
        assert bool(answer.logits_kji[at] > 0) != spot.positive
        mean = np.mean([array[at] for array in answer.planes.values()])
        assert (mean if spot.positive else 1 - mean) > 0.2


@pytest.mark.parametrize("positive", [True, False])
def test_no_click_is_suggested_within_two_voxels_of_a_mark(
    geometry: Geometry, positive: bool
) -> None:
    answer = noisy_answer(geometry)
    prompts: list[Prompt] = [Box.from_ijk(geometry, (0, 0, 0), geometry.shape_kji[::-1])]
    clicks: list[tuple[int, int, int]] = []
    while (spot := measure(answer, prompts).suggestion) is not None:
        assert all(np.abs(np.subtract(spot.click_kji, click)).max() > 2 for click in clicks)
        clicks.append(spot.click_kji)
        prompts.append(Point.from_ijk(geometry, spot.click_kji[::-1], positive))
    assert len(clicks) > 3, "the marks use up every spot in the end"


def test_hot_spots_come_by_falling_gain_with_the_click_in_their_middle() -> None:
    error = np.zeros((12, 12, 24), dtype=np.float32)
    error[1:6, 1:6, 1:6] = 0.6
    error[8:11, 8:11, 10:13] = 0.65
    error[2, 2:4, 16:18] = 0.7
    error[8:11, 1:4, 20:23] = 0.2
    mask = np.zeros(error.shape, dtype=bool)
    mask[8:11] = True
    region = Region((5, 6, 7), (17, 18, 31))
    wide, middle, small = hot_spots(error, mask, NO_MARKS, region)
    assert [s.voxels for s in (wide, middle, small)] == [125, 27, 4]
    gains = [s.gain_voxels for s in (wide, middle, small)]
    assert gains == pytest.approx([125 * 0.6, 27 * 0.65, 4 * 0.7])
    assert wide.region == Region((6, 7, 8), (11, 12, 13)) and wide.click_kji == (8, 9, 10)
    assert middle.click_kji == (9 + 5, 9 + 6, 11 + 7)
    assert [s.positive for s in (wide, middle, small)] == [True, False, True]


def test_missed_and_wrongly_taken_voxels_side_by_side_are_two_spots() -> None:
    error = np.full((4, 4, 8), 0.6, dtype=np.float32)
    mask = np.zeros(error.shape, dtype=bool)
    mask[:, :, 2:] = True
    taken, missed = hot_spots(error, mask, NO_MARKS, Region.whole((4, 4, 8)))
    assert (taken.voxels, taken.positive) == (96, False)
    assert (missed.voxels, missed.positive) == (32, True)


def test_voxels_that_touch_at_a_corner_are_one_spot() -> None:
    error = np.zeros((2, 2, 2), dtype=np.float32)
    error[0, 0, 0] = error[1, 1, 1] = 0.9
    mask = np.zeros(error.shape, dtype=bool)
    (spot,) = hot_spots(error, mask, NO_MARKS, Region.whole((2, 2, 2)))
    assert spot.voxels == 2


def test_no_more_than_eight_spots_are_told_and_those_are_the_worst() -> None:
    error = np.zeros((1, 1, 60), dtype=np.float32)
    error[0, 0, ::3] = np.linspace(0.55, 0.95, 20)
    mask = np.zeros(error.shape, dtype=bool)
    spots = hot_spots(error, mask, NO_MARKS, Region.whole(error.shape))  # type: ignore[arg-type]
    assert [spot.click_kji[2] for spot in spots] == list(range(57, 33, -3))


def test_the_click_in_a_large_spot_is_near_its_middle() -> None:
    error = np.zeros((80, 90, 100), dtype=np.float32)
    error[5:75, 5:85, 5:95] = 0.6
    mask = np.zeros(error.shape, dtype=bool)
    (spot,) = hot_spots(error, mask, NO_MARKS, Region.whole((80, 90, 100)))
    depth = min(*np.subtract(spot.click_kji, 4), *np.subtract((75, 85, 95), spot.click_kji))
    assert depth >= 33, "the deepest voxel is 35 deep"


def test_the_click_in_a_large_thin_spot_is_on_it() -> None:
    error = np.zeros((100, 100, 100), dtype=np.float32)
    diagonal = np.arange(1, 100, 2)
    error[diagonal, diagonal, diagonal] = 0.9
    error[diagonal[:-1] + 1, diagonal[:-1] + 1, diagonal[:-1] + 1] = 0.9
    mask = np.zeros(error.shape, dtype=bool)
    (spot,) = hot_spots(error, mask, NO_MARKS, Region.whole((100, 100, 100)))
    assert error[spot.click_kji] > 0 and spot.voxels == 99
