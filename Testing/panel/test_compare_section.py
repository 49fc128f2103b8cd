"""The section "Compare models", clicked as a user does, with real models in the real worker."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host.panel_driver import PANEL_PIXELS

from MedSegFMLib.mrml.comparison.results import Stage

TICK_AND_COLOUR_PIXELS = 42


def tick(desk: Any, *names: str) -> None:
    """Tick these models and no others."""
    import qt

    models = desk.ui.compareModels
    for n in range(models.count):
        item = models.item(n)
        on = item.data(qt.Qt.UserRole) in names
        item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)


def finish(desk: Any) -> None:
    section = desk.panel.comparing
    desk.wait(lambda: not section.comparison.is_computing)
    desk.panel.pump()


def select(desk: Any, title: str) -> None:
    table = desk.ui.compareTable
    table.selectRow(next(n for n in range(table.rowCount) if table.item(n, 0).text() == title))


def column(desk: Any, tip: str) -> list[Any]:
    """A column of the table by the first line of its heading's tool tip."""
    import qt

    table = desk.ui.compareTable
    place = next(
        n
        for n in range(table.columnCount)
        if table.horizontalHeaderItem(n).toolTip().splitlines()[0] == tip
    )
    return [table.item(row, place).data(qt.Qt.DisplayRole) for row in range(table.rowCount)]


@pytest.fixture
def boxed(desk: Any) -> Any:
    """The ball in a box, answered by the ellipsoid, and the section open with two quick models."""
    desk.ui.compareSection.collapsed = False
    desk.load()
    desk.panel.parameters.model = type(desk.panel.parameters.model)["ellipsoid"]
    desk.box_the_ball()
    tick(desk, "ellipsoid", "randomwalk")
    return desk


@pytest.fixture
def compared(boxed: Any) -> Any:
    """The same, compared."""
    boxed.ui.compareButton.click()
    finish(boxed)
    return boxed


def test_what_is_lacking_is_said_and_the_button_waits(desk: Any) -> None:
    ui = desk.ui
    desk.panel.refresh()
    assert "choose a volume" in ui.compareHint.text and not ui.compareButton.enabled
    desk.load()
    assert "Draw a box" in ui.compareHint.text and not ui.compareButton.enabled
    assert ui.compareResults.isHidden() and not ui.compareCloseButton.enabled
    desk.box_the_ball()
    assert ui.compareButton.enabled and "are not changed" in ui.compareHint.text
    tick(desk, "ensam")
    assert "Tick 2 to 6 models" in ui.compareHint.text and not ui.compareButton.enabled


def test_models_are_compared_and_the_table_tells_of_them(compared: Any) -> None:
    ui = compared.ui
    assert column(compared, "Model") == ["Random walker", "Ellipsoid in the box"]
    assert all(value > 0 for value in column(compared, "Volume (ml)"))
    assert all(value > 10 for value in column(compared, "Peak memory (MB)"))
    assert column(compared, "Dice") == ["", ""] and ui.compareStatus.isHidden()
    assert [ui.compareReference.itemText(n) for n in range(2)] == [
        "None",
        "Segment_1 (Ball segmentation)",
    ]
    ui.compareReference.setCurrentIndex(1)
    finish(compared)
    assert column(compared, "Dice")[1] == 1, "the segment is the ellipsoid's own"
    assert 0 < column(compared, "Dice")[0] < 1
    assert column(compared, "Surface Dice at 2 mm")[1] == 1
    ui.compareReference.setCurrentIndex(0)
    finish(compared)
    assert column(compared, "Dice") == ["", ""]


def test_rows_are_sorted_by_number_and_the_selected_one_stays_selected(compared: Any) -> None:
    import qt

    table = compared.ui.compareTable
    select(compared, "Ellipsoid in the box")
    place = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)].index("ml")
    for order in (qt.Qt.AscendingOrder, qt.Qt.DescendingOrder):
        table.sortItems(place, order)
        values = column(compared, "Volume (ml)")
        assert values == sorted(values, reverse=order == qt.Qt.DescendingOrder)
        assert compared.panel.comparing._table.model() == "ellipsoid"
    compared.ui.compareReference.setCurrentIndex(1)
    finish(compared)
    assert compared.panel.comparing._table.model() == "ellipsoid"
    assert column(compared, "Volume (ml)") == values, "it is still sorted"


def test_take_this_one_makes_the_result_the_segment_and_undo_brings_it_back(compared: Any) -> None:
    ui, logic = compared.ui, compared.panel.logic
    before = compared.mask()
    assert not ui.takeButton.enabled
    select(compared, "Random walker")
    assert ui.takeButton.enabled
    ui.takeButton.click()
    found = compared.panel.comparing.comparison.result("randomwalk").masks[1]
    expected = np.zeros_like(before)
    expected[found.region.slices] = found.mask_kji
    assert np.array_equal(compared.mask(), expected) and not np.array_equal(expected, before)
    compared.panel.pump()
    assert len(logic.prompts.entries) == 1 and ui.undoButton.enabled
    ui.undoButton.click()
    assert np.array_equal(compared.mask(), before) and ui.redoButton.enabled
    ui.redoButton.click()
    assert np.array_equal(compared.mask(), expected)
    compared.ui.lockSegment.click()
    select(compared, "Ellipsoid in the box")
    ui.takeButton.click()
    assert "locked" in ui.statusLabel.text and np.array_equal(compared.mask(), expected)


