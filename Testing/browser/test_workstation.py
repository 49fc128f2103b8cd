"""A user's work in the page, in a real browser: drawn with the mouse, seen in pixels."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser_page import CHROMIUM, SLICES, WorkstationPage, chromium
from browser_server import BrowserServer

from MedSegFMLib import Volume
from MedSegFMLib.commands.line import run

if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

# Inside the ball, and away from its middle, where a box has a handle.
INSIDE = (0.45, 0.44)
CORNERS = ((0.32, 0.22), (0.68, 0.78))
Start = Callable[..., BrowserServer]


def test_a_volume_is_segmented_saved_and_found_again(
    start_server: Start, ball_file: Path, tmp_path: Path
) -> None:
    server = start_server(str(ball_file), "--model", "randomwalk")
    with chromium(accept_downloads=True) as context:
        page = WorkstationPage(context, server.link)
        page.wait_shown()
        assert "token" not in page.page.url
        assert page.text("#barVolume") == "ball"
        assert all(page.colored_share(view, INSIDE) == 0 for view in SLICES)

        page.page.click("#boxButton")
        page.drag(0, *CORNERS)
        page.wait_idle(1)
        page.wait(lambda: all(page.colored_share(view, INSIDE) > 0.9 for view in SLICES))
        assert page.locate("#boxButton").get_attribute("aria-pressed") == "false"

        page.page.keyboard.press("Shift+A")
        page.click(0, (0.5, 0.45))
        page.wait_idle(2)
        page.page.keyboard.press("Shift+Z")
        page.wait_idle(1)
        page.page.keyboard.press("Shift+Y")
        page.wait_idle(2)
        page.page.keyboard.press("Shift+S")
        page.drag(2, (0.45, 0.45), (0.5, 0.55), (0.55, 0.45))
        page.wait_idle(3)
        assert [title.split(" · ")[0] for title in page.prompts] == ["Box", "+ Click", "+ Scribble"]

        # A second page shows the same, and what it changes.
        other = WorkstationPage(context, server.link)
        other.wait_idle(3)
        other.locate("#promptTable li").nth(1).get_by_role("button", name="Delete").click()
        page.wait_idle(2)
        other.page.close()

        page.page.keyboard.press("Escape")
        page.page.click("#filesSection > summary")
        saved = page.download("#exportButton", tmp_path)
        prompts = page.download("#savePromptsButton", tmp_path)

        page.page.reload()
        page.wait_ready()
        page.wait_idle(2)
        page.wait(lambda: all(page.colored_share(view, INSIDE) > 0.9 for view in SLICES))
        assert page.faults == []

    # The command line gives the same segment for the same prompts.
    again = tmp_path / "again.nii.gz"
    words = ["segment", str(ball_file), "--prompts", str(prompts), "--model", "randomwalk"]
    assert run([*words, "--out", str(again)]) == 0
    assert saved.name == "ball-segments.nii.gz"
    first, second = Volume.read(saved), Volume.read(again)
    assert first.geometry.matches(second.geometry)
    assert np.count_nonzero(first.array_kji) > 1000
    np.testing.assert_array_equal(first.array_kji, second.array_kji)


def test_a_crash_of_worker_or_server_loses_nothing(start_server: Start, ball_file: Path) -> None:
    words = (str(ball_file), "--model", "randomwalk")
    server = start_server(*words)
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        page.page.click("#boxButton")
        page.wait_shown()
        page.drag(0, *CORNERS)
        page.wait_idle(1)
        for number in server.worker_ids():
            os.kill(number, 9)
        page.page.keyboard.press("Shift+A")
        page.click(0, (0.5, 0.45))
        page.wait_idle(2)
        page.wait(lambda: "restarted; nothing was lost" in page.text("#logView"))
        # The autosave is written a few seconds later.
        page.wait(lambda: _autosaves(server.home, count=2))

        server.kill()
        page.wait(lambda: page.locate("#lost").is_visible())
        again = start_server(*words)
        found = WorkstationPage(context, again.link)
        found.page.click("#recoverButton")
        found.wait_idle(2)
        found.wait_shown()
        found.wait(lambda: all(found.colored_share(view, INSIDE) > 0.9 for view in SLICES))
        assert found.faults == []


def test_files_are_loaded_by_the_page_and_bad_ones_explained(
    start_server: Start, ball_file: Path, tmp_path: Path
) -> None:
    server = start_server("--model", "randomwalk")
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"nothing")
    with chromium(color_scheme="dark") as context:
        page = WorkstationPage(context, server.link)
        assert page.locate("#boxButton").is_disabled()
        page.locate("#files").set_input_files(str(broken))
        page.wait(lambda: "broken.nii.gz" in page.text("#statusLabel"))
        page.locate("#files").set_input_files(str(ball_file))
        page.wait(lambda: page.text("#barVolume") == "ball")
        page.wait_shown()
        before = page.text('.view[data-view="0"] output')
        page.page.mouse.move(*page.at(0, (0.5, 0.5)))
        page.page.mouse.wheel(0, -100)
        page.wait(lambda: page.text('.view[data-view="0"] output') != before)
        # The keyboard alone places a click: a tool, then arrows and Enter in the view.
        page.page.keyboard.press("Shift+A")
        page.locate('.view[data-view="1"]').focus()
        page.page.keyboard.press("ArrowUp")
        page.page.keyboard.press("Enter")
        page.wait_idle(1)
        assert page.prompts[0].startswith("+ Click")
        assert page.faults == []


def test_boxes_are_dragged_and_planes_and_models_compared(
    start_server: Start, ball_file: Path
) -> None:
    server = start_server(str(ball_file), "--model", "randomwalk")
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        page.wait_shown()
        page.page.click("#boxButton")
        page.drag(0, *CORNERS)
        page.wait_idle(1)
        page.wait_shown()
        # Slicer's own handle in the middle of the box moves it.
        place = page.text("#promptTable .place")
        page.drag(0, (0.5, 0.5), (0.52, 0.5), (0.54, 0.5))
        page.wait(lambda: page.text("#promptTable .place") != place)
        page.wait_idle(1)
        # The window follows a drag too.
        level = page.locate("#level").input_value()
        page.page.click("#windowTool")
        page.drag(1, (0.2, 0.2), (0.3, 0.4))
        page.wait(lambda: page.locate("#level").input_value() != level)
        page.page.keyboard.press("Escape")
        assert len(page.prompts) == 1

        page.page.click("#consistencySection > summary")
        page.page.check("#showConsistency")
        page.wait(lambda: "Agreement of the planes" in page.text("#consistencyScores"))
        page.page.uncheck("#showConsistency")

        page.page.click("#compareSection > summary")
        page.page.get_by_label("ENSAM", exact=True).uncheck()
        page.page.get_by_label("Ellipsoid in the box").check()
        page.page.click("#compareButton")
        page.wait(lambda: page.locate("#compareTable tr").count() == 3)
        page.wait(lambda: not page.locate("#compareCancelButton").is_visible())
        # A row of three views for each model, which show its answer.
        page.wait(lambda: page.locate(".view:visible").count() == 6)
        page.wait(lambda: page.colored_share(4, (0.5, 0.5)) > 0.5)
        page.page.get_by_role("button", name="Use the result of Ellipsoid in the box").click()
        page.wait(lambda: "is now the result of Ellipsoid" in page.text("#logView"))
        page.page.select_option("#compareArrangement", "outlines")
        page.wait(lambda: page.locate(".view:visible").count() == 4)
        page.page.click("#compareCloseButton")
        page.wait(lambda: not page.locate("#compareTable").is_visible())
        page.page.click("#undoButton")
        page.wait(lambda: page.locate("#redoButton").is_enabled())
        assert page.faults == []


def test_a_lasso_is_drawn_cleaned_up_and_frozen(start_server: Start, ball_file: Path) -> None:
    server = start_server(str(ball_file), "--model", "randomwalk")
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        page.wait_shown()
        page.page.keyboard.press("Shift+L")
        page.drag(0, (0.4, 0.3), (0.62, 0.35), (0.65, 0.7), (0.38, 0.68))
        page.wait_idle(1)
        assert page.prompts == ["+ Lasso · Segment_1"]
        page.wait(lambda: all(page.colored_share(view, INSIDE) > 0.9 for view in SLICES))
        page.page.keyboard.press("Escape")

        page.page.click("#refineSection > summary")
        treat = page.locate("#treatButton")
        assert treat.is_disabled()
        page.page.check("#largestPart")
        page.page.fill("#smoothMm", "4")
        treat.click()
        page.wait(lambda: "Segment_1 was changed; Undo" in page.text("#logView"))
        page.page.click("#undoButton")
        page.wait(lambda: page.locate("#redoButton").is_enabled())
        assert len(page.prompts) == 1

        # Slices are counted as in the volume, and the page says which one is shown.
        assert page.text("#freezeHint") == "Slice 20 is shown."
        page.page.fill("#freezeFrom", "25")
        page.page.fill("#freezeTo", "15")
        page.page.click("#freezeSlicesButton")
        page.wait(lambda: "The slices 25 to 15 are none" in page.text("#statusLabel"))
        page.page.fill("#freezeTo", "39")
        page.page.click("#freezeSlicesButton")
        page.wait(lambda: page.prompts == ["+ Lasso · Segment_1", "Frozen · Segment_1"])
        page.wait_idle(2)
        assert not page.locate("#freezeBoxButton").is_visible()
        page.page.click("#boxButton")
        page.drag(0, *CORNERS)
        page.wait_idle(3)
        page.page.click("#freezeBoxButton")
        page.wait_idle(4)
        assert [title.split(" · ")[0] for title in page.prompts][-2:] == ["Box", "Frozen"]
        assert page.faults == []


def _autosaves(home: Path, count: int) -> bool:
    """Whether an autosave has so many prompts."""
    files = (home / "autosave").rglob("medsegfm-autosave.json")
    texts = [file.read_text(encoding="utf-8") for file in files]
    return any(len(json.loads(text)["state"]["prompts"]["prompts"]) == count for text in texts)
