"""The reference of the Python library is built from the docstrings, without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import MedSegFMLib

ROOT = Path(__file__).resolve().parents[1]


def test_the_reference_is_built_without_warnings_and_has_every_public_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", ROOT / "tools/api_reference", tmp_path],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "MedSegFMLib.html").read_text(encoding="utf-8")
    for name in MedSegFMLib.__all__:
        assert re.search(rf'id="{name}"', page), name
    # Google's sections became headings and lists.
    session = (tmp_path / "MedSegFMLib/session.html").read_text(encoding="utf-8")
    assert "<h6" in session and "Raises:" in session and "Args:\n" not in session
