"""Unlimited undo and redo of a prompt list."""

from __future__ import annotations

from collections.abc import Callable

from .prompt_list import PromptList


class PromptHistory:
    """All states of a prompt list, one of which is the current one.

    Lists are immutable and share their prompts, so that a state costs almost no memory.
    """

    def __init__(self, present: PromptList | None = None) -> None:
        self._done = [PromptList() if present is None else present]
        self._undone: list[PromptList] = []

    @property
    def present(self) -> PromptList:
        """The current prompts."""
        return self._done[-1]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing has changed since."""
        return bool(self._undone)

    def change(self, prompts: PromptList) -> None:
        """Make `prompts` the current state and discard undone states."""
        self._done.append(prompts)
        self._undone.clear()

    def replace_all(self, change: Callable[[PromptList], PromptList]) -> None:
        """Replace every state, for instance after the volume was moved."""
        self._done = [change(prompts) for prompts in self._done]
        self._undone = [change(prompts) for prompts in self._undone]

    def undo(self) -> bool:
        """Undo one change; False if there is none."""
        if not self.can_undo:
            return False
        self._undone.append(self._done.pop())
        return True

    def redo(self) -> bool:
        """Redo one undone change; False if there is none."""
        if not self._undone:
            return False
        self._done.append(self._undone.pop())
        return True
