"""Asking where a model's planes disagree, after each answer, and what is kept of that.

Nothing here writes to segments. What was found holds for the prompts that it was asked with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...consistency import Consistency, HotSpot
from ...prompts.prompt_list import PromptList
from ...prompts.types import Point
from ...registry import card
from ...segmenter import ModelCard
from ...worker.events import Event, Noted, Predicted, Progressed
from ..autosave import Snapshot
from ..requests.client import Client
from ..requests.requests import Awaited
from ..updates import Compared, Comparing
from ..work import Work
from .view import ConsistencyView, position_of


@dataclass(frozen=True)
class _Found:
    prompts: PromptList
    by_label: Mapping[int, Consistency]


class ComparingWork(Work):
    """Work that knows for each object how well the model's planes agree, once that is asked for."""

    def __init__(self, scene: Any, client: Client, *services: Any) -> None:
        super().__init__(scene, client, *services)
        self._compares = False
        self._found: _Found | None = None
        # Which object's hot spot the views were brought to last, and its place among them.
        self._spot: tuple[int, int] | None = None
        self.consistency_view = ConsistencyView(scene)

    @property
    def card(self) -> ModelCard:
        """What the model takes and costs; once it was loaded, what it takes with its weights."""
        told = self._asking.opened.get(self.model)
        return card(self.model) if told is None else replace(card(self.model), prompts=told.prompts)

    @property
    def is_comparing(self) -> bool:
        """Whether the agreement of the planes is awaited; prompts may come meanwhile."""
        return self._asking.compared is not None

    @property
    def compares(self) -> bool:
        """Whether each answer is followed by the question where the planes disagree."""
        return self._compares

    @compares.setter
    def compares(self, on: bool) -> None:
        if on == self._compares:
            return
        self._compares = on
        if on:
            self._compare()
        else:
            self._asking.drop_comparison()
            self._forget_comparison()

    @property
    def shows_contours(self) -> bool:
        """Whether what each plane takes for the object is outlined."""
        return self.consistency_view.shows_contours

    @shows_contours.setter
    def shows_contours(self, on: bool) -> None:
        self.consistency_view.shows_contours = on
        self._show_consistency()

    @property
    def consistency(self) -> Consistency | None:
        """What was found for the current object with the present prompts."""
        found = self._found
        if found is None or found.prompts.entries != self.prompts.entries:
            return None
        return found.by_label.get(self.current_label)

    @property
    def spot(self) -> int | None:
        """Which of the current object's hot spots the views were brought to last."""
        if self._spot is None or self.consistency is None:
            return None
        label, place = self._spot
        return place if label == self.current_label else None

    def go_to_next_spot(self) -> HotSpot | None:
        """Bring the views to the worst hot spot, then to the next, and around; None: there is none.

        It begins anew with each comparison and each object.
        """
        consistency = self.consistency
        if consistency is None or not consistency.hot_spots:
            return None
        place = 0 if self.spot is None else (self.spot + 1) % len(consistency.hot_spots)
        self._spot = (self.current_label, place)
        spot = consistency.hot_spots[place]
        self.consistency_view.jump(position_of(spot, self._chosen().geometry))
        return spot

    def suggested_click(self, other_sign: bool = False) -> Point | None:
        """The suggested click as a prompt.

        None where nothing is suggested, or shown, or the model takes no clicks.
        """
        consistency = self.consistency if self._is_visible(self.current_label) else None
        spot = None if consistency is None else consistency.suggestion
        if spot is None or "point" not in self.card.prompts:
            return None
        place = position_of(spot, self._chosen().geometry)
        return Point(place, spot.positive != other_sign)

    def recover(self, snapshot: Snapshot) -> None:
        """As `Work.recover`."""
        super().recover(snapshot)
        self._compare()

    def _leave(self) -> None:
        super()._leave()
        self._forget_comparison()

    def _compare(self) -> None:
        """Ask about the present prompts, whose answer is there, if that is wanted and new."""
        asked = self._compares and self.volume is not None and self.prompts.entries
        known = self._found is not None and self._found.prompts.entries == self.prompts.entries
        if asked and not known and not self.is_predicting:
            self._asking.compare(self.prompts)
            self._updates.append(Comparing(0.0))

    def _take_comparison(self, event: Event, awaited: Awaited) -> None:
        """What the worker tells of a comparison."""
        if isinstance(event, Progressed):
            self._updates.append(Comparing(event.fraction))
        elif isinstance(event, Predicted):
            found = {n: a.consistency for n, a in event.answers.items() if a.consistency}
            self._found, self._spot = _Found(awaited.prompts, found), None
            self._updates.append(Compared())
            self._show_consistency()
        elif not isinstance(event, Noted):
            # What is noted was said with the answer already.
            self._updates.append(event)

    def _forget_comparison(self) -> None:
        """Volume, model or prompts are others."""
        self._found = self._spot = None
        self.consistency_view.clear()

    def _show_consistency(self) -> None:
        """Bring the scene to what holds now for the current object."""
        consistency = self.consistency
        if consistency is None or self.volume is None or not self._is_visible(self.current_label):
            self.consistency_view.clear()
        else:
            node, geometry = self.volume_node, self.volume.geometry
            segment_id = self.segments.ids[self.current_label]
            self.consistency_view.show(
                node, geometry, consistency, self.segments.node, segment_id, self.suggested_click()
            )

    def _is_visible(self, label: int) -> bool:
        if not self.segments.is_there(label):
            return False
        display = self.segments.node.GetDisplayNode()  # type: ignore[union-attr]
        if display is None:
            return True
        segment_id = self.segments.ids[label]
        return bool(display.GetVisibility() and display.GetSegmentVisibility(segment_id))
