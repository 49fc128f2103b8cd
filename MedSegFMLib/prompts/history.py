"""Undo and redo of a prompt list: every state that was, as far back as the user likes."""

from __future__ import annotations

from collections.abc import Callable

from .prompt_list import PromptList


class PromptHistory:
    """The states of a prompt list, with one of them the present.

    Lists are immutable and share their prompts, so that a state costs next to nothing.
    """

    def __init__(self, present: PromptList | None = None) -> None:
        self._done = [PromptList() if present is None else present]
        self._undone: list[PromptList] = []

    @property
    def present(self) -> PromptList:
        """The prompts as they stand."""
        return self._done[-1]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing changed since."""
        return bool(self._undone)

    def change(self, prompts: PromptList) -> None:
        """Make `prompts` the present; what was undone before is forgotten."""
        self._done.append(prompts)
        self._undone.clear()

    def replace_all(self, change: Callable[[PromptList], PromptList]) -> None:
        """Put another list in the place of every state, as when the volume was moved."""
        self._done = [change(prompts) for prompts in self._done]
        self._undone = [change(prompts) for prompts in self._undone]

    def undo(self) -> bool:
        """Go back one change; False where there is none."""
        if not self.can_undo:
            return False
        self._undone.append(self._done.pop())
        return True

    def redo(self) -> bool:
        """Go forward one undone change; False where there is none."""
        if not self._undone:
            return False
        self._done.append(self._undone.pop())
        return True
