"""Saving, measuring, cleaning up and freezing segments in the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import slices, write_files
from host.dicom_database import DicomDatabase
from host.panel_driver import Desk
from scene_helpers import add_transform, add_volume_node, paint_segment

from MedSegFMLib import Region, Volume
from MedSegFMLib.metrics.measurements import measure_segments
from MedSegFMLib.results.ledger import parse_ledger
from MedSegFMLib.results.replay import differences, read_result, replay
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation


@pytest.fixture
def ball(desk: Desk) -> Desk:
    """The ball, segmented by its box with a model that needs no packages."""
    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    desk.load()
    desk.box_the_ball()
    return desk


def keys(desk: Desk) -> list[str]:
    box = desk.ui.resultFormat
    return [box.itemData(n) for n in range(box.count)]


def save(desk: Desk, key: str, path: Path) -> None:
    desk.ui.resultFormat.currentIndex = keys(desk).index(key)
    desk.panel.dialogs.path = str(path)
    desk.ui.exportButton.click()


def test_the_first_screen_has_none_of_it(desk: Desk) -> None:
    assert desk.ui.resultsSection.collapsed and desk.ui.refineSection.collapsed
    assert not desk.ui.exportButton.enabled and not desk.ui.treatButton.enabled


def test_segments_and_ledger_are_saved_in_the_chosen_format(ball: Desk, tmp_path: Path) -> None:
    assert keys(ball) == ["labelmap", "segnrrd", "ledger"]
    save(ball, "segnrrd", tmp_path / "out")
    result, ledger = read_result(tmp_path / "out.seg.nrrd")
    (segment,) = result.segments
    assert segment.voxels == ball.mask().sum() and ledger.model == "randomwalk"
    assert "out.seg.nrrd" in ball.ui.statusLabel.text
    save(ball, "ledger", tmp_path / "how.json")
    prompts = parse_ledger((tmp_path / "how.json").read_text(), "how.json").prompts
    assert prompts == ball.panel.logic.prompts


@pytest.mark.parametrize("moved", [False, True])
def test_what_the_panel_saved_is_made_again_from_the_file_of_the_volume(
    ball: Desk, tmp_path: Path, moved: bool
) -> None:
    import slicer

    logic = ball.panel.logic
    # Other programs read the same file with wider types.
    volume = Volume(logic.volume.array_kji.astype(np.int32), logic.volume.geometry)
    if moved:
        shift = np.eye(4)
        shift[:3, 3] = (3, -4, 5)
        transform = add_transform(slicer.mrmlScene, shift)
        logic.volume_node.SetAndObserveTransformNodeID(transform.GetID())
        ball.wait()
    save(ball, "segnrrd", tmp_path / "out")
    result, ledger = read_result(tmp_path / "out.seg.nrrd")
    rows = differences(result, replay(ledger, volume, "the volume"))
    assert [(row.name, row.voxels) for row in rows] == [("Segment_1", 0)]


def test_what_cannot_be_written_is_one_sentence(ball: Desk, tmp_path: Path) -> None:
    save(ball, "segnrrd", tmp_path / "missing" / "out.seg.nrrd")
    assert "missing" in ball.ui.statusLabel.text and "Traceback" not in ball.ui.statusLabel.text
    ball.panel.dialogs.path = ""
    before = ball.ui.statusLabel.text
    ball.ui.exportButton.click()
    assert ball.ui.statusLabel.text == before


@pytest.fixture
def series(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A ball as a CT series that was loaded from Slicer's database, and its segment."""
    import slicer

    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    shape = (16, 30, 34)
    k, j, i = np.indices(shape)
    ball = ((k - 8) * 2.0) ** 2 + (j - 15) ** 2 + (i - 17) ** 2 <= 49
    noise = np.random.default_rng(0).normal(0, 5, shape)
    array = (ball * 300 + noise).astype(np.int16)
    write_files(tmp_path / "series", slices(array, step=(0, 0, 2.0), spacing=(1.0, 1.0)))
    volume = Volume.read(tmp_path / "series")
    database = DicomDatabase((tmp_path / "series").iterdir())
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume_node(slicer.mrmlScene, volume, "CT")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(database.uids))
    desk.ball = ball
    desk.wait()
    desk.panel.parameters.volume = node
    low = volume.geometry.ras_from_ijk((8, 6, 3)).tolist()
    high = volume.geometry.ras_from_ijk((26, 24, 13)).tolist()
    desk.draw_box(tuple(low), tuple(high))
    desk.wait(lambda: bool(desk.panel.logic.prompts.entries))
    desk.wait()
    assert desk.mask().any()
    return desk


