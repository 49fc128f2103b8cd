"""What a prompt changed is counted, and explained if that is not what a user expects."""

from __future__ import annotations

import numpy as np
import pytest
from sample_volumes import make_blob
from threshold_model import Threshold

from MedSegFMLib import Box, Geometry, Point, Region, Scribble, Session, Volume
from MedSegFMLib.prompts.mask import Mask
from MedSegFMLib.session.changes import Found, differences, prompt_change

GEOMETRY = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.0))
BOX = Box.from_ijk(GEOMETRY, (4, 4, 3), (20, 18, 15))


@pytest.fixture
def session() -> Session:
    return Session(Threshold(), make_blob(GEOMETRY)[0])


def point(*ijk: float, positive: bool = True) -> Point:
    return Point.from_ijk(GEOMETRY, ijk, positive)


def test_the_first_prompt_adds_all_voxels_of_its_object(session: Session) -> None:
    session.add(BOX)
    (change,) = session.changes()
    voxels = int(session.predict().mask.array_kji.sum())
    assert (change.added, change.removed, change.number) == (voxels, 0, 1)
    assert change.ml == pytest.approx(voxels * GEOMETRY.voxel_volume_mm3 / 1000)
    assert f"changed {voxels} voxels" in change.sentence and "box 4 4 3 20 18 15" in change.sentence


def test_changes_are_the_difference_between_the_masks_before_and_after(session: Session) -> None:
    session.add(BOX)
    before = session.predict().mask.array_kji
    session.add(point(11, 10, 8, positive=False))
    after = session.predict().mask.array_kji
    (change,) = session.changes(1)
    assert change.removed == int((before > after).sum()) == 1
    assert (change.added, change.voxels) == (0, 1)
    assert "changed 1 voxel (0.00 ml), all removed" in change.sentence


def test_a_click_that_was_heeded_already_says_so(session: Session) -> None:
    session.add(BOX)
    for prompt in (point(11, 10, 8), point(4, 4, 3, positive=False)):
        session.add(prompt)
    inside, outside = session.changes(1)
    assert inside.was_heeded and inside.voxels == 0
    assert "changed nothing; it was heeded already: its voxels were inside" in inside.sentence
    assert outside.was_heeded and "were outside Segment_1" in outside.sentence


def test_a_negative_click_far_away_says_that_the_model_does_not_look_there(
    session: Session,
) -> None:
    session.add(Box.from_ijk(GEOMETRY, (8, 8, 6), (12, 12, 9)))
    session.add(point(23, 21, 17, positive=False))
    (change,) = session.changes(1)
    assert change.is_outside and change.voxels == 0
    assert "outside the region that the model looks at for Segment_1" in change.sentence


def test_a_click_on_the_object_far_away_says_that_the_region_grew(session: Session) -> None:
    session.add(Box.from_ijk(GEOMETRY, (8, 8, 6), (12, 12, 9)))
    session.add(point(23, 21, 17))
    (change,) = session.changes(1)
    assert change.was_outside and not change.is_outside
    assert "was enlarged to it" in change.sentence


def test_what_other_objects_lose_is_told(session: Session) -> None:
    session.add(BOX)
    session.add_object("cyst")
    session.add(point(11, 10, 8))
    (change,) = session.changes(1)
    assert change.name == "cyst" and change.added >= 1 and change.others >= 1
    assert "of other objects changed" in change.sentence


def test_a_background_click_before_the_object_changes_nothing(session: Session) -> None:
    session.add(point(11, 10, 8, positive=False))
    session.add(BOX)
    first, second = session.changes()
    assert first.voxels == 0 and second.added > 0


def test_a_model_that_continues_predicts_nothing_twice() -> None:
    model = Threshold(uses_previous=True)
    session = Session(model, make_blob(GEOMETRY)[0])
    session.add(BOX)
    session.add(point(11, 10, 8, positive=False))
    session.predict()
    count = len(model.predicted)
    assert len(session.changes()) == 2
    assert len(model.predicted) == count


def test_prompts_after_the_asked_ones_count_as_given_before() -> None:
    session = Session(Threshold(prompts=("box", "point", "mask")), make_blob(GEOMETRY)[0])
    session.add(BOX)
    avoided = np.zeros(GEOMETRY.shape_kji, bool)
    avoided[:9] = True
    session.add(Mask.from_volume(Volume(avoided.astype(np.uint8), GEOMETRY), role="avoid"))
    (change,) = session.changes(0, 1)
    assert change.added == int(session.predict().mask.array_kji.sum())


def test_masks_of_other_extents_are_compared_voxel_by_voxel() -> None:
    small = Found(Region((1, 1, 1), (3, 3, 3)), np.ones((2, 2, 2), np.uint8), None)
    large = Found(Region((0, 1, 1), (2, 3, 3)), np.ones((2, 2, 2), np.uint8), None)
    empty = Found(None, np.zeros((0, 0, 0), np.uint8), None)
    assert differences(small, large) == (4, 4)
    assert differences(small, empty) == (0, 8) and differences(None, empty) == (0, 0)


def test_a_stroke_is_heeded_if_all_of_it_was() -> None:
    mask = np.ones((2, 2, 2), bool)
    before = {1: Found(Region((1, 1, 1), (3, 3, 3)), mask, Region.whole((9, 9, 9)))}
    for stop, heeded in ((2, True), (4, False)):
        stroke = Scribble.from_ijk(GEOMETRY, [(1, 1, 1), (stop, 1, 1)])
        change = prompt_change(2, (1, stroke), "liver", before, before, GEOMETRY)
        assert change.was_heeded is heeded
