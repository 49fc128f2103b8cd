"""The files that a training reads, checked before anything that takes long.

Importing torch, reading volumes and scoring the base take minutes on a busy computer.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ..datasets.cases import read_cases
from ..errors import TrainingError
from ..models.sam.base import find_base
from ..weights import store


def check_inputs(name: str, settings: Any) -> None:
    """Check that the base, the cases and all other files of a training are there.

    Args:
        name: the name of the recipe.
        settings: its settings.

    Raises:
        WeightsError: the base is not installed, or there is no such file.
        CasesError: the list of cases cannot be read.
        TrainingError: another file does not exist.
    """
    base = getattr(settings, "base", "")
    if isinstance(base, str) and base:
        find_base(base)
    elif base is None:
        store.find(name)
    for field in fields(settings):
        path = getattr(settings, field.name)
        if field.name != "out" and isinstance(path, Path) and not path.exists():
            raise TrainingError(f"{field.name} is {path}, which does not exist; check the path.")
    if getattr(settings, "cases", None) is not None:
        read_cases(settings.cases)
