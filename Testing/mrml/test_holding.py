"""How an answer meets what others have drawn, voxel by voxel."""

from __future__ import annotations

import itertools

import numpy as np

from MedSegFMLib import Region
from MedSegFMLib.mrml.segments.model_voxels import ModelVoxels, merge, tight


def test_every_case_of_a_voxel() -> None:
    for current, held, wanted in itertools.product((False, True), repeat=3):
        found = merge(*(np.array([value]) for value in (current, held, wanted)))
        after = (current or bool(found.added[0])) and not found.removed[0]
        # What somebody else changed stays; all else is as the answer says.
        assert after == (wanted if current == held else current)


def test_a_holding_is_the_same_on_another_region() -> None:
    mask = np.random.default_rng(0).random((3, 4, 5)) > 0.5
    holding = ModelVoxels(Region((1, 1, 1), (4, 5, 6)), mask)
    whole = holding.on(Region.whole((9, 9, 9)))
    assert whole.sum() == mask.sum() and np.array_equal(whole[1:4, 1:5, 1:6], mask)
    assert not holding.on(Region((6, 6, 6), (9, 9, 9))).any()
    packed = holding.packed
    assert packed.bits.nbytes == 8 and np.array_equal(packed.unpacked().mask_kji, mask)


def test_the_tight_part_of_a_mask() -> None:
    mask = np.zeros((6, 7, 8), bool)
    assert tight(mask, Region.whole(mask.shape)) is None
    mask[2, 3:5, 6] = True
    region, part = tight(mask, Region((10, 10, 10), (16, 17, 18)))
    assert region == Region((12, 13, 16), (13, 15, 17)) and part.all()
