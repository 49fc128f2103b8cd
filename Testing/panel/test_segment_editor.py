"""The embedded segment editor: segments from anywhere go on with prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host.panel_driver import Desk
from scene_helpers import paint_segment

from MedSegFMLib import Region
from MedSegFMLib.mrml.segments.grid import SegmentGrid
from MedSegFMLib.mrml.segments.oriented_images import read_segment

PAINTED = Region((8, 11, 13), (16, 19, 21))
OTHER = Region((2, 2, 2), (5, 6, 7))


@pytest.fixture
def painted(desk: Desk) -> Desk:
    """The ball, and a segmentation of it with two segments that somebody painted."""
    import slicer

    volume = desk.load()
    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, region in (("other", OTHER), ("liver", PAINTED)):
        node.GetSegmentation().AddEmptySegment(name, name)
        paint_segment(node, name, desk.panel.logic.volume.geometry, region)
    desk.ui.segmentEditor.setSegmentationNode(node)
    desk.wait()
    return desk


def voxels(desk: Desk, segment_id: str) -> Any:
    logic = desk.panel.logic
    grid = SegmentGrid.of(logic.segments.node, logic.volume.geometry)
    region = Region.whole(grid.geometry.shape_kji)
    return read_segment(logic.segments.node, segment_id, grid, region)


def block(desk: Desk, region: Region) -> Any:
    found = np.zeros(desk.ball.shape, bool)
    found[region.slices] = True
    return found


def click(desk: Desk, button: Any, ras: tuple[float, float, float]) -> None:
    """Place one click and wait for its answer."""
    count = desk.ui.promptTable.rowCount
    button.click()
    desk.click_in_view(ras)
    desk.wait(lambda: desk.ui.promptTable.rowCount > count)
    button.click()
    desk.wait()


def titles(desk: Desk) -> list[str]:
    table = desk.ui.promptTable
    return [table.item(row, 0).text() for row in range(table.rowCount)]


def save_close_load(desk: Desk, path: Path) -> None:
    import slicer

    scene = slicer.mrmlScene
    scene.StartState(scene.SaveState)
    assert scene.WriteToMRB(str(path))
    scene.EndState(scene.SaveState)
    scene.Clear()
    desk.wait()
    assert scene.ReadFromMRB(str(path))
    desk.wait()


def test_a_painted_segment_goes_on_with_prompts_through_undo_and_the_file(
    painted: Desk, tmp_path: Path
) -> None:
    desk, ui = painted, painted.ui
    before, other = block(desk, PAINTED), block(desk, OTHER)
    desk.select_segment("liver")
    assert "liver" in ui.segmentHint.text and not ui.promptTable.rowCount
    assert np.array_equal(voxels(desk, "liver"), before), "a choice alone changes nothing"
    click(desk, ui.negativeButton, (14, 12, 13.5))
    assert titles(desk) == ["Start", "− Click"]
    first = voxels(desk, "liver")
    assert not first[9, 12, 14] and before[9, 12, 14]
    click(desk, ui.positiveButton, (17, 15, 7.5))
    second = voxels(desk, "liver")
    assert second[5, 15, 17] and not np.array_equal(first, second)
    assert np.array_equal(voxels(desk, "other"), other)
    for expected in (first, before):
        ui.undoButton.click()
        desk.wait()
        assert np.array_equal(voxels(desk, "liver"), expected)
    for expected in (first, second):
        ui.redoButton.click()
        desk.wait()
        assert np.array_equal(voxels(desk, "liver"), expected)
    save_close_load(desk, tmp_path / "scene.mrb")
    assert titles(desk) == ["Start", "− Click", "+ Click"]
    assert np.array_equal(voxels(desk, "liver"), second)
    assert np.array_equal(voxels(desk, "other"), other)
    assert desk.selected_segment() == "liver" and desk.segment_names() == ["other", "liver"]
    click(desk, ui.negativeButton, (20, 18, 22.5))
    assert not voxels(desk, "liver")[15, 18, 20]
    assert ui.statusLabel.text.startswith("Done")


@pytest.mark.parametrize("model", ["randomwalk", "ensam"])
def test_a_segment_inside_an_object_keeps_its_voxels_when_it_is_adopted(
    painted: Desk, model: str
) -> None:
    desk, logic = painted, painted.panel.logic
    desk.panel.parameters.model = type(desk.panel.parameters.model)[model]
    desk.ui.nextSegmentButton.click()
    desk.box_the_ball()
    ball = logic.objects.current_segment
    around, before = voxels(desk, ball), block(desk, PAINTED)
    assert (around & before).sum() > 0.5 * before.sum(), "it lies in the ball"
    desk.select_segment("liver")
    click(desk, desk.ui.positiveButton, (17, 15, 18))
    assert titles(desk)[-2:] == ["Start", "+ Click"]
    assert not (before & ~voxels(desk, "liver")).any(), "nothing is lost to the object around it"
    assert not (around & before & ~voxels(desk, ball)).any(), "and nothing is taken from that"
    desk.select_segment(logic.prompts.name(1))
    click(desk, desk.ui.positiveButton, (14, 12, 15))
    for segment, kept in ((ball, around & before), ("liver", before)):
        assert not (kept & ~voxels(desk, segment)).any(), "nor with the next answers"


def test_two_overlapping_segments_are_adopted_with_all_their_voxels(painted: Desk) -> None:
    desk, logic = painted, painted.panel.logic
    inner = Region((9, 12, 14), (13, 16, 18))
    paint_segment(logic.segments.node, "other", logic.volume.geometry, inner)
    whole = voxels(desk, "other")
    assert (whole & block(desk, PAINTED)).any()
    for name, place in (
        ("liver", (14, 12, 13.5)),
        ("other", (15, 13, 15)),
        ("liver", (20, 18, 18)),
    ):
        desk.select_segment(name)
        click(desk, desk.ui.positiveButton, place)
        assert not (block(desk, PAINTED) & ~voxels(desk, "liver")).any()
        assert not (whole & ~voxels(desk, "other")).any()


def test_undo_of_the_adoption_leaves_the_segment_in_the_scene(painted: Desk) -> None:
    before = block(painted, PAINTED)
    painted.select_segment("liver")
    click(painted, painted.ui.negativeButton, (14, 12, 13.5))
    for _ in range(2):
        painted.ui.undoButton.click()
        painted.wait()
    assert not painted.panel.logic.prompts.objects
    assert np.array_equal(voxels(painted, "liver"), before)


def test_looking_through_the_segments_asks_the_model_nothing(painted: Desk) -> None:
    for name in ("other", "liver", "other"):
        painted.select_segment(name)
        assert name in painted.ui.segmentHint.text
        assert not painted.panel.logic.is_predicting
    assert not painted.panel.logic.prompts.objects and not painted.ui.undoButton.enabled


def test_the_selection_goes_both_ways(painted: Desk) -> None:
    desk, logic = painted, painted.panel.logic
    desk.select_segment("liver")
    click(desk, desk.ui.negativeButton, (14, 12, 13.5))
    desk.ui.nextSegmentButton.click()
    desk.wait()
    assert desk.selected_segment() == logic.prompts.name(logic.current_label) != "liver"
    desk.select_segment("liver")
    assert logic.prompts.name(logic.current_label) == "liver"
    desk.ui.nextSegmentButton.click()
    desk.ui.promptTable.selectRow(0)
    desk.wait()
    assert desk.selected_segment() == "liver"
    assert desk.ui.segmentEditor.currentSegmentID() == "liver"


def test_a_segment_added_in_the_editor_gets_the_next_prompt(painted: Desk) -> None:
    from PySide6.QtWidgets import QPushButton

    editor = painted.ui.segmentEditor
    editor.findChild(QPushButton, "AddSegmentButton").click()
    painted.wait()
    added = painted.selected_segment()
    assert painted.segment_names() == ["other", "liver", added]
    painted.box_the_ball()
    assert len(painted.segment_names()) == 3 and titles(painted) == ["Box"]
    assert voxels(painted, editor.currentSegmentID()).any()
    for _ in range(2):
        painted.ui.undoButton.click()
        painted.wait()
    assert painted.segment_names() == ["other", "liver", added]


def test_a_segment_removed_in_the_editor_takes_its_prompts_along(painted: Desk) -> None:
    from PySide6.QtWidgets import QPushButton

    painted.box_the_ball()
    painted.ui.nextSegmentButton.click()
    painted.wait()
    editor = painted.ui.segmentEditor
    painted.select_segment("other")
    editor.findChild(QPushButton, "RemoveSegmentButton").click()
    painted.wait(lambda: not painted.ui.promptTable.rowCount)
    assert "other" not in painted.segment_names()


def test_another_segmentation_has_its_own_prompts_which_come_back(painted: Desk) -> None:
    import slicer

    desk, editor = painted, painted.ui.segmentEditor
    first = desk.panel.logic.segments.node
    desk.select_segment("liver")
    click(desk, desk.ui.negativeButton, (14, 12, 13.5))
    corrected = voxels(desk, "liver")
    second = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "second")
    second.SetReferenceImageGeometryParameterFromVolumeNode(desk.panel.logic.volume_node)
    editor.setSegmentationNode(second)
    desk.wait(lambda: desk.panel.logic.segments.node is second)
    assert desk.ui.promptTable.rowCount == 0 and desk.segment_names() == []
    desk.box_the_ball()
    editor.setSegmentationNode(first)
    desk.wait(lambda: desk.panel.logic.segments.node is first)
    assert titles(desk) == ["Start", "− Click"] and desk.selected_segment() == "liver"
    assert np.array_equal(voxels(desk, "liver"), corrected)


def test_a_segmentation_of_surfaces_is_refused_and_the_editor_comes_back(painted: Desk) -> None:
    import slicer

    first = painted.panel.logic.segments.node
    first.CreateClosedSurfaceRepresentation()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    surface = slicer.vtkSegment()
    surface.DeepCopy(first.GetSegmentation().GetSegment("liver"))
    surface.RemoveRepresentation("Binary labelmap")
    node.GetSegmentation().AddSegment(surface, "liver")
    painted.ui.segmentEditor.setSegmentationNode(node)
    painted.wait(lambda: "Closed surface" in painted.ui.statusLabel.text)
    assert painted.ui.segmentEditor.segmentationNode() is first
    assert painted.panel.logic.segments.node is first


def test_a_locked_segment_is_not_adopted(painted: Desk) -> None:
    painted.select_segment("liver")
    painted.ui.lockSegment.click()
    painted.ui.negativeButton.click()
    painted.click_in_view((14, 12, 13.5))
    painted.wait(lambda: "locked" in painted.ui.statusLabel.text)
    assert not painted.panel.logic.prompts.objects
    assert painted.panel.logic.objects.chosen_segment == "liver"
    assert np.array_equal(voxels(painted, "liver"), block(painted, PAINTED))


def test_a_click_on_a_hand_painted_voxel_decides_it(painted: Desk) -> None:
    logic = painted.panel.logic
    painted.select_segment("liver")
    click(painted, painted.ui.negativeButton, (14, 12, 13.5))
    paint_segment(
        logic.segments.node, "liver", logic.volume.geometry, Region((2, 24, 26), (4, 27, 29))
    )
    click(painted, painted.ui.negativeButton, (27, 25, 4.5))
    assert not voxels(painted, "liver")[3, 25, 27]
    assert voxels(painted, "liver")[2, 24, 26], "its neighbours stay as they were painted"


@pytest.mark.parametrize("meanwhile", ["nothing", "file", "undo", "model"])
@pytest.mark.parametrize("paints", [True, False])
def test_a_mark_decides_what_was_painted_or_erased_whatever_came_between(
    painted: Desk, tmp_path: Path, meanwhile: str, paints: bool
) -> None:
    logic = painted.panel.logic
    painted.select_segment("liver")
    click(painted, painted.ui.negativeButton, (14, 12, 13.5))
    far, near = Region((2, 24, 26), (4, 27, 29)), Region((10, 14, 15), (14, 17, 18))
    region = far if paints else near
    paint_segment(logic.segments.node, "liver", logic.volume.geometry, region, paints)
    before = voxels(painted, "liver")
    if meanwhile == "file":
        save_close_load(painted, tmp_path / "scene.mrb")
    elif meanwhile == "undo":
        click(painted, painted.ui.negativeButton, (20, 18, 22.5))
        painted.ui.undoButton.click()
        painted.wait()
    elif meanwhile == "model":
        painted.panel.parameters.model = type(painted.panel.parameters.model)["ensam"]
        painted.wait()
    assert np.array_equal(voxels(painted, "liver")[region.slices], before[region.slices])
    k, j, i = (n + 1 for n in region.start_kji)
    button = painted.ui.negativeButton if paints else painted.ui.positiveButton
    click(painted, button, (i, j, 1.5 * k))
    assert voxels(painted, "liver")[k, j, i] != paints


def test_only_the_module_that_is_shown_listens_to_the_tools(painted: Desk) -> None:
    from types import SimpleNamespace

    import slicer

    editor = painted.ui.segmentEditor
    assert editor.mrmlSegmentEditorNode() is slicer.mrmlScene.GetSingletonNode(
        "SegmentEditor", "vtkMRMLSegmentEditorNode"
    )
    editor.setActiveEffectByName("Paint")
    assert editor.are_views_observed and editor.has_shortcuts
    painted.widget.parent.exit()
    assert not editor.are_views_observed and not editor.has_shortcuts
    assert editor.mrmlSegmentEditorNode() is None
    other = slicer.qMRMLSegmentEditorWidget()
    node = painted.panel.segments._link.node()
    other.setMRMLSegmentEditorNode(node)
    other.setMRMLScene(slicer.mrmlScene)
    slicer.modules.SegmentEditorWidget = SimpleNamespace(editor=other, parameterSetNode=node)
    painted.widget.parent.enter()
    assert other.mrmlSegmentEditorNode() is None
    assert slicer.modules.SegmentEditorWidget.parameterSetNode is None
    del slicer.modules.SegmentEditorWidget
    other.setMRMLScene(None)


def test_the_settings_must_be_there_before_a_segmentation_is_set(bare: Any) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    with pytest.raises(RuntimeError, match="segment editor node first"):
        slicer.qMRMLSegmentEditorWidget().setSegmentationNode(node)


def test_segments_that_got_no_prompts_are_kept_clear_if_the_user_asks_for_it(
    painted: Desk,
) -> None:
    logic = painted.panel.logic
    inside = Region((8, 11, 13), (12, 15, 17))
    paint_segment(logic.segments.node, "other", logic.volume.geometry, inside)
    painted.ui.nextSegmentButton.click()
    painted.box_the_ball()
    (label,) = logic.prompts.labels
    assert (painted.mask(label) & voxels(painted, "other")).any()
    painted.ui.avoidOthers.click()
    painted.wait()
    assert painted.panel.parameters.avoidOthers
    assert painted.mask(label).any()
    assert not (painted.mask(label) & voxels(painted, "other")).any()


def test_the_effect_in_the_segment_editor_refines_the_selected_segment(painted: Desk) -> None:
    import slicer

    desk = painted
    desk.widget.parent.exit()
    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setMRMLSegmentEditorNode(desk.panel.segments._link.node())
    editor.setMRMLScene(slicer.mrmlScene)
    assert "MedSegFM" in editor.availableEffectNames()
    editor.setCurrentSegmentID("liver")
    editor.setActiveEffectByName("MedSegFM")
    effect = editor.activeEffect().self()
    desk.wait(lambda: desk.panel.logic.objects.chosen_segment == "liver")
    effect.updateGUIFromMRML()
    assert "liver" in effect._message.text
    effect._buttons["negativeButton"].click()
    desk.click_in_view((14, 12, 13.5))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert not voxels(desk, "liver")[9, 12, 14]
    effect._buttons["undoButton"].click()
    desk.wait()
    assert np.array_equal(voxels(desk, "liver"), block(desk, PAINTED))
    editor.setActiveEffect(None)
    assert desk.panel.place_mode.active is None
    editor.setMRMLScene(None)
    editor.setMRMLSegmentEditorNode(None)
