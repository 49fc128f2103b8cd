from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from MedSegFMLib.metrics import (
    challenge_scores,
    dice,
    hausdorff95,
    instance_f1,
    interaction_auc,
    surface_dice,
    text_scores,
)
from MedSegFMLib.volumes.masks import Mask, MaskError

ISOTROPIC_MM = (1.0, 1.0, 1.0)
SHAPE_KJI = (4, 5, 6)
masks = arrays(bool, SHAPE_KJI, elements=st.booleans())


def block(
    start: tuple[int, int, int], stop: tuple[int, int, int], shape: tuple[int, int, int] = (20,) * 3
) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*side) for side in zip(start, stop, strict=True))] = True
    return mask


def random_blobs(generator: np.random.Generator) -> NDArray[np.bool_]:
    """Smooth blobs, many of them cut by the border of the grid."""
    blobs: NDArray[np.bool_] = gaussian_filter(generator.random((14, 12, 16)), 1.5) > 0.5
    return blobs


# Dice


def test_dice_of_half_overlapping_blocks_is_one_half() -> None:
    assert dice(block((0, 0, 0), (2, 2, 4)), block((0, 0, 2), (2, 2, 6))) == 0.5


def test_dice_counts_a_voxel_once_whatever_its_value() -> None:
    reference = block((0, 0, 0), (2, 2, 4)).astype(np.uint8) * 255
    prediction = block((0, 0, 2), (2, 2, 6)).astype(np.int32) * 2
    assert dice(reference, prediction) == 0.5


@given(masks, masks)
@settings(deadline=None)
def test_dice_is_symmetric_and_lies_from_zero_to_one(
    a: NDArray[np.bool_], b: NDArray[np.bool_]
) -> None:
    assert dice(a, b) == dice(b, a)
    assert 0.0 <= dice(a, b) <= 1.0
    assert dice(a, a) == 1.0


# Empty masks


def test_two_empty_masks_agree() -> None:
    empty = np.zeros((5, 5, 5), dtype=bool)
    assert dice(empty, empty) == 1.0
    assert surface_dice(empty, empty, ISOTROPIC_MM, 1.0) == 1.0
    assert hausdorff95(empty, empty, ISOTROPIC_MM) == 0.0


@pytest.mark.parametrize("swap", [False, True])
def test_one_empty_mask_disagrees(swap: bool) -> None:
    pair = [np.zeros((20, 20, 20), dtype=bool), block((3, 3, 3), (5, 5, 5))]
    reference, prediction = reversed(pair) if swap else pair
    assert dice(reference, prediction) == 0.0
    assert surface_dice(reference, prediction, ISOTROPIC_MM, 100.0) == 0.0
    assert hausdorff95(reference, prediction, ISOTROPIC_MM) == math.inf


# Surfaces, by hand


@pytest.mark.parametrize(("tolerance_mm", "expected"), [(0.9, 0.0), (1.0, 0.5), (2.0, 1.0)])
def test_two_voxels_two_mm_apart(tolerance_mm: float, expected: float) -> None:
    # Corners at i = 5, 6 and at i = 7, 8: half of each surface is 1 mm away, the other half 2 mm.
    reference, prediction = block((9, 9, 5), (10, 10, 6)), block((9, 9, 7), (10, 10, 8))
    assert surface_dice(reference, prediction, (3.0, 2.0, 1.0), tolerance_mm) == expected
    assert hausdorff95(reference, prediction, (3.0, 2.0, 1.0)) == 2.0


@pytest.mark.parametrize(("tolerance_mm", "expected"), [(3.5, 0.0), (3.6, 0.5), (4.0, 1.0)])
def test_a_tolerance_of_many_voxels_is_held_too(tolerance_mm: float, expected: float) -> None:
    # Corners at i = 5, 6 and at i = 15, 16, which is 9 and 10 voxels of 0.4 mm.
    reference, prediction = block((9, 9, 5), (10, 10, 6)), block((9, 9, 15), (10, 10, 16))
    assert surface_dice(reference, prediction, (0.4, 0.4, 0.4), tolerance_mm) == expected


