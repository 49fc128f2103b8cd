"""The page `review` in a real browser: a batch is gone through, corrected, and gone on with."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser_page import CHROMIUM, WorkstationPage, chromium
from browser_server import BrowserServer
from command_line import refused
from review_batch import write_batch

from MedSegFMLib import Segmentation
from MedSegFMLib.results.replay import read_ledger

if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

Start = Callable[..., BrowserServer]
# In the ball of the batch, off the handle in the middle of its box.
INSIDE = (0.46, 0.45)


def decisions(batch: Path) -> dict[str, str]:
    path = batch / "out/review.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["case"]: row["decision"] for row in csv.DictReader(stream)}


def column(page: WorkstationPage, number: int) -> list[str]:
    return [str(t) for t in page.locate(f"#reviewTable td:nth-child({number})").all_inner_texts()]


def wait_for(page: WorkstationPage, case: str) -> None:
    """Wait until a case is open."""
    page.wait(lambda: page.text("#barVolume") == case)
    page.wait(lambda: page.locate("#reviewTable tr.chosen").count() == 1)


def test_a_batch_is_reviewed_in_the_page_and_gone_on_with_after_a_restart(
    start_server: Start, tmp_path: Path
) -> None:
    batch = tmp_path / "batch"
    write_batch(batch)
    words = ("--review", str(batch / "out"), str(batch / "in"))
    server = start_server(*words)
    assert "/review#token=" in server.link
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        wait_for(page, "b")
        order = column(page, 1)
        assert order[0] == "b" and page.text("#reviewProgressLabel") == "0 of 3 done"
        page.wait_shown()
        page.wait(lambda: page.colored_share(0, INSIDE) > 0.9)
        assert page.prompts == ["Box · ball"]

        # The worst case is corrected with a click, and saved.
        page.page.keyboard.press("Shift+X")
        page.click(0, INSIDE)
        page.wait_idle(2)
        assert page.text("#reviewAcceptButton") == "Save correction"
        page.locate("#reviewTable button").nth(1).click()
        page.wait(lambda: "not saved yet" in page.text("#statusLabel"))
        page.page.keyboard.press("Escape")
        page.page.keyboard.press("Shift+O")
        wait_for(page, order[1])
        assert decisions(batch) == {"b": "corrected"}
        assert "The correction of b was saved. 2 left." in page.text("#statusLabel")

        page.page.click("#reviewSkipButton")
        wait_for(page, order[2])
        page.page.click("#reviewAcceptButton")
        wait_for(page, order[1])
        assert decisions(batch) == {"b": "corrected", order[1]: "skipped", order[2]: "accepted"}

        # The server crashes; the next one goes on with what is left.
        server.kill()
        again = WorkstationPage(context, start_server(*words).link)
        wait_for(again, order[1])
        assert again.text("#reviewProgressLabel").startswith("2 of 3 done, 1 of them corrected")
        again.page.click("#reviewAcceptButton")
        again.wait(lambda: "All cases are done." in again.text("#statusLabel"))
        assert not again.locate("#reviewAcceptButton").is_visible()
        again.locate("#reviewTable button").nth(0).click()
        wait_for(again, "b")
        assert len(again.prompts) == 2
        assert page.faults == [] and again.faults == []

    path = batch / "out/corrected/b.nii.gz"
    before, after = (Segmentation.read(p).labelmap() for p in (batch / "out/b.nii.gz", path))
    assert len(read_ledger(path).prompts.entries) == 2
    assert not np.array_equal(before.array_kji, after.array_kji)


def test_folders_that_are_no_batch_are_refused_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "browser", "--no-open", "--review", tmp_path, tmp_path)
    assert "has no results.csv of a batch" in said
