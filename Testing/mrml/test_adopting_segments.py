"""Existing segments as objects: their voxels, undo, what hands painted, and the scene on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    add_transform,
    click,
    content,
    paint,
    paint_segment,
    slicer_content,
)

from MedSegFMLib import Box, Mask, Point, Region
from MedSegFMLib.errors import MaskError, PromptError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.segments.grid import SegmentGrid, give_grid
from MedSegFMLib.mrml.segments.masking import set_locked
from MedSegFMLib.mrml.segments.oriented_images import read_segment
from MedSegFMLib.prompts.types import is_start
from MedSegFMLib.worker.events import Answer, Predicted

SHAPE = (12, 14, 16)
GIVEN = Region((2, 2, 2), (8, 8, 8))
OTHER = Region((2, 9, 2), (8, 12, 12))


def mask(*regions: Region) -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    for region in regions:
        found[region.slices] = True
    return found


@pytest.fixture
def work(logic: SegmentationLogic, scene: Any, plain: Any) -> SegmentationLogic:
    """A logic whose segmentation has two segments of somebody else, "given" and "other"."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(plain)
    logic.set_model("randomwalk")
    logic.set_volume(plain)
    logic.use_segmentation(node)
    for name, region in (("given", GIVEN), ("other", OTHER)):
        node.GetSegmentation().AddEmptySegment(name, name.title())
        paint_segment(node, name, logic.volume.geometry, region)
    return logic


def voxels(logic: Any, segment_id: str) -> np.ndarray:
    grid = SegmentGrid.of(logic.segments.node, logic.volume.geometry)
    return read_segment(logic.segments.node, segment_id, grid, Region.whole(SHAPE))


def test_an_adopted_segment_keeps_its_voxels_name_and_colour_and_asks_nothing(
    work: SegmentationLogic, client: SessionClient
) -> None:
    segment = work.segments.node.GetSegmentation().GetSegment("given")
    segment.SetColor(0.1, 0.2, 0.3)
    label = work.objects.adopt("given")
    work.pump()
    assert work.current_label == label and work.prompts.name(label) == "Given"
    assert work.segments.ids == {label: "given"} and not client.requests
    assert np.array_equal(voxels(work, "given"), mask(GIVEN))
    assert segment.GetColor() == (0.1, 0.2, 0.3)
    (prompt,) = (prompt for _, prompt in work.prompts.entries)
    assert is_start(prompt) and isinstance(prompt, Mask) and prompt.count == mask(GIVEN).sum()
    assert work.objects.adopt("given") == label and len(work.prompts.objects) == 1