@pytest.mark.parametrize(("axis", "expected_mm"), [(0, 6.0), (1, 3.0), (2, 1.5)])
def test_a_cube_moved_three_voxels_is_three_voxel_sizes_away(axis: int, expected_mm: float) -> None:
    # One face of six, far more than 5 % of the area, lies a full shift outside the other cube.
    reference = block((2, 2, 2), (12, 12, 12))
    prediction = np.roll(reference, 3, axis=axis)
    spacing_kji_mm = (2.0, 1.0, 0.5)
    assert hausdorff95(reference, prediction, spacing_kji_mm) == expected_mm
    assert surface_dice(reference, prediction, spacing_kji_mm, expected_mm) == 1.0
    assert surface_dice(reference, prediction, spacing_kji_mm, 0.99 * expected_mm) < 1.0


def test_surfaces_are_weighted_by_area_not_by_elements() -> None:
    # Half way between voxel centres a single voxel is an octahedron of area √3, and two in a row
    # are one stretched by a prism of area 2√2. By elements it would be 16 of 28.
    voxel, domino = block((2, 2, 2), (3, 3, 3)), block((12, 12, 12), (13, 13, 14))
    expected = 2 * math.sqrt(3) / (3 * math.sqrt(3) + 2 * math.sqrt(2))
    assert surface_dice(voxel | domino, voxel, ISOTROPIC_MM, 0.0) == pytest.approx(expected)


def test_a_stray_speck_below_five_percent_of_the_area_leaves_hausdorff95_alone() -> None:
    reference = block((2, 2, 2), (12, 12, 12))
    prediction = reference.copy()
    prediction[18, 18, 18] = True
    assert hausdorff95(reference, prediction, ISOTROPIC_MM) == 0.0


def test_a_tolerance_equal_to_a_distance_counts_as_agreement_however_it_rounds() -> None:
    # 0.4 mm voxels: the steps (5, 0, 0) and (3, 4, 0) are both 2 mm, but the latter rounds up.
    reference, prediction = block((2, 2, 2), (3, 3, 3)), block((7, 2, 2), (8, 3, 3))
    prediction |= block((5, 6, 2), (6, 7, 3))
    spacing = (0.4, 0.4, 0.4)
    with_either = surface_dice(reference, prediction, spacing, 2.0)
    assert with_either == surface_dice(reference, prediction, spacing, 2.0 + 1e-12)


# Surfaces, by identity


@given(masks, masks, st.sampled_from([0.0, 0.8, 1.5, 2.0]))
@settings(max_examples=50, deadline=None)
def test_surface_scores_do_not_depend_on_which_mask_is_the_reference(
    a: NDArray[np.bool_], b: NDArray[np.bool_], tolerance_mm: float
) -> None:
    spacing = (2.0, 0.8, 1.5)
    forth, back = (surface_dice(*pair, spacing, tolerance_mm) for pair in ((a, b), (b, a)))
    assert forth == pytest.approx(back, abs=1e-12)
    assert 0.0 <= forth <= 1.0 + 1e-12
    assert hausdorff95(a, b, spacing) == hausdorff95(b, a, spacing)


@given(masks)
@settings(max_examples=25, deadline=None)
def test_a_mask_agrees_with_itself_at_no_tolerance(mask: NDArray[np.bool_]) -> None:
    assert surface_dice(mask, mask, (2.0, 0.8, 1.5), 0.0) == 1.0
    assert hausdorff95(mask, mask, (2.0, 0.8, 1.5)) == 0.0


