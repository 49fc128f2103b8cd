"""A Slicer in which nothing was installed: what it lacks, and how to start Python in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What Slicer has of our dependencies.
_SLICERS_OWN = {"numpy", "scipy", "SimpleITK", "pydicom"}
# The names of modules that are not those of their packages.
_MODULES = {"PyYAML": "yaml", "scikit-image": "skimage"}


def missing_modules() -> list[str]:
    """The modules of all our packages that a fresh Slicer and a build machine lack."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["models"]
    names = {re.split(r"[^\w-]", line)[0] for line in lines} - _SLICERS_OWN
    return sorted(_MODULES.get(name, name.replace("-", "_")) for name in names)


def run_python(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in a fresh Slicer, in the root of the checkout."""
    support = Path(__file__).resolve().parent
    folders = (support / "bare_slicer", ROOT, support)
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "MEDSEGFM_TEST_MISSING": ",".join(missing_modules()),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