def test_prompts_correct_an_adopted_segment_and_undo_goes_back_to_its_voxels(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    work.add(click(work, (5, 5, 10)))
    work.add(click(work, (5, 5, 5), positive=False))
    work.pump()
    corrected = content(work, label)
    assert corrected[5, 5, 10] and not corrected[5, 5, 5]
    work.undo()
    work.pump()
    assert content(work, label)[5, 5, 5] and content(work, label)[5, 5, 10]
    work.undo()
    work.pump()
    assert np.array_equal(voxels(work, "given"), mask(GIVEN))
    work.undo()
    work.pump()
    assert not work.prompts.objects and np.array_equal(voxels(work, "given"), mask(GIVEN))
    for _ in range(3):
        work.redo()
        work.pump()
    assert work.segments.ids[label] == "given" and np.array_equal(content(work, label), corrected)
    assert np.array_equal(slicer_content(work, label), corrected)


def test_after_undo_and_redo_a_correction_may_still_take_voxels_away(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    work.undo()
    work.redo()
    work.add(click(work, (5, 5, 5), positive=False))
    work.pump()
    assert not content(work, label)[5, 5, 5]


@pytest.mark.parametrize("way", ["remove", "reset", "delete"])
def test_a_segment_gets_its_voxels_back_when_its_object_or_its_prompts_go(
    work: SegmentationLogic, way: str
) -> None:
    label = work.objects.adopt("given")
    work.add(click(work, (5, 5, 10)))
    work.pump()
    assert content(work, label)[5, 5, 10]
    if way == "remove":
        work.objects.remove(label)
    elif way == "reset":
        work.reset()
    else:
        work.delete(1)
    work.pump()
    assert np.array_equal(voxels(work, "given"), mask(GIVEN))
    work.undo()
    work.pump()
    assert voxels(work, "given")[5, 5, 10]


def test_an_adopted_segment_that_was_deleted_is_filled_again_by_undo(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    work.segments.node.GetSegmentation().RemoveSegment("given")
    work.pump()
    assert not work.prompts.objects
    work.undo()
    work.pump()
    assert np.array_equal(content(work, label), mask(GIVEN))


def test_a_new_object_after_a_removed_one_has_a_segment_of_its_own(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    work.objects.remove(label)
    again = work.objects.add("new")
    work.add(Box.from_ijk(work.volume.geometry, (10, 2, 2), (13, 6, 6)))
    work.pump()
    assert again == label and work.segments.ids[again] != "given"
    assert np.array_equal(voxels(work, "given"), mask(GIVEN))


def test_adopting_beside_other_work_keeps_that_as_it_is(work: SegmentationLogic) -> None:
    work.add(Box.from_ijk(work.volume.geometry, (10, 2, 2), (13, 6, 6)))
    work.pump()
    first = content(work, 1)
    label = work.objects.adopt("given")
    work.pump()
    assert np.array_equal(content(work, 1), first)
    assert np.array_equal(content(work, label), mask(GIVEN))
    work.add(click(work, (5, 5, 9)), 1)
    work.pump()
    assert np.array_equal(content(work, label), mask(GIVEN))


def test_adopting_while_an_answer_is_awaited_loses_nothing(
    work: SegmentationLogic, client: SessionClient
) -> None:
    client.paused = True
    work.add(Box.from_ijk(work.volume.geometry, (10, 2, 2), (13, 6, 6)))
    label = work.objects.adopt("given")
    client.paused = False
    work.pump()
    assert content(work, 1).any() and np.array_equal(content(work, label), mask(GIVEN))


class Nothing(SessionClient):
    """Answers with empty masks once there is a click."""

    def answer(self, number: int, request: Any) -> Any:
        event = super().answer(number, request)
        if any(isinstance(prompt, Point) for _, prompt in request.prompts.entries):
            empty = Answer((0, 0, 0), np.zeros((0, 0, 0), np.uint8))
            return Predicted(number, dict.fromkeys(event.answers, empty))
        return event


def test_an_empty_answer_empties_an_adopted_segment_and_undo_fills_it(
    slicer_app: Any, scene: Any, plain: Any
) -> None:
    logic = SegmentationLogic(scene, lambda _host: Nothing(), slicer_app.app_logic)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.SetReferenceImageGeometryParameterFromVolumeNode(plain)
    logic.set_volume(plain)
    logic.use_segmentation(node)
    node.GetSegmentation().AddEmptySegment("given", "Given")
    paint_segment(node, "given", logic.volume.geometry, GIVEN)
    logic.objects.adopt("given")
    logic.add(click(logic, (5, 5, 5), positive=False))
    logic.pump()
    assert not voxels(logic, "given").any()
    logic.undo()
    logic.pump()
    assert np.array_equal(voxels(logic, "given"), mask(GIVEN))
    logic.redo()
    logic.pump()
    assert not voxels(logic, "given").any()
    logic.close()


# What hands painted


def test_hand_painting_after_adoption_stays_unless_a_click_decides_it(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    painted = Region((5, 3, 11), (6, 6, 13))
    paint(work, label, painted)
    work.add(click(work, (5, 5, 5), positive=False))
    work.pump()
    expected = mask(GIVEN, painted)
    expected[5, 5, 5] = False
    assert np.array_equal(content(work, label), expected)
    work.add(click(work, (5, 4, 12), positive=False))
    work.pump()
    expected[5, 4, 12] = False
    assert np.array_equal(content(work, label), expected)
    work.undo()
    work.pump()
    expected[5, 4, 12] = True
    assert np.array_equal(content(work, label), expected)
    work.redo()
    work.pump()
    assert not content(work, label)[5, 4, 12]


def test_a_click_decides_a_voxel_that_was_erased_by_hand(work: SegmentationLogic) -> None:
    work.add(Box.from_ijk(work.volume.geometry, (10, 2, 2), (13, 6, 6)))
    work.pump()
    hole = Region((3, 3, 11), (5, 5, 12))
    paint(work, 1, hole, value=False)
    work.add(click(work, (4, 4, 11)))
    work.pump()
    expected = mask(Region((2, 2, 10), (6, 6, 13)))
    expected[hole.slices] = False
    expected[4, 4, 11] = True
    assert np.array_equal(content(work, 1), expected)
    work.undo()
    work.pump()
    assert not content(work, 1)[4, 4, 11]


def test_what_is_painted_after_a_click_is_not_decided_by_it_again(
    work: SegmentationLogic,
) -> None:
    work.add(Box.from_ijk(work.volume.geometry, (10, 2, 2), (13, 6, 6)))
    work.add(click(work, (8, 4, 11)))
    work.pump()
    assert content(work, 1)[8, 4, 11]
    paint(work, 1, Region((8, 4, 11), (9, 5, 12)), value=False)
    work.add(click(work, (9, 4, 11)))
    work.pump()
    assert not content(work, 1)[8, 4, 11] and content(work, 1)[9, 4, 11]


def test_a_click_for_one_object_decides_what_was_painted_for_another(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    paint(work, label, Region((5, 3, 11), (6, 6, 13)))
    work.objects.add("second")
    work.add(click(work, (5, 4, 12)))
    work.pump()
    assert not content(work, label)[5, 4, 12] and content(work, label)[5, 4, 11]


# Other segments, and frozen parts


def test_other_segments_are_not_here_if_that_is_wanted(
    work: SegmentationLogic, client: SessionClient
) -> None:
    box = Box.from_ijk(work.volume.geometry, (2, 6, 2), (12, 12, 8))
    work.add(box)
    work.pump()
    both = content(work, 1)
    assert both[OTHER.slices].all()
    work.limits.avoid_others = True
    work.pump()
    assert np.array_equal(content(work, 1), both & ~mask(OTHER, GIVEN))
    assert client.requests[-1].prompts != work.prompts and len(work.prompts.entries) == 1
    paint_segment(
        work.segments.node, "other", work.volume.geometry, Region((2, 9, 2), (8, 10, 12)), False
    )
    work.add(click(work, (5, 7, 9)))
    work.pump()
    assert content(work, 1)[5, 9, 5] and not content(work, 1)[5, 10, 5]
    work.limits.avoid_others = False
    work.pump()
    assert content(work, 1)[5, 10, 5]


def test_an_adopted_segment_is_no_other_segment(work: SegmentationLogic) -> None:
    work.limits.avoid_others = True
    label = work.objects.adopt("given")
    work.add(click(work, (5, 8, 5)))
    work.add(click(work, (5, 10, 5)))
    work.pump()
    expected = mask(GIVEN)
    expected[5, 8, 5] = expected[5, 10, 5] = True
    assert np.array_equal(content(work, label), expected)


def test_a_frozen_part_of_a_segment_stays_with_what_was_painted_there(
    work: SegmentationLogic,
) -> None:
    label = work.objects.adopt("given")
    paint(work, label, Region((3, 3, 10), (4, 5, 12)))
    work.freeze(Region((2, 0, 0), (5, 14, 16)))
    work.add(Box.from_ijk(work.volume.geometry, (2, 2, 2), (12, 8, 8)))
    work.pump()
    now = content(work, label)
    assert np.array_equal(now[:5], mask(GIVEN, Region((3, 3, 10), (4, 5, 12)))[:5])
    assert not np.array_equal(now[5:], mask(GIVEN)[5:])
    with pytest.raises(PromptError, match="outside the volume"):
        work.freeze(Region((12, 0, 0), (13, 14, 16)))


# The scene


def test_an_adopted_segment_goes_on_after_the_scene_was_saved(
    work: SegmentationLogic, slicer_app: Any, scene: Any, tmp_path: Path
) -> None:
    label = work.objects.adopt("given")
    work.add(click(work, (5, 5, 10)))
    work.pump()
    before, prompts = content(work, label), work.prompts
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    work.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(
        str(tmp_path / "scene.mrb"), str(tmp_path / "unpacked")
    )
    work.pump()
    assert work.prompts == prompts and np.array_equal(content(work, label), before)
    segment_id = work.segments.ids[label]
    work.add(click(work, (5, 5, 5), positive=False))
    work.pump()
    assert not content(work, label)[5, 5, 5]
    work.objects.remove(label)
    work.pump()
    assert np.array_equal(voxels(work, segment_id), mask(GIVEN))


def test_a_loaded_object_loses_nothing_to_a_segment_that_gets_its_voxels_back(
    work: SegmentationLogic, slicer_app: Any, scene: Any, tmp_path: Path
) -> None:
    inner = Region((3, 3, 3), (5, 5, 5))
    work.segments.node.GetSegmentation().AddEmptySegment("inner", "Inner")
    paint_segment(work.segments.node, "inner", work.volume.geometry, inner)
    first, second = work.objects.adopt("given"), work.objects.adopt("inner")
    # The click alone is not in the first object, so that one labelmap holds both when loaded.
    work.add(click(work, (9, 9, 9)))
    work.pump()
    assert content(work, second)[inner.slices].all(), "it loses nothing to the one around it"
    assert np.array_equal(content(work, first), mask(GIVEN))
    for voxel_kji in np.argwhere(mask(inner)).tolist():
        work.add(click(work, voxel_kji, positive=False))
    work.pump()
    assert not content(work, second)[inner.slices].any()
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    work.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(
        str(tmp_path / "scene.mrb"), str(tmp_path / "unpacked")
    )
    work.pump()
    work.objects.remove(second)
    work.pump()
    assert np.array_equal(voxels(work, "inner"), mask(inner))
    assert np.array_equal(content(work, first), mask(GIVEN))
    assert np.array_equal(voxels(work, "other"), mask(OTHER))


def test_a_segment_on_another_grid_is_adopted_and_comes_back_exactly(
    work: SegmentationLogic, scene: Any
) -> None:
    geometry = work.volume.geometry
    finer = geometry.resampled([mm / 2 for mm in geometry.spacing_ijk_mm])
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "finer")
    give_grid(node, finer)
    node.GetSegmentation().AddEmptySegment("fine", "fine")
    paint_segment(node, "fine", geometry, Region((5, 5, 5), (12, 14, 13)))
    work.use_segmentation(node)
    grid = SegmentGrid.of(node, geometry)
    whole = Region.whole(finer.shape_kji)
    before = read_segment(node, "fine", grid, whole)
    label = work.objects.adopt("fine")
    assert np.array_equal(read_segment(node, "fine", grid, whole), before)
    work.add(click(work, (9, 9, 9)))
    work.pump()
    assert read_segment(node, "fine", grid, whole).sum() > before.sum()
    work.undo()
    work.pump()
    assert np.array_equal(read_segment(node, "fine", grid, whole), before)
    assert work.current_label == label


def test_an_adopted_segment_moves_with_its_volume(
    work: SegmentationLogic, scene: Any, plain: Any
) -> None:
    label = work.objects.adopt("given")
    turn = np.eye(4)
    turn[:3] = [[0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 40]]
    parent = add_transform(scene, turn)
    plain.SetAndObserveTransformNodeID(parent.GetID())
    work.segments.node.SetAndObserveTransformNodeID(parent.GetID())
    work.pump()
    work.add(click(work, (5, 5, 10)))
    work.pump()
    now = content(work, label)
    assert now[5, 5, 10] and now[GIVEN.slices].all()


# What cannot be adopted


def test_what_cannot_be_adopted_is_refused_and_changes_nothing(work: SegmentationLogic) -> None:
    node = work.segments.node
    node.GetSegmentation().AddEmptySegment("empty", "Empty")
    set_locked(node, "other", True)
    for segment_id, said in (
        ("nowhere", "no segment 'nowhere'"),
        ("empty", "Empty has no voxels"),
        ("other", "Other is locked"),
    ):
        with pytest.raises(MaskError, match=said):
            work.objects.adopt(segment_id)
    work.set_model("nnunet")
    with pytest.raises(PromptError, match="does not support mask"):
        work.objects.adopt("given")
    assert not work.prompts.objects and not work.segments.ids and not work.can_undo
    assert np.array_equal(voxels(work, "given"), mask(GIVEN))


def test_without_a_segmentation_there_is_nothing_to_adopt(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    with pytest.raises(MaskError, match="no segment"):
        logic.objects.adopt("given")
    logic.objects.add("first")
    with pytest.raises(MaskError, match="has no voxels"):
        logic.freeze(Region.whole(SHAPE))