@pytest.mark.parametrize("axes", [(0, 2, 1), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_scores_follow_axes_and_spacing_that_are_permuted_together(axes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(3)
    a, b = random_blobs(generator), random_blobs(generator)
    spacing = (2.5, 0.8, 1.1)
    turned = tuple(spacing[axis] for axis in axes)
    assert surface_dice(a.transpose(axes), b.transpose(axes), turned, 2.0) == pytest.approx(
        surface_dice(a, b, spacing, 2.0), abs=1e-12
    )
    assert hausdorff95(a.transpose(axes), b.transpose(axes), turned) == pytest.approx(
        hausdorff95(a, b, spacing), abs=1e-12
    )


def test_a_wider_grid_changes_no_score() -> None:
    generator = np.random.default_rng(4)
    a, b = random_blobs(generator), random_blobs(generator)
    margins = ((3, 0), (1, 7), (0, 2))
    wide_a, wide_b = np.pad(a, margins), np.pad(b, margins)
    spacing = (2.5, 0.8, 1.1)
    assert dice(wide_a, wide_b) == dice(a, b)
    assert surface_dice(wide_a, wide_b, spacing, 2.0) == surface_dice(a, b, spacing, 2.0)
    assert hausdorff95(wide_a, wide_b, spacing) == hausdorff95(a, b, spacing)


def test_millimetres_scale_with_spacing() -> None:
    generator = np.random.default_rng(5)
    a, b = random_blobs(generator), random_blobs(generator)
    assert hausdorff95(a, b, (4.0, 2.0, 1.0)) == 2 * hausdorff95(a, b, (2.0, 1.0, 0.5))
    assert surface_dice(a, b, (4.0, 2.0, 1.0), 3.0) == pytest.approx(
        surface_dice(a, b, (2.0, 1.0, 0.5), 1.5), abs=1e-12
    )


# Surfaces, against other implementations


@given(
    masks,
    masks,
    st.tuples(*[st.sampled_from([0.4, 0.7, 0.8, 1.0, 1.2, 2.4])] * 3),
    st.sampled_from([0.0, 0.8, 1.0, 1.2, 2.0, 2.4]),
)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")
def test_surface_scores_equal_those_of_the_challenge_code(
    a: NDArray[np.bool_],
    b: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    tolerance_mm: float,
) -> None:
    # With these spacings and tolerances many distances equal the tolerance but for rounding.
    from surface_distance import (
        compute_robust_hausdorff,
        compute_surface_dice_at_tolerance,
        compute_surface_distances,
    )

    assume(a.any() and b.any())
    distances = compute_surface_distances(a, b, spacing)
    assert surface_dice(a, b, spacing, tolerance_mm) == pytest.approx(
        compute_surface_dice_at_tolerance(distances, tolerance_mm), abs=1e-12
    )
    assert hausdorff95(a, b, spacing) == compute_robust_hausdorff(distances, 95)


@pytest.mark.parametrize("voxels", [20, 40, 60])
@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")
def test_where_exactly_95_percent_lie_within_rounding_decides_as_in_the_challenge_code(
    voxels: int,
) -> None:
    from surface_distance import compute_robust_hausdorff, compute_surface_distances

    # Far from the other one, each has a surface of the same area.
    a, b = np.zeros((2, 3, 3, 4 * voxels + 30), bool)
    a[1, 1, 25 : 25 + 4 * voxels : 4] = True
    b[1, 1, 1] = True
    for spacing in ((1, 1, 1), (0.7, 0.7, 1.3), (2.4, 0.4, 0.8)):
        expected = compute_robust_hausdorff(compute_surface_distances(a, b, spacing), 95)
        assert hausdorff95(a, b, spacing) == expected


@pytest.mark.parametrize("seed", range(8))
def test_surface_dice_equals_monai_with_subvoxels(seed: int) -> None:
    import torch
    from monai.metrics.surface_dice import compute_surface_dice

    generator = np.random.default_rng(seed)
    a, b = random_blobs(generator), random_blobs(generator)
    spacing = [2.5, 0.8, 1.1]  # no distance equals the tolerance: MONAI's are rounded to float32
    expected = compute_surface_dice(
        torch.from_numpy(b)[None, None],
        torch.from_numpy(a)[None, None],
        class_thresholds=[2.0],
        include_background=True,
        spacing=spacing,
        use_subvoxels=True,
    )
    assert surface_dice(a, b, spacing, 2.0) == pytest.approx(expected.item(), abs=1e-6)


# The challenge's scores


def labelled() -> NDArray[np.uint8]:
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[2:8, 2:8, 2:8] = 1
    labels[12:18, 12:18, 12:18] = 4
    return labels


def test_challenge_scores_of_a_perfect_case_are_one() -> None:
    assert challenge_scores(labelled(), labelled(), ISOTROPIC_MM) == (1.0, 1.0)


def test_a_missed_label_counts_as_zero_in_both_means() -> None:
    predicted = np.where(labelled() == 1, 1, 0)
    assert challenge_scores(labelled(), predicted, ISOTROPIC_MM) == (0.5, 0.5)


def test_a_label_found_in_the_prediction_alone_is_ignored() -> None:
    predicted = labelled()
    predicted[10, 0, 0] = 9
    assert challenge_scores(labelled(), predicted, ISOTROPIC_MM) == (1.0, 1.0)


def test_challenge_scores_are_means_over_labels_not_over_voxels() -> None:
    predicted = labelled()
    predicted[2:8, 2:8, 7] = 0
    dsc, nsd = challenge_scores(labelled(), predicted, (1.0, 1.0, 3.0))
    pair = labelled() == 1, predicted == 1
    assert dsc == pytest.approx((dice(*pair) + 1.0) / 2)
    assert nsd == pytest.approx((surface_dice(*pair, (1.0, 1.0, 3.0), 2.0) + 1.0) / 2)
    assert nsd < 1.0


@pytest.mark.parametrize(("predicted_voxels", "gated"), [(5, True), (4, False)])
def test_surface_dice_is_zero_where_mean_dice_is_at_most_a_fifth(
    predicted_voxels: int, gated: bool
) -> None:
    # Five reference voxels in a row, one of them shared: Dice is 2 / (5 + 5) or 2 / (5 + 4).
    reference = block((5, 5, 0), (6, 6, 5)).astype(np.uint8)
    predicted = block((5, 5, 4), (6, 6, 4 + predicted_voxels)).astype(np.uint8)
    dsc, nsd = challenge_scores(reference, predicted, ISOTROPIC_MM)
    assert dsc == 2 / (5 + predicted_voxels)
    assert (nsd == 0.0) is gated
    assert surface_dice(reference, predicted, ISOTROPIC_MM, 2.0) > 0.0


def test_tolerance_is_in_units_of_spacing_along_array_axes() -> None:
    reference = block((4, 4, 4), (12, 12, 12)).astype(np.uint8)
    predicted = np.roll(reference, 1, axis=0)
    assert challenge_scores(reference, predicted, (2.0, 1.0, 1.0))[1] == 1.0
    assert challenge_scores(reference, predicted, (2.1, 1.0, 1.0))[1] < 1.0
    assert challenge_scores(reference, predicted, (2.1, 1.0, 1.0), tolerance=2.1)[1] == 1.0


def test_a_case_without_labels_is_refused() -> None:
    with pytest.raises(MaskError, match="no label above 0"):
        challenge_scores(np.zeros((3, 3, 3), dtype=np.uint8), labelled()[:3, :3, :3], ISOTROPIC_MM)


# Area under the curve


def test_auc_of_perfect_scores_is_four() -> None:
    assert interaction_auc([1.0] * 6) == 4.0


def test_auc_leaves_the_box_out_and_weighs_both_ends_by_half() -> None:
    assert interaction_auc([0.9, 0.5, 0.0, 0.0, 0.0, 1.0]) == 0.75
    assert interaction_auc([0.1, 0.5, 0.0, 0.0, 0.0, 1.0]) == 0.75
    assert interaction_auc([0.0, 0.25, 0.5, 0.25, 0.0]) == 1.0


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=5, max_size=9))
def test_auc_is_the_trapezoid_and_lies_from_zero_to_four(scores: list[float]) -> None:
    from scipy.integrate import trapezoid

    assert interaction_auc(scores) == pytest.approx(trapezoid(scores[-5:]), abs=1e-12)
    assert 0.0 <= interaction_auc(scores) <= 4.0


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.5] * 4, r"shape \(4,\)"),
        ([[0.5] * 5], r"shape \(1, 5\)"),
        ([0.5, 0.5, math.nan, 0.5, 0.5], "contains nan"),
        ([50.0] * 6, "contains 50.0"),
    ],
)
def test_scores_that_have_no_area_are_refused(scores: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        interaction_auc(scores)


# Bad input


@pytest.mark.parametrize(
    "metric",
    [
        dice,
        lambda a, b: surface_dice(a, b, ISOTROPIC_MM, 1.0),
        lambda a, b: hausdorff95(a, b, ISOTROPIC_MM),
        lambda a, b: challenge_scores(a, b, ISOTROPIC_MM),
    ],
)
def test_every_metric_refuses_probabilities_and_other_grids(
    metric: Callable[[Mask, Mask], object],
) -> None:
    mask = np.ones((3, 3, 3), dtype=np.uint8)
    with pytest.raises(MaskError, match="prediction has dtype float64"):
        metric(mask, mask.astype(float))
    with pytest.raises(MaskError, match=r"\(3, 3, 3\) and prediction \(3, 3, 2\)"):
        metric(mask, mask[..., :2])


@pytest.mark.parametrize(
    "spacing", [(1, 1), (1, 1, 0), (1, 1, -2), (1, math.nan, 1), (math.inf, 1, 1), "abc", None]
)
def test_spacing_other_than_three_positive_numbers_is_refused(
    spacing: tuple[float, ...],
) -> None:
    mask = np.ones((3, 3, 3), dtype=np.uint8)
    for score in (
        lambda: surface_dice(mask, mask, spacing, 1.0),
        lambda: hausdorff95(mask, mask, spacing),
        lambda: challenge_scores(mask, mask, spacing),
    ):
        with pytest.raises(ValueError, match="spacing is"):
            score()


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_negative_or_endless_tolerance_is_refused(tolerance: float) -> None:
    mask = np.ones((3, 3, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=f"tolerance is {tolerance}"):
        surface_dice(mask, mask, ISOTROPIC_MM, tolerance)
    with pytest.raises(ValueError, match=f"tolerance is {tolerance}"):
        challenge_scores(mask, mask, ISOTROPIC_MM, tolerance)


def test_importing_metrics_and_dice_need_numpy_alone() -> None:
    program = (
        "import sys, numpy as np; import MedSegFMLib.simulate;"
        "from MedSegFMLib.metrics import dice;"
        "dice(np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool));"
        "print([m for m in ('scipy', 'surface_distance', 'torch') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_labels_of_text_prompts_are_scored_where_a_map_has_them() -> None:
    truth, found = np.zeros((2, 3, 8, 8), np.uint8)
    truth[1, 1:5, 1:5] = 1
    found[1, 1:5, 1:5] = 1
    found[2, 6:, 6:] = 3
    # Label 1 is perfect, 2 is nowhere, and 3 was found where there is none.
    assert text_scores(truth, found, (1, 1, 1), (1, 2)) == (1, 1)
    assert text_scores(truth, found, (1, 1, 1), (1, 2, 3)) == (0.5, 0.5)
    assert np.isnan(text_scores(truth, found, (1, 1, 1), (2,))).all()


def test_instances_are_matched_one_to_one() -> None:
    truth, found = np.zeros((2, 1, 4, 20), np.uint8)
    for n in range(4):
        truth[0, :, 5 * n : 5 * n + 4] = n + 1
    assert instance_f1(truth, truth) == 1
    assert instance_f1(truth, found) == 0
    # One instance of two found, half of another, and one where there is none.
    found[0, :, 0:4] = 7
    found[0, :2, 5:9] = 9
    found[0, :1, 10:14] = 2
    assert instance_f1(truth, found) == pytest.approx(2 * 2 / (4 + 3))
    assert instance_f1(truth, found, 0.6) == pytest.approx(2 * 1 / (4 + 3))
    # A prediction of one label is divided into its parts.
    assert instance_f1(truth, (truth > 0).astype(np.uint8)) == 1
