"""The agreement of a model's planes, measured after each answer and shown in the views.

Nothing here writes to segments. A result is valid for the prompts that it was requested with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...consistency import Consistency, HotSpot
from ...prompts.positions import Position
from ...prompts.prompt_list import PromptList
from ...worker.events import Event, Noted, Predicted, Progressed
from ..places.tracker import PlaceTracker
from ..requests.request_queue import PendingRequest, RequestQueue
from ..segments.segments import Segments
from ..updates import ConsistencyProgressed, ConsistencyReady, ConsistencyStarted, Update
from ..workspace import Workspace
from .view import ConsistencyView, position_of


@dataclass(frozen=True)
class _Measured:
    prompts: PromptList
    by_label: Mapping[int, Consistency]


class ConsistencyTracker:
    """Requests, keeps and shows how well the model's planes agree, while it is on.

    Args:
        workspace: The present work.
        segments: The segments of the objects.
        queue: Takes the requests.
        view: Shows what was found.
        places: The questions where objects are; forgotten with what was measured.
        updates: Gets what the user should see.

    Attributes:
        is_on: Whether each answer is followed by a request for the agreement of its planes.
        places: The questions where objects are.
    """

    def __init__(
        self,
        workspace: Workspace,
        segments: Segments,
        queue: RequestQueue,
        view: ConsistencyView,
        places: PlaceTracker,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._segments = segments
        self._queue = queue
        self._view = view
        self.places = places
        self._updates = updates
        self._measured: _Measured | None = None
        # The object and the place of the hot spot that the views were brought to last.
        self._spot: tuple[int, int] | None = None
        self.is_on = False

    @property
    def current(self) -> Consistency | None:
        """The result for the current object with the present prompts; None if there is none."""
        measured = self._measured
        if measured is None or measured.prompts.entries != self._workspace.prompts.entries:
            return None
        return measured.by_label.get(self._workspace.current_label)

    @property
    def spot(self) -> int | None:
        """The index of the current object's hot spot that the views were brought to last."""
        if self._spot is None or self.current is None:
            return None
        label, place = self._spot
        return place if label == self._workspace.current_label else None

    def switch(self, on: bool) -> None:
        """Measure each answer from now on, beginning with the present one, or no longer."""
        if on == self.is_on:
            return
        self.is_on = on
        if on:
            self.measure()
            return
        if self._queue.is_measuring_consistency:
            self._queue.drop()
        self._forget_measured()

    @property
    def is_measuring(self) -> bool:
        """Whether a result is awaited; prompts may come meanwhile."""
        return self._queue.is_measuring_consistency

    @property
    def shows_contours(self) -> bool:
        """Whether each plane's own outline of the object is drawn."""
        return self._view.shows_contours

    @shows_contours.setter
    def shows_contours(self, on: bool) -> None:
        self._view.shows_contours = on
        if self.is_on:
            self.show()

    def measure(self) -> None:
        """Request the agreement for the present prompts, if that is wanted and not known."""
        prompts = self._workspace.prompts
        if not self.is_on or self._workspace.volume is None or not prompts.entries:
            return
        measured = self._measured
        known = measured is not None and measured.prompts.entries == prompts.entries
        if not known and not self._queue.is_predicting:
            self._queue.measure_consistency(prompts)
            self._updates.append(ConsistencyStarted())

    def take(self, event: Event, pending: PendingRequest) -> None:
        """Take an event of a request for the agreement of the planes."""
        if isinstance(event, Progressed):
            self._updates.append(ConsistencyProgressed(event.fraction))
        elif isinstance(event, Predicted):
            found = {n: a.consistency for n, a in event.answers.items() if a.consistency}
            self._measured, self._spot = _Measured(pending.prompts, found), None
            self._updates.append(ConsistencyReady())
            self.show()
        elif not isinstance(event, Noted):
            # Notes came with the answer already.
            self._updates.append(event)

    def go_to_next_spot(self) -> HotSpot | None:
        """Bring the views to the worst hot spot, then to the next, and around.

        It starts over with each result and each object.

        Returns:
            The spot; None if there is none.
        """
        consistency = self.current
        if consistency is None or not consistency.hot_spots:
            return None
        label, last = self._workspace.current_label, self.spot
        place = 0 if last is None else (last + 1) % len(consistency.hot_spots)
        self._spot = (label, place)
        spot = consistency.hot_spots[place]
        self._view.jump(position_of(spot, self._workspace.require_volume().geometry))
        return spot

    def doubtful_position(self) -> Position | None:
        """Where a click would help most, in RAS millimetres; its sign is for the user to say.

        Returns:
            The position; None if nothing is doubtful, the segment is hidden, or the model takes no
            clicks.
        """
        is_visible = self._segments.is_visible(self._workspace.current_label)
        consistency = self.current if is_visible else None
        spot = None if consistency is None else consistency.suggestion
        if spot is None or "point" not in self._queue.model.card.prompts:
            return None
        return position_of(spot, self._workspace.require_volume().geometry)

    def show(self) -> None:
        """Bring the scene to what is valid now for the current object."""
        consistency, workspace = self.current, self._workspace
        label = workspace.current_label
        if consistency is None or workspace.volume is None or not self._segments.is_visible(label):
            self._view.clear()
            return
        self._view.show(
            workspace.volume_node,
            workspace.volume.geometry,
            consistency,
            self._segments.node,
            self._segments.ids[label],
            self.doubtful_position(),
        )

    def forget(self) -> None:
        """Forget what was found: the volume, the model or the prompts are different."""
        self._forget_measured()
        self.places.forget()

    def _forget_measured(self) -> None:
        self._measured = self._spot = None
        self._view.clear()

    def mend(self) -> None:
        """Repair what a loaded scene shows that was saved while something was shown."""
        self._view.mend()
