"""Replacements of segments at each state of the prompts, so that they can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...prompts.prompt_list import PromptList
from ...volumes.segmentations.treatment import Treatment
from .model_voxels import PackedVoxels


@dataclass(frozen=True, eq=False)
class Replacement:
    """A segment's content before and after it was replaced, on the segmentation's grid.

    Attributes:
        label: The object.
        before: All its voxels; None if there were none.
        from_model_before: Those among `before` that an answer put there.
        after: All its voxels after the replacement; None if there are none.
        treatment: What made it of the answer; None if it is something else.
    """

    label: int
    before: PackedVoxels | None
    from_model_before: PackedVoxels | None
    after: PackedVoxels | None
    treatment: Treatment | None = None


class ReplacementHistory:
    """Replacements since the last change of the prompts, for each state of them.

    Attributes:
        is_empty: Whether there is no replacement at all.
    """

    def __init__(self) -> None:
        self._done: dict[PromptList, list[Replacement]] = {}
        self._undone: dict[PromptList, list[Replacement]] = {}
        self.is_empty = True

    def add(self, prompts: PromptList, replacement: Replacement) -> None:
        """Add a replacement; what was undone before can no longer be redone."""
        self._done.setdefault(prompts, []).append(replacement)
        self.is_empty = False
        self.forget_undone(prompts)

    def forget_undone(self, prompts: PromptList) -> None:
        """Leave nothing to redo at this state: something else was done there."""
        self._undone.pop(prompts, None)

    def forget(self, prompts: PromptList) -> None:
        """Forget this state: an answer came, which takes the place of all replacements."""
        self._done.pop(prompts, None)
        self._undone.pop(prompts, None)

    def can_undo(self, prompts: PromptList) -> bool:
        """Whether a segment was replaced at this state."""
        return bool(self._done.get(prompts))

    def can_redo(self, prompts: PromptList) -> bool:
        """Whether a replacement at this state was undone."""
        return bool(self._undone.get(prompts))

    def has_replaced(self, prompts: PromptList, label: int) -> bool:
        """Whether an object's segment was replaced at this state."""
        return any(item.label == label for item in self._done.get(prompts, []))

    def treatment(self, prompts: PromptList, labels: Iterable[int]) -> Treatment:
        """The treatment of the answers for all of these objects; none if only some were treated."""
        last = {item.label: item.treatment for item in self._done.get(prompts, [])}
        found = {last.get(label) or Treatment() for label in labels}
        return found.pop() if len(found) == 1 else Treatment()

    def undo(self, prompts: PromptList) -> Replacement:
        """Take back the last replacement at this state, and return it."""
        replacement = self._done[prompts].pop()
        self._undone.setdefault(prompts, []).append(replacement)
        return replacement

    def redo(self, prompts: PromptList) -> Replacement:
        """Redo the replacement that was undone last at this state, and return it."""
        replacement = self._undone[prompts].pop()
        self._done.setdefault(prompts, []).append(replacement)
        return replacement
