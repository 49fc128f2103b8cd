"""The section "Compare models": the same prompts to each, and their results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING

from ... import registry
from ...errors import PageError
from ...mrml.comparison.comparison import METHODS, ModelComparison
from ...mrml.comparison.outlines import MODEL_COLORS
from ...mrml.comparison.requests import FEWEST, MOST
from ...mrml.comparison.table import table_of
from ...mrml.comparison.view import ModelComparisonView
from ...mrml.segments.reference import ReferenceSegment, reference_choices
from ...mrml.words import comparison_messages as messages
from ...mrml.words.comparison_messages import ARRANGEMENTS
from ...mrml.words.translation import tr as _
from ...registry import MODELS
from ..colors import as_hex
from ..fields import Message, choice, flag, text, whole
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

# Segments come and go unannounced; they are looked for this often while there are results.
_LOOK_SECONDS = 1.0
_FIRST = ("model", "seconds")


class ComparisonSection:
    """Starts comparisons, follows them, and uses their results.

    Args:
        desk: The work.
    """

    name = "comparison"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._comparison = ModelComparison(desk.logic)
        self._view = ModelComparisonView(desk.scene, self._comparison)
        desk.logic.while_saving.add(self._view)
        self._ticked: list[str] = [name for name in ("ensam", "randomwalk") if name in MODELS]
        self._measures_consistency = False
        self._references: list[ReferenceSegment] = []
        self._looked_at = 0.0
        self._was_running = False

    def follow(self) -> None:
        """Follow the models; called with each tick."""
        comparison = self._comparison
        comparison.pump()
        for sentence in comparison.complaints():
            self._desk.status.warn(sentence)
        if self._was_running and not comparison.is_running:
            # The worker holds the last model; the user's own is loaded for the next prompt.
            self._desk.warm_up()
        self._was_running = comparison.is_running
        if comparison.is_open and monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = monotonic()
            self._references = list(reference_choices(self._desk.scene))
        in_rows = comparison.is_open and self._view.arrangement == "rows"
        # The views are there before the scene's layout names them.
        self._desk.views.show_models([r.title for r in comparison.results] if in_rows else [])
        self._view.update()

    def hide_map(self) -> None:
        """Show the map of the models' disagreement no longer."""
        self._view.shows_map = False

    def close(self) -> None:
        """End everything."""
        self._comparison.shut_down()
        self._view.update()

    def state(self) -> State:
        """See `Section`."""
        logic, comparison = self._desk.logic, self._comparison
        has_volume, has_prompts = logic.volume is not None, bool(logic.prompts.entries)
        chosen = len(self._ticked)
        can_start = has_volume and has_prompts and FEWEST <= chosen <= MOST
        return {
            "hint": "" if comparison.is_open else messages.hint(has_volume, has_prompts, chosen),
            "models": [
                {
                    "name": name,
                    "title": registry.card(name).title,
                    "isTicked": name in self._ticked,
                    "canRun": not self._desk.model.fault(name),
                }
                for name in MODELS
            ],
            "consistency": self._measures_consistency,
            "canStart": can_start and not comparison.is_running,
            "isOpen": comparison.is_open,
            "isRunning": comparison.is_running,
            "percent": round(100 * comparison.fraction),
            "status": messages.status(comparison),
            "results": self._results() if comparison.is_open else None,
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "tick": self._tick,
            "compareConsistency": self._set_consistency,
            "compare": self._start,
            "compareStop": lambda _message: self._comparison.cancel(),
            "compareClose": lambda _message: self._comparison.close(),
            "compareObject": self._choose_object,
            "compareReference": self._choose_reference,
            "compareShow": self._show_model,
            "compareArrangement": self._arrange,
            "compareMap": self._show_map,
            "compareTake": self._take,
            "consensus": self._add_consensus,
        }

    def table_text(self) -> str:
        """The table of all objects as CSV.

        Raises:
            PageError: If nothing was compared.
        """
        if not self._comparison.is_open:
            raise PageError(_("No models were compared; compare some first."))
        return table_of(self._comparison).text(",")

    def _results(self) -> State:
        comparison, label = self._comparison, self._view.label
        subject = comparison.subject
        assert subject is not None, "there is a comparison"
        table = table_of(comparison, [label])
        shown = [n for n, column in enumerate(table.columns) if column.short is not None]
        shown = [n for n in shown if any(row[n] is not None for row in table.rows)]
        # The panel is narrow: names and times come first.
        shown.sort(key=lambda n: table.columns[n].key not in _FIRST)
        answered = sum(found.cost is not None for found in comparison.results)
        reference = comparison.scoring.references.get(label)
        return {
            "objects": [{"label": n, "name": subject.prompts.name(n)} for n in subject.labels],
            "label": label,
            "references": [{"key": _key(item), "title": item.title} for item in self._references],
            "reference": "" if reference is None else _key(reference),
            "referenceNote": comparison.scoring.faults.get(label, ""),
            "columns": [
                {"short": _(table.columns[n].short or ""), "heading": table.columns[n].heading}
                for n in shown
            ],
            "rows": [
                {
                    "model": found.model,
                    "color": as_hex(color),
                    "isShown": found.model not in self._view.hidden,
                    "canTake": label in found.masks,
                    "cells": ["" if row[n] is None else str(row[n]) for n in shown],
                }
                for found, color, row in zip(
                    comparison.results, MODEL_COLORS, table.rows, strict=False
                )
            ],
            "notes": messages.notes(comparison),
            "arrangement": self._view.arrangement,
            "arrangements": [{"key": key, "title": title} for key, title in ARRANGEMENTS.items()],
            "hasMap": answered >= FEWEST,
            "showsMap": self._view.shows_map,
            "methods": [{"key": key, "title": title} for key, title in METHODS.items()],
        }

    def _tick(self, message: Message) -> None:
        model = choice(message, "model", tuple(MODELS))
        others = [name for name in self._ticked if name != model]
        self._ticked = [*others, model] if flag(message, "on") else others

    def _set_consistency(self, message: Message) -> None:
        self._measures_consistency = flag(message, "on")

    def _start(self, _message: Message) -> None:
        models = [name for name in MODELS if name in self._ticked]
        device = self._desk.logic.device
        self._comparison.start(models, None, device, self._measures_consistency)

    def _choose_object(self, message: Message) -> None:
        subject = self._comparison.subject
        label = whole(message, "label", 1, 65535)
        if subject is not None and label in subject.labels:
            self._view.label = label

    def _choose_reference(self, message: Message) -> None:
        wanted = text(message, "key")
        found = next((item for item in self._references if _key(item) == wanted), None)
        self._comparison.scoring.use_reference(self._view.label, found)

    def _show_model(self, message: Message) -> None:
        model, on = text(message, "model"), flag(message, "on")
        hidden = self._view.hidden - {model}
        self._view.hidden = hidden if on else hidden | {self._comparison.result(model).model}

    def _arrange(self, message: Message) -> None:
        wanted = choice(message, "arrangement", tuple(ARRANGEMENTS))
        self._view.arrangement = "rows" if wanted == "rows" else "outlines"

    def _show_map(self, message: Message) -> None:
        on = flag(message, "on")
        if on:
            # The views show one map at a time.
            self._desk.logic.consistency.switch(False)
        self._view.shows_map = on

    def _take(self, message: Message) -> None:
        if not self._comparison.is_open:
            raise PageError(_("No models were compared; compare some first."))
        found, logic = self._comparison.result(text(message, "model")), self._desk.logic
        own = self._comparison.use_result(found.model, self._view.label)
        model = registry.card(logic.model).title
        self._desk.status.inform(messages.used(found.title, logic.prompts.name(own), model))

    def _add_consensus(self, message: Message) -> None:
        method = choice(message, "method", tuple(METHODS))
        self._comparison.ask_consensus(self._view.label, method)


def _key(reference: ReferenceSegment) -> str:
    return f"{reference.node.GetID()} {reference.segment_id}"