def _checked() -> Any:
    import qt

    return qt.Qt.Checked


def test_the_table_is_copied_and_saved(compared: Any, tmp_path: Path) -> None:
    import qt

    compared.ui.copyTableButton.click()
    pasted = [line.split("\t") for line in qt.QApplication.clipboard().text().splitlines()]
    assert len(pasted) == 3 and pasted[0][:2] == ["Object", "Model"]
    compared.panel.dialogs.path = str(tmp_path / "models.csv")
    compared.ui.saveTableButton.click()
    with (tmp_path / "models.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == pasted


def test_a_consensus_becomes_a_segment_that_can_be_the_reference(compared: Any) -> None:
    logic, ui = compared.panel.logic, compared.ui
    before = compared.mask()
    ui.consensusMethod.setCurrentIndex(1)
    ui.consensusButton.click()
    segmentation = logic.segments.node.GetSegmentation()
    compared.wait(lambda: segmentation.GetNumberOfSegments() == 2)
    compared.panel.comparing._update()
    titles = [ui.compareReference.itemText(n) for n in range(ui.compareReference.count)]
    assert "Segment_1 consensus (majority) (Ball segmentation)" in titles
    assert np.array_equal(compared.mask(), before) and logic.prompts.labels == (1,)


def test_missing_weights_and_prompts_that_are_not_taken_stand_below_the_table(boxed: Any) -> None:
    tick(boxed, "sam", "sam3d", "ellipsoid", "randomwalk")
    boxed.ui.compareButton.click()
    finish(boxed)
    notes = boxed.ui.compareNotes.text
    assert "SAM in three planes: Its weights are not installed yet" in notes and "SAM3D: " in notes
    assert "medsegfm" not in notes and "randomwalk" not in notes, "neither commands nor names"
    stages = [found.stage for found in boxed.panel.comparing.comparison.results]
    assert stages.count(Stage.DONE) == 2 and stages.count(Stage.FAILED) == 2
    select(boxed, "SAM in three planes")
    assert not boxed.ui.takeButton.enabled


def test_prompts_go_on_while_models_are_compared(boxed: Any) -> None:
    tick(boxed, "ellipsoid", "randomwalk", "ensam")
    boxed.ui.compareButton.click()
    assert not boxed.ui.compareProgress.isHidden() and boxed.ui.compareStatus.text
    boxed.ui.undoButton.click()
    boxed.ui.redoButton.click()
    boxed.panel.logic.predict()
    boxed.wait()
    assert boxed.mask().any()
    finish(boxed)
    stages = [found.stage for found in boxed.panel.comparing.comparison.results]
    assert stages == [Stage.DONE] * 3


def test_without_auto_run_a_comparison_runs_and_the_users_prompts_wait(boxed: Any) -> None:
    boxed.ui.autoRun.click()
    boxed.ui.undoButton.click()
    boxed.draw_box((8, 6, 6), (26, 24, 30))
    boxed.wait(lambda: boxed.ui.promptTable.rowCount == 1)
    assert boxed.panel.logic.requests.is_held
    boxed.ui.compareConsistency.checked = True
    boxed.ui.compareButton.click()
    finish(boxed)
    stages = [found.stage for found in boxed.panel.comparing.comparison.results]
    assert (
        stages == [Stage.DONE] * 2 and not boxed.mask().any() and boxed.panel.logic.requests.is_held
    )
    boxed.ui.runButton.click()
    boxed.wait()
    assert boxed.mask().any()


def test_stop_asks_no_further_model(boxed: Any) -> None:
    tick(boxed, "ensam", "randomwalk", "ellipsoid")
    boxed.ui.compareButton.click()
    boxed.ui.compareCancelButton.click()
    assert boxed.ui.compareProgress.isHidden() and "Not run" in boxed.ui.compareNotes.text
    finish(boxed)
    assert boxed.mask().any() and boxed.ui.compareButton.enabled
    boxed.ui.compareButton.click()
    finish(boxed)
    assert boxed.ui.compareNotes.isHidden()


def test_saved_prompts_run_the_same_comparison(compared: Any, tmp_path: Path) -> None:
    ui = compared.ui
    volumes = column(compared, "Volume (ml)")
    compared.panel.dialogs.path = str(tmp_path / "prompts.json")
    ui.savePromptsButton.click()
    ui.compareCloseButton.click()
    ui.resetButton.click()
    compared.wait()
    assert not ui.compareButton.enabled and ui.comparePromptsButton.enabled
    ui.comparePromptsButton.click()
    finish(compared)
    assert column(compared, "Volume (ml)") == volumes and not compared.mask().any()
    (tmp_path / "prompts.json").write_text("{}")
    ui.comparePromptsButton.click()
    assert "prompts.json" in ui.statusLabel.text


def test_models_and_prompts_are_saved_with_the_scene_and_compared_again(
    compared: Any, tmp_path: Path
) -> None:
    import slicer

    volumes = column(compared, "Volume (ml)")
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear()
    compared.wait()
    assert compared.ui.compareResults.isHidden()
    assert slicer.mrmlScene.ReadFromMRB(path)
    compared.wait(lambda: compared.ui.promptTable.rowCount == 1)
    assert compared.panel.comparing._models.ticked() == ["randomwalk", "ellipsoid"]
    compared.wait()
    compared.ui.compareButton.click()
    finish(compared)
    assert column(compared, "Volume (ml)") == volumes
    tables = slicer.mrmlScene.GetNodesByClass("vtkMRMLTableNode")
    assert tables.GetNumberOfItems() == 2, "that of before was saved"


def test_views_are_arranged_and_given_back(compared: Any) -> None:
    import slicer

    ui, layout = compared.ui, slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    rows = compared.panel.comparing.view.rows
    assert rows.is_shown and ui.compareLegend.isHidden()
    ui.compareArrangement.setCurrentIndex(1)
    assert not rows.is_shown and "Ellipsoid" in ui.compareLegend.text
    ui.compareArrangement.setCurrentIndex(0)
    assert rows.is_shown
    ui.compareCloseButton.click()
    assert not rows.is_shown and ui.compareResults.isHidden() and layout is not None
    assert slicer.mrmlScene.GetFirstNodeByName("Comparison: Ellipsoid in the box") is None


def test_a_model_is_hidden_in_the_views_with_its_tick(compared: Any) -> None:
    import qt

    node = compared.panel.comparing.view.outlines.nodes["randomwalk"]
    compared.ui.compareTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    assert not node.GetDisplayNode().GetVisibility()
    compared.ui.compareTable.item(0, 0).setCheckState(qt.Qt.Checked)
    assert node.GetDisplayNode().GetVisibility()


def test_one_map_is_shown_at_a_time(compared: Any) -> None:
    ui, view = compared.ui, compared.panel.comparing.view
    ui.compareMap.click()
    compared.wait(lambda: view.overlay.node is not None)
    assert not ui.showConsistency.checked
    ui.showConsistency.click()
    assert not ui.compareMap.checked and view.overlay.node is None
    ui.compareMap.click()
    assert not ui.showConsistency.checked


@pytest.mark.parametrize("what", ["scene", "volume"])
def test_results_go_with_the_scene_or_the_volume(compared: Any, what: str) -> None:
    import slicer

    if what == "scene":
        slicer.mrmlScene.Clear()
    else:
        slicer.mrmlScene.RemoveNode(compared.panel.logic.volume_node)
    compared.wait()
    assert not compared.panel.comparing.comparison.is_open
    assert compared.ui.compareResults.isHidden()
    assert slicer.mrmlScene.GetFirstNodeByName("Comparison: Ellipsoid in the box") is None


def test_a_model_with_the_users_options_is_compared_beside_the_model_itself(boxed: Any) -> None:
    import qt

    boxed.panel.parameters.modelOptions = '{"ensam": {"refine": "no"}}'
    models = boxed.ui.compareModels
    texts = [models.item(n).data(qt.Qt.UserRole) for n in range(models.count)]
    assert texts.count("ensam?refine=no") == 1 and "ensam" in texts
    tick(boxed, "ellipsoid", "ensam?refine=no")
    assert boxed.panel.parameters.compareModels == "ellipsoid,ensam?refine=no"
    boxed.ui.compareButton.click()
    finish(boxed)
    assert column(boxed, "Model") == ["Ellipsoid in the box", "ENSAM (refine=no)"]
    assert all(value > 0 for value in column(boxed, "Volume (ml)"))


def test_whole_names_and_times_are_seen_in_a_panel_of_400_pixels(boxed: Any) -> None:
    from PySide6.QtCore import Qt

    tick(boxed, "ellipsoid", "randomwalk", "ensam")
    boxed.ui.compareButton.click()
    finish(boxed)
    boxed.ui.moreSection.collapsed = False
    boxed.show()
    table = boxed.ui.compareTable
    metrics = table.fontMetrics()
    shown = [n for n in range(table.columnCount) if not table.isColumnHidden(n)]
    assert [table.horizontalHeaderItem(n).text() for n in shown[:2]] == ["Model", "s"]
    for n in shown:
        heading = table.horizontalHeaderItem(n).text()
        assert metrics.horizontalAdvance(heading) <= table.columnWidth(n), "no heading is cut"
    assert boxed.widget.parent.width == PANEL_PIXELS
    end = table.columnViewportPosition(shown[1]) + table.columnWidth(shown[1])
    assert end <= table.viewport().width(), "names and times are there without scrolling"
    for row in range(table.rowCount):
        cell = table.visualItemRect(table.item(row, 0))
        room = cell.width() - TICK_AND_COLOUR_PIXELS
        name, wrap = table.item(row, 0).text(), int(Qt.TextFlag.TextWordWrap)
        text = metrics.boundingRect(0, 0, room, 1000, wrap, name)
        assert text.width() <= room and text.height() <= cell.height(), f"{name} is cut"
