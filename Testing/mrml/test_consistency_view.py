"""What the scene shows of where the planes disagree, and that nothing of it stays or is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from scene_helpers import add_boxes, add_transform, add_volume_node
from vtkmodules.util.numpy_support import vtk_to_numpy

from MedSegFMLib import Box, Geometry, Region, Volume
from MedSegFMLib.mrml.consistency.slice_plot import distances_mm
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node

HELPERS = ("MedSegFM disagreement", "MedSegFM planes", "MedSegFM suggestion", "MedSegFM agreement")


def helper_nodes(scene: Any) -> list[str]:
    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    return [n.GetName() for n in nodes if (n.GetName() or "").startswith(HELPERS)]


def compare(logic: SegmentationLogic, node: Any, box: Box) -> None:
    logic.consistency.switch(True)
    logic.set_volume(node)
    logic.add(box)
    logic.pump()
    logic.pump()
    assert logic.consistency.current is not None


@pytest.fixture
def compared(logic: SegmentationLogic, volume_node: Any) -> SegmentationLogic:
    """A box, answered and compared, in each orientation."""
    box = Box.from_ijk(volume_from_node(volume_node).geometry, (3, 4, 3), (7, 9, 6))
    compare(logic, volume_node, box)
    return logic


@pytest.fixture
def view_node(scene: Any) -> Any:
    """A slice view in which the user has chosen a foreground."""
    mine = add_volume_node(scene, Volume(np.zeros((3, 3, 3)), Geometry((3, 3, 3), np.eye(4))))
    node = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    node.SetForegroundVolumeID(mine.GetID())
    node.SetForegroundOpacity(0.3)
    return node


def test_the_map_lies_on_its_voxels_in_every_orientation(compared: SegmentationLogic) -> None:
    found, node = compared.consistency.current, compared.consistency_view.overlay.node
    assert found is not None
    shown = volume_from_node(node)
    assert np.array_equal(shown.array_kji, found.disagreement_kji)
    assert shown.array_kji.dtype == np.float32 and shown.array_kji.max() > 0.9
    assert shown.geometry.matches(compared.volume.geometry.crop(found.region))
    assert found.region.shape_kji != compared.volume.geometry.shape_kji


def test_the_map_stands_under_the_transform_of_the_volume(
    logic: SegmentationLogic, scene: Any, volume_node: Any, ball_box: Box
) -> None:
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 8], [0, 0, 0, 1.0]])
    volume_node.SetAndObserveTransformNodeID(add_transform(scene, turn).GetID())
    logic.set_volume(volume_node)
    start, stop = (2, 2, 2), (7, 8, 8)
    compare(logic, volume_node, Box.from_ijk(logic.volume.geometry, start, stop))
    found = logic.consistency.current
    assert found is not None
    expected = logic.volume.geometry.crop(found.region)
    assert volume_from_node(logic.consistency_view.overlay.node).geometry.matches(expected)
    assert found.suggestion is not None
    place = logic.consistency_view.doubt.node.GetNthControlPointPositionWorld(0)
    click = logic.volume.geometry.ijk_from_ras(place)[::-1]
    assert np.allclose(click, found.suggestion.click_kji, atol=1e-4)


def test_the_colours_go_from_nothing_to_full_disagreement(compared: SegmentationLogic) -> None:
    display = compared.consistency_view.overlay.node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 1)
    assert display.GetApplyThreshold() and display.GetLowerThreshold() == pytest.approx(0.05)
    table = display.GetColorNode().GetLookupTable()
    colors = [table.GetTableValue(n)[:3] for n in range(0, 256, 8)]
    lightness = np.array(colors) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0).all()


def test_the_same_node_shows_the_next_map(compared: SegmentationLogic, ball_box: Box) -> None:
    add_boxes(compared, [ball_box])
    for _ in range(2):
        compared.pump()
    node = compared.consistency_view.overlay.node
    assert compared.current_label == 2
    before = volume_from_node(node).geometry
    compared.objects.select(1)
    assert compared.consistency_view.overlay.node is node
    assert not volume_from_node(node).geometry.matches(before)


def test_each_plane_is_an_outline_where_it_sees_the_object(compared: SegmentationLogic) -> None:
    found, node = compared.consistency.current, compared.consistency_view.contours.node
    assert found is not None
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    assert not display.GetVisibility2DFill() and not display.GetVisibility3D()
    reference = compared.volume_node
    for plane, mask in found.masks.items():
        assert segmentation.GetSegment(plane) is not None
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, plane, reference)
        assert np.array_equal(array[found.region.slices] > 0, mask)
        assert (array > 0).sum() == mask.sum()
    colors = {segmentation.GetSegment(plane).GetColor() for plane in found.masks}
    assert len(colors) == 3


def test_outlines_go_and_come_with_their_switch(compared: SegmentationLogic, scene: Any) -> None:
    compared.consistency.shows_contours = False
    assert "MedSegFM planes" not in helper_nodes(scene)
    assert "MedSegFM disagreement" in helper_nodes(scene)
    compared.consistency.shows_contours = True
    assert compared.consistency_view.contours.node.GetSegmentation().GetNumberOfSegments() == 3


def test_the_suggestion_is_no_prompt_and_cannot_be_dragged(compared: SegmentationLogic) -> None:
    found, node = compared.consistency.current, compared.consistency_view.doubt.node
    assert found is not None and found.suggestion is not None
    place = compared.volume.geometry.ijk_from_ras(node.GetNthControlPointPositionWorld(0))
    assert np.allclose(place[::-1], found.suggestion.click_kji, atol=1e-4)
    assert node.GetNthControlPointLabel(0) == "?"
    assert node.GetLocked() and node.GetHideFromEditors()
    compared.pump()
    assert len(compared.prompts.entries) == 1


def test_the_views_get_their_own_foreground_back(
    view_node: Any, logic: SegmentationLogic, volume_node: Any, ball_box: Box
) -> None:
    mine = view_node.GetForegroundVolumeID()
    compare(logic, volume_node, ball_box)
    assert view_node.GetForegroundVolumeID() == logic.consistency_view.overlay.node.GetID()
    assert view_node.GetForegroundOpacity() == pytest.approx(0.6)
    logic.consistency.switch(False)
    assert view_node.GetForegroundVolumeID() == mine
    assert view_node.GetForegroundOpacity() == pytest.approx(0.3)


def test_a_view_that_comes_with_another_layout_shows_the_map_too(
    logic: SegmentationLogic, scene: Any, volume_node: Any, ball_box: Box
) -> None:
    compare(logic, volume_node, ball_box)
    later = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    logic.pump()
    assert later.GetForegroundVolumeID() == logic.consistency_view.overlay.node.GetID()
    logic.consistency.switch(False)
    assert later.GetForegroundVolumeID() is None and later.GetForegroundOpacity() == 0


def test_a_foreground_that_the_user_chose_meanwhile_stays(
    view_node: Any, logic: SegmentationLogic, scene: Any, volume_node: Any, ball_box: Box
) -> None:
    compare(logic, volume_node, ball_box)
    view_node.SetForegroundVolumeID(volume_node.GetID())
    view_node.SetForegroundOpacity(0.8)
    logic.pump()
    logic.consistency.switch(False)
    assert view_node.GetForegroundVolumeID() == volume_node.GetID()
    assert view_node.GetForegroundOpacity() == pytest.approx(0.8)


@pytest.mark.parametrize(
    "what", ["switch", "prompt", "undo", "model", "volume", "removed", "close", "segment", "hidden"]
)
def test_nothing_stays_of_what_does_not_hold_any_more(
    logic: SegmentationLogic, scene: Any, plain: Any, client: Any, what: str
) -> None:
    compare(logic, plain, Box.from_ijk(volume_from_node(plain).geometry, (3, 4, 2), (8, 9, 7)))
    assert len(helper_nodes(scene)) >= 4
    client.paused = True
    if what == "switch":
        logic.consistency.switch(False)
    elif what == "prompt":
        logic.move(0, logic.volume.geometry.ras_from_ijk((8, 8, 6)))
    elif what == "undo":
        logic.undo()
    elif what == "model":
        logic.set_model("ellipsoid")
    elif what == "volume":
        logic.set_volume(None)
    elif what == "removed":
        scene.RemoveNode(plain)
        logic.pump()
    elif what == "close":
        scene.Clear(False)
    elif what == "segment":
        logic.segments.node.GetSegmentation().RemoveSegment(logic.segments.ids[1])
        logic.pump()
    else:
        logic.segments.node.GetDisplayNode().SetSegmentVisibility(logic.segments.ids[1], False)
        logic.pump()
    assert helper_nodes(scene) == []


def fill(logic: SegmentationLogic, label: int = 1) -> float:
    display = logic.segments.node.GetDisplayNode()
    return float(display.GetSegmentOpacity2DFill(logic.segments.ids[label]))


def test_only_the_compared_segment_is_drawn_without_its_fill(
    compared: SegmentationLogic, ball_box: Box
) -> None:
    assert fill(compared) == 0
    add_boxes(compared, [ball_box])
    compared.pump()
    assert (fill(compared, 1), fill(compared, 2)) == (1, 1)
    compared.pump()
    assert (fill(compared, 1), fill(compared, 2)) == (1, 0)
    compared.objects.select(1)
    assert (fill(compared, 1), fill(compared, 2)) == (0, 1)
    compared.consistency.switch(False)
    assert (fill(compared, 1), fill(compared, 2)) == (1, 1)


def test_a_fill_that_the_user_set_meanwhile_stays(compared: SegmentationLogic) -> None:
    display = compared.segments.node.GetDisplayNode()
    display.SetSegmentOpacity2DFill(compared.segments.ids[1], 0.3)
    compared.consistency.switch(False)
    assert fill(compared) == pytest.approx(0.3)


def test_a_hidden_segment_gets_its_map_back_when_it_is_shown(
    compared: SegmentationLogic, scene: Any
) -> None:
    display, segment_id = compared.segments.node.GetDisplayNode(), compared.segments.ids[1]
    display.SetSegmentVisibility(segment_id, False)
    compared.pump()
    assert helper_nodes(scene) == []
    assert not compared.questions.answer_doubt(True) and len(compared.prompts.entries) == 1
    display.SetSegmentVisibility(segment_id, True)
    compared.pump()
    assert "MedSegFM disagreement" in helper_nodes(scene)


def test_the_map_follows_the_object_that_is_chosen(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    geometry = volume_from_node(plain).geometry
    compare(logic, plain, Box.from_ijk(geometry, (1, 1, 1), (5, 5, 5)))
    logic.objects.add("spleen")
    assert logic.consistency.current is None and helper_nodes(scene) == []
    logic.add(Box.from_ijk(geometry, (7, 7, 5), (13, 12, 10)))
    for _ in range(2):
        logic.pump()
    maps = {}
    for label in (1, 2):
        logic.objects.select(label)
        found = logic.consistency.current
        assert found is not None
        shown = volume_from_node(logic.consistency_view.overlay.node)
        assert np.array_equal(shown.array_kji, found.disagreement_kji)
        assert shown.geometry.matches(geometry.crop(found.region))
        maps[label] = found
    assert maps[1] is not maps[2]


def test_a_closed_module_leaves_the_scene_as_it_was(
    view_node: Any, logic: SegmentationLogic, scene: Any, volume_node: Any, ball_box: Box
) -> None:
    mine = view_node.GetForegroundVolumeID()
    compare(logic, volume_node, ball_box)
    logic.close()
    assert helper_nodes(scene) == [] and view_node.GetForegroundVolumeID() == mine


def test_a_saved_scene_holds_nothing_of_it_and_its_views_show_the_users_own(
    view_node: Any,
    logic: SegmentationLogic,
    slicer_app: Any,
    scene: Any,
    volume_node: Any,
    ball_box: Box,
    tmp_path: Path,
) -> None:
    compare(logic, volume_node, ball_box)
    path = tmp_path / "scene.mrml"
    scene.SetURL(str(path))
    assert scene.Commit()
    text = path.read_text(encoding="utf-8")
    assert not [name for name in HELPERS if f'name="{name}' in text]
    bundle = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(bundle))
    scene.Clear(False)
    logic.consistency.switch(False)
    logic.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(str(bundle), str(tmp_path / "unpacked"))
    logic.pump()
    assert helper_nodes(scene) == []
    name = "vtkMRMLSliceCompositeNode"
    views = [scene.GetNthNodeByClass(n, name) for n in range(scene.GetNumberOfNodesByClass(name))]
    mine = [v for v in views if v.GetForegroundOpacity() == pytest.approx(0.3)]
    assert len(mine) == 1 and fill(logic) == 1
    assert scene.GetNodeByID(mine[0].GetForegroundVolumeID()).GetName() == "volume"


def test_the_chart_has_the_agreement_of_every_slice_where_it_lies(
    compared: SegmentationLogic,
) -> None:
    found, chart = compared.consistency.current, compared.consistency_view.plot.chart
    assert found is not None and chart.GetNumberOfPlotSeriesNodes() == 3
    assert "(mm)" in chart.GetXAxisTitle() and "Segment_1" in chart.GetTitle()
    geometry = compared.volume.geometry
    for n in range(3):
        series = chart.GetNthPlotSeriesNode(n)
        table, plane = series.GetTableNode().GetTable(), series.GetYColumnName()
        scores = vtk_to_numpy(table.GetColumnByName(plane))[: len(found.slices[plane])]
        expected = [np.nan if s is None else s for s in found.slices[plane]]
        assert np.array_equal(scores, expected, equal_nan=True)
        assert np.isnan(scores).any() and not np.isnan(scores).all()
        x = vtk_to_numpy(table.GetColumnByName(series.GetXColumnName()))[: len(scores)]
        assert np.allclose(x, distances_mm(geometry, found.region, plane))


def test_a_slice_with_gaps_on_both_sides_is_still_seen_in_the_chart(
    compared: SegmentationLogic,
) -> None:
    chart = compared.consistency_view.plot.chart
    for n in range(3):
        series = chart.GetNthPlotSeriesNode(n)
        assert series.GetMarkerStyle() != series.MarkerStyleNone and series.GetMarkerSize() > 0


def test_slices_lie_in_millimetres_towards_superior_anterior_and_right(
    geometry: Geometry,
) -> None:
    region = Region((1, 2, 3), (6, 8, 10))
    crop = geometry.crop(region)
    middle = crop.ras_from_ijk([(n - 1) / 2 for n in crop.shape_kji[::-1]])
    for plane, row in (("sagittal", 0), ("coronal", 1), ("axial", 2)):
        places = distances_mm(geometry, region, plane)
        axis = int(np.argmax(np.abs(geometry.ijk_to_ras[row, :3]) / geometry.spacing_ijk_mm))
        first = [(n - 1) / 2 for n in crop.shape_kji[::-1]]
        first[axis] = 0.0
        gap = crop.ras_from_ijk(first) - middle
        assert np.sign(places[0]) == np.sign(gap[row])
        assert abs(places[0]) == pytest.approx(np.linalg.norm(gap))
        assert len(places) == crop.shape_kji[2 - axis]
