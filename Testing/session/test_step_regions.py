"""The region that a model sees is that of the prompts that show the object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bright_model import Bright

from MedSegFMLib import Box, Geometry, Lasso, Mask, Point, Prompt, Region, Session, Volume
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, RegionRule
from MedSegFMLib.session.region_of_interest import prompt_region, with_marks

SHAPE = (20, 40, 40)
GEOMETRY = Geometry.from_spacing(SHAPE, (1, 1, 1))
BOX = Box.from_ijk(GEOMETRY, (10, 10, 8), (16, 16, 13))
FAR = Point.from_ijk(GEOMETRY, (38, 38, 1), positive=False)


class Watched(Bright):
    """A model that continues from its answer, and notes the regions that it sees."""

    def __init__(self) -> None:
        super().__init__("previous")
        self.regions: list[Region] = []

    def encode(self, volume: Volume, region: Any, progress: Any) -> Encoding:
        self.regions.append(region)
        return super().encode(volume, region, progress)


@pytest.fixture
def volume() -> Volume:
    """A bright block in its box."""
    array = np.zeros(SHAPE, np.float32)
    array[8:13, 10:16, 10:16] = 100
    return Volume(array, GEOMETRY)


def not_here() -> Mask:
    array = np.zeros(SHAPE, bool)
    array[17:19, 30:36, 30:36] = True
    return Mask.from_array(array, GEOMETRY, role="avoid")


def regions_for(volume: Volume, *prompts: Prompt) -> list[Region]:
    """The regions that the model sees if it is asked after each prompt."""
    model = Watched()
    session = Session(model, volume)
    for prompt in prompts:
        session.add(prompt)
        if any(isinstance(given, Box) for _, given in session.prompts.entries):
            session.predict()
    return model.regions


def test_frozen_slices_stay_and_leave_the_region_of_the_model_as_it_is(volume: Volume) -> None:
    model = Watched()
    session = Session(model, volume)
    session.add(BOX)
    before = session.predict().mask.array_kji
    session.freeze(Region((9, 0, 0), (11, *SHAPE[1:])))
    session.add(Point.from_ijk(GEOMETRY, (12, 12, 12), positive=False))
    after = session.predict().mask.array_kji
    assert model.regions == regions_for(volume, BOX)
    _, previous = model.given[-1]
    assert previous is not None and previous.region == model.regions[0]
    assert np.array_equal(after[9:11], before[9:11]) and after[12, 12, 12] == 0


@pytest.mark.parametrize("first", [FAR, not_here()], ids=["background", "not here"])
def test_a_first_prompt_that_shows_nothing_leaves_the_region_of_a_box_as_it_is(
    volume: Volume, first: Prompt
) -> None:
    assert regions_for(volume, first, BOX) == regions_for(volume, BOX)


@pytest.mark.parametrize("other", [FAR, not_here()], ids=["background", "not here"])
def test_a_new_box_for_a_deleted_one_is_seen_as_if_it_were_the_first(
    volume: Volume, other: Prompt
) -> None:
    model = Watched()
    session = Session(model, volume)
    session.add(Box.from_ijk(GEOMETRY, (30, 30, 1), (36, 36, 5)))
    session.add(other)
    session.delete(0)
    session.add(BOX)
    session.predict()
    assert model.regions == regions_for(volume, BOX)


def test_a_lasso_widens_a_region_as_its_voxels_one_by_one_would(volume: Volume) -> None:
    outline = [(1, 20, 10), (30, 22, 10), (20, 39, 10)]
    lasso = Lasso.from_ijk(GEOMETRY, outline)
    small = Region((8, 10, 10), (13, 16, 16))
    expected = small
    for k, j, i in to_voxels([lasso], GEOMETRY).foreground_kji.tolist():
        expected = expected.union(Region((k, j, i), (k + 1, j + 1, i + 1)).grown([4] * 3, SHAPE))
    assert with_marks(small, [lasso], GEOMETRY) == expected != small
    background = Lasso.from_ijk(GEOMETRY, outline, positive=False)
    assert with_marks(small, [background], GEOMETRY) == small
    rule = RegionRule(0, 0.0, 2, shared=False)
    assert prompt_region([BOX, lasso], GEOMETRY, rule) == expected
