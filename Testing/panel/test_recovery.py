"""Unsaved work: each Slicer saves its own, and offers what others have left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host.panel_driver import Desk

ROOT = Path(__file__).resolve().parents[2]
# Another Slicer of the same user: a box around the ball, saved; it ends as its input says.
OTHER = """
import sys
from pathlib import Path
from host import application
from host.panel_driver import Desk
application.start()
desk = Desk(application.load_module(Path("MedSegFM/MedSegFM.py").resolve()))
saved = desk.panel.recovery.autosave
saved._seconds = 0.1
desk.load()
desk.box_the_ball()
desk.wait(lambda: (found := saved.read()) is not None and bool(found.segments))
print(saved.path, flush=True)
if sys.stdin.readline().strip() == "exit":
    desk.close()
"""


class OtherSlicer:
    """Another Slicer with unsaved work.

    saved: Where it has saved it.
    """

    def __init__(self) -> None:
        path = f"{ROOT}{os.pathsep}{ROOT / 'Testing/support'}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", OTHER],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.saved = Path(self._process.stdout.readline().strip())
        assert self.saved.is_file()

    def crash(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """End normally."""
        self._process.communicate("exit\n")
        assert self._process.returncode == 0


@pytest.fixture
def other(bare: Any) -> Iterator[OtherSlicer]:
    made = OtherSlicer()
    yield made
    made.crash()


def is_offered(desk: Desk) -> bool:
    return not desk.ui.recoverButton.isHidden()


def work(desk: Desk) -> Path:
    """Segment the ball, and wait until that is saved."""
    saved = desk.panel.recovery.autosave
    saved._seconds = 0.1
    desk.box_the_ball()
    desk.wait(lambda: (found := saved.read()) is not None and bool(found.segments))
    return saved.path


def crash(desk: Desk) -> None:
    """The end of a Slicer in which nothing is cleaned up, but what the system does."""
    import slicer

    desk._closed.append(desk.widget)
    desk.widget.removeObservers()
    desk.panel.use(None)
    desk.panel._timer.stop()
    desk.panel.logic.close()
    slicer.mrmlScene.Clear()


def test_work_of_a_slicer_that_runs_is_neither_offered_nor_touched(
    bare: Any, other: OtherSlicer
) -> None:
    desk = Desk(bare)
    desk.load()
    assert not is_offered(desk)
    own = work(desk)
    assert own != other.saved
    desk.close()
    assert other.saved.is_file() and not own.exists()


def test_work_of_a_slicer_that_crashed_is_offered_and_one_that_ended_leaves_none(
    bare: Any, other: OtherSlicer
) -> None:
    import slicer

    second = OtherSlicer()
    second.end()
    assert not second.saved.exists() and other.saved.is_file()
    other.crash()
    desk = Desk(bare)
    desk.load()
    assert is_offered(desk)
    desk.ui.recoverButton.click()
    desk.wait()
    assert desk.mask().any() and desk.ui.promptTable.rowCount == 1
    assert not is_offered(desk) and not other.saved.exists()
    assert desk.panel.recovery.autosave.read() is not None, "it is never without a copy"
    desk.close()
    slicer.mrmlScene.Clear()
    later = Desk(bare)
    later.load()
    assert not is_offered(later)
    later.close()


def test_the_newest_work_comes_first_and_then_the_next(bare: Any) -> None:
    masks = []
    for corner in ((26, 24, 30), (20, 18, 24)):
        desk = Desk(bare)
        desk.load()
        desk.box_the_ball()
        if corner != (26, 24, 30):
            desk.ui.resetButton.click()
            desk.draw_box((8, 6, 6), corner)
            desk.wait(lambda desk=desk: bool(desk.panel.logic.prompts.entries))
            desk.wait()
        saved = desk.panel.recovery.autosave
        saved._saved_at = float("-inf")
        saved._seconds = 0.1
        desk.panel.logic._workspace.store()
        desk.wait(lambda: not desk.panel.logic._workspace.is_unsaved)  # noqa: B023
        masks.append(desk.mask())
        crash(desk)
    assert not np.array_equal(*masks)
    desk = Desk(bare)
    desk.load()
    for mask in reversed(masks):
        assert is_offered(desk)
        desk.ui.recoverButton.click()
        desk.wait()
        assert np.array_equal(desk.mask(), mask)
        desk.ui.resetButton.click()
        desk.wait()
    assert not is_offered(desk)
    desk.close()


def test_each_scene_has_work_of_its_own(bare: Any) -> None:
    import slicer

    desk = Desk(bare)
    desk.load()
    first = work(desk)
    slicer.mrmlScene.Clear()
    desk.load()
    second = work(desk)
    assert first != second and first.is_file() and second.is_file()
    desk.close()
    assert not first.exists() and not second.exists()


def test_work_that_an_earlier_version_left_is_offered(bare: Any) -> None:
    import slicer

    desk = Desk(bare)
    desk.load()
    text = work(desk).read_text(encoding="utf-8")
    folder = desk.panel.recovery._folder
    desk.close()
    slicer.mrmlScene.Clear()
    earlier = folder / "medsegfm-autosave.json"
    folder.mkdir(parents=True, exist_ok=True)
    earlier.write_text(text, encoding="utf-8")
    desk = Desk(bare)
    desk.load()
    assert is_offered(desk)
    desk.ui.recoverButton.click()
    desk.wait()
    assert desk.mask().any() and not earlier.exists()
    desk.close()


def test_a_damaged_file_hides_no_older_work(bare: Any) -> None:
    desk = Desk(bare)
    desk.load()
    saved = work(desk)
    crash(desk)
    damaged = saved.parents[1] / ("2-" + saved.parent.name.partition("-")[2])
    damaged.mkdir()
    (damaged / saved.name).write_text("{", encoding="utf-8")
    desk = Desk(bare)
    desk.load()
    assert is_offered(desk)
    desk.close()
