"""Results of a comparison that become segments: one that is taken, with undo, and a consensus."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from model_comparisons import MODELS, ModelsClient, finish, mask_of, row
from scene_helpers import add_boxes, content, paint

from MedSegFMLib import Box, Geometry, Point, Region
from MedSegFMLib.errors import MaskError
from MedSegFMLib.metrics import surface_dice
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.segments.grid import give_grid
from MedSegFMLib.mrml.segments.reference import ReferenceSegment, reference_choices
from MedSegFMLib.prompts.prompt_list import PromptList


def test_take_gives_the_segment_exactly_these_voxels_and_undo_and_redo_follow(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    paint(boxed_logic, 1, Region((0, 0, 0), (2, 2, 2)))
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    prompts = boxed_logic.prompts
    assert comparison.use_result("ellipsoid", 1) == 1
    taken = mask_of(comparison, "ellipsoid")
    assert np.array_equal(content(boxed_logic, 1), taken) and boxed_logic.prompts == prompts
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(boxed_logic, 1), mask_of(comparison, "randomwalk"))
    for step, expected in ((boxed_logic.undo, taken), (boxed_logic.undo, before)):
        assert boxed_logic.can_undo and step()
        assert np.array_equal(content(boxed_logic, 1), expected)
    assert boxed_logic.can_redo and boxed_logic.redo()
    assert np.array_equal(content(boxed_logic, 1), taken) and boxed_logic.prompts == prompts
    boxed_logic.undo()
    assert boxed_logic.undo() and not boxed_logic.prompts.entries, "then the prompts themselves"


def test_what_was_taken_is_corrected_by_the_next_prompt_and_comes_back_with_undo(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.use_result("ellipsoid", 1)
    taken = content(boxed_logic, 1)
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
    boxed_logic.pump()
    assert content(boxed_logic, 1).sum() == 126 and content(boxed_logic, 1)[8, 9, 10]
    boxed_logic.undo()
    assert np.array_equal(content(boxed_logic, 1), taken)
    boxed_logic.undo()
    assert np.array_equal(content(boxed_logic, 1), before)


def test_taking_one_object_leaves_the_others_alone(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    add_boxes(boxed_logic, [Box.from_ijk(boxed_logic.volume.geometry, (9, 3, 3), (13, 8, 8))])
    boxed_logic.pump()
    other = content(boxed_logic, 2)
    assert other.any()
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(boxed_logic, 2), other)
    assert np.array_equal(content(boxed_logic, 1), mask_of(comparison, "randomwalk"))


def test_what_is_taken_while_an_answer_is_awaited_leaves_the_other_objects_theirs(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    geometry = boxed_logic.volume.geometry
    add_boxes(boxed_logic, [Box.from_ijk(geometry, (9, 3, 3), (13, 8, 8))])
    boxed_logic.pump()
    predicted = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    for undone in (False, True):
        client.paused = True
        boxed_logic.add(Point.from_ijk(geometry, (14, 12, 10)), 2)
        comparison.use_result("randomwalk", 1)
        if undone:
            boxed_logic.undo()
        client.paused = False
        boxed_logic.pump()
        expected = predicted if undone else mask_of(comparison, "randomwalk")
        assert np.array_equal(content(boxed_logic, 1), expected)
        assert content(boxed_logic, 2)[10, 12, 14]
        if not undone:
            assert boxed_logic.undo() and np.array_equal(content(boxed_logic, 1), predicted)
        boxed_logic.undo()
        boxed_logic.pump()
        assert not content(boxed_logic, 2)[10, 12, 14]


def test_a_locked_segment_and_an_empty_result_are_not_taken(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(["sam", "ensam"])
    finish(boxed_logic, comparison)
    before = content(boxed_logic, 1)
    with pytest.raises(MaskError, match="no voxels"):
        comparison.use_result("sam", 1)
    boxed_logic.objects.set_locked(1, True)
    with pytest.raises(MaskError, match="locked"):
        comparison.use_result("ensam", 1)
    assert np.array_equal(content(boxed_logic, 1), before)
    boxed_logic.undo()
    assert not boxed_logic.prompts.entries, "there was no replacement to undo"


def test_a_replayed_object_that_is_not_in_the_work_is_begun_and_outlives_later_answers(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    box = Box.from_ijk(boxed_logic.volume.geometry, (9, 3, 3), (13, 8, 8))
    comparison.start(MODELS, PromptList().with_object("spleen").added(1, box))
    finish(boxed_logic, comparison)
    assert comparison.use_result("randomwalk", 1) == 2
    assert boxed_logic.prompts.name(2) == "spleen"
    taken = mask_of(comparison, "randomwalk")
    assert np.array_equal(content(boxed_logic, 2), taken)
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (1, 1, 1)), 1)
    boxed_logic.pump()
    assert np.array_equal(content(boxed_logic, 2), taken), "it has no prompts to be predicted from"


@pytest.mark.parametrize("method", ["staple", "majority"])
def test_a_consensus_is_a_segment_of_its_own(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, method: str
) -> None:
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.ask_consensus(1, method)
    finish(boxed_logic, comparison)
    choices = reference_choices(boxed_logic.segments.node.GetScene())
    assert len(choices) == 2 and choices[1].title.startswith("liver consensus")
    found, resampled = choices[1].read(boxed_logic.volume.geometry)
    expected = mask_of(comparison, "randomwalk")
    mask = np.zeros_like(expected)
    mask[found.region.slices] = found.mask_kji
    assert np.array_equal(mask, expected) and not resampled
    assert np.array_equal(content(boxed_logic, 1), before) and boxed_logic.prompts.labels == (1,)


def test_a_second_consensus_of_one_name_is_numbered(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    for _ in range(3):
        comparison.ask_consensus(1, "majority")
        finish(boxed_logic, comparison)
    segments = boxed_logic.segments.node.GetSegmentation()
    names = [segments.GetSegment(n).GetName() for n in segments.GetSegmentIDs()]
    name = "liver consensus (majority)"
    assert names == ["liver", name, f"{name} 2", f"{name} 3"]


def test_a_consensus_that_the_segmentation_has_no_room_for_is_refused_without_a_segment(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "small")
    give_grid(node, Geometry.from_spacing((4, 4, 4), origin_ras=(900.0, 0.0, 0.0)))
    boxed_logic.use_segmentation(node)
    before = node.GetSegmentation().GetNumberOfSegments()
    comparison.ask_consensus(1, "majority")
    finish(boxed_logic, comparison)
    (said,) = comparison.complaints()
    assert "has room for" in said and node.GetSegmentation().GetNumberOfSegments() == before


def test_a_consensus_needs_two_answers(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(["sam", "ensam"])
    finish(boxed_logic, comparison)
    with pytest.raises(MaskError, match="1 of the models"):
        comparison.ask_consensus(1, "staple")


def test_results_are_taken_on_their_voxels_in_every_orientation(
    logic: SegmentationLogic, comparison: ModelComparison, volume_node: Any, ball_box: Box
) -> None:
    logic.set_volume(volume_node)
    logic.add(ball_box)
    logic.pump()
    boxed = content(logic, 1)
    comparison.start(MODELS[:2])
    reference = ReferenceSegment(logic.segments.node, logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(logic, comparison)
    shifted = mask_of(comparison, "randomwalk")
    assert np.array_equal(shifted, np.roll(boxed, 1, axis=2))
    spacing = logic.volume.geometry.spacing_kji_mm
    assert row(comparison, "randomwalk")["Surface Dice at 2 mm"] == pytest.approx(
        surface_dice(boxed, shifted, spacing, 2.0), abs=1e-4
    )
    voxel_ml = np.prod(spacing) / 1000
    assert row(comparison, "randomwalk")["Volume (ml)"] == pytest.approx(
        shifted.sum() * voxel_ml, abs=1e-3
    )
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(logic, 1), shifted)
