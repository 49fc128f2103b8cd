"""What an answer may take: neighbours, locks, editable area and intensity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from scene_helpers import add_volume_node, content, paint_segment

from MedSegFMLib import Box, Region
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.segments.grid import SegmentGrid
from MedSegFMLib.mrml.segments.masking import set_locked
from MedSegFMLib.mrml.segments.oriented_images import read_segment

NEIGHBOUR = Region((2, 2, 2), (8, 8, 6))
OURS = Region((2, 2, 4), (8, 8, 10))
WHOLE = Region((0, 0, 0), (12, 14, 16))


@pytest.fixture
def beside(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    """A logic whose segmentation has a segment of somebody else, "other"."""
    return work_beside(logic, plain)


def work_beside(logic: SegmentationLogic, volume_node: Any) -> SegmentationLogic:
    logic.set_volume(volume_node)
    logic.objects.add("ours")
    logic.segments.node.GetSegmentation().AddEmptySegment("other", "other")
    paint_segment(logic.segments.node, "other", logic.volume.geometry, NEIGHBOUR)
    return logic


def mask(region: Region) -> np.ndarray:
    found = np.zeros(WHOLE.shape_kji, bool)
    found[region.slices] = True
    return found


def box(logic: Any, region: Region = OURS) -> Box:
    return Box.from_ijk(logic.volume.geometry, region.start_kji[::-1], region.stop_kji[::-1])


def other(logic: Any) -> np.ndarray:
    grid = SegmentGrid.of(logic.segments.node, logic.volume.geometry)
    return read_segment(logic.segments.node, "other", grid, WHOLE)


def editor_node(logic: Any, scene: Any) -> Any:
    node = slicer.vtkMRMLSegmentEditorNode()
    node.SetSingletonTag("SegmentEditor")
    node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(logic.segments.node)
    node.SetOverwriteMode(node.OverwriteNone)
    return node


def test_neighbours_keep_their_voxels_unless_asked_otherwise(beside: SegmentationLogic) -> None:
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(other(beside), mask(NEIGHBOUR))
    assert np.array_equal(content(beside, 1), mask(OURS))


def test_neighbours_keep_their_voxels_after_a_scene_was_closed(
    beside: SegmentationLogic, scene: Any
) -> None:
    beside.add(box(beside))
    beside.pump()
    volume = beside.volume
    scene.Clear(False)
    beside.pump()
    work_beside(beside, add_volume_node(scene, volume))
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(other(beside), mask(NEIGHBOUR))
    assert np.array_equal(content(beside, 1), mask(OURS))


@pytest.mark.parametrize("mode", ["visible", "all"])
@pytest.mark.parametrize("hidden", [False, True])
def test_overwrite_modes_take_voxels_and_undo_gives_them_back(
    beside: SegmentationLogic, mode: str, hidden: bool
) -> None:
    beside.limits.overwrite = mode
    beside.segments.node.GetDisplayNode().SetSegmentVisibility("other", not hidden)
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(content(beside, 1), mask(OURS))
    kept = mask(NEIGHBOUR) if mode == "visible" and hidden else mask(NEIGHBOUR) & ~mask(OURS)
    assert np.array_equal(other(beside), kept)
    beside.undo()
    assert np.array_equal(other(beside), mask(NEIGHBOUR)) and not content(beside, 1).any()
    beside.redo()
    assert np.array_equal(other(beside), kept) and np.array_equal(content(beside, 1), mask(OURS))


def test_a_better_answer_gives_back_what_it_no_longer_holds(beside: SegmentationLogic) -> None:
    beside.limits.overwrite = "all"
    beside.add(box(beside))
    beside.pump()
    beside.delete(0)
    beside.add(box(beside, Region((2, 2, 8), (8, 8, 10))))
    beside.pump()
    assert np.array_equal(other(beside), mask(NEIGHBOUR))


def test_a_locked_neighbour_loses_nothing(beside: SegmentationLogic) -> None:
    beside.limits.overwrite = "all"
    set_locked(beside.segments.node, "other", True)
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(other(beside), mask(NEIGHBOUR))
    assert np.array_equal(content(beside, 1), mask(OURS) & ~mask(NEIGHBOUR))


def test_a_locked_object_stays_as_it_is_until_unlocked(beside: SegmentationLogic) -> None:
    beside.add(box(beside))
    beside.pump()
    beside.objects.set_locked(1, True)
    assert beside.objects.is_locked(1)
    beside.add(box(beside, Region((2, 2, 4), (8, 8, 14))))
    beside.pump()
    assert np.array_equal(content(beside, 1), mask(OURS))
    beside.objects.set_locked(1, False)
    beside.predict()
    beside.pump()
    assert np.array_equal(content(beside, 1), mask(Region((2, 2, 4), (8, 8, 14))))


def test_the_segment_editors_area_is_honoured(beside: SegmentationLogic, scene: Any) -> None:
    node = editor_node(beside, scene)
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    node.SetMaskSegmentID("other")
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(content(beside, 1), mask(OURS) & mask(NEIGHBOUR))
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    beside.predict()
    beside.pump()
    # What the answer gained inside the neighbour before may not be changed now.
    assert np.array_equal(content(beside, 1), mask(OURS))
    beside.reset()
    beside.add(box(beside))
    beside.pump()
    assert np.array_equal(content(beside, 1), mask(OURS) & ~mask(NEIGHBOUR))
    assert np.array_equal(other(beside), mask(NEIGHBOUR))


def test_the_intensity_mask_is_honoured_and_undo_passes_it(
    beside: SegmentationLogic, scene: Any
) -> None:
    node = editor_node(beside, scene)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(400, 700)
    beside.add(box(beside))
    beside.pump()
    values = beside.volume.array_kji
    expected = mask(OURS) & (values >= 400) & (values <= 700)
    assert np.array_equal(content(beside, 1), expected) and expected.any()
    beside.reset()
    node.SetSourceVolumeIntensityMaskRange(0, 1)
    beside.undo()
    assert np.array_equal(content(beside, 1), expected)


def test_the_segment_editors_own_settings_stay_untouched(
    beside: SegmentationLogic, scene: Any
) -> None:
    node = editor_node(beside, scene)
    node.SetSelectedSegmentID("other")
    node.SetOverwriteMode(node.OverwriteAllSegments)
    beside.add(box(beside))
    beside.pump()
    assert node.GetSelectedSegmentID() == "other"
    assert np.array_equal(other(beside), mask(NEIGHBOUR) & ~mask(OURS))
