"""All scores of a case at once are those of each object alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from MedSegFMLib.errors import MaskError
from MedSegFMLib.metrics import References, dice, hausdorff95, surface_dice
from MedSegFMLib.metrics.distances import distances_within
from MedSegFMLib.metrics.surface_elements import extract_surface
from MedSegFMLib.volumes.nearest_points import NearestPoints

SPACING = (2.5, 0.8, 1.1)


def label_map(seed: int, shift: int = 0) -> NDArray[np.uint8]:
    """Touching blocks of the labels 1, 3 and 250 with ragged edges, cut by the grid's border."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((16, 20, 24), np.uint8)
    for label, at in ((1, 0), (3, 7), (250, 14)):
        labels[2:12, at : at + 8, 3 + shift : 15 + shift] = label
    labels[generator.random(labels.shape) < 0.08] = 0
    labels[generator.random(labels.shape) < 0.02] = 3
    return labels


@pytest.mark.parametrize("shift", [0, 1, 6])
@pytest.mark.parametrize("threads", [1, 3])
def test_scores_of_all_labels_are_those_of_each_mask(shift: int, threads: int) -> None:
    reference, predicted = label_map(0), label_map(1, shift)
    labels = [250, 1, 3]
    scored = References(reference, labels, SPACING, threads).scores(predicted, 2.0)
    for label, scores in zip(labels, scored, strict=True):
        pair = reference == label, predicted == label
        assert scores.dsc == dice(*pair)
        assert scores.nsd == surface_dice(*pair, SPACING, 2.0)
        assert scores.hd95_mm == hausdorff95(*pair, SPACING)


def test_labels_that_one_of_the_two_lacks_are_scored_as_empty_masks() -> None:
    reference, predicted = label_map(0), label_map(1)
    predicted[predicted == 3] = 7
    scores = References(reference, [3, 7, 9], SPACING).scores(predicted, 2.0)
    assert [(s.dsc, s.nsd, s.hd95_mm) for s in scores] == [
        (0, 0, np.inf),
        (0, 0, np.inf),
        (1, 1, 0),
    ]


def test_a_reference_serves_one_prediction_after_another() -> None:
    references = References(label_map(0), [1, 3], SPACING)
    first = references.scores(label_map(1), 2.0)
    assert references.scores(label_map(0), 2.0)[0].dsc == 1
    assert references.scores(label_map(1), 2.0) == first


def test_masks_of_truths_and_wide_integers_score_alike() -> None:
    mask, other = label_map(0) == 1, label_map(1, 1) == 1
    expected = References(mask.astype(np.uint8), [1], SPACING).scores(other.astype(np.uint8), 2.0)
    assert References(mask, [1], SPACING).scores(other, 2.0) == expected
    wide = References(mask.astype(np.int64), [1], SPACING).scores(other.astype(np.uint16), 2.0)
    assert wide == expected


def test_other_shapes_fractions_and_tolerances_are_refused() -> None:
    references = References(label_map(0), [1], SPACING)
    with pytest.raises(MaskError, match="must be on the same grid"):
        references.scores(label_map(0)[:4], 2.0)
    with pytest.raises(MaskError, match="dtype float64"):
        References(label_map(0).astype(float), [1], SPACING)
    with pytest.raises(ValueError, match="tolerance is -1"):
        references.scores(label_map(0), -1)
    with pytest.raises(ValueError, match="spacing is"):
        References(label_map(0), [1], (1, 0, 1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most_mm", [0.0, 2.0, 4.1, 1e3])
def test_distances_are_those_of_every_pair_as_far_as_was_asked(seed: int, most_mm: float) -> None:
    generator = np.random.default_rng(seed)
    points, others = (generator.integers(-9, 9, (n, 3)) for n in (60, 25))
    spacing = np.array(SPACING)
    apart = (points[:, None] - others[None]) * spacing
    expected = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
    nearest = NearestPoints(others, spacing)
    assert np.allclose(nearest.distances(points), expected, rtol=1e-14)
    least, most = nearest.bounds(points)
    assert (least <= expected + 1e-9).all() and (expected <= most + 1e-9).all()
    found = distances_within(points, others, spacing, most_mm)
    assert np.allclose(found, np.where(expected <= most_mm, expected, np.inf), rtol=1e-14)


def test_the_hausdorff_distance_of_far_surfaces_is_exact_where_most_are_only_bounded() -> None:
    rng = np.random.default_rng(3)
    spacing = np.array([3.0, 0.7, 0.9])
    reference = np.zeros((14, 60, 60), bool)
    reference[4:9, 5:30, 8:20] = True
    for _ in range(4):
        prediction = np.zeros_like(reference)
        k, j, i = rng.integers((1, 20, 25), (6, 40, 40))
        prediction[k : k + 6, j : j + 18, i : i + 15] = True
        prediction[tuple(rng.integers(0, n, 30) for n in reference.shape)] = True
        ours, theirs = (extract_surface(mask, spacing) for mask in (reference, prediction))
        assert ours is not None and theirs is not None
        directed = []
        for one, other in ((ours, theirs), (theirs, ours)):
            far = np.linalg.norm(
                (one.corner_kji[:, None] - other.corner_kji[None]) * spacing, axis=2
            ).min(axis=1)
            order = np.argsort(far, kind="stable")
            share = np.cumsum(one.area_mm2[order]) / one.area_mm2.sum()
            directed.append(far[order[np.searchsorted(share, 0.95)]])
        assert abs(hausdorff95(reference, prediction, spacing) - max(directed)) < 1e-9
