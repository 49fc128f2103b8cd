"""The crew of one: this process itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import Task
from .executor import Load, News, Ready, Refused, Work


class ThisProcess:
    """A crew (see `executor.Crew`) whose one worker is the caller; it holds one model at a time."""

    places: Mapping[str, int] = {"process": 1}
    alone = True

    def __init__(self, load: Load, work: Work, device: str) -> None:
        self._load, self._work, self._device = load, work, device
        self._model: Any = None
        self._news: list[tuple[int, News]] = []
        self._hired = 0

    def kind(self, model: str) -> str:
        """The only one."""
        return "process"

    def hire(self, model: str) -> int:
        """Load the model."""
        self._hired += 1
        self._model = self._load(model, self._device)
        news = self._model if isinstance(self._model, Refused) else Ready()
        self._news.append((self._hired, news))
        return self._hired

    def give(self, worker: int, task: Task) -> None:
        """Do the task."""
        self._news.append((worker, self._work(task, self._model)))

    def wait(self) -> list[tuple[int, News]]:
        """What is new; there is nothing to wait for."""
        news, self._news = self._news, []
        return news

    def dismiss(self, worker: int) -> None:
        """Forget the model."""
        self._model = None

    def close(self) -> None:
        """Forget the model."""
        self._model = None
