"""The states of a prompt list."""

from __future__ import annotations

from MedSegFMLib import Point
from MedSegFMLib.prompts.history import PromptHistory
from MedSegFMLib.prompts.prompt_list import PromptList


def test_undo_and_redo_visit_every_state() -> None:
    history = PromptHistory()
    states = [history.present]
    prompts = PromptList().with_object()
    for n in range(5):
        prompts = prompts.added(1, Point((n, 0, 0)))
        history.change(prompts)
        states.append(prompts)
    for state in reversed(states[:-1]):
        assert history.undo() and history.present == state
    assert not history.undo() and not history.can_undo
    for state in states[1:]:
        assert history.redo() and history.present == state
    assert not history.redo() and not history.can_redo


def test_a_change_forgets_what_was_undone() -> None:
    history = PromptHistory(PromptList().with_object("liver"))
    history.change(history.present.added(1, Point((0, 0, 0))))
    history.undo()
    history.change(history.present.added(1, Point((1, 0, 0))))
    assert not history.can_redo and history.can_undo