def test_a_dicom_volume_is_saved_as_dicom_seg_while_the_panel_goes_on(
    series: Desk, tmp_path: Path
) -> None:
    series.ui.resultsSection.collapsed = False
    assert series.ui.saveProgressRow.isHidden() and "dicomseg" in keys(series)
    save(series, "dicomseg", tmp_path / "seg.dcm")
    assert not series.ui.saveProgressRow.isHidden() and not series.ui.exportButton.enabled
    series.wait(lambda: "were saved" in series.ui.statusLabel.text)
    assert series.ui.saveProgressRow.isHidden() and series.ui.exportButton.enabled
    (segment,) = Segmentation.read(tmp_path / "seg.dcm").segments
    assert segment.voxels == series.mask().sum()


def test_saving_is_cancelled_by_its_button(series: Desk, tmp_path: Path) -> None:
    save(series, "dicomseg", tmp_path / "seg.dcm")
    series.ui.saveCancelButton.click()
    series.wait(lambda: "stopped" in series.ui.statusLabel.text)
    assert not (tmp_path / "seg.dcm").exists() and series.ui.exportButton.enabled


def test_leaving_the_database_takes_the_format_away(series: Desk) -> None:
    series.ui.resultFormat.currentIndex = keys(series).index("dicomseg")
    series.panel.logic.volume_node.RemoveAttribute("DICOM.instanceUIDs")
    series.panel.refresh()
    assert "dicomseg" not in keys(series) and series.ui.resultFormat.currentIndex == 0


def table_of(desk: Desk) -> dict[str, list[Any]]:
    import slicer

    node_id = slicer.app.applicationLogic().GetSelectionNode().GetActiveTableID()
    table = slicer.mrmlScene.GetNodeByID(node_id).GetTable()
    columns = [table.GetColumn(n) for n in range(table.GetNumberOfColumns())]
    return {c.GetName(): [c.GetValue(n) for n in range(c.GetNumberOfTuples())] for c in columns}


@pytest.mark.parametrize("moved", [False, True])
def test_measure_shows_the_table_of_the_command_line(
    ball: Desk, tmp_path: Path, moved: bool
) -> None:
    import slicer

    logic = ball.panel.logic
    if moved:
        turn = np.eye(4)
        turn[:3, 3] = (3, 4, 5)
        turn[:2, :2] = [[0, -1], [1, 0]]
        transform = add_transform(slicer.mrmlScene, turn)
        logic.volume_node.SetAndObserveTransformNodeID(transform.GetID())
        ball.wait()
    node = logic.segments.node
    node.GetSegmentation().AddEmptySegment("hand", "by hand")
    paint_segment(node, "hand", logic.volume.geometry, Region((1, 1, 1), (3, 4, 5)))
    node.GetDisplayNode().SetSegmentVisibility("hand", False)
    ball.ui.measureButton.click()
    shown = table_of(ball)
    assert shown.pop("Segment") == ["Segment_1", "by hand"]
    assert "Voxel count" not in shown and "suv_peak" not in shown
    hand = np.zeros(ball.ball.shape, np.uint8)
    hand[1:3, 1:4, 1:5] = 2
    labels = Volume(np.where(ball.mask(), np.uint8(1), hand), logic.volume.geometry)
    rows = measure_segments(Segmentation.from_labelmap(labels), logic.volume)
    assert set(shown) >= {"voxels", "volume_ml", "surface_mm2", "diameter_mm", "mean", "sd"}
    for name, values in shown.items():
        assert values == pytest.approx([getattr(row, name) for row in rows], rel=1e-6), name


