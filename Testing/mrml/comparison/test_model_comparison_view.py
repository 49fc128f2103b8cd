"""What the scene shows of a comparison of models, and that nothing but the table stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from model_comparisons import MODELS, finish, mask_of
from scene_helpers import add_boxes

from MedSegFMLib import Box
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.comparison.row_layout import LAYOUT
from MedSegFMLib.mrml.comparison.table import table_of
from MedSegFMLib.mrml.comparison.view import ModelComparisonView
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node


@pytest.fixture
def view(logic: SegmentationLogic, scene: Any) -> Iterator[ModelComparisonView]:
    comparison = ModelComparison(logic)
    made = ModelComparisonView(scene, comparison)
    yield made
    comparison.shut_down()
    made.update()


@pytest.fixture
def layout(scene: Any) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    node.SetViewArrangement(node.SlicerLayoutFourUpView)
    return node


def compare(view: ModelComparisonView, node: Any, box: Box, models: Any = MODELS) -> None:
    logic = view._comparison._logic
    logic.set_volume(node)
    logic.add(box)
    logic.pump()
    view._comparison.start(models)
    settle(view)


def settle(view: ModelComparisonView) -> None:
    """Until nothing is computed any more, and all of it is shown."""
    for _ in range(3):
        finish(view._comparison._logic, view._comparison)
        view.update()


@pytest.fixture
def shown(
    view: ModelComparisonView, layout: Any, volume_node: Any, ball_box: Box
) -> ModelComparisonView:
    """A finished comparison in rows, in each orientation."""
    compare(view, volume_node, ball_box)
    return view


@pytest.fixture
def flat(view: ModelComparisonView, layout: Any, plain: Any) -> ModelComparisonView:
    """The same in one orientation."""
    compare(view, plain, Box.from_ijk(volume_from_node(plain).geometry, (3, 3, 3), (8, 8, 8)))
    return view


def test_each_model_has_its_voxels_in_its_own_color_and_row(shown: ModelComparisonView) -> None:
    colors, views = set(), []
    volume_node = shown._comparison.subject.volume_node
    for model in MODELS:
        node = shown.outlines.nodes[model]
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "1", volume_node)
        assert np.array_equal(array > 0, mask_of(shown._comparison, model))
        colors.add(node.GetSegmentation().GetSegment("1").GetColor())
        display = node.GetDisplayNode()
        views += [display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())]
    assert len(colors) == 3 and len(set(views)) == 9
    assert {slicer.mrmlScene.GetNodeByID(v).GetOrientation() for v in views[:3]} == {
        "Axial",
        "Coronal",
        "Sagittal",
    }


def test_the_layout_has_a_row_for_each_model_and_slicer_can_read_it(
    flat: ModelComparisonView, layout: Any, scene: Any
) -> None:
    assert layout.GetViewArrangement() == LAYOUT and flat.rows.is_shown
    # Slicer's own reader of layouts, which makes the views of a desktop.
    reader = slicer.vtkMRMLLayoutLogic()
    reader.SetMRMLScene(scene)
    views = reader.GetViewNodes()
    found = [views.GetItemAsObject(n) for n in range(views.GetNumberOfItems())]
    assert len(found) == 9 and {node.GetID() for node in found} == {
        node.GetID() for node in flat.rows.views()
    }
    assert [node.GetLayoutLabel() for node in found][::3] == [
        "ENSAM",
        "Random walker",
        "Ellipsoid in the box",
    ]


def test_rows_show_the_volume_and_move_and_zoom_together(
    flat: ModelComparisonView, scene: Any, slicer_app: Any
) -> None:
    logics = []
    for node in flat.rows.views():
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(slicer_app.app_logic)
        logic.SetMRMLScene(scene)
        logic.SetSliceNode(node)
        slicer_app.app_logic.GetSliceLogics().AddItem(logic)
        logics.append(logic)
    axial = [logic for logic in logics if logic.GetSliceNode().GetOrientation() == "Axial"]
    coronal = next(g for g in logics if g.GetSliceNode().GetOrientation() == "Coronal")
    volume_node = flat._comparison.subject.volume_node
    assert all(
        logic.GetSliceCompositeNode().GetBackgroundVolumeID() == volume_node.GetID()
        for logic in logics
    )
    aside = coronal.GetSliceOffset()
    first = axial[0].GetSliceNode()
    axial[0].StartSliceOffsetInteraction()
    axial[0].SetSliceOffset(9.0)
    axial[0].EndSliceOffsetInteraction()
    axial[0].StartSliceNodeInteraction(first.FieldOfViewFlag)
    first.SetFieldOfView(33.0, 33.0, 1.0)
    axial[0].EndSliceNodeInteraction()
    try:
        assert [round(logic.GetSliceOffset(), 3) for logic in axial] == [9.0] * 3
        assert {logic.GetSliceNode().GetFieldOfView()[0] for logic in axial} == {33.0}
        assert coronal.GetSliceOffset() == aside
    finally:
        for logic in logics:
            slicer_app.app_logic.GetSliceLogics().RemoveItem(logic)


def test_the_rows_are_brought_to_the_object(shown: ModelComparisonView) -> None:
    comparison = shown._comparison
    inside = np.argwhere(np.any([mask_of(comparison, m) for m in MODELS], axis=0))[:, ::-1]
    geometry = comparison.subject.volume.geometry
    # Half a voxel more on each side.
    places = geometry.ras_from_ijk(np.vstack([inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5]))
    for node in shown.rows.views():
        matrix = node.GetSliceToRAS()
        center = np.array([matrix.GetElement(n, 3) for n in range(3)])
        assert np.allclose(center, places.mean(axis=0), atol=0.6 * max(geometry.spacing_ijk_mm))
        assert min(node.GetFieldOfView()[:2]) >= 39


def test_outlines_of_all_models_lie_in_the_users_own_views(
    flat: ModelComparisonView, layout: Any
) -> None:
    flat.arrangement = "outlines"
    flat.update()
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    for node in flat.outlines.nodes.values():
        display = node.GetDisplayNode()
        assert display.GetNumberOfViewNodeIDs() == 0
        assert display.GetVisibility2DOutline() and not display.GetVisibility2DFill()
        assert not display.GetVisibility3D()
    flat.hidden = frozenset({"ensam"})
    flat.update()
    nodes = flat.outlines.nodes
    assert not nodes["ensam"].GetDisplayNode().GetVisibility()
    assert nodes["randomwalk"].GetDisplayNode().GetVisibility()
    flat.arrangement = "rows"
    flat.update()
    assert layout.GetViewArrangement() == LAYOUT


def test_one_object_is_shown_at_a_time(view: ModelComparisonView, layout: Any, plain: Any) -> None:
    logic = view._comparison._logic
    logic.set_volume(plain)
    boxes = [Box.from_ijk(logic.volume.geometry, (n, 3, 3), (n + 3, 8, 8)) for n in (2, 9)]
    add_boxes(logic, boxes)
    logic.pump()
    view._comparison.start(MODELS[:2])
    settle(view)
    display = view.outlines.nodes["ensam"].GetDisplayNode()
    assert display.GetSegmentVisibility("1") and not display.GetSegmentVisibility("2")
    view.label = 2
    view.update()
    assert display.GetSegmentVisibility("2") and not display.GetSegmentVisibility("1")


def test_the_map_shows_where_the_models_disagree(shown: ModelComparisonView) -> None:
    shown.shows_map = True
    shown.update()
    settle(shown)
    found = volume_from_node(shown.overlay.node)
    masks = [mask_of(shown._comparison, model) for model in MODELS]
    votes = np.sum(masks, axis=0)
    split = (votes > 0) & (votes < 3)
    geometry = shown._comparison.subject.volume.geometry
    places = geometry.ras_from_ijk(np.argwhere(split)[:, ::-1])
    here = np.rint(found.geometry.ijk_from_ras(places)).astype(int)[:, ::-1]
    assert np.allclose(found.array_kji[tuple(here.T)], 2 / 3)
    assert np.count_nonzero(found.array_kji) == split.sum() > 0
    shown.shows_map = False
    shown.update()
    assert shown.overlay.node is None


def test_closing_gives_the_layout_back_and_leaves_the_table_alone(
    flat: ModelComparisonView, layout: Any, scene: Any
) -> None:
    flat.shows_map = True
    settle(flat)
    flat._comparison.close()
    flat.update()
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    names = [scene.GetNthNode(n).GetName() or "" for n in range(scene.GetNumberOfNodes())]
    assert not [name for name in names if name.startswith(("Comparison", "MedSegFM dis"))]
    assert scene.GetNodesByClass("vtkMRMLTableNode").GetNumberOfItems() == 1


def test_a_layout_that_the_user_chose_meanwhile_stays(
    flat: ModelComparisonView, layout: Any
) -> None:
    layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    flat._comparison.close()
    flat.update()
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUpRedSliceView


def test_the_table_node_has_names_units_and_numbers(flat: ModelComparisonView) -> None:
    node, table = flat.table.node, table_of(flat._comparison)
    assert node.GetName() == "Models on volume" and node.GetNumberOfRows() == 3
    names = [node.GetColumnName(n) for n in range(node.GetNumberOfColumns())]
    assert names == [column.title for column in table.columns]
    units = {c.title: node.GetColumnUnitLabel(c.title) for c in table.columns if c.unit}
    assert units.items() >= {"Volume": "ml", "Time": "s", "Peak memory": "MB"}.items()
    column = node.GetTable().GetColumnByName("Volume")
    assert [column.GetValue(n) for n in range(3)] == pytest.approx([0.75] * 3)
    assert np.isnan(node.GetTable().GetColumnByName("Dice").GetValue(0)), "there is no reference"


def test_text_for_a_spreadsheet_and_csv(flat: ModelComparisonView, tmp_path: Path) -> None:
    table = table_of(flat._comparison)
    lines = table.text().splitlines()
    assert lines[0].split("\t")[:3] == ["Object", "Model", "Dice"] and len(lines) == 4
    assert "Volume (ml)" in lines[0].split("\t")
    table.write_csv(tmp_path / "table.csv")
    assert "Segment_1,ENSAM,," in (tmp_path / "table.csv").read_text(encoding="utf-8")


def test_a_saved_scene_has_the_table_and_the_users_layout(
    flat: ModelComparisonView, layout: Any, scene: Any, tmp_path: Path
) -> None:
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path))
    assert layout.GetViewArrangement() == LAYOUT, "it is still shown"
    scene.Clear(False)
    flat._comparison._logic.pump()
    flat._comparison.pump()
    flat.update()
    assert scene.ReadFromMRB(str(path))
    flat.mend()
    found = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert found.GetViewArrangement() == found.SlicerLayoutFourUpView
    table = scene.GetFirstNodeByClass("vtkMRMLTableNode")
    assert table.GetNumberOfRows() == 3
    assert table.GetColumnUnitLabel("Volume") == "ml"
    assert scene.GetFirstNodeByName("Comparison: ENSAM") is None
