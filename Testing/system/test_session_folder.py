"""Folders of applications: locked while they run, orphans afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from MedSegFMLib.errors import OutputError
from MedSegFMLib.system.session_folder import SessionFolder, take_orphan

OTHER = """
import sys
from pathlib import Path
from MedSegFMLib.system.session_folder import SessionFolder
session = SessionFolder(Path(sys.argv[1]))
session.claim()
(session.path / "work").write_text("x")
print(session.path, flush=True)
sys.stdin.read()
"""


def start_other(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another application with work in its folder."""
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    return other, Path(other.stdout.readline().strip())


def test_nothing_is_made_before_it_is_claimed(tmp_path: Path) -> None:
    session = SessionFolder(tmp_path / "root")
    assert session.orphans() == [] and not (tmp_path / "root").exists()
    session.claim()
    session.claim()
    assert session.path.is_dir()
    session.remove()
    assert not session.path.exists()


def test_the_folder_of_an_application_is_an_orphan_only_after_its_end(tmp_path: Path) -> None:
    other, folder = start_other(tmp_path)
    mine = SessionFolder(tmp_path)
    mine.claim()
    assert mine.orphans() == []
    with pytest.raises(OutputError, match="in use"), ExitStack() as lock:
        take_orphan(folder, lock)
    other.kill()
    other.wait()
    assert mine.orphans() == [folder]
    mine.remove()
    assert (folder / "work").read_text() == "x"


def test_two_folders_of_one_process_are_no_orphans_of_each_other(tmp_path: Path) -> None:
    first, second = SessionFolder(tmp_path), SessionFolder(tmp_path)
    first.claim()
    second.claim()
    assert first.orphans() == second.orphans() == []
    with pytest.raises(OutputError, match="in use"), ExitStack() as lock:
        take_orphan(first.path, lock)
    first.release()
    assert second.orphans() == [first.path]
    second.remove()


def test_an_orphan_is_deleted_after_a_month(tmp_path: Path) -> None:
    left = SessionFolder(tmp_path)
    left.claim()
    work = left.path / "work"
    work.write_text("x")
    left.release()
    mine = SessionFolder(tmp_path)
    assert mine.orphans() == [left.path]
    old = work.stat().st_mtime - 31 * 24 * 3600
    os.utime(work, (old, old))
    assert mine.orphans() == [] and not left.path.exists()
