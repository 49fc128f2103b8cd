from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from MedSegFMLib.simulate import box_around, challenge_box, next_click
from MedSegFMLib.volumes.masks import MaskError

Voxel = tuple[int, int, int]
SHAPE_KJI = (4, 5, 6)
masks = arrays(bool, SHAPE_KJI, elements=st.booleans())
seeds = st.integers(0, 2**32)


def empty() -> NDArray[np.bool_]:
    return np.zeros((20, 20, 20), dtype=bool)


# Clicks, by hand


def test_equal_masks_ask_for_no_click() -> None:
    mask = empty()
    assert next_click(mask, mask, seed=0) is None
    mask[3:5, 3:5, 3:5] = True
    assert next_click(mask, mask.copy(), seed=0) is None


def test_a_missed_cube_is_clicked_in_its_middle() -> None:
    reference = empty()
    reference[4:9, 5:10, 6:11] = True
    assert next_click(reference, empty(), seed=0) == ((6, 7, 8), True)


def test_a_spill_onto_background_is_clicked_as_background() -> None:
    prediction = empty()
    prediction[4:9, 5:10, 6:11] = True
    assert next_click(empty(), prediction, seed=0) == ((6, 7, 8), False)


def test_the_component_with_most_voxels_is_clicked_not_the_deepest() -> None:
    reference, prediction = empty(), empty()
    reference[1:4, 1:4, 1:4] = True  # 27 voxels
    prediction[10, 5:15, 5:15] = True  # 100 voxels, one thick
    click = next_click(reference, prediction, seed=0)
    assert click is not None
    assert click[0][0] == 10
    assert click[1] is False


def test_of_two_components_of_one_size_the_first_in_array_order_is_clicked() -> None:
    reference = empty()
    reference[12:15, 2:5, 2:5] = True
    reference[3:6, 12:15, 12:15] = True
    assert next_click(reference, empty(), seed=0) == ((4, 13, 13), True)


def test_errors_that_touch_at_a_corner_are_one_component() -> None:
    reference = empty()
    reference[2:4, 2:4, 2:4] = True  # 8 + 8 voxels that share a corner beat 12 in one block
    reference[4:6, 4:6, 4:6] = True
    reference[12:15, 12:14, 12:14] = True
    click = next_click(reference, empty(), seed=0)
    assert click is not None
    assert max(click[0]) < 6


def test_the_border_of_the_grid_counts_as_boundary() -> None:
    reference = empty()
    reference[:5, :5, :5] = True
    assert next_click(reference, empty(), seed=0) == ((2, 2, 2), True)
    full = np.ones((5, 3, 7), dtype=np.uint8)
    click = next_click(full, np.zeros_like(full), seed=0)
    assert click is not None
    assert click[0][1] == 1


def test_labels_of_any_value_are_one_object() -> None:
    reference, prediction = empty().astype(np.uint8), empty().astype(np.int16)
    reference[4:9, 4:9, 4:9] = 255
    prediction[4:9, 4:9, 4:9] = 2
    assert next_click(reference, prediction, seed=0) is None


def test_every_deepest_voxel_can_be_chosen_and_a_seed_fixes_the_choice() -> None:
    reference = empty()
    reference[4:6, 4:6, 4:6] = True  # all eight voxels are equally deep
    clicks = {seed: next_click(reference, empty(), seed) for seed in range(100)}
    assert {click[0] for click in clicks.values() if click} == set(
        itertools.product((4, 5), repeat=3)
    )
    assert all(next_click(reference, empty(), seed) == click for seed, click in clicks.items())


def test_the_click_moves_with_the_masks() -> None:
    generator = np.random.default_rng(0)
    reference, prediction = generator.random((2, 8, 8, 8)) > 0.6
    margins = ((3, 1), (0, 2), (5, 0))
    here = next_click(reference, prediction, seed=5)
    there = next_click(np.pad(reference, margins), np.pad(prediction, margins), seed=5)
    assert here is not None
    assert there is not None
    assert there[0] == (here[0][0] + 3, here[0][1], here[0][2] + 5)
    assert there[1] == here[1]


