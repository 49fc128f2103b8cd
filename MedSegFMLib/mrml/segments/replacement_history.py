"""What was taken over into segments at each state of the prompts, so that it can be undone."""

from __future__ import annotations

from dataclasses import dataclass

from ...prompts.prompt_list import PromptList
from .model_voxels import PackedHolding


@dataclass(frozen=True, eq=False)
class Taken:
    """A segment's content that was replaced: voxels of the segmentation's grid, None where none.

    held_before: those among `before` that were from answers.
    """

    label: int
    before: PackedHolding | None
    held_before: PackedHolding | None
    after: PackedHolding | None


class Takes:
    """Replacements since the last change of the prompts, for each state of them."""

    def __init__(self) -> None:
        self._done: dict[PromptList, list[Taken]] = {}
        self._undone: dict[PromptList, list[Taken]] = {}

    def add(self, prompts: PromptList, taken: Taken) -> None:
        """Something was taken; what was undone before is forgotten."""
        self._done.setdefault(prompts, []).append(taken)
        self.change(prompts)

    def change(self, prompts: PromptList) -> None:
        """Something else was done at this state, so that nothing is left to redo."""
        self._undone.pop(prompts, None)

    def forget(self, prompts: PromptList) -> None:
        """An answer to these prompts came, which replaces all that was taken."""
        self._done.pop(prompts, None)
        self._undone.pop(prompts, None)

    def can_undo(self, prompts: PromptList) -> bool:
        """Whether something was taken at this state."""
        return bool(self._done.get(prompts))

    def can_redo(self, prompts: PromptList) -> bool:
        """Whether something taken at this state was undone."""
        return bool(self._undone.get(prompts))

    def undo(self, prompts: PromptList) -> Taken:
        """What was taken last at this state, which is to be put back."""
        taken = self._done[prompts].pop()
        self._undone.setdefault(prompts, []).append(taken)
        return taken

    def redo(self, prompts: PromptList) -> Taken:
        """What was undone last at this state, which is to be taken again."""
        taken = self._undone[prompts].pop()
        self._done.setdefault(prompts, []).append(taken)
        return taken
