"""The section "Prompts": what can be drawn, the list, undo and redo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...mrml.words import prompt_titles
from ...mrml.words.messages import prompt_hint
from ...prompts.types import Text
from ..drawing import KINDS, places_ras, prompt_of
from ..fields import Message, choice, flag, places, text, whole
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

# The kind of prompt in model cards for each kind of drawing.
_NAMES = {
    "box": "box",
    "positive": "point",
    "negative": "point",
    "scribble": "scribble",
    "lasso": "lasso",
    "line": "line",
}


class PromptsSection:
    """Takes prompts, and shows those that were given.

    Args:
        desk: The work.
    """

    name = "prompts"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def state(self) -> State:
        """See `Section`."""
        desk, logic = self._desk, self._desk.logic
        usable = logic.volume is not None and desk.can_run
        prompts = logic.prompts
        return {
            "hint": prompt_hint(logic, desk.can_run, None, logic.requests.is_held),
            "usable": usable,
            "drawings": [kind for kind in KINDS if _NAMES[kind] in logic.card.accepted],
            "takesText": "text" in logic.card.prompts,
            "classes": list(logic.classes),
            "entries": [
                {
                    "title": prompt_titles.title(prompt),
                    "segment": prompts.name(label),
                    "place": prompt_titles.place(prompt),
                    "canMove": hasattr(prompt, "moved"),
                }
                for label, prompt in prompts.entries
            ],
            "canUndo": logic.can_undo,
            "canRedo": logic.can_redo,
            "autoRun": not logic.requests.holds_back,
            "newSegmentPerBox": logic.new_object_per_box,
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        logic = self._desk.logic
        return {
            "draw": self._draw,
            "text": lambda message: logic.add(Text(text(message, "text", 500))),
            "classes": lambda _message: logic.segment_classes(),
            "undo": lambda _message: logic.undo(),
            "redo": lambda _message: logic.redo(),
            "reset": lambda _message: logic.reset(),
            "delete": lambda message: logic.delete(self._index(message)),
            "move": self._move,
            "run": self._run,
            "autoRun": self._set_auto_run,
            "newSegmentPerBox": self._set_new_segment_per_box,
        }

    def _draw(self, message: Message) -> None:
        kind = choice(message, "kind", KINDS)
        geometry = self._desk.logic.require_volume().geometry
        self._desk.logic.add(prompt_of(kind, self._places(message), geometry))

    def _move(self, message: Message) -> None:
        self._desk.logic.move(self._index(message), self._places(message)[-1])

    def _places(self, message: Message) -> list[tuple[float, float, float]]:
        image = self._desk.views.image_of(message)
        number = whole(message, "image", 0, 2**32 - 1)
        return places_ras(image, number, places(message, "places"))

    def _index(self, message: Message) -> int:
        return whole(message, "index", 0, max(0, len(self._desk.logic.prompts.entries) - 1))

    def _run(self, _message: Message) -> None:
        self._desk.logic.predict()
        self._desk.logic.requests.release()

    def _set_auto_run(self, message: Message) -> None:
        requests = self._desk.logic.requests
        requests.holds_back = not flag(message, "on")
        if not requests.holds_back:
            requests.release()

    def _set_new_segment_per_box(self, message: Message) -> None:
        self._desk.logic.new_object_per_box = flag(message, "on")
