"""Programs of this library in a process of their own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ..errors import WorkerError

_LIBRARY_FOLDER = Path(__file__).resolve().parents[2]


def program(module: str, *arguments: str, python: str | None = None) -> list[str]:
    """The command that runs a module of this library.

    Args:
        module: its full name.
        arguments: those of the command.
        python: the interpreter; None for `find_python`.

    Raises:
        WorkerError: there is no interpreter.
    """
    # -P: do not import modules from the current folder, such as a numpy.py.
    return [python or find_python(), "-P", "-m", module, *arguments]


def library_environment() -> Mapping[str, str]:
    """The environment of this process, with the library on Python's path."""
    paths = [str(_LIBRARY_FOLDER), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def find_python() -> str:
    """The interpreter to run a worker with: this one, or Slicer's.

    Raises:
        WorkerError: there is none.
    """
    if Path(sys.executable).name.lower().startswith("python"):
        return sys.executable
    python = shutil.which("PythonSlicer")
    if python is None:
        raise WorkerError(
            f"{sys.executable or 'This program'} is not a Python interpreter, and there is no "
            "PythonSlicer on the PATH; name an interpreter."
        )
    return python
