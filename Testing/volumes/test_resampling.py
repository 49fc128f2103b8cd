"""Regions on another number of cells."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib.volumes.resampling import (
    axis_weights,
    cell_positions,
    linear_weights,
    resampled,
    weighted,
)

SHAPES = [(7, 9, 11), (32, 32, 32), (1, 70, 33), (100, 3, 16)]
CELLS = (16, 32, 24)


def test_as_many_cells_as_voxels_change_nothing() -> None:
    array = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    assert np.array_equal(resampled(array, (5, 6, 7)), array)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64", "bool"])
def test_any_type_becomes_float32(dtype: str) -> None:
    array = np.ones((5, 6, 7), dtype)
    result = resampled(array, (3, 6, 9))
    assert result.dtype == np.float32 and result.flags.c_contiguous
    np.testing.assert_allclose(result, 1, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_constant_stays_and_nothing_goes_beyond_the_values(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).random(shape, dtype=np.float32)
    result = resampled(noise, CELLS)
    assert result.shape == CELLS
    assert noise.min() - 1e-6 <= result.min() and result.max() <= noise.max() + 1e-6
    np.testing.assert_allclose(resampled(np.full(shape, 7, np.int16), CELLS), 7, rtol=1e-6)


@pytest.mark.parametrize(("voxels", "cells"), [(1, 16), (5, 16), (16, 16), (33, 16), (300, 16)])
def test_what_a_cell_takes_sums_to_one_and_no_voxel_is_skipped(voxels: int, cells: int) -> None:
    weights = axis_weights(voxels, cells)
    assert weights.shape == (cells, voxels) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert (weights.sum(axis=0) > 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("there", [(12, 40, 24), (50, 40, 60), (9, 11, 13)])
def test_ramp_comes_back_aligned(there: tuple[int, int, int], axis: int) -> None:
    shape = (24, 40, 25)
    line = np.arange(shape[axis], dtype=np.float32)
    ramp = np.broadcast_to(np.moveaxis(line[:, None, None], 0, axis), shape)
    back = np.moveaxis(resampled(resampled(ramp, there), shape), axis, 0)[:, 2, 2]
    edge = 2 * max(1, -(-shape[axis] // there[axis]))
    np.testing.assert_allclose(back[edge:-edge], line[edge:-edge], atol=0.05)


def test_nan_is_not_hidden() -> None:
    array = np.zeros((6, 6, 6), np.float32)
    array[1, 2, 3] = np.nan
    for cells in ((3, 3, 3), (12, 12, 12)):
        assert np.isnan(resampled(array, cells)).any()


@pytest.mark.parametrize("cells", [(16, 16, 16), (40, 50, 60), (30, 20, 48)])
def test_positions_agree_with_the_centre_of_a_resampled_blob(cells: tuple[int, int, int]) -> None:
    shape, centre = (30, 40, 48), (12.0, 22.5, 30.0)
    squares = [((np.arange(n) - c) / 3.0) ** 2 for n, c in zip(shape, centre, strict=True)]
    k, j, i = np.ix_(*squares)
    blob = resampled(np.exp(-(k + j + i) / 2), cells)
    found = [
        float((np.moveaxis(blob, axis, 0).sum(axis=(1, 2)) @ np.arange(cells[axis])) / blob.sum())
        for axis in range(3)
    ]
    np.testing.assert_allclose(cell_positions([centre], shape, cells)[0], found, atol=0.02)


def test_positions_come_back() -> None:
    positions = np.array([[0, 0.5, 3], [29, 39, 47]], np.float32)
    there = cell_positions(positions, (30, 40, 48), (16, 16, 16))
    back = cell_positions(there, (16, 16, 16), (30, 40, 48))
    np.testing.assert_allclose(back, positions, atol=1e-4)
    assert cell_positions(np.zeros((0, 3)), (30, 40, 48), (16, 16, 16)).shape == (0, 3)


def test_linear_weights_interpolate_between_elements_and_repeat_the_ends() -> None:
    weights = linear_weights([-3, 0, 1.25, 2, 7], 3)
    np.testing.assert_allclose(
        weights, [[1, 0, 0], [1, 0, 0], [0, 0.75, 0.25], [0, 0, 1], [0, 0, 1]]
    )


def test_each_axis_is_multiplied_by_its_own_matrix() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(-9, 9, (4, 5, 6)).astype(np.int16)
    k, i = rng.random((7, 4), np.float32), rng.random((2, 6), np.float32)
    expected = np.einsum("ak,ci,kji->ajc", k, i, array)
    np.testing.assert_allclose(weighted(array, [k, None, i]), expected, rtol=1e-5, atol=1e-5)
    assert weighted(array[::2].transpose(2, 1, 0), [None, None, None]).flags.c_contiguous
