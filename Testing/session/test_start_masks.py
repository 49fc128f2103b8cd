"""Objects that start from a mask: what a model gets for it, and what is left of the mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bright_model import Bright

from MedSegFMLib import Box, Geometry, Mask, Point, Prediction, Region, Scribble, Session, Volume
from MedSegFMLib.errors import PromptError
from MedSegFMLib.prompts.mask_marks import mask_box, mask_clicks
from MedSegFMLib.prompts.types import is_start
from MedSegFMLib.prompts.voxels import box_region, mark_voxels
from MedSegFMLib.segmenter import probabilities

SHAPE = (12, 20, 24)
NOWHERE = np.zeros((0, 3), np.int64)


@pytest.fixture
def volume(directions: np.ndarray) -> Volume:
    """Two bright blocks on a dark ground."""
    geometry = Geometry.from_spacing(SHAPE, (1.0, 1.0, 2.0), directions, (5, -6, 70))
    array = np.zeros(SHAPE, np.float32)
    array[3:9, 4:14, 3:10] = 100
    array[3:9, 4:14, 14:20] = 100
    return Volume(array, geometry)


def block(i0: int, i1: int, j1: int = 14) -> np.ndarray:
    array = np.zeros(SHAPE, bool)
    array[3:9, 4:j1, i0:i1] = True
    return array


def answer(session: Session, label: int | None = None) -> np.ndarray:
    return session.predict(label).mask.array_kji > 0


def test_a_mask_alone_is_its_own_answer_and_asks_no_model(volume: Volume) -> None:
    model = Bright()
    session = Session(model, volume)
    session.add(Mask.from_array(block(2, 6), volume.geometry))
    assert np.array_equal(answer(session), block(2, 6)) and not model.given


def test_marks_that_the_mask_agrees_with_leave_it_as_it_is(volume: Volume) -> None:
    model = Bright()
    session = Session(model, volume)
    session.add(Mask.from_array(block(2, 6), volume.geometry))
    session.add(Point.from_ijk(volume.geometry, (4, 7, 5)))
    session.add(Point.from_ijk(volume.geometry, (12, 7, 5), positive=False))
    assert np.array_equal(answer(session), block(2, 6)) and not model.given


def test_work_on_another_object_leaves_a_mask_as_it_is(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Mask.from_array(block(2, 6), volume.geometry), None)
    other = session.add_object()
    session.add(Point.from_ijk(volume.geometry, (16, 7, 5)))
    assert np.array_equal(answer(session, 1), block(2, 6))
    assert answer(session, other)[5, 7, 16]


@pytest.mark.parametrize("starts_from", ["previous", "prior", "prompts"])
def test_a_correction_changes_what_is_wrong_around_it_and_nothing_else(
    volume: Volume, starts_from: str
) -> None:
    session = Session(Bright(starts_from), volume)
    # The right half of the left block is missing, and a corner of the mask is in the dark.
    mask = block(3, 6)
    mask[0:2, 16:18, 0:2] = True
    session.add(Mask.from_array(mask, volume.geometry))
    session.add(Point.from_ijk(volume.geometry, (8, 9, 6)))
    expected = block(3, 10)
    expected[0:2, 16:18, 0:2] = True
    assert np.array_equal(answer(session), expected)


def test_a_stroke_corrects_a_thin_layer_as_far_as_it_reaches(volume: Volume) -> None:
    session = Session(Bright("prior"), volume)
    session.add(Mask.from_array(block(3, 9), volume.geometry))
    session.add(Scribble.from_ijk(volume.geometry, [(9, 4, 5), (9, 7, 5)]))
    expected = block(3, 9)
    # Three voxels beyond its last one, and no further.
    expected[3:9, 4:11, 9] = True
    assert np.array_equal(answer(session), expected)


def test_each_model_gets_the_mask_as_its_card_says(volume: Volume) -> None:
    mask = Mask.from_array(block(3, 6), volume.geometry)
    click = Point.from_ijk(volume.geometry, (8, 9, 6))
    given = {}
    for starts_from in ("previous", "prior", "prompts"):
        model = Bright(starts_from)
        session = Session(model, volume)
        session.add(mask)
        session.add(click)
        session.predict()
        given[starts_from] = model.given[0], model.given[-1]
        assert model.given[-1][0][-1] == click
    (plain, before), (asked, after) = given["previous"]
    assert before is not None and np.array_equal(before.mask.array_kji, block(3, 6))
    assert after is not None and not any(map(is_start, plain + asked))
    assert not any(isinstance(prompt, Box) for prompt in plain)
    assert given["prior"][0] == ((mask,), None) and given["prior"][1] == ((mask, click), None)
    box, *clicks = given["prompts"][0][0]
    assert isinstance(box, Box) and all(isinstance(prompt, Point) for prompt in clicks)


def test_a_model_of_boxes_gets_a_box_around_the_mask_unless_there_is_one(volume: Volume) -> None:
    model = Bright(prompts=("box", "mask"))
    session = Session(model, volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    own = Box.from_ijk(volume.geometry, (3, 4, 3), (10, 14, 9))
    session.add(own)
    session.predict()
    assert [prompts for prompts, _ in model.given] == [
        (mask_box(Mask.from_array(block(3, 6), volume.geometry), volume.geometry),),
        (own,),
    ]


def test_a_model_that_takes_no_masks_refuses_one_but_not_what_to_avoid(volume: Volume) -> None:
    session = Session(Bright(prompts=("box", "point")), volume)
    mask = Mask.from_array(block(3, 6), volume.geometry)
    with pytest.raises(PromptError, match="does not support mask prompts"):
        session.add(mask)
    session.add(Box.from_ijk(volume.geometry, (3, 4, 3), (10, 14, 9)))
    session.add(mask.as_role("avoid"))
    assert np.array_equal(answer(session), block(6, 10))


def test_undo_goes_back_to_the_voxels_of_the_mask(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    session.add(Point.from_ijk(volume.geometry, (8, 9, 6)))
    corrected = answer(session)
    session.undo()
    assert np.array_equal(answer(session), block(3, 6))
    session.redo()
    assert np.array_equal(answer(session), corrected)
    session.undo()
    session.undo()
    assert not session.prompts.entries


def test_the_latest_mask_counts_and_earlier_marks_decide_their_voxels(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    session.add(Point.from_ijk(volume.geometry, (8, 9, 6)))
    session.add(Mask.from_array(block(14, 20), volume.geometry))
    expected = block(14, 20)
    expected[6, 9, 8] = True
    assert np.array_equal(answer(session), expected)


def test_avoided_voxels_are_never_the_objects_and_a_click_decides_its_own(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Box.from_ijk(volume.geometry, (3, 4, 3), (10, 14, 9)))
    session.add(Mask.from_array(block(3, 6), volume.geometry, role="avoid"))
    assert np.array_equal(answer(session), block(6, 10))
    session.add(Point.from_ijk(volume.geometry, (4, 9, 6)))
    expected = block(6, 10)
    expected[6, 9, 4] = True
    assert np.array_equal(answer(session), expected)


class Planar(Bright):
    """A model that says what each plane sees."""

    def predict(self, *given: Any) -> Prediction:
        answer = super().predict(*given)
        seen = {name: probabilities(answer.logits_kji) for name in ("axial", "coronal")}
        return replace(answer, planes=seen)


def test_planes_follow_the_mask_and_what_is_fixed_as_the_answer_does(volume: Volume) -> None:
    session = Session(Planar(), volume)
    far = np.zeros(SHAPE, bool)
    far[11, 19, 23] = True
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    session.add(Mask.from_array(far, volume.geometry, role="avoid"))
    session.add(Mask.from_array(block(3, 6, 6), volume.geometry, role="avoid"))
    session.add(Point.from_ijk(volume.geometry, (8, 9, 6)))
    answer = session.predict()
    for plane in answer.planes.values():
        assert np.array_equal(plane > 0.5, answer.logits_kji > 0)
    alone = Session(Planar(), volume)
    alone.add(Box.from_ijk(volume.geometry, (3, 4, 3), (8, 10, 7)))
    before = alone.predict().logits_kji
    alone.add(Mask.from_array(far, volume.geometry, role="avoid"))
    assert np.array_equal(alone.predict().logits_kji, before)


def test_an_object_that_may_be_nowhere_in_its_box_is_not_filled_into_it(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Box.from_ijk(volume.geometry, (3, 4, 3), (10, 14, 9)))
    session.add(Mask.from_array(block(2, 11, 15), volume.geometry, role="avoid"))
    assert not answer(session).any()


@pytest.mark.parametrize("part", ["box", "slices"])
def test_a_frozen_part_keeps_its_voxels_whatever_is_corrected(volume: Volume, part: str) -> None:
    session = Session(Bright("prior"), volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    slices = Region((3, 0, 0), (5, 20, 24))
    session.freeze(
        slices if part == "slices" else Box.from_ijk(volume.geometry, (0, 0, 3), (24, 20, 5))
    )
    session.add(Point.from_ijk(volume.geometry, (8, 9, 6)))
    expected = block(3, 10)
    expected[3:5, :, 6:] = False
    assert np.array_equal(answer(session), expected)
    session.delete(1)
    assert np.array_equal(answer(session), block(3, 10))


def test_what_one_object_keeps_no_other_object_takes(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    session.freeze(Region.whole(SHAPE))
    other = session.add_object()
    session.add(Box.from_ijk(volume.geometry, (3, 4, 3), (10, 14, 9)))
    assert np.array_equal(answer(session, 1), block(3, 6))
    assert np.array_equal(answer(session, other), block(6, 10))


def test_a_part_to_freeze_outside_the_volume_is_refused(volume: Volume) -> None:
    session = Session(Bright(), volume)
    session.add(Mask.from_array(block(3, 6), volume.geometry))
    with pytest.raises(PromptError, match="outside the volume"):
        session.freeze(Region((12, 0, 0), (14, 20, 24)))


# The fallback for models that take no masks


def test_clicks_of_a_mask_are_inside_it_and_around_it(volume: Volume) -> None:
    inside, geometry = block(3, 10), volume.geometry
    clicks = mask_clicks(Mask.from_array(inside, geometry), geometry, NOWHERE)
    assert {click.positive for click in clicks} == {True, False}
    for click in clicks:
        assert inside[tuple(mark_voxels(click, geometry)[0])] == click.positive


def test_clicks_that_may_share_the_error_of_a_correction_are_left_out(volume: Volume) -> None:
    inside, geometry = block(3, 10), volume.geometry
    mask = Mask.from_array(inside, geometry)
    wrong = np.array([[6, 9, 6]])
    before = mask_clicks(mask, geometry, NOWHERE)
    after = mask_clicks(mask, geometry, wrong)
    assert set(after) < set(before)
    (place,) = geometry.ras_from_ijk(wrong[:, ::-1])
    gaps = [np.linalg.norm(np.subtract(click.position_ras, place)) for click in after]
    # The nearest voxel outside is five millimetres away, so nothing within ten is trusted.
    assert min(gaps) > 6


@pytest.mark.parametrize(
    "where",
    [(slice(0, 1), slice(0, 1), slice(0, 1)), (slice(0, 12), slice(0, 20), slice(0, 23))],
    ids=["a voxel in a corner", "all but a slice"],
)
def test_the_smallest_and_the_largest_mask_have_clicks(
    volume: Volume, where: tuple[slice, slice, slice]
) -> None:
    inside = np.zeros(SHAPE, bool)
    inside[where] = True
    mask = Mask.from_array(inside, volume.geometry)
    clicks = mask_clicks(mask, volume.geometry, NOWHERE)
    assert any(click.positive for click in clicks)
    for click in clicks:
        assert inside[tuple(mark_voxels(click, volume.geometry)[0])] == click.positive


def test_a_large_mask_is_sampled_for_its_clicks() -> None:
    geometry = Geometry.from_spacing((100, 160, 160), (1, 1, 1))
    inside = np.zeros(geometry.shape_kji, bool)
    inside[20:80, 20:140, 20:140] = True
    clicks = mask_clicks(Mask.from_array(inside, geometry), geometry, NOWHERE)
    for click in clicks:
        assert inside[tuple(mark_voxels(click, geometry)[0])] == click.positive


def test_the_box_of_a_mask_is_a_tenth_wider_on_each_side(volume: Volume) -> None:
    box = mask_box(Mask.from_array(block(3, 10), volume.geometry), volume.geometry)
    assert box_region(box, volume.geometry) == Region((2, 3, 2), (10, 15, 11))


def test_the_same_prompts_give_the_same_answer_in_any_session(volume: Volume) -> None:
    prompts = [
        Mask.from_array(block(3, 6), volume.geometry),
        Point.from_ijk(volume.geometry, (8, 9, 6)),
        Point.from_ijk(volume.geometry, (3, 4, 3), positive=False),
    ]
    once, stepwise = (Session(Bright("previous"), volume) for _ in range(2))
    for prompt in prompts:
        stepwise.add(prompt)
        stepwise.predict()
        once.add(prompt)
    assert np.array_equal(once.predict().logits_kji, stepwise.predict().logits_kji)


INNER = Region((5, 6, 5), (7, 10, 8))
AROUND = (3, 4, 3), (10, 14, 9)


def inside(region: Region) -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[region.slices] = True
    return found


def masks_of(session: Session) -> list[np.ndarray]:
    return [found.mask.array_kji > 0 for found in session.predict_all().values()]


@pytest.mark.parametrize("outer_starts", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_a_mask_in_an_object_that_was_there_takes_nothing_from_it_and_loses_nothing(
    volume: Volume, outer_starts: bool, positive: bool
) -> None:
    outer, inner = np.zeros(SHAPE, bool), inside(INNER)
    outer[3:9, 4:14, 3:10] = True
    session = Session(Bright(), volume)
    session.add_object()
    box = Box.from_ijk(volume.geometry, *AROUND)
    session.add(Mask.from_array(outer, volume.geometry) if outer_starts else box)
    session.add_object()
    session.add(Mask.from_array(inner, volume.geometry))
    assert all(mask[inner].all() for mask in masks_of(session))
    session.add(Point.from_ijk(volume.geometry, (6, 7, 6), positive))
    first, second = masks_of(session)
    assert first[inner].all(), "a mark in the mask is no background for the object around it"
    assert second[6, 7, 6] == positive


def test_beyond_the_mask_objects_still_exclude_each_other(volume: Volume) -> None:
    inner = inside(INNER)
    session = Session(Bright(), volume)
    session.add_object()
    session.add(Box.from_ijk(volume.geometry, *AROUND))
    session.add_object()
    session.add(Mask.from_array(inner, volume.geometry))
    session.add(Point.from_ijk(volume.geometry, (7, 12, 6)))
    first, second = masks_of(session)
    assert second[6, 12, 7] and not first[6, 12, 7]
    assert not (first & second & ~inner).any()


def test_an_object_that_comes_after_a_mask_leaves_it_alone(volume: Volume) -> None:
    inner = inside(INNER)
    session = Session(Bright(), volume)
    session.add_object()
    session.add(Mask.from_array(inner, volume.geometry))
    session.add_object()
    session.add(Box.from_ijk(volume.geometry, *AROUND))
    first, second = masks_of(session)
    assert first[inner].all() and not second[inner].any()
