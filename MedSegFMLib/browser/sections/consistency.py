"""The section "Consistency": where the planes disagree, the worst spots, and a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...mrml.consistency.contours import PLANE_COLORS
from ...mrml.consistency.overlay import COLORS
from ...mrml.words import messages
from ...mrml.words.planes import PLANES
from ...mrml.words.translation import tr as _
from ..colors import as_hex
from ..fields import Message, flag
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk


class ConsistencySection:
    """Shows how well the planes agree on the current segment.

    Args:
        desk: The work.
    """

    name = "consistency"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        found, doubtful = logic.consistency.current, logic.consistency.doubtful_position()
        spot = None if found is None else logic.consistency.spot
        return {
            "isOn": logic.consistency.is_on,
            "showsContours": logic.consistency.shows_contours,
            "hint": messages.consistency_hint(
                logic.consistency.is_on,
                logic.prompts,
                found,
                logic.is_predicting,
                logic.consistency.is_measuring,
            ),
            "scores": "" if found is None else messages.consistency_scores(found),
            "spot": ""
            if found is None or spot is None
            else messages.spot_sentence(found.hot_spots, spot),
            "next": _("Worst spot") if spot is None else _("Next spot"),
            "hasSpots": found is not None and bool(found.hot_spots),
            "question": ""
            if doubtful is None
            else messages.doubt_question(logic.prompts.name(logic.current_label)),
            "colors": [as_hex(color) for color in COLORS],
            "planes": [
                {"title": PLANES[name], "color": as_hex(color)}
                for name, color in PLANE_COLORS.items()
            ],
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        logic = self._desk.logic
        return {
            "consistency": self._switch,
            "contours": self._show_contours,
            "worstSpot": lambda _message: logic.consistency.go_to_next_spot(),
            "belongs": lambda _message: logic.questions.answer_doubt(True),
            "notPart": lambda _message: logic.questions.answer_doubt(False),
        }

    def _switch(self, message: Message) -> None:
        on = flag(message, "on")
        if on:
            # The views show one map at a time.
            self._desk.comparison.hide_map()
        self._desk.logic.consistency.switch(on)

    def _show_contours(self, message: Message) -> None:
        self._desk.logic.consistency.shows_contours = flag(message, "on")
