"""The section "Review results", clicked as a user does, on a batch of `medsegfm segment`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_batch import write_batch


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    write_batch(tmp_path / "batch")
    return tmp_path / "batch"


@pytest.fixture
def reviewer(desk: Any, batch: Path) -> Any:
    """The desk with the batch open at its worst case."""
    desk.ui.reviewSection.collapsed = False
    choose(desk, desk.ui.reviewResultsButton, batch / "out")
    choose(desk, desk.ui.reviewVolumesButton, batch / "in")
    desk.ui.reviewOpenButton.click()
    desk.wait()
    return desk


def choose(desk: Any, button: Any, path: Path) -> None:
    desk.panel.dialogs.path = str(path)
    button.click()


def column(desk: Any, number: int) -> list[str]:
    table = desk.ui.reviewTable
    return [table.item(row, number).text() for row in range(table.rowCount)]


def decisions(batch: Path) -> dict[str, str]:
    with (batch / "out/review.csv").open(newline="", encoding="utf-8") as stream:
        return {row["case"]: row["decision"] for row in csv.DictReader(stream)}


def open_name(desk: Any) -> str:
    node = desk.panel.logic.volume_node
    return "" if node is None else node.GetName()


def test_the_worst_case_is_opened_first_and_the_list_says_what_is_expected(reviewer: Any) -> None:
    ui = reviewer.ui
    assert column(reviewer, 0)[0] == "b" and open_name(reviewer) == "b"
    assert ui.reviewTable.currentRow() == 0
    assert [float(text) for text in column(reviewer, 3)] == sorted(map(float, column(reviewer, 3)))
    assert ui.reviewProgressLabel.text == "0 of 3 done"
    assert ui.promptTable.rowCount == 1 and ui.reviewAcceptButton.text == "Accept"
    assert reviewer.panel.parameters.volume is reviewer.panel.logic.volume_node


def test_accept_and_skip_go_through_the_queue(reviewer: Any, batch: Path) -> None:
    ui = reviewer.ui
    ui.reviewAcceptButton.click()
    assert decisions(batch) == {"b": "accepted"} and open_name(reviewer) == column(reviewer, 0)[1]
    assert "b was accepted. 2 left." in ui.statusLabel.text
    skipped = open_name(reviewer)
    ui.reviewSkipButton.click()
    assert column(reviewer, 4) == ["accepted", "skipped", ""]
    ui.reviewAcceptButton.click()
    assert open_name(reviewer) == skipped
    assert ui.reviewProgressLabel.text == "2 of 3 done; 1 skipped"
    ui.reviewAcceptButton.click()
    assert open_name(reviewer) == "" and not ui.reviewAcceptButton.enabled
    assert "All cases are done." in ui.statusLabel.text


def test_a_click_corrects_the_case_and_accept_saves_it(reviewer: Any, batch: Path) -> None:
    ui, logic = reviewer.ui, reviewer.panel.logic
    inside = np.argwhere(logic.objects.to_labels().array_kji)[0]
    i, j, k = inside[::-1].tolist()
    ui.negativeButton.click()
    reviewer.click_in_view(tuple(logic.volume.geometry.ras_from_ijk((i, j, k)).tolist()))
    reviewer.wait(lambda: ui.promptTable.rowCount == 2)
    reviewer.wait()
    assert ui.reviewAcceptButton.text == "Save correction"
    ui.reviewTable.selectRow(1)
    assert "correction of b is not saved yet" in ui.statusLabel.text and open_name(reviewer) == "b"
    ui.reviewAcceptButton.click()
    assert decisions(batch) == {"b": "corrected"}
    assert (batch / "out/corrected/b.nii.gz").exists()
    assert "The correction of b was saved. 2 left." in ui.statusLabel.text


def test_a_case_is_chosen_in_the_list(reviewer: Any) -> None:
    reviewer.ui.reviewTable.selectRow(2)
    assert open_name(reviewer) == column(reviewer, 0)[2]
    reviewer.ui.reviewSliceButton.click()
    reviewer.ui.reviewAcceptButton.click()
    assert column(reviewer, 4) == ["", "", "accepted"]
    assert open_name(reviewer) == "b"


def test_the_review_goes_on_in_the_next_slicer(reviewer: Any, batch: Path, bare: Any) -> None:
    from host.panel_driver import Desk

    reviewer.ui.reviewAcceptButton.click()
    again = Desk(bare)
    again.ui.reviewSection.collapsed = False
    again.panel.refresh()
    assert again.ui.reviewResultsButton.text == "out" and again.ui.reviewVolumesButton.text == "in"
    again.ui.reviewOpenButton.click()
    assert column(again, 4) == ["accepted", "", ""]
    again.close()


def test_a_folder_without_a_batch_is_explained(desk: Any, tmp_path: Path) -> None:
    desk.ui.reviewSection.collapsed = False
    (tmp_path / "in").mkdir()
    choose(desk, desk.ui.reviewResultsButton, tmp_path)
    choose(desk, desk.ui.reviewVolumesButton, tmp_path / "in")
    desk.ui.reviewOpenButton.click()
    assert "has no results.csv of a batch" in desk.ui.statusLabel.text
    assert not desk.ui.reviewTable.isVisibleTo(desk.ui.reviewSection)


def test_closing_the_scene_leaves_the_queue(reviewer: Any) -> None:
    import slicer

    slicer.mrmlScene.Clear()
    reviewer.wait()
    assert column(reviewer, 0)[0] == "b" and not reviewer.ui.reviewAcceptButton.enabled
    reviewer.ui.reviewTable.clearSelection()
    reviewer.ui.reviewTable.selectRow(0)
    assert open_name(reviewer) == "b"
