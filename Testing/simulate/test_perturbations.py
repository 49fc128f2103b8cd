"""Masks with known errors, for measuring how models correct them."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib.errors import MaskError
from MedSegFMLib.metrics import dice
from MedSegFMLib.simulate import perturbed
from MedSegFMLib.simulate.perturbations import KINDS

SPACING = (2.0, 1.0, 1.0)


@pytest.fixture
def ball() -> np.ndarray:
    k, j, i = np.indices((20, 40, 44))
    return ((k - 9) * 2) ** 2 + (j - 20) ** 2 + (i - 22) ** 2 < 12**2


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_error_is_one_and_the_same_for_a_seed(ball: np.ndarray, kind: str) -> None:
    before = ball.copy()
    masks = [perturbed(ball, kind, seed, SPACING) for seed in range(8)]
    again = [perturbed(ball.astype(np.uint8) * 3, kind, seed, SPACING) for seed in range(8)]
    assert np.array_equal(ball, before)
    assert all(np.array_equal(a, b) for a, b in zip(masks, again, strict=True))
    assert len({mask.tobytes() for mask in masks}) > 4
    for mask in masks:
        assert mask.dtype == bool and 0.3 < dice(ball, mask) < 0.98


def test_errors_are_what_they_are_called(ball: np.ndarray) -> None:
    for seed in range(5):
        masks = {kind: perturbed(ball, kind, seed, SPACING) for kind in KINDS}
        size = np.count_nonzero(ball)
        assert not (masks["eroded"] & ~ball).any() and not (masks["cut"] & ~ball).any()
        assert not (ball & ~masks["dilated"]).any()
        assert 0.6 * size - 60 <= np.count_nonzero(masks["cut"]) <= 0.8 * size + 60
        assert np.count_nonzero(masks["moved"]) == size
        for name in ("moved", "shifted"):
            assert (masks[name] & ~ball).any() and (ball & ~masks[name]).any()


def test_any_error_is_one_of_them_as_the_seed_says(ball: np.ndarray) -> None:
    found = [perturbed(ball, "any", seed, SPACING) for seed in range(6)]
    assert len({mask.tobytes() for mask in found}) == 6
    assert np.array_equal(found[3], perturbed(ball, "any", 3, SPACING))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (2, 2, 2), (1, 6, 7)])
def test_the_smallest_objects_keep_a_voxel(kind: str, shape: tuple[int, int, int]) -> None:
    for corner in ((0, 0, 0), (3, 4, 5)):
        reference = np.zeros((8, 12, 14), bool)
        reference[tuple(slice(c, c + n) for c, n in zip(corner, shape, strict=True))] = True
        for seed in range(4):
            assert perturbed(reference, kind, seed, SPACING).any()


def test_an_empty_object_and_an_unknown_error_are_refused(ball: np.ndarray) -> None:
    with pytest.raises(MaskError, match="empty"):
        perturbed(ball & False, "cut", 0, SPACING)
    with pytest.raises(ValueError, match="no error 'bent'"):
        perturbed(ball, "bent", 0, SPACING)
