"""The Consistency section, clicked as a user does, with the real model in its real worker."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QKeySequence


def press(desk: Any, key: str) -> None:
    """What a key does while the module is open."""
    (shortcut,) = [s for s in desk.panel._shortcuts._shortcuts if s.key == QKeySequence(key)]
    assert shortcut.enabled
    shortcut.activated.emit()


def compare(desk: Any, place: tuple[float, float, float] = (14, 12, 12)) -> Any:
    """One click beside the middle of a noisy ball, the switch on, and what was found."""
    desk.load(noise=90)
    desk.ui.showConsistency.click()
    desk.ui.positiveButton.click()
    desk.click_in_view(place)
    desk.ui.positiveButton.click()
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)
    return desk.panel.logic.consistency.current


def layout_node() -> Any:
    import slicer

    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    return node or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")


def test_the_section_is_off_and_says_what_it_costs(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    ui = desk.ui
    assert not ui.showConsistency.checked and "three times" in ui.consistencyHint.text
    for button in (ui.worstSpotButton, ui.belongsButton, ui.notPartButton, ui.plotButton):
        assert not button.enabled
    assert ui.mapRow.isHidden() and ui.contourRow.isHidden()
    for _ in range(3):
        desk.panel.pump()
    assert (
        desk.panel.logic.consistency.current is None
        and not desk.panel.logic.consistency.is_measuring
    )


def test_the_segment_is_there_and_prompts_go_on_while_the_planes_are_compared(desk: Any) -> None:
    desk.load()
    desk.ui.showConsistency.click()
    assert "Draw a box" in desk.ui.consistencyHint.text
    desk.box_the_ball()
    assert desk.panel.logic.consistency.is_measuring and desk.mask().any()
    assert desk.ui.statusLabel.text.startswith("Done.")
    assert desk.ui.consistencyHint.text == "Comparing the planes…"
    desk.panel.pump()
    assert desk.ui.progressBar.format.startswith("Comparing the planes")
    assert desk.ui.cancelButton.enabled and desk.ui.boxButton.enabled
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)
    assert desk.ui.statusLabel.text.startswith("Done.") and not desk.ui.cancelButton.enabled
    assert desk.panel.logic.consistency.current is not None


def test_what_was_found_is_said_and_a_spot_is_gone_to_with_a_button_or_a_key(desk: Any) -> None:
    import slicer

    found = compare(desk)
    ui = desk.ui
    assert f"Agreement of the planes: {found.agreement:.2f}" in ui.consistencyScores.text
    assert f"{found.expected_dice:.2f}" in ui.consistencyScores.text
    assert found.hot_spots and ui.worstSpotButton.enabled and ui.consistencyHint.isHidden()
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    geometry = desk.panel.logic.volume.geometry
    for n, go in enumerate((ui.worstSpotButton.click, lambda: press(desk, "Shift+W"))):
        go()
        spot = found.hot_spots[n % len(found.hot_spots)]
        place = geometry.ras_from_ijk(spot.click_kji[::-1])
        assert np.allclose(crosshair.GetCrosshairRAS(), place)
        assert f"{spot.voxels:,} voxels" in ui.spotLabel.text
    assert ui.worstSpotButton.text == "Next spot"


@pytest.mark.parametrize("belongs", [True, False])
@pytest.mark.parametrize("how", ["button", "key"])
def test_the_panel_asks_about_a_place_and_the_answer_is_a_prompt(
    desk: Any, how: str, belongs: bool
) -> None:
    found = compare(desk)
    ui, spot = desk.ui, found.suggestion
    name = desk.panel.logic.prompts.name(1)
    assert ui.doubtQuestion.text == f"Does the place with the diamond belong to {name}?"
    if how == "button":
        (ui.belongsButton if belongs else ui.notPartButton).click()
    else:
        press(desk, "Shift+G" if belongs else "Shift+H")
    assert ui.promptTable.rowCount == 2 and not ui.belongsButton.enabled
    assert ui.doubtQuestion.isHidden()
    label, click = desk.panel.logic.prompts.entries[-1]
    assert label == 1 and click.positive == belongs
    desk.wait()
    assert desk.mask()[spot.click_kji] == click.positive
    ui.undoButton.click()
    assert ui.promptTable.rowCount == 1


def test_cancel_stops_the_comparison_and_the_segment_stays(desk: Any) -> None:
    desk.load()
    desk.ui.showConsistency.click()
    desk.box_the_ball()
    mask = desk.mask()
    assert desk.panel.logic.consistency.is_measuring
    desk.ui.cancelButton.click()
    desk.wait(lambda: not desk.panel.logic.consistency.is_measuring)
    assert np.array_equal(desk.mask(), mask) and not desk.ui.cancelButton.enabled
    assert "next prompt" in desk.ui.consistencyHint.text
    desk.ui.showConsistency.click()
    desk.ui.showConsistency.click()
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)


def test_without_auto_run_the_comparison_follows_run(desk: Any) -> None:
    desk.load()
    desk.ui.autoRun.click()
    desk.ui.showConsistency.click()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    assert "once the segment is ready" in desk.ui.consistencyHint.text
    desk.ui.runButton.click()
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)
    assert desk.mask().any() and not desk.panel.logic.requests.is_held


def test_the_outlines_have_a_switch_and_a_legend(desk: Any) -> None:
    compare(desk)
    view = desk.panel.logic.consistency_view
    assert all(name in desk.ui.planesLegend.text for name in ("axial", "coronal", "sagittal"))
    assert view.contours.node is not None
    desk.ui.showContours.click()
    assert view.contours.node is None and view.overlay.node is not None
    desk.ui.showContours.click()
    assert view.contours.node is not None


def test_the_chart_comes_into_the_layout_and_leaves_it_as_it_was(desk: Any) -> None:
    import slicer

    layout = layout_node()
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    compare(desk)
    selection = slicer.app.applicationLogic().GetSelectionNode()
    desk.ui.plotButton.click()
    chart = desk.panel.logic.consistency_view.plot.chart
    assert selection.GetActivePlotChartID() == chart.GetID()
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpPlotView
    desk.ui.belongsButton.click()
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)
    chart = desk.panel.logic.consistency_view.plot.chart
    assert selection.GetActivePlotChartID() == chart.GetID()
    desk.ui.plotButton.click()
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView


def test_a_layout_that_the_user_chose_beside_the_chart_stays(desk: Any) -> None:
    layout = layout_node()
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    compare(desk)
    desk.ui.plotButton.click()
    layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    desk.ui.plotButton.click()
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUpRedSliceView


def test_the_map_is_in_no_list_of_volumes(desk: Any) -> None:
    compare(desk)
    selector = desk.ui.volumeSelector
    assert [selector.itemText(n) for n in range(selector.count)] == ["Ball"]


def test_the_switch_is_saved_with_the_scene_and_what_it_shows_is_not(
    desk: Any, tmp_path: Path
) -> None:
    import slicer

    compare(desk)
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    with zipfile.ZipFile(path) as archive:
        [scene] = [name for name in archive.namelist() if name.endswith(".mrml")]
        saved = archive.read(scene).decode()
    assert desk.panel.logic.volume_node.GetName() in saved
    assert "MedSegFM planes" not in saved
    slicer.mrmlScene.Clear()
    desk.wait()
    assert not desk.ui.showConsistency.checked and desk.panel.logic.consistency.current is None
    assert slicer.mrmlScene.ReadFromMRB(path)
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)
    assert desk.ui.showConsistency.checked and desk.ui.promptTable.rowCount == 1


@pytest.mark.parametrize("what", ["scene", "volume"])
def test_what_is_shown_goes_with_the_scene_or_the_volume(desk: Any, what: str) -> None:
    import slicer

    compare(desk)
    if what == "scene":
        slicer.mrmlScene.Clear()
    else:
        slicer.mrmlScene.RemoveNode(desk.panel.logic.volume_node)
    desk.wait()
    for name in ("MedSegFM disagreement", "MedSegFM planes", "MedSegFM suggestion"):
        assert slicer.mrmlScene.GetFirstNodeByName(name) is None
    assert not desk.ui.worstSpotButton.enabled and desk.ui.consistencyScores.text == ""