def test_measuring_twice_gives_one_table_and_leaves_the_users_settings(ball: Desk) -> None:
    import slicer
    from SegmentStatistics import SegmentStatisticsLogic

    own = SegmentStatisticsLogic().getParameterNode()
    before = own.GetParameter("LabelmapSegmentStatisticsPlugin.enabled")
    ball.ui.measureButton.click()
    ball.ui.measureButton.click()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert own.GetParameter("LabelmapSegmentStatisticsPlugin.enabled") == before == "True"
    assert not own.GetParameter("Segmentation")


def test_a_pet_in_suv_has_its_peak_in_the_table(ball: Desk) -> None:
    import slicer

    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight")
    ball.panel.logic.volume_node.SetVoxelValueUnits(units)
    ball.ui.measureButton.click()
    assert table_of(ball)["suv_peak"][0] == pytest.approx(300, abs=20)


def test_the_plugin_is_there_once_after_reload(ball: Desk) -> None:
    from SegmentStatistics import SegmentStatisticsLogic

    ball.reload()
    names = [plugin.__name__ for plugin in SegmentStatisticsLogic.registeredPlugins]
    assert names.count("MedSegFMMeasurementsPlugin") == 1


def test_a_clean_up_is_applied_and_undone(ball: Desk) -> None:
    ui = ball.ui
    ui.positiveButton.click()
    ball.click_in_view((2, 2, 2))
    ball.wait(lambda: ui.promptTable.rowCount == 2)
    ui.positiveButton.click()
    ball.wait()
    before = ball.mask()
    assert before[1, 2, 2] and not ui.treatButton.enabled
    ui.largestPart.click()
    assert ui.treatButton.enabled
    ui.treatButton.click()
    assert not ball.mask()[1, 2, 2] and "Undo" in ui.statusLabel.text
    ui.undoButton.click()
    ball.wait()
    assert np.array_equal(ball.mask(), before)
    ui.redoButton.click()
    ball.wait()
    assert not ball.mask()[1, 2, 2]


def test_a_locked_segment_is_not_cleaned_up(ball: Desk) -> None:
    ball.ui.lockSegment.click()
    before = ball.mask()
    ball.ui.smoothMm.value = 3.0
    ball.ui.treatButton.click()
    assert "locked" in ball.ui.statusLabel.text and np.array_equal(ball.mask(), before)


def test_frozen_slices_stay_through_a_click_and_are_thawed_by_undo(ball: Desk) -> None:
    ui = ball.ui
    assert (ui.freezeFrom.value, ui.freezeTo.value) == (0, ball.ball.shape[0] - 1)
    before = ball.mask()
    ui.freezeTo.value = 12
    ui.freezeSlicesButton.click()
    ball.wait()
    assert ui.promptTable.item(1, 0).text() == "Frozen"
    ui.negativeButton.click()
    ball.click_in_view((17, 15, 27))
    ball.wait(lambda: ui.promptTable.rowCount == 3)
    ui.negativeButton.click()
    ball.wait()
    assert np.array_equal(ball.mask()[:13], before[:13])
    for _ in range(2):
        ui.undoButton.click()
        ball.wait()
    assert ui.promptTable.rowCount == 1 and np.array_equal(ball.mask(), before)
    ui.freezeFrom.value, ui.freezeTo.value = 9, 4
    ui.freezeSlicesButton.click()
    assert "9 to 4" in ui.statusLabel.text and ui.promptTable.rowCount == 1


def test_the_selected_box_is_frozen(ball: Desk) -> None:
    assert not ball.ui.freezeBoxButton.enabled
    ball.ui.promptTable.selectRow(0)
    ball.panel.refresh()
    ball.ui.freezeBoxButton.click()
    ball.wait()
    assert ball.ui.promptTable.item(1, 0).text() == "Frozen"
