"""The state of a shell: prompts with undo, their answers, and what each of them changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...errors import PromptError
from ...progress import Progress
from ...prompts.edits import with_prompt
from ...prompts.history import PromptHistory
from ...prompts.places import PlaceQuestion
from ...prompts.prompt_list import PromptList
from ...prompts.references import find_object
from ...prompts.types import Prompt, Text
from ...prompts.voxels import to_voxels
from ...segmenter import ModelCard, class_numbers
from ...session.changes import Found, PromptChange, prompt_change
from ...system.memory_cache import LruByteCache
from ...volumes.images import Channels, taken_by
from ...volumes.region import Region
from ...volumes.segmentations.segmentation import Segment, Segmentation
from ...volumes.volume import Volume

if TYPE_CHECKING:
    from ...worker.events import Answer

Answers = Mapping[int, "Answer"]


class Answering(Protocol):
    """A loaded model on a volume; see `answerer.Answerer`."""

    classes: tuple[str, ...]
    channels: Channels
    notes: list[str]

    def answer(self, prompts: PromptList, progress: Progress) -> Answers:
        """The answers for all objects of a list that have prompts."""


_BUDGET_BYTES = 1 << 28


class Conversation:
    """Prompts for the objects of a volume, and a model's answers to them.

    A prompt that the model refuses, or whose prediction is stopped, changes nothing.

    Args:
        volume: the volume.
        card: the model's card.
        model: answers to lists of prompts.
        prompts: the prompts to begin with.

    Attributes:
        label: the current object, which prompts are for.
    """

    def __init__(
        self,
        volume: Volume,
        card: ModelCard,
        model: Answering,
        prompts: PromptList,
    ) -> None:
        self.volume = volume
        self.card = card
        self._model = model
        self._history = PromptHistory(prompts)
        self._answers: LruByteCache[PromptList, Answers] = LruByteCache(_BUDGET_BYTES, _nbytes)
        self.label = max(prompts.labels, default=0)
        # With several objects to begin with, the user says which one is meant.
        self._is_chosen = len(prompts.objects) < 2
        self._since = 0
        self._saved = prompts

    @property
    def taken(self) -> Volume:
        """The volume with the images that the loaded model takes of it."""
        return taken_by(self.volume, self._model.channels, self.card.title).volume

    @property
    def prompts(self) -> PromptList:
        """The current prompts."""
        return self._history.present

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the model as far as they are known."""
        return self._model.classes

    def load(self, progress: Progress) -> None:
        """Load the model and answer the prompts that there are."""
        self._model.answer(self.prompts, progress)

    def take_notes(self) -> list[str]:
        """The model's notes for the user since the last call."""
        notes = list(self._model.notes)
        self._model.notes.clear()
        return notes

    @property
    def is_saved(self) -> bool:
        """Whether there is nothing that was not saved."""
        return self.prompts == self._saved

    def note_saved(self) -> None:
        """Note that the current state was saved."""
        self._saved = self.prompts

    def choose(self, name: str) -> bool:
        """Make an object the current one; return whether it was begun for that."""
        found = find_object(self.prompts, name)
        if found is None:
            self._history.change(self.prompts.with_object(name))
        self.label = found or self.prompts.labels[-1]
        self._is_chosen, self._since = True, len(self.prompts.entries)
        return found is None

    def add(self, prompt: Prompt, progress: Progress) -> PromptChange:
        """Add a prompt to the current object, or to one that it begins, and predict.

        Raises:
            PromptError: the prompt is outside the volume or not supported, or several objects
                could be meant; further errors are those of the model.
        """
        self.check(prompt)
        prompts, label = with_prompt(
            self.prompts, prompt, self.label, new_object_per_box=True, since=self._since
        )
        if not self._is_chosen and label == self.label:
            raise PromptError(
                f"It could be for any of the objects {self.prompts.objects_text}; choose one with "
                "object NAME before it."
            )
        before = self.found(self.prompts, progress)
        after = self.found(prompts, progress)
        self._history.change(prompts)
        if label != self.label:
            self.label, self._since, self._is_chosen = label, 0, True
        entry, number = prompts.entries[-1], len(prompts.entries)
        name = prompts.name(label)
        return prompt_change(number, entry, name, before, after, self.volume.geometry)

    def change(self, prompts: PromptList, progress: Progress) -> None:
        """Make another list the current one, if the model has an answer to it."""
        self.answers(prompts, progress)
        self._history.change(prompts)
        self._keep_label()

    def undo(self) -> bool:
        """Undo one change; False if there is none."""
        moved = self._history.undo()
        self._keep_label()
        return moved

    def redo(self) -> bool:
        """Redo one undone change; False if there is none."""
        moved = self._history.redo()
        self._keep_label()
        return moved

    def answers(self, prompts: PromptList, progress: Progress) -> Answers:
        """The answers to a list; those to earlier ones are kept."""
        found = self._answers.get(prompts)
        if found is None:
            found = self._model.answer(prompts, progress) if prompts.entries else {}
            self._answers.put(prompts, found)
        return found

    def found(self, prompts: PromptList, progress: Progress) -> dict[int, Found]:
        """The voxels of each object of a list."""
        answers = self.answers(prompts, progress)
        return {n: Found(a.region, a.mask_kji, a.seen) for n, a in answers.items()}

    def questions(self, progress: Progress) -> dict[int, PlaceQuestion]:
        """The places that the model asks about, by the label of the object."""
        answers = self.answers(self.prompts, progress)
        return {n: a.question for n, a in answers.items() if a.question is not None}

    def segmentation(self, progress: Progress) -> Segmentation:
        """The objects that have prompts."""
        prompts = self.prompts
        segments = []
        for label, answer in self.answers(prompts, progress).items():
            region, mask = answer.region, answer.mask_kji != 0
            if region is None:
                region, mask = Region((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 1), bool)
            segments.append(Segment(label, prompts.name(label), region, mask))
        return Segmentation(self.volume.geometry, tuple(segments))

    def check(self, prompt: Prompt) -> None:
        """Check that the model supports a prompt, which must be in the volume.

        Raises:
            PromptError: it does not, or is not.
        """
        self.card.check_takes([prompt])
        classes = self._model.classes
        if classes and isinstance(prompt, Text):
            class_numbers([prompt.phrase], classes, self.card.name)
        to_voxels([prompt], self.volume.geometry)

    def _keep_label(self) -> None:
        labels = self.prompts.labels
        self._since = 0
        if self.label not in labels:
            self.label = labels[-1] if labels else 0


def _nbytes(answers: Answers) -> int:
    return sum(answer.mask_kji.nbytes for answer in answers.values())
