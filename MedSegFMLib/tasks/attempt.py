"""The work of a process: load a model once, then run tasks with it; nothing is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from ..errors import MedSegFMError
from ..segmenter import Segmenter
from .executor import ModelFailed
from .records import Completed, Crash, Failure, Task

Result = TypeVar("Result", bound=Completed)


class Choice(Protocol):
    """A model as the user specified it."""

    @property
    def name(self) -> str:
        """Its registered name."""

    def create(self, device: str) -> Segmenter:
        """Load it."""


def open_model(text: str, device: str, choices: Mapping[str, Choice]) -> Segmenter | ModelFailed:
    """Load the model that the user specified; returns the reason if that fails."""
    try:
        return choices[text].create(device)
    except MedSegFMError as error:
        return ModelFailed(_one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other models continue
        return ModelFailed(_unexpected(error))


def attempt(task: Task, work: Callable[[], Result]) -> Result | Failure:
    """The result of a task's work, or its failure."""
    try:
        return work()
    except MedSegFMError as error:
        return Failure(*task.key, _one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other tasks continue
        return Crash(*task.key, _unexpected(error))


def _unexpected(error: Exception) -> str:
    return f"Unexpected {type(error).__name__} ({_one_line(error)})."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
