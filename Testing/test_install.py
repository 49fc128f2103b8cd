"""What `pip install .` carries, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip installs it, from a copy of the sources; dependencies are at hand."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "MedSegFMLib", source / "MedSegFMLib", ignore=ignore)
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
    subprocess.run([sys.executable, *words], check=True)
    return target


def test_every_file_of_the_library_is_installed(installed: Path) -> None:
    files = {p.relative_to(ROOT) for p in (ROOT / "MedSegFMLib").rglob("*") if p.is_file()}
    wanted = {p for p in files if "__pycache__" not in p.parts}
    assert {p for p in wanted if not (installed / p).is_file()} == set()
    assert (installed / "bin" / "medsegfm").is_file()


def test_the_demo_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    words = [sys.executable, "-c", "from MedSegFMLib.cli import main; main(['demo'])"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "medsegfm-demo" / "preview.png").is_file()
    assert done.stderr == ""
