"""Segments get long names in the page, of a volume that has one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from browser_page import WorkstationPage, chromium
from browser_server import BrowserServer


def test_a_segment_with_a_long_name_is_renamed_without_a_fault_of_the_page(
    start_server: Callable[..., BrowserServer], ball_file: Path, tmp_path: Path
) -> None:
    volume = tmp_path / f"{'a long name, with the protocol and the scanner, ' * 2}and so on.nii.gz"
    shutil.copy(ball_file, volume)
    with chromium() as context:
        page = WorkstationPage(context, start_server(str(volume)).link)
        page.wait_shown()
        page.page.click("#boxButton")
        page.drag(0, (0.3, 0.3), (0.7, 0.7))
        page.wait_idle(1)
        row = page.locate("#segmentList li").nth(0)
        row.get_by_role("button", name="Rename").click()
        row.locator("input").fill("a long name of a segment")
        row.locator("input").press("Enter")
        page.wait(lambda: "a long name of a segment" in page.text("#segmentList"))
        assert page.faults == []
