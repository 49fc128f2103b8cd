"""The host takes Slicer's own Python files where they are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPEN_PANEL = """
from pathlib import Path
from host import application
application.start()
widget = application.open_panel(application.load_module(Path("MedSegFM/MedSegFM.py").resolve()))
import slicer.ScriptedLoadableModule, slicer.parameterNodeWrapper, slicer.packaging, slicer.i18n
for name in ("ScriptedLoadableModule", "parameterNodeWrapper", "packaging", "i18n"):
    print(getattr(slicer, name).__file__)
widget.cleanup()
"""


def open_panel(base_python: Path) -> subprocess.CompletedProcess[str]:
    """Open the panel in another process with SLICER_BASE_PYTHON set."""
    environment = {
        **os.environ,
        "SLICER_BASE_PYTHON": str(base_python),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'Testing/support'}",
    }
    return subprocess.run(
        [sys.executable, "-c", OPEN_PANEL],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_files_of_slicer_base_python_are_used(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "Testing/support/host/base_python/slicer", tmp_path / "slicer")
    done = open_panel(tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.split())


def test_a_wrong_slicer_base_python_is_one_sentence(tmp_path: Path) -> None:
    done = open_panel(tmp_path)
    assert done.returncode != 0
    assert f"SLICER_BASE_PYTHON is {tmp_path}, which has no slicer/" in done.stderr