# Clicks, against an independent implementation


def deepest_voxels_of_largest_error(
    reference: NDArray[np.bool_], prediction: NDArray[np.bool_]
) -> list[Voxel]:
    """The challenge's rule in plain Python: flood fill, then all pairs of voxels."""
    waiting = {tuple(voxel) for voxel in np.argwhere(reference != prediction).tolist()}
    largest: set[tuple[int, ...]] = set()
    for seed in sorted(waiting):
        if seed not in waiting:
            continue
        component, front = set(), [seed]
        waiting.remove(seed)
        while front:
            voxel = front.pop()
            component.add(voxel)
            for step in itertools.product((-1, 0, 1), repeat=3):
                neighbour = tuple(at + by for at, by in zip(voxel, step, strict=True))
                if neighbour in waiting:
                    waiting.remove(neighbour)
                    front.append(neighbour)
        if len(component) > len(largest):
            largest = component
    outside = [
        voxel
        for voxel in itertools.product(*[range(-1, size + 1) for size in reference.shape])
        if voxel not in largest
    ]
    depth = {
        voxel: min(
            sum((a - b) ** 2 for a, b in zip(voxel, other, strict=True)) for other in outside
        )
        for voxel in largest
    }
    return [(k, j, i) for k, j, i in sorted(depth) if depth[k, j, i] == max(depth.values())]


def check_against_plain_python(
    reference: NDArray[np.bool_], prediction: NDArray[np.bool_], seed: int
) -> None:
    expected = deepest_voxels_of_largest_error(reference, prediction)
    click = next_click(reference, prediction, seed)
    assert click is not None
    assert click[0] == expected[np.random.default_rng(seed).integers(len(expected))]
    assert click[1] == bool(reference[click[0]])
    assert reference[click[0]] != prediction[click[0]]


@given(masks, masks, seeds)
@settings(max_examples=60, deadline=None)
def test_click_follows_the_rule_on_any_masks(
    reference: NDArray[np.bool_], prediction: NDArray[np.bool_], seed: int
) -> None:
    assume(np.any(reference != prediction))
    check_against_plain_python(reference, prediction, seed)


