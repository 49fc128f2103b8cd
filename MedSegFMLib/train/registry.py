"""The recipes by name, as strings; a recipe's module is imported only when it is requested."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..errors import TrainingError
from ..system.installing import extra_command
from ..system.suggestions import with_suggestion

if TYPE_CHECKING:
    from .distributed import Processes
    from .task import Task

# Each module can be imported without torch and satisfies `Recipe`.
RECIPES = {
    "ensam": "MedSegFMLib.train.recipes.ensam.recipe",
    "consistent": "MedSegFMLib.train.recipes.consistent.recipe",
    "sam3d": "MedSegFMLib.train.recipes.sam3d.recipe",
    "consistent-sam3d": "MedSegFMLib.train.recipes.consistent_sam3d.recipe",
    "crossplane": "MedSegFMLib.train.recipes.crossplane.recipe",
    "medical-sam3": "MedSegFMLib.train.recipes.medical_sam3.recipe",
}


class Recipe(Protocol):
    """The contents of a recipe's module.

    Attributes:
        SUMMARY: a one-line description of what it trains.
        PACKAGES: the packages that it needs besides numpy and scipy.
        SMALLER: the settings to reduce if memory is short.
        RESULT: the name of its result, a file or folder, in the folder of the run.
        SEARCHED: the settings for which a list of values may be given (`search`).
        Settings: a dataclass whose docstring explains each field under `Attributes:`
            (`settings_text`). `run` and `loop` read out, device, threads, accumulate,
            validate_samples and save_minutes.
    """

    SUMMARY: str
    PACKAGES: tuple[str, ...]
    SMALLER: str
    RESULT: str
    SEARCHED: tuple[str, ...]
    Settings: type[Any]

    def task(self, settings: Any, processes: Processes) -> Task:
        """The network, the data and the optimisers of the settings."""


def recipe(name: str) -> Recipe:
    """The recipe of a name; needs no package.

    Raises:
        TrainingError: the name is unknown.
    """
    if name not in RECIPES:
        raise TrainingError(
            f"There is no recipe {with_suggestion(name, RECIPES)}; the recipes are "
            f"{', '.join(RECIPES)}."
        )
    return cast(Recipe, import_module(RECIPES[name]))


def check_packages(name: str) -> None:
    """Check that the packages of a recipe are installed.

    Raises:
        TrainingError: a package is missing.
    """
    missing = [package for package in recipe(name).PACKAGES if find_spec(package) is None]
    if missing:
        raise TrainingError(
            f"The recipe {name} needs {', '.join(missing)}, not installed here; run: "
            f"{extra_command('models')}."
        )
