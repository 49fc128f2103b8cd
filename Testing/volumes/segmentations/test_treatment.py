"""What is done to segments after a model, in cases worked out by hand."""

from __future__ import annotations

import numpy as np

from MedSegFMLib import Geometry
from MedSegFMLib.volumes.segmentations.segmentation import Segment, Segmentation
from MedSegFMLib.volumes.segmentations.treatment import Treatment, treated

GRID = Geometry.from_spacing((12, 14, 16), (1.0, 2.0, 1.0))


def after(treatment: Treatment, *masks: np.ndarray) -> list[np.ndarray]:
    segments = [Segment.from_mask(n, f"s{n}", mask) for n, mask in enumerate(masks, 1)]
    result = treated(Segmentation(GRID, tuple(segments)), treatment)
    return [segment.on(GRID) for segment in result.segments]


def block(low: int, high: int) -> np.ndarray:
    mask = np.zeros(GRID.shape_kji, bool)
    mask[low:high, low:high, low:high] = True
    return mask


def test_the_largest_part_and_small_parts_by_volume() -> None:
    large, small, corner = block(1, 4), block(6, 8), np.zeros(GRID.shape_kji, bool)
    corner[11, 13, 15] = True
    mask = large | small | corner
    assert np.array_equal(after(Treatment(largest=True), mask)[0], large)
    # Eight voxels of 2 mm³ are 0.016 ml.
    assert np.array_equal(after(Treatment(min_volume_ml=0.016), mask)[0], large | small)
    assert np.array_equal(after(Treatment(min_volume_ml=0.0161), mask)[0], large)
    assert not after(Treatment(min_volume_ml=1), mask)[0].any()


def test_holes_are_filled_but_not_with_another_segment() -> None:
    shell, core = block(2, 9) & ~block(4, 7), block(5, 6)
    assert np.array_equal(after(Treatment(fill_holes=True), shell)[0], block(2, 9))
    filled, kept = after(Treatment(fill_holes=True), shell, core)
    assert np.array_equal(filled, block(2, 9) & ~core) and np.array_equal(kept, core)
    opened = shell.copy()
    opened[5, 5, :4] = False
    assert np.array_equal(after(Treatment(fill_holes=True), opened)[0], opened)


def test_smoothing_removes_a_spike_and_keeps_a_block() -> None:
    mask = block(3, 10)
    mask[6, 6, 10:14] = True
    (smooth,) = after(Treatment(smooth_mm=1.5), mask)
    assert not smooth[6, 6, 12:].any() and smooth[5:8, 5:8, 5:8].all()


def test_smooth_segments_gain_nothing_of_each_other() -> None:
    one, other = block(2, 10), block(2, 10)
    one[:, :, 6:], other[:, :, :6] = False, False
    one[4, 4, 6], other[4, 4, 6] = True, False
    a, b = after(Treatment(smooth_mm=1.0), one, other)
    assert a.any() and b.any() and not (a & b).any()


def test_nothing_is_done_by_default_and_an_empty_segment_stays_empty() -> None:
    empty = np.zeros(GRID.shape_kji, bool)
    every = Treatment(True, 2.0, 0.1, True)
    assert Treatment().is_none and not after(every, empty)[0].any()
    assert np.array_equal(after(Treatment(), block(1, 3))[0], block(1, 3))
