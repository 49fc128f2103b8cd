"""The table of a comparison, and the segment that its scores refer to."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from model_comparisons import MODELS, finish, mask_of, row
from scene_helpers import add_transform, content, paint, paint_segment

from MedSegFMLib import Geometry, Region
from MedSegFMLib.errors import MaskError
from MedSegFMLib.metrics import dice, surface_dice
from MedSegFMLib.mrml.comparison.columns import COLUMNS
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.transforms import to_vtk
from MedSegFMLib.mrml.segments.grid import give_grid
from MedSegFMLib.mrml.segments.oriented_images import image_from_mask
from MedSegFMLib.mrml.segments.reference import ReferenceSegment


def test_the_numbers_of_the_table_are_those_of_the_masks(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS, consistency=True)
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(boxed_logic, comparison)
    truth, spacing = content(boxed_logic, 1), boxed_logic.volume.geometry.spacing_kji_mm
    for n, model in enumerate(MODELS):
        mask, found = mask_of(comparison, model), row(comparison, model)
        assert found["Dice"] == pytest.approx(dice(truth, mask), abs=5e-4)
        expected = surface_dice(truth, mask, spacing, 2.0)
        assert found["Surface Dice at 2 mm"] == pytest.approx(expected, abs=5e-4)
        assert found["Volume (ml)"] == pytest.approx(125 * 6 / 1000)
        assert (found["Time (s)"], found["Peak memory (MB)"]) == (0.5 + n, 300)
        assert 0 < found["Consistency"] < 1 and found["Note"] == ""
        others = [dice(mask, mask_of(comparison, m)) for m in MODELS if m != model]
        assert found["Agreement"] == pytest.approx(np.mean(others), abs=5e-4)
    pair = dice(mask_of(comparison, "ensam"), mask_of(comparison, "randomwalk"))
    assert row(comparison, "ensam")["Dice with Random walker"] == pytest.approx(pair)
    assert row(comparison, "ensam")["Dice with ENSAM"] is None


def test_the_guide_explains_every_column_of_the_panel() -> None:
    guide = (Path(__file__).parents[3] / "Docs" / "user-guide.md").read_text("utf-8")
    table = guide.split("| column | meaning |\n|---|---|\n")[1].split("\n\n")[0]
    explained = {n.strip() for line in table.splitlines() for n in line.split("|")[1].split(",")}
    shown = {column.short for column in COLUMNS if column.short and column.key != "model"}
    assert shown | {"≈ …"} == explained


def test_the_reference_is_followed_when_it_is_edited_and_said_to_be_unusable(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS[:2])
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    paint(boxed_logic, 1, Region((3, 3, 3), (8, 8, 5)), value=False)
    comparison.pump()
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == pytest.approx(2 * 75 / (75 + 125), abs=1e-4)
    paint(boxed_logic, 1, Region((0, 0, 0), (12, 14, 16)), value=False)
    comparison.pump()
    assert "no voxels" in comparison.scoring.faults[1] and row(comparison, "ensam")["Dice"] is None
    comparison.scoring.use_reference(1, None)
    comparison.pump()
    assert comparison.scoring.faults == {}


def test_a_reference_on_another_grid_is_resampled_and_said_so(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    fine = geometry.resampled([n / 2 for n in geometry.spacing_ijk_mm])
    give_grid(node, fine)
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, fine, Region((6, 6, 6), (16, 16, 16)))
    found, resampled = ReferenceSegment(node, segment_id).read(geometry)
    mask = np.zeros(geometry.shape_kji, bool)
    mask[found.region.slices] = found.mask_kji
    assert resampled and np.array_equal(mask, content(boxed_logic, 1))
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert "resampled" in comparison.scoring.faults[1] and row(comparison, "ensam")["Dice"] == 1


def test_a_reference_that_is_put_away_leaves_no_number_that_was_on_its_way(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS[:2])
    finish(boxed_logic, comparison)
    busy = threading.Event()
    comparison.scoring.jobs.put("busy", busy.wait)
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    comparison.pump()
    comparison.scoring.use_reference(1, None)
    comparison.pump()
    busy.set()
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] is None


def test_a_reference_is_read_from_its_own_voxels_and_left_as_it_is(
    boxed_logic: SegmentationLogic, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    fine = geometry.resampled([n / 2 for n in geometry.spacing_ijk_mm])
    image = image_from_mask(np.ones((10, 10, 10), bool), (6, 6, 6), to_vtk(fine.ijk_to_ras))
    segment_id = node.AddSegmentFromBinaryLabelmapRepresentation(image, "liver")
    found, resampled = ReferenceSegment(node, segment_id).read(geometry)
    assert resampled and np.array_equal(
        found.on(Region.whole(geometry.shape_kji)), content(boxed_logic, 1)
    )
    key = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    # A node that says no grid of its own is not given ours.
    assert node.GetSegmentation().GetConversionParameter(key) == ""
    empty = node.GetSegmentation().AddEmptySegment("", "nothing")
    with pytest.raises(MaskError, match="no voxels"):
        ReferenceSegment(node, empty).read(geometry)


def test_a_reference_moves_with_every_transform_above_it(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    geometry = boxed_logic.volume.geometry
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, geometry, Region((3, 3, 3), (8, 8, 8)))
    parent, above = add_transform(scene, np.eye(4)), add_transform(scene, np.eye(4))
    parent.SetAndObserveTransformNodeID(above.GetID())
    node.SetAndObserveTransformNodeID(parent.GetID())
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    one_voxel = np.eye(4)
    one_voxel[:3, 3] = geometry.ijk_to_ras[:3, 0]
    above.SetMatrixTransformToParent(to_vtk(one_voxel))
    comparison.pump()
    finish(boxed_logic, comparison)
    assert (row(comparison, "ensam")["Dice"], row(comparison, "randomwalk")["Dice"]) == (0.8, 1)


def test_a_reference_outside_the_volume_is_refused(
    boxed_logic: SegmentationLogic, scene: Any
) -> None:
    far = Geometry.from_spacing((4, 4, 4), origin_ras=(900.0, 0.0, 0.0))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "elsewhere")
    give_grid(node, far)
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, far, Region((0, 0, 0), (2, 2, 2)))
    with pytest.raises(MaskError, match="lies outside the volume"):
        ReferenceSegment(node, segment_id).read(boxed_logic.volume.geometry)


def test_a_reference_that_leaves_the_scene_is_said_to_be_gone(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, geometry, Region((3, 3, 3), (8, 8, 8)))
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    scene.RemoveNode(node)
    comparison.pump()
    assert "left the scene" in comparison.scoring.faults[1]
    assert row(comparison, "ensam")["Dice"] is None
