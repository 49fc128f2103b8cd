"""The prompts of a segmentation in the order they were given, each for one object.

The list is immutable: every change returns a new list, so that undo and redo need only keep lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import PromptError
from .types import Box, Line, Point, Prompt, as_background, prompt_name


@dataclass(frozen=True)
class PromptList:
    """Prompts and their objects.

    Attributes:
        objects: (label, name) of each object; labels are positive and unique.
        entries: (label, prompt) in the order in which the prompts were given.
    """

    objects: tuple[tuple[int, str], ...] = ()
    entries: tuple[tuple[int, Prompt], ...] = ()

    def __post_init__(self) -> None:
        labels = self.labels
        if len(set(labels)) != len(labels) or any(label < 1 for label in labels):
            raise PromptError(
                f"The objects have labels {labels}; each must be 1 or more and unique."
            )
        unknown = {label for label, _ in self.entries} - set(labels)
        if unknown:
            raise PromptError(f"Prompts are given for {sorted(unknown)}, which are not objects.")

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of the objects in the order they were added."""
        return tuple(label for label, _ in self.objects)

    @property
    def objects_text(self) -> str:
        """The objects for a sentence: "1 liver, 2 spleen"; empty if there is none."""
        return ", ".join(f"{label} {name}" for label, name in self.objects)

    def name(self, label: int) -> str:
        """The name of an object.

        Raises:
            PromptError: there is no object with this label.
        """
        for object_label, name in self.objects:
            if object_label == label:
                return name
        raise PromptError(
            f"There is no object {label}; the objects are {self.objects_text or 'none'}."
        )

    def with_object(self, name: str | None = None) -> PromptList:
        """The list with a new object, whose label is one above the highest."""
        label = max(self.labels, default=0) + 1
        return replace(self, objects=(*self.objects, (label, name or f"Segment_{label}")))

    def without_object(self, label: int) -> PromptList:
        """The list without an object and its prompts."""
        self.name(label)
        return PromptList(
            tuple(item for item in self.objects if item[0] != label),
            tuple(entry for entry in self.entries if entry[0] != label),
        )

    def added(self, label: int, prompt: Prompt) -> PromptList:
        """The list with one more prompt at the end."""
        self.name(label)
        return replace(self, entries=(*self.entries, (label, prompt)))

    def deleted(self, index: int) -> PromptList:
        """The list without the prompt at `index` (0: the earliest)."""
        self._check(index)
        return replace(self, entries=self.entries[:index] + self.entries[index + 1 :])

    def moved(self, index: int, position_ras: Sequence[float]) -> PromptList:
        """The list with the prompt at `index` (click, box or line) moved to `position_ras`.

        Args:
            index: counted from 0.
            position_ras: the new position of the click, or of the middle of the box or line.

        Raises:
            PromptError: there is no such prompt, or its type cannot be moved.
        """
        self._check(index)
        label, prompt = self.entries[index]
        if not isinstance(prompt, Point | Box | Line):
            raise PromptError(
                f"A {prompt_name(prompt)} cannot be moved; delete it and draw another."
            )
        entry = (label, prompt.moved(position_ras))
        return replace(self, entries=(*self.entries[:index], entry, *self.entries[index + 1 :]))

    def own(self, label: int) -> tuple[Prompt, ...]:
        """The prompts that were given for an object itself."""
        return tuple(prompt for owner, prompt in self.entries if owner == label)

    def clicked_since(self, before: PromptList) -> int | None:
        """The label of the object that got a click, if nothing else was done since another list."""
        if not self.entries or self.entries[:-1] != before.entries:
            return None
        label, prompt = self.entries[-1]
        return label if isinstance(prompt, Point) else None

    def steps(self, label: int) -> list[tuple[Prompt, ...]]:
        """The input of a model for one object after each prompt, with all prompts before it.

        A mark for another object counts as background. Texts and boxes of other objects are
        ignored. Steps begin with the object's own first prompt.
        """
        relevant: list[Prompt] = []
        steps: list[tuple[Prompt, ...]] = []
        started = False
        for owner, prompt in self.entries:
            own_prompt = prompt if owner == label else as_background(prompt)
            started = started or owner == label
            if own_prompt is not None:
                relevant.append(own_prompt)
                if started:
                    steps.append(tuple(relevant))
        return steps

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.entries):
            raise PromptError(
                f"There is no prompt {index}; the list has {len(self.entries)}, counted from 0."
            )