@pytest.mark.parametrize("share", [0.03, 0.06, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_click_follows_the_rule_on_sparse_and_dense_errors(share: float, seed: int) -> None:
    # Sparse errors fall apart into many components, often of one size.
    generator = np.random.default_rng(seed)
    reference = generator.random((6, 7, 8)) > 0.5
    check_against_plain_python(reference, reference ^ (generator.random((6, 7, 8)) < share), seed)


# Boxes


def test_a_box_without_jitter_is_tight_and_half_open() -> None:
    reference = empty()
    reference[4, 5:10, 6:12] = True
    assert box_around(reference, jitter=0, seed=0) == ((4, 5, 6), (5, 10, 12))


@given(masks, st.floats(0.0, 2.0), seeds)
@settings(deadline=None)
def test_a_jittered_box_stays_inside_the_grid_and_meets_the_object(
    reference: NDArray[np.bool_], jitter: float, seed: int
) -> None:
    assume(reference.any())
    tight = box_around(reference, 0.0, seed)
    box = box_around(reference, jitter, seed)
    assert box == box_around(reference, jitter, seed)
    for start, stop, tight_start, tight_stop, size in zip(*box, *tight, SHAPE_KJI, strict=True):
        assert 0 <= start < stop <= size
        assert start < tight_stop
        assert stop > tight_start
        assert abs(start - tight_start) <= jitter * (tight_stop - tight_start) + 0.5


def test_each_face_moves_on_its_own_both_ways_as_far_as_the_jitter() -> None:
    reference = np.zeros((60, 60, 60), dtype=bool)
    reference[20:40, 20:40, 25:35] = True  # sides of 20, 20 and 10: faces move by 4, 4 and 2
    boxes = np.array([box_around(reference, 0.2, seed) for seed in range(300)])
    shifts = (boxes - [(20, 20, 25), (40, 40, 35)]).reshape(300, 6)
    most = [4, 4, 2, 4, 4, 2]
    assert shifts.max(axis=0).tolist() == most
    assert shifts.min(axis=0).tolist() == [-shift for shift in most]
    correlation = np.corrcoef(shifts.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.25


def test_the_challenge_box_is_exact_in_k_and_taken_from_the_middle_slice() -> None:
    reference = empty()
    reference[3, 9, 9] = True
    reference[4, 5:8, 6:12] = True  # holds the middle voxel of the object
    reference[8, 3:5, 3:6] = True  # the third of four slices
    reference[9, 2, 2] = True
    assert challenge_box(reference, jitter_voxels=0, seed=0) == ((3, 3, 3), (10, 5, 6))
    before = challenge_box(reference, jitter_voxels=0, seed=0, middle="voxels")
    assert before == ((3, 5, 6), (10, 8, 12))


def test_the_middle_slice_is_never_an_empty_one() -> None:
    reference = empty()
    reference[2, 5:8, 6:12] = True
    reference[12, 1:4, 1:4] = True
    assert challenge_box(reference, jitter_voxels=0, seed=0) == ((2, 1, 1), (13, 4, 4))
    before = challenge_box(reference, jitter_voxels=0, seed=0, middle="voxels")
    assert before == ((2, 5, 6), (13, 8, 12))


@given(masks, seeds)
@settings(deadline=None)
def test_the_challenge_box_follows_the_challenge_code(
    reference: NDArray[np.bool_], seed: int
) -> None:
    assume(reference.any())
    k, _, _ = np.nonzero(reference)
    # get_boxes.py of the challenge: since May 2025 the slices count once each.
    for middle, slices in (("slices", np.unique(k)), ("voxels", k)):
        j, i = np.nonzero(reference[slices[len(slices) // 2]])
        expected = (k.min(), j.min(), i.min()), (k.max() + 1, j.max() + 1, i.max() + 1)
        assert challenge_box(reference, 0, seed, middle=middle) == expected


def test_the_challenge_box_grows_by_one_draw_on_all_four_sides() -> None:
    reference = empty()
    reference[4:6, 8:10, 8:10] = True
    boxes = {challenge_box(reference, 3, seed) for seed in range(100)}
    assert boxes == {((4, 8 - by, 8 - by), (6, 10 + by, 10 + by)) for by in range(4)}


def test_the_challenge_box_stops_at_the_border_of_the_grid() -> None:
    reference = empty()
    reference[0, 0:20, 1:19] = True
    boxes = {challenge_box(reference, 5, seed) for seed in range(100)}
    assert boxes == {((0, 0, 0), (1, 20, 20)), ((0, 0, 1), (1, 20, 19))}


# Bad input


def test_an_empty_reference_has_no_box() -> None:
    with pytest.raises(MaskError, match="reference is empty"):
        box_around(empty(), 0.1, seed=0)
    with pytest.raises(MaskError, match="reference is empty"):
        challenge_box(empty(), 5, seed=0)


@pytest.mark.parametrize("jitter", [-0.1, float("nan"), float("inf")])
def test_a_negative_or_endless_jitter_is_refused(jitter: float) -> None:
    with pytest.raises(ValueError, match=f"jitter is {jitter}"):
        box_around(~empty(), jitter, seed=0)
    with pytest.raises(ValueError, match="jitter_voxels is -1"):
        challenge_box(~empty(), -1, seed=0)


def test_probabilities_and_other_grids_are_refused() -> None:
    with pytest.raises(MaskError, match="reference has dtype float64"):
        box_around(empty().astype(float), 0.1, seed=0)
    with pytest.raises(MaskError, match="reference has dtype float64"):
        challenge_box(empty().astype(float), 5, seed=0)
    with pytest.raises(MaskError, match="prediction has dtype float64"):
        next_click(empty(), empty().astype(float), seed=0)
    with pytest.raises(MaskError, match=r"\(20, 20, 20\) and prediction \(20, 20, 4\)"):
        next_click(empty(), empty()[..., :4], seed=0)
