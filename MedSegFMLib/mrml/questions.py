"""Questions about the current object: whether a doubtful voxel belongs to it, and its place."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MedSegFMError
from ..prompts.places import PlaceQuestion
from ..prompts.types import Point
from .consistency.tracker import ConsistencyTracker
from .consistency.view import ConsistencyView
from .places.tracker import PlaceTracker
from .updates import Update, Warned


class Questions:
    """Answers the questions of a `SegmentationLogic` by clicks on the current object.

    Args:
        consistency: Finds the doubtful position.
        places: The questions where objects are.
        view: Moves the views.
        add: Adds a click to the current object.
        updates: Gets what the user should see.
    """

    def __init__(
        self,
        consistency: ConsistencyTracker,
        places: PlaceTracker,
        view: ConsistencyView,
        add: Callable[[Point], None],
        updates: list[Update],
    ) -> None:
        self._consistency = consistency
        self._places = places
        self._view = view
        self._add = add
        self._updates = updates

    @property
    def place(self) -> PlaceQuestion | None:
        """Where the current object is, if the model asks; None if it does not."""
        return self._places.current

    def answer_doubt(self, belongs: bool) -> bool:
        """Add a click at the doubtful position to the current object, as any click.

        Args:
            belongs: Whether the position belongs to the object.

        Returns:
            Whether there was a doubtful position.
        """
        position = self._consistency.doubtful_position()
        if position is None:
            return False
        self._add(Point(position, belongs))
        return True

    def go_to_place(self, number: int) -> None:
        """Bring the views to a place of the question."""
        place = self._places.place(number)
        if place is not None:
            self._view.jump(place.position_ras)

    def answer_place(self, number: int, is_there: bool = True) -> bool:
        """Add a click at a place of the question to the current object, as any click.

        Args:
            number: The number of the place.
            is_there: Whether the object is there; otherwise the place is ruled out.

        Returns:
            Whether there was such a place.
        """
        place = self._places.place(number)
        if place is None:
            return False
        self._add(Point(place.position_ras, is_there))
        return True

    def follow(self) -> None:
        """Show where the current object may be, and take a click at one of the hot spots."""
        marks = self._places.marks
        if marks.picked is not None:
            try:
                self.answer_place(marks.picked)
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
        self._places.show()
