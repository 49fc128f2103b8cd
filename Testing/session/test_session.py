"""What a session promises, with a small model whose answer tells what it was given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from threshold_model import Threshold

from MedSegFMLib import Box, Geometry, Point, Prediction, Region, Session, Text, Volume
from MedSegFMLib.errors import Cancelled, PromptError, VolumeError
from MedSegFMLib.prompts.voxels import VoxelMarks
from MedSegFMLib.session.overlaps import resolve_overlaps


@pytest.fixture
def box(blob: tuple[Volume, np.ndarray]) -> Box:
    mask = blob[1]
    inside = np.argwhere(mask)[:, ::-1]
    return Box.from_ijk(blob[0].geometry, inside.min(axis=0), inside.max(axis=0) + 1)


def click(volume: Volume, ijk: tuple[int, int, int], positive: bool = True) -> Point:
    return Point.from_ijk(volume.geometry, ijk, positive)


def test_a_box_gives_the_object_on_the_whole_grid(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    volume, mask = blob
    session = Session(Threshold(), volume)
    session.add(box)
    found = session.predict().mask
    assert found.geometry == volume.geometry and found.array_kji.dtype == np.uint8
    assert np.array_equal(found.array_kji, mask)


def test_undo_and_redo_go_through_every_state(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    session = Session(Threshold(), blob[0])
    session.add(box)
    states = [session.prompts]
    for n in range(20):
        session.add(click(blob[0], (n % 11, 5, 5), positive=bool(n % 2)))
        states.append(session.prompts)
    masks = session.labelmap().array_kji
    for state in reversed(states[:-1]):
        assert session.undo() and session.prompts == state
    assert session.undo() and not session.undo() and session.prompts.entries == ()
    for state in states:
        assert session.redo() and session.prompts == state
    assert not session.redo()
    assert np.array_equal(session.labelmap().array_kji, masks)


def test_a_change_after_undo_forgets_what_was_undone(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    session = Session(Threshold(), blob[0])
    session.add(box)
    session.add(click(blob[0], (1, 1, 1)))
    session.undo()
    session.add(click(blob[0], (2, 2, 2)))
    assert not session.can_redo


def test_deleting_an_early_prompt_is_as_if_it_had_never_been(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    volume = blob[0]
    prompts = [box, click(volume, (5, 6, 4), False), click(volume, (1, 1, 1))]
    session, without = (Session(Threshold(uses_previous=True), volume) for _ in range(2))
    for prompt in prompts:
        session.add(prompt)
    session.labelmap()
    session.delete(1)
    without.add(prompts[0])
    without.add(prompts[2])
    assert session.prompts == without.prompts
    assert np.array_equal(session.predict().logits_kji, without.predict().logits_kji)


def test_a_moved_click_acts_where_it_is_now(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    volume = blob[0]
    session = Session(Threshold(), volume)
    session.add(box)
    session.add(click(volume, (5, 6, 4), False))
    session.move(1, volume.geometry.ras_from_ijk((5, 7, 4)).tolist())
    mask = session.predict().mask.array_kji
    assert mask[4, 6, 5] == 1 and mask[4, 7, 5] == 0


def test_a_moved_box_keeps_its_size(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    session = Session(Threshold(), blob[0])
    session.add(box)
    before = session.predict().mask.array_kji.sum()
    place = np.array(box.center_ras) + blob[0].geometry.ijk_to_ras[:3, 0]
    session.move(0, place.tolist())
    moved = session.prompts.entries[0][1]
    assert isinstance(moved, Box) and moved.edges_ras == box.edges_ras
    assert moved.center_ras == pytest.approx(tuple(place))
    assert session.predict().mask.array_kji.sum() == before


def test_a_click_for_one_object_is_background_for_the_others(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    volume = blob[0]
    session = Session(Threshold(), volume)
    first, second = session.add_object("first"), session.add_object("second")
    session.add(box, first)
    session.add(click(volume, (5, 6, 4)), second)
    assert session.predict(first).mask.array_kji[4, 6, 5] == 0
    labels = session.labelmap().array_kji
    assert labels[4, 6, 5] == second and (labels == first).any()


def test_prompts_without_an_object_begin_one(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    session = Session(Threshold(), blob[0])
    session.add(box)
    assert session.prompts.objects == ((1, "Segment_1"),)
    assert session.add_object() == 2 and session.current_label == 2
    session.remove_object(2)
    assert session.current_label == 1


def test_a_further_prompt_does_not_encode_again(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    model = Threshold()
    session = Session(model, blob[0])
    session.add(box)
    session.predict()
    session.add(click(blob[0], (5, 6, 4), False))
    session.predict()
    session.undo()
    session.predict()
    assert len(model.encoded) == 1 and len(model.predicted) == 2


def test_the_object_is_followed_out_of_the_first_region_where_there_is_no_box() -> None:
    volume = Volume(np.zeros((20, 20, 40), np.float32), Geometry((20, 20, 40), np.eye(4)))
    volume.array_kji[8:12, 8:12, 5:35] = 100
    session = Session(Threshold(), volume)
    session.add(click(volume, (20, 10, 10)))
    assert np.array_equal(session.predict().mask.array_kji > 0, volume.array_kji > 50)


def test_answers_past_the_budget_are_let_go_and_computed_again(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    model = Threshold()
    session = Session(model, blob[0], budget_bytes=1)
    session.add(box)
    first = session.predict().logits_kji
    session.add(click(blob[0], (5, 6, 4), False))
    session.predict()
    session.undo()
    assert np.array_equal(session.predict().logits_kji, first)
    assert len(model.predicted) == 3


def test_a_chain_that_began_elsewhere_is_not_taken_for_this_one(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    volume = blob[0]
    mark = click(volume, (5, 6, 4))
    used, fresh = (Session(Threshold(uses_previous=True), volume) for _ in range(2))
    for session in (used, fresh):
        session.add_object("first")
        session.add_object("second")
    # The first object sees the same prompts in both, but begins at another one.
    used.add(click(volume, (5, 6, 4), False), 1)
    used.add(box, 1)
    used.labelmap()
    used.undo()
    used.undo()
    for session in (used, fresh):
        session.add(mark, 2)
        session.add(box, 1)
    assert np.array_equal(used.predict(1).logits_kji, fresh.predict(1).logits_kji)


def test_an_object_with_background_marks_alone_is_refused(
    blob: tuple[Volume, np.ndarray],
) -> None:
    session = Session(Threshold(), blob[0])
    session.add(click(blob[0], (5, 6, 4), False))
    with pytest.raises(PromptError, match="Only background"):
        session.predict()


def test_a_prompt_for_an_object_that_is_not_there_is_refused(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    session = Session(Threshold(), blob[0])
    with pytest.raises(PromptError, match="no object 5"):
        session.add(box, label=5)


def test_encodings_past_the_budget_are_let_go(blob: tuple[Volume, np.ndarray]) -> None:
    model = Threshold()
    session = Session(model, blob[0], budget_bytes=2500)
    for n, ijk in enumerate([(1, 1, 1), (9, 12, 7), (1, 12, 1)]):
        session.add_object()
        session.add(Box.from_ijk(blob[0].geometry, ijk, np.add(ijk, 1)))
        session.labelmap()
        assert len(model.encoded) == n + 1
    assert len(session._predictor._predictor._encodings) == 2


def test_a_model_that_continues_gives_the_same_mask_on_every_way(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    volume = blob[0]
    marks = [click(volume, (5, 6, 4), False), click(volume, (4, 6, 4), False)]
    stepwise, at_once = (Session(Threshold(uses_previous=True), volume) for _ in range(2))
    for prompt in [box, *marks]:
        stepwise.add(prompt)
        stepwise.predict()
        at_once.add(prompt)
    assert np.array_equal(stepwise.predict().logits_kji, at_once.predict().logits_kji)


def test_a_prompt_the_model_does_not_take_is_refused_and_changes_nothing(
    blob: tuple[Volume, np.ndarray],
) -> None:
    session = Session(Threshold(), blob[0])
    with pytest.raises(PromptError, match="does not support text prompts; it supports box, point"):
        session.add(Text("ball"))
    with pytest.raises(PromptError, match="outside the volume"):
        session.add(Point((1e4, 0, 0)))
    assert session.prompts.entries == () and not session.can_undo


def test_an_object_without_prompts_or_that_is_not_there_is_refused(
    blob: tuple[Volume, np.ndarray],
) -> None:
    session = Session(Threshold(), blob[0])
    with pytest.raises(PromptError, match="no prompts yet"):
        session.predict()
    session.add_object("empty")
    with pytest.raises(PromptError, match="no prompts yet"):
        session.predict()
    for change in (lambda: session.delete(0), lambda: session.move(3, (0, 0, 0))):
        with pytest.raises(PromptError, match="no prompt"):
            change()


def test_cancelling_leaves_the_prompts_and_the_next_try_works(
    blob: tuple[Volume, np.ndarray], box: Box
) -> None:
    def cancel(fraction: float, phrase: str) -> None:
        raise Cancelled("stopped")

    session = Session(Threshold(), blob[0])
    session.add(box)
    with pytest.raises(Cancelled):
        session.predict(progress=cancel)
    assert np.array_equal(session.predict().mask.array_kji, blob[1])


def test_progress_goes_from_nothing_to_all(blob: tuple[Volume, np.ndarray], box: Box) -> None:
    told: list[float] = []
    session = Session(Threshold(), blob[0])
    session.add(box)
    session.predict(progress=lambda fraction, phrase: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1


def test_a_volume_that_cannot_be_segmented_is_refused(geometry: Geometry) -> None:
    with pytest.raises(VolumeError, match="nothing to segment"):
        Session(Threshold(), Volume(np.ones(geometry.shape_kji), geometry))


def prediction(values: list[float], start: int = 0) -> Prediction:
    geometry = Geometry((1, 1, 8), np.eye(4))
    return Prediction(geometry, (0, 0, start), np.array(values, np.float32).reshape(1, 1, -1))


def marks_with(boxes: list[Region], background: list[int]) -> VoxelMarks:
    voxels = np.array([(0, 0, i) for i in background], dtype=np.int64).reshape(-1, 3)
    return VoxelMarks(tuple(boxes), voxels, np.zeros(len(voxels), dtype=bool), ())


def settled_masks(
    predictions: dict[int, Prediction],
    boxes: dict[int, list[Region]] | None = None,
    background: dict[int, list[int]] | None = None,
) -> dict[int, list[int]]:
    marks = {
        label: marks_with((boxes or {}).get(label, []), (background or {}).get(label, []))
        for label in predictions
    }
    return {
        label: np.flatnonzero(p.mask.array_kji).tolist()
        for label, p in resolve_overlaps(predictions, marks).items()
    }


def test_each_voxel_goes_to_the_highest_logit() -> None:
    found = settled_masks({1: prediction([3, 3, 1, -1]), 2: prediction([2, 4, 1, 5], 1)})
    assert found == {1: [0, 1], 2: [2, 3, 4]}


def test_of_equal_logits_the_lower_label_wins() -> None:
    assert settled_masks({1: prediction([2, 2]), 2: prediction([2, 2])}) == {1: [0, 1], 2: []}


def test_an_object_with_no_voxel_is_raised_inside_its_box() -> None:
    box = [Region((0, 0, 1), (1, 1, 3))]
    found = settled_masks({1: prediction([-3.5, -3, -1.5, -1])}, {1: box})
    assert found == {1: [2]}


def test_an_object_that_lost_all_its_voxels_gets_some_back() -> None:
    box = [Region((0, 0, 2), (1, 1, 3))]
    found = settled_masks({1: prediction([9, 9, 9, 9]), 2: prediction([-1, -1, 2, -1])}, {2: box})
    assert found == {1: [0, 1, 3], 2: [2]}


def test_an_empty_object_is_not_raised_where_the_user_said_no() -> None:
    box = [Region((0, 0, 1), (1, 1, 3))]
    assert settled_masks({1: prediction([-9, -1, -2, -9])}, {1: box}, {1: [1]}) == {1: [2]}
    assert settled_masks({1: prediction([-9, -1, -2, -9])}, {1: box}, {1: [1, 2]}) == {1: []}


def with_planes(answer: Prediction, axial: list[float]) -> Prediction:
    """An answer with one plane of these probabilities."""
    return dataclasses.replace(
        answer, planes={"axial": np.array(axial, np.float32).reshape(1, 1, -1)}
    )


def test_planes_are_settled_as_the_answers_are() -> None:
    given = {
        1: with_planes(prediction([9, 9, 9, 9, 9]), [0.9, 0.8, 0.5, 0.6, 1.0]),
        2: with_planes(prediction([9, 9, 9, 9], 1), [0.9, 0.4, 0.6, 1.0]),
    }
    found = resolve_overlaps(given, {label: marks_with([], []) for label in given})
    first, second = (found[label].planes["axial"].ravel() for label in (1, 2))
    # Odds: 4 to 9 of (0.8, 0.9); 0.5 stays where 0.4 is no object; of equals the second gives way.
    assert first == pytest.approx([0.9, 4 / 13, 0.5, 0.6, 1.0])
    assert second == pytest.approx([0.9, 0.4, 0.5, 0.5])


def test_settling_changes_no_given_prediction() -> None:
    given = {
        1: with_planes(prediction([3, 3]), [0.7, 0.8]),
        2: with_planes(prediction([4, 1]), [0.9, 0.6]),
    }
    arrays = [a for p in given.values() for a in (p.logits_kji, *p.planes.values())]
    before = [array.copy() for array in arrays]
    resolve_overlaps(given, {label: marks_with([], []) for label in given})
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_a_model_that_may_find_nothing_leaves_its_box_empty(
    blob: tuple[Volume, np.ndarray],
) -> None:
    far = Box.from_ijk(blob[0].geometry, (0, 0, 0), (1, 1, 1))
    for can_predict_empty in (False, True):
        session = Session(Threshold(can_predict_empty=can_predict_empty), blob[0])
        session.add(far)
        assert session.predict().mask.array_kji.any() != can_predict_empty
