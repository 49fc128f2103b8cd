from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from MedSegFMLib.errors import MaskError
from MedSegFMLib.volumes.masks import bounding_box, check_mask, check_masks


def test_box_of_one_voxel_is_that_voxel() -> None:
    mask = np.zeros((4, 5, 6), dtype=bool)
    mask[1, 4, 0] = True
    assert bounding_box(mask) == (slice(1, 2), slice(4, 5), slice(0, 1))


def test_box_spans_voxels_far_apart() -> None:
    mask = np.zeros((4, 5, 6), dtype=np.int16)
    mask[0, 3, 5] = 7
    mask[2, 1, 5] = -1
    assert bounding_box(mask) == (slice(0, 3), slice(1, 4), slice(5, 6))


@pytest.mark.parametrize("shape", [(3, 4, 5), (0, 4, 5), (3, 4, 0)])
def test_an_empty_mask_has_no_box(shape: tuple[int, ...]) -> None:
    assert bounding_box(np.zeros(shape, dtype=bool)) is None


def test_box_is_the_same_for_any_memory_order() -> None:
    mask = np.zeros((4, 5, 6), dtype=np.uint8)
    mask[1:3, 2:4, 3:5] = 1
    assert bounding_box(np.asfortranarray(mask)) == bounding_box(mask)


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.booleans()))
def test_box_holds_every_voxel_and_touches_one_on_each_side(mask: NDArray[np.bool_]) -> None:
    box = bounding_box(mask)
    voxels = np.argwhere(mask)
    if box is None:
        assert len(voxels) == 0
    else:
        assert [side.start for side in box] == voxels.min(axis=0).tolist()
        assert [side.stop for side in box] == (voxels.max(axis=0) + 1).tolist()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.uint16, np.int64])
def test_bool_and_every_integer_type_is_a_mask(dtype: type) -> None:
    check_mask(np.zeros((2, 2, 2), dtype=dtype), "mask")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((2, 2, 2), dtype=np.float32), "prediction has dtype float32"),
        (np.zeros((2, 2, 2), dtype=complex), "prediction has dtype complex128"),
        (np.zeros((2, 2), dtype=bool), r"prediction has shape \(2, 2\)"),
        (np.zeros((1, 2, 2, 2), dtype=bool), r"prediction has shape \(1, 2, 2, 2\)"),
        ([[[1]]], "prediction is a list"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(mask: Any, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        check_mask(mask, "prediction")


def test_masks_on_two_grids_are_refused_with_both_shapes() -> None:
    with pytest.raises(MaskError, match=r"\(2, 2, 2\) and prediction \(2, 2, 3\)"):
        check_masks(np.zeros((2, 2, 2), dtype=bool), np.zeros((2, 2, 3), dtype=bool))
