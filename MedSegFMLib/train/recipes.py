"""The recipes by name. Only names stand here; a recipe's module is imported when asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from ..errors import TrainingError
from ..progress import Progress

# Each is a module that imports without torch and is a `Recipe`.
RECIPES = {
    "ensam": "MedSegFMLib.train.ensam",
}


class Recipe(Protocol):
    """What a recipe's module holds.

    SUMMARY: what it trains, in a line. PACKAGES: what it needs beyond numpy and scipy.
    Settings: a dataclass whose docstring tells what each field means (`setting_words`), with `out`
        for the folder.
    train: trains, or goes on, in `settings.out` and returns the weights' path.
    """

    SUMMARY: str
    PACKAGES: tuple[str, ...]
    Settings: type[Any]

    def train(self, settings: Any, progress: Progress) -> Path:
        """Train until the budget of the settings is spent."""


def recipe(name: str) -> Recipe:
    """The recipe of a name; TrainingError for an unknown one. Needs no package."""
    if name not in RECIPES:
        raise TrainingError(f"There is no recipe '{name}'; the recipes are {', '.join(RECIPES)}.")
    return cast(Recipe, import_module(RECIPES[name]))


def check_packages(name: str) -> None:
    """Raise TrainingError where this Python lacks what a recipe needs."""
    missing = [package for package in recipe(name).PACKAGES if find_spec(package) is None]
    if missing:
        raise TrainingError(
            f"The recipe {name} needs {', '.join(missing)}, not installed here; run: "
            f"pip install {' '.join(missing)}."
        )
