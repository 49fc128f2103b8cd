"""The recipes by name. Only names stand here; a recipe's module is imported when asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..errors import TrainingError

if TYPE_CHECKING:
    from .distributed import Processes
    from .task import Task

# Each is a module that imports without torch and is a `Recipe`.
RECIPES = {
    "ensam": "MedSegFMLib.train.recipes.ensam.recipe",
    "sam3d": "MedSegFMLib.train.recipes.sam3d.recipe",
    "crossplane": "MedSegFMLib.train.recipes.crossplane.recipe",
    "medical-sam3": "MedSegFMLib.train.recipes.medical_sam3.recipe",
}


class Recipe(Protocol):
    """What a recipe's module holds.

    SUMMARY: what it trains, in a line. PACKAGES: what it needs beyond numpy and scipy.
    SMALLER: what to give a smaller value where memory is short.
    RESULT: the name of its result, a file or folder, in the folder of the run.
    Settings: a dataclass whose docstring tells what each field means (`settings_text`). `run` and
        `loop` read out, device, threads, accumulate, validate_samples and save_minutes.
    task: builds what is learned; needs the packages.
    """

    SUMMARY: str
    PACKAGES: tuple[str, ...]
    SMALLER: str
    RESULT: str
    Settings: type[Any]

    def task(self, settings: Any, processes: Processes) -> Task:
        """The network, the data and the optimisers of the settings."""


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
