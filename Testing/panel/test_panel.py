"""The panel, used by its real widgets with the real scene logic and worker."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host.panel_driver import PANEL_PIXELS, Desk
from waiting import wait_until

from MedSegFMLib import Volume
from MedSegFMLib.registry import DEFAULT_MODEL


def test_a_box_drawn_with_the_button_gives_a_segment(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    mask = desk.mask()
    assert (mask & desk.ball).sum() > 0.95 * desk.ball.sum()
    assert mask.sum() < 2 * desk.ball.sum()
    assert "voxels" in desk.ui.changeLabel.text
    assert desk.ui.statusLabel.text.startswith("Done.")
    assert desk.ui.promptTable.rowCount == 1
    assert not desk.ui.boxButton.checked


def test_the_panel_says_how_good_the_segment_is_and_when_to_stop(desk: Any) -> None:
    desk.load(noise=90)
    desk.box_the_ball()
    bound = re.search(r"Dice at least (0\.\d\d) in 9 of 10 such cases\.", desk.ui.statusLabel.text)
    assert bound is not None and "changed little" not in desk.ui.statusLabel.text
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert "changed little" not in desk.ui.statusLabel.text, "the segment has this voxel already"
    assert "Dice at least" in desk.ui.statusLabel.text
    k, j, i = np.argwhere(desk.mask() & ~desk.ball)[0].tolist()
    desk.ui.negativeButton.click()
    desk.click_in_view((i, j, 1.5 * k))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 3)
    desk.wait()
    assert "The last click changed little" in desk.ui.statusLabel.text


def test_a_line_across_the_object_gives_a_segment_as_a_box_does(desk: Any) -> None:
    desk.load()
    desk.ui.lineButton.click()
    assert "longest diameter" in desk.ui.promptHint.text
    desk.click_in_view((10, 15, 18))
    desk.click_in_view((24, 15, 18))
    desk.leave_place_mode()
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    desk.wait()
    mask = desk.mask()
    assert (mask & desk.ball).sum() > 0.8 * desk.ball.sum()
    assert mask.sum() < 2 * desk.ball.sum()
    cells = [desk.ui.promptTable.item(0, column).text() for column in (0, 2)]
    assert cells == ["Line", "17, 15, 18; 14.0 mm long"]
    assert not desk.ui.lineButton.checked


def test_clicks_of_both_signs_go_on_until_the_button_is_released(desk: Any) -> None:
    desk.load()
    desk.ui.positiveButton.click()
    assert "Click on the object" in desk.ui.promptHint.text
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: len(desk.panel.logic.prompts.entries) == 1)
    desk.click_in_view((19, 15, 18))
    desk.wait(lambda: len(desk.panel.logic.prompts.entries) == 2)
    assert desk.ui.positiveButton.checked
    desk.ui.negativeButton.click()
    assert not desk.ui.positiveButton.checked
    desk.click_in_view((30, 27, 4.5))
    desk.wait(lambda: len(desk.panel.logic.prompts.entries) == 3)
    desk.wait()
    desk.ui.negativeButton.click()
    words = [desk.ui.promptTable.item(row, 0).text() for row in range(3)]
    assert words == ["+ Click", "+ Click", "− Click"]
    assert desk.mask()[12, 15, 17]


def test_a_lasso_is_taken_when_its_drawing_ends(desk: Any) -> None:
    desk.load()
    desk.ui.lassoButton.click()
    for corner in ((13, 11, 18), (21, 11, 18), (21, 19, 18), (13, 19, 18)):
        desk.click_in_view(corner)
    desk.leave_place_mode()
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    assert desk.ui.promptTable.item(0, 0).text() == "+ Lasso"
    assert not desk.ui.lassoButton.checked


def test_undo_redo_and_reset_follow_the_prompts(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    first = desk.mask()
    desk.ui.undoButton.click()
    desk.wait()
    assert desk.ui.promptTable.rowCount == 0 and desk.ui.redoButton.enabled
    desk.ui.redoButton.click()
    desk.wait()
    assert np.array_equal(desk.mask(), first)
    desk.ui.resetButton.click()
    desk.wait()
    assert desk.ui.promptTable.rowCount == 0 and not desk.mask().any()
    desk.ui.undoButton.click()
    desk.wait()
    assert np.array_equal(desk.mask(), first)


def test_an_earlier_prompt_is_deleted_from_the_list(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    desk.ui.negativeButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert not desk.ui.deletePromptButton.enabled
    desk.ui.promptTable.selectRow(1)
    assert desk.ui.deletePromptButton.enabled
    desk.ui.deletePromptButton.click()
    desk.wait()
    assert [desk.ui.promptTable.item(0, 0).text()] == ["Box"]
    assert desk.ui.promptTable.rowCount == 1


def test_a_prompt_is_moved_to_where_the_user_clicks_next(desk: Any) -> None:
    desk.load()
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    desk.ui.promptTable.selectRow(0)
    desk.ui.movePromptButton.click()
    assert desk.ui.movePromptButton.checked
    desk.click_in_view((14, 15, 18))
    desk.leave_place_mode()
    desk.wait()
    assert desk.ui.promptTable.item(0, 2).text() == "14, 15, 18"
    assert not desk.ui.movePromptButton.checked


def test_the_next_segment_takes_the_next_prompts(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    desk.ui.nextSegmentButton.click()
    desk.ui.positiveButton.click()
    desk.click_in_view((2, 2, 3))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert desk.ui.promptTable.item(1, 1).text() == "Segment_2"
    assert len(desk.segment_names()) == 2


def test_each_further_box_is_a_new_segment_if_the_user_asks_for_it(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    desk.draw_box((2, 2, 4), (6, 6, 9))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    assert len(desk.segment_names()) == 1, "by default both boxes are for one segment"
    desk.ui.undoButton.click()
    desk.ui.newSegmentPerBox.click()
    assert desk.panel.parameters.newSegmentPerBox
    desk.draw_box((2, 2, 4), (6, 6, 9))
    desk.wait(lambda: len(desk.segment_names()) == 2)
    desk.wait()
    assert desk.ui.promptTable.item(1, 1).text() == "Segment_2"
    desk.ui.positiveButton.click()
    desk.click_in_view((4, 4, 6))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 3)
    assert desk.ui.promptTable.item(2, 1).text() == "Segment_2", "clicks begin no segment"


def test_a_segment_that_is_renamed_in_the_editor_is_the_object_of_that_name(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    logic = desk.panel.logic
    mask = desk.mask()
    segment = logic.segments.node.GetSegmentation().GetSegment(logic.segments.ids[1])
    segment.SetTerminology("chosen by the user")
    segment.SetName("spleen")
    desk.wait(lambda: logic.prompts.name(1) == "spleen")
    desk.wait()
    assert segment.GetTerminology() == "chosen by the user"
    assert desk.ui.promptTable.item(0, 1).text() == "spleen"
    assert np.array_equal(desk.mask(), mask) and len(desk.clients) == 1


def test_a_locked_segment_says_why_nothing_changed(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    mask = desk.mask()
    desk.ui.lockSegment.click()
    assert desk.panel.logic.objects.is_locked(1)
    desk.ui.negativeButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert np.array_equal(desk.mask(), mask)
    assert desk.ui.statusLabel.text.startswith("Segment_1 is locked")


def test_prompts_that_wait_for_run_are_taken_when_auto_run_comes_back(desk: Any) -> None:
    desk.load()
    desk.ui.autoRun.click()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    assert "Click Run" in desk.ui.promptHint.text and not desk.mask().any()
    desk.ui.autoRun.click()
    desk.wait()
    assert desk.mask().any() and "Click Run" not in desk.ui.promptHint.text


def test_without_auto_run_the_prompts_wait_for_run(desk: Any) -> None:
    desk.load()
    desk.ui.autoRun.click()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    for _ in range(5):
        desk.panel.pump()
    assert not desk.mask().any() and not desk.ui.cancelButton.visible
    desk.ui.runButton.click()
    desk.wait(lambda: bool(desk.mask().any()))


def test_cancel_keeps_the_prompts(desk: Any) -> None:
    desk.load()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.panel.pump()
    assert desk.panel.logic.is_predicting and desk.ui.cancelButton.enabled
    desk.ui.cancelButton.click()
    desk.wait()
    assert desk.ui.promptTable.rowCount == 1
    assert not desk.ui.cancelButton.enabled


def test_a_click_outside_the_volume_is_one_sentence(desk: Any) -> None:
    desk.load()
    desk.ui.positiveButton.click()
    desk.click_in_view((900, 0, 0))
    desk.wait(lambda: "outside" in desk.ui.statusLabel.text)
    assert desk.ui.promptTable.rowCount == 0
    assert desk.ui.statusLabel.text.count(". ") == 0


def test_a_killed_worker_is_told_and_nothing_is_lost(desk: Any) -> None:
    import os
    import signal

    desk.load()
    desk.box_the_ball()
    os.kill(desk.clients[-1].pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.wait()
    assert desk.mask().any()
    assert desk.ui.statusLabel.text.startswith("Done.")
    assert "ended unexpectedly" in desk.ui.statusLabel.text


def test_the_segments_are_saved_as_a_labelmap(desk: Any, tmp_path: Path) -> None:
    desk.load()
    desk.box_the_ball()
    desk.panel.dialogs.path = str(tmp_path / "out.nii.gz")
    desk.ui.exportButton.click()
    saved = Volume.read(tmp_path / "out.nii.gz")
    assert (saved.array_kji > 0).sum() == desk.mask().sum()
    assert "out.nii.gz" in desk.ui.statusLabel.text


def test_a_scene_that_closes_leaves_an_empty_panel(desk: Any) -> None:
    import slicer

    desk.load()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.panel.pump()
    slicer.mrmlScene.Clear()
    desk.wait()
    assert desk.ui.promptTable.rowCount == 0
    assert "Load a volume" in desk.ui.volumeHint.text
    assert desk.ui.changeLabel.isHidden()
    desk.load()
    assert desk.ui.statusLabel.text == ""
    desk.box_the_ball()
    assert desk.mask().any()


def test_a_scene_of_another_version_opens_with_the_defaults(bare: Any) -> None:
    import slicer

    node = bare.MedSegFMLogic().getParameterNode()
    for name, value in (("model", "gone"), ("device", "tpu"), ("overwrite", "some")):
        node.SetParameter(name, value)
    found = Desk(bare)
    assert found.panel.parameters.model.value == DEFAULT_MODEL
    assert found.panel.parameters.device.value == "auto"
    assert found.panel.parameters.overwrite.value == "none"
    assert node is slicer.mrmlScene.GetSingletonNode("MedSegFM", "vtkMRMLScriptedModuleNode")
    found.close()


def test_a_scene_that_names_a_model_by_its_earlier_name_opens_with_it(bare: Any) -> None:
    node = bare.MedSegFMLogic().getParameterNode()
    for name, value in (("model", "graphcut"), ("compareModels", "ensam,graphcut")):
        node.SetParameter(name, value)
    found = Desk(bare)
    assert found.panel.parameters.model.value == found.panel.logic.model == "randomwalk"
    assert found.panel.comparing._models.ticked() == ["ensam", "randomwalk"]
    found.close()


def test_a_panel_that_was_closed_lets_go_of_the_widgets(bare: Any) -> None:
    first, second = Desk(bare), Desk(bare)
    first.close()
    second.ui.deviceSelector.currentIndex = 1
    assert second.panel.parameters.device.value == "cpu"
    assert first.ui.deviceSelector.currentIndex == 0
    second.close()


@pytest.mark.parametrize("section", ["options", "consistency", "compare", "adapt", "advanced"])
def test_each_section_fits_in_a_panel_of_400_pixels(desk: Any, section: str) -> None:
    desk.load()
    desk.ui.moreSection.collapsed = False
    getattr(desk.ui, f"{section}Section").collapsed = False
    desk.show()
    assert desk.widget.parent.width == PANEL_PIXELS


def test_no_row_of_a_list_is_cut(desk: Any) -> None:
    desk.load()
    desk.box_the_ball()
    table = desk.ui.promptTable
    one = table.maximumHeight
    desk.ui.positiveButton.click()
    for n in range(2, 8):
        desk.click_in_view((10 + n, 15, 18))
        desk.wait(lambda n=n: table.rowCount == n)
    desk.wait()
    assert (table.maximumHeight - one) == 4 * 22


def test_the_next_volume_takes_the_place_of_one_that_is_deleted(desk: Any) -> None:
    import slicer

    first = desk.load()
    desk.box_the_ball()
    second = desk.load()
    slicer.mrmlScene.RemoveNode(first)
    desk.wait()
    assert desk.panel.parameters.volume is desk.panel.logic.volume_node is second
    assert desk.ui.promptTable.rowCount == 0 and desk.ui.boxButton.enabled


def test_a_saved_scene_goes_on_in_the_panel(desk: Any, tmp_path: Path) -> None:
    import slicer

    desk.load()
    desk.box_the_ball()
    mask = desk.mask()
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear()
    desk.wait()
    assert slicer.mrmlScene.ReadFromMRB(path)
    desk.wait()
    assert desk.ui.promptTable.rowCount == 1
    assert np.array_equal(desk.mask(), mask)
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)


def test_unsaved_work_is_offered_after_a_crash(bare: Any, desk: Any) -> None:
    import slicer

    desk.panel.recovery._autosave._seconds = 0.2
    desk.load()
    desk.box_the_ball()
    desk.wait(lambda: desk.panel.recovery._autosave.path.is_file())
    saved = desk.panel.recovery._autosave
    desk.wait(lambda: (found := saved.read()) is not None and bool(found.segments))
    mask = desk.mask()
    # Slicer dies here, so that nothing is cleaned up. Another one opens the same volume.
    desk.widget.removeObservers()
    desk.panel.use(None)
    desk.panel._timer.stop()
    desk.panel.logic.close()
    slicer.mrmlScene.Clear()
    later = Desk(bare)
    later.load()
    assert not later.ui.recoverButton.isHidden()
    later.ui.recoverButton.click()
    later.wait()
    assert np.array_equal(later.mask(), mask)
    assert later.ui.promptTable.rowCount == 1 and later.ui.recoverButton.isHidden()
    later.close()


def test_the_main_thread_is_never_held_up_by_a_pump(desk: Any) -> None:
    desk.load((60, 120, 120))
    desk.draw_box((50, 50, 30), (70, 70, 60))
    longest = 0.0
    pumps = 0

    def is_answered() -> bool:
        nonlocal longest, pumps
        # The thread's own time, which a busy machine does not lengthen.
        began = time.thread_time()
        desk.panel.pump()
        longest = max(longest, time.thread_time() - began)
        pumps += 1
        return not desk.panel.logic.is_predicting and bool(desk.panel.logic.prompts.entries)

    wait_until(is_answered)
    # One that waited for the worker would be the last of a few.
    assert longest < 0.5 and pumps > 5


@pytest.mark.parametrize("part", ["entered", "left"])
def test_shortcuts_work_only_while_the_module_is_open(desk: Any, part: str) -> None:
    if part == "left":
        desk.widget.exit()
    enabled = {shortcut.enabled for shortcut in desk.panel._shortcuts._shortcuts}
    assert enabled == {part == "entered"}
    assert "Shift+B" in desk.ui.boxButton.toolTip


def test_a_host_is_used_when_its_name_is_complete_and_is_no_part_of_the_scene(desk: Any) -> None:
    from PySide6.QtTest import QTest

    hosts: list[str] = []
    make = desk.panel.logic.requests.make_client
    desk.use_client(lambda host: hosts.append(host) or make(""))
    desk.load()
    hosts.clear()
    QTest.keyClicks(desk.ui.workerHost, "gpu")
    assert hosts == []
    QTest.keyClick(desk.ui.workerHost, "\r")
    assert hosts == ["gpu"]
    desk.ui.workerHost.text = ""
    QTest.keyClick(desk.ui.workerHost, "\r")
    assert hosts == ["gpu", ""]
    node = desk.panel.parameters.parameterNode
    assert not any("host" in name.lower() for name in node.GetParameterNames())


def test_another_device_is_asked_for_and_its_refusal_is_one_sentence(desk: Any) -> None:
    desk.load()
    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    desk.ui.deviceSelector.currentIndex = 2
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: "CPU only" in desk.ui.statusLabel.text)
    desk.ui.deviceSelector.currentIndex = 0
    desk.wait()
    assert desk.mask().any()
