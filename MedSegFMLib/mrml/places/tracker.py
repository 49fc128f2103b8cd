"""The questions where objects are: kept for the prompts that they are about, shown and answered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ...prompts.places import Place, PlaceQuestion
from ...prompts.prompt_list import PromptList
from ...prompts.types import Prompt
from ...worker.events import Answer
from ..workspace import Workspace
from .marks import PlaceMarks

# Questions of so many earlier states are kept, for undo.
_MOST_STATES = 64

Entries = tuple[tuple[int, Prompt], ...]


class PlaceTracker:
    """The question about the current object with the present prompts.

    Args:
        scene: The vtkMRMLScene.
        workspace: The present work.

    Attributes:
        marks: The numbered hot spots in the views.
        is_used: Whether any question is kept or shown; otherwise there is nothing to do.
    """

    def __init__(self, scene: Any, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: OrderedDict[Entries, Mapping[int, PlaceQuestion]] = OrderedDict()
        self.marks = PlaceMarks(scene)
        self.is_used = False

    @property
    def current(self) -> PlaceQuestion | None:
        """The question about the current object; None if it is not asked about."""
        known = self._known.get(self._workspace.prompts.entries, {})
        return known.get(self._workspace.current_label)

    def place(self, number: int) -> Place | None:
        """The place of the current question with a number; None if there is none."""
        question = self.current
        places = () if question is None else question.places
        return next((place for place in places if place.number == number), None)

    def take(self, prompts: PromptList, answers: Mapping[int, Answer]) -> None:
        """Take the answers to prompts."""
        asked = {n: a.question for n, a in answers.items() if a.question is not None}
        self._known.pop(prompts.entries, None)
        if asked:
            self._known[prompts.entries] = asked
            self.is_used = True
            while len(self._known) > _MOST_STATES:
                self._known.popitem(last=False)
        self.show()

    def show(self) -> None:
        """Bring the hot spots to the current question; nothing is done twice."""
        question = self.current
        if question is None or self._workspace.volume is None:
            self.marks.clear()
        else:
            self.marks.show(question.places)

    def forget(self) -> None:
        """Forget all questions: the volume or the model is another."""
        self._known.clear()
        self.marks.clear()
        self.is_used = False
