"""A morning's work of one person: a batch of 100 cases is gone through in the page."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from browser_page import CHROMIUM, WorkstationPage, chromium
from browser_server import BrowserServer
from review_batch import enlarge, write_batch

if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

CASES = 100


def test_a_batch_of_100_cases_is_accepted_corrected_and_skipped_with_the_keyboard(
    start_server: Callable[..., BrowserServer], tmp_path: Path
) -> None:
    write_batch(tmp_path)
    enlarge(tmp_path, CASES)
    server = start_server("--review", str(tmp_path / "out"), str(tmp_path / "in"))
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        page.wait(lambda: page.locate("#reviewTable tr.chosen").count() == 1)
        assert page.locate("#reviewTable button").count() == CASES

        def decide(key: str, done: int) -> None:
            """Decide about the case that is open, and wait until another one is."""
            before = page.text("#barVolume")
            page.page.keyboard.press(key)
            page.wait(lambda: page.text("#barVolume") != before)
            page.wait(lambda: page.text("#reviewProgressLabel").startswith(f"{done} of {CASES} "))
            page.wait(lambda: page.locate("#reviewAcceptButton").is_enabled())

        # The worst case is corrected, and the next ones are decided about.
        page.wait_shown()
        page.page.keyboard.press("Shift+X")
        page.click(0, (0.46, 0.45))
        page.wait_idle(2)
        decide("Shift+O", 1)
        decide("Shift+K", 1)
        for done in range(2, 10):
            decide("Shift+O", done)

        # The table follows: what is done is paler, the open case is in sight.
        assert page.locate("#reviewTable tr.done").count() == 9
        chosen = page.locate("#reviewTable tr.chosen").bounding_box()
        queue = page.locate(".queue").bounding_box()
        # Lines of text are parts of pixels high.
        lowest = queue["y"] + queue["height"] - chosen["height"]
        assert queue["y"] - 1 <= chosen["y"] <= lowest + 1
        # The last case is reached by its button; the queue goes on from there.
        last = page.locate("#reviewTable button").nth(CASES - 1)
        name = last.inner_text()
        last.click()
        page.wait(lambda: page.text("#barVolume") == name)
        page.wait(lambda: page.locate("#reviewAcceptButton").is_enabled())
        decide("Shift+O", 10)
        assert page.faults == []
    with (tmp_path / "out/review.csv").open(newline="", encoding="utf-8") as stream:
        found = Counter(row["decision"] for row in csv.DictReader(stream))
    assert found == {"corrected": 1, "accepted": 9, "skipped": 1}
