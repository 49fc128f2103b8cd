"""What several masks say together: by counting votes, and by STAPLE."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib.errors import MaskError
from MedSegFMLib.metrics.consensus import majority, staple, vote_disagreement


def block(start: int, stop: int) -> np.ndarray:
    mask = np.zeros((8, 10, 12), bool)
    mask[2:6, 2:8, start:stop] = True
    return mask


def test_a_majority_is_more_than_half() -> None:
    masks = [block(2, 8), block(2, 9), block(4, 9)]
    assert np.array_equal(majority(masks), block(2, 9))
    assert np.array_equal(majority(masks[::2]), block(4, 8)), "half is no majority"
    assert np.array_equal(majority([mask.astype(np.uint8) * 7 for mask in masks]), block(2, 9))


def test_disagreement_is_none_in_one_voice_and_full_at_half_and_half() -> None:
    two = vote_disagreement([block(2, 8), block(4, 8)])
    assert two.dtype == np.float32
    assert np.array_equal(two == 1, block(2, 4)) and np.array_equal(two == 0, ~block(2, 4))
    three = vote_disagreement([block(2, 8), block(4, 8), block(4, 8)])
    assert np.allclose(three[block(2, 4)], 2 / 3) and not three[~block(2, 4)].any()


def test_staple_follows_those_who_are_right_and_not_the_one_who_is_not() -> None:
    careless = np.random.default_rng(0).random((8, 10, 12)) > 0.5
    found = staple([block(2, 8), block(2, 8), block(2, 9), careless])
    assert np.array_equal(found, block(2, 8))


@pytest.mark.parametrize("mask", [block(2, 8), block(2, 2), np.ones((3, 3, 3), bool)])
def test_masks_that_are_the_same_are_their_own_consensus(mask: np.ndarray) -> None:
    for consensus in (staple, majority):
        found = consensus([mask, mask.copy(), mask.copy()])
        assert found.dtype == bool and np.array_equal(found, mask)
    assert not vote_disagreement([mask, mask]).any()


def test_an_empty_mask_counts_as_a_vote_for_nothing() -> None:
    assert not majority([block(2, 8), block(2, 2)]).any()
    assert np.array_equal(staple([block(2, 8), block(2, 8), block(2, 2)]), block(2, 8))


@pytest.mark.parametrize("consensus", [staple, majority, vote_disagreement])
def test_one_mask_or_masks_of_other_grids_are_refused(consensus: object) -> None:
    with pytest.raises(MaskError, match="two or more"):
        consensus([block(2, 8)])  # type: ignore[operator]
    with pytest.raises(MaskError, match="the same grid"):
        consensus([block(2, 8), np.ones((2, 2, 2), bool)])  # type: ignore[operator]
