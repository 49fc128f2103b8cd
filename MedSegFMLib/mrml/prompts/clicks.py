"""The clicks as points of two fiducial lists, one for each sign, and what the user does to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...prompts.positions import Position
from ...prompts.types import Point
from .edits import Added, Deleted, Edit, Replaced
from .nodes import SAME_MM, defined_points


class ClickMarkups:
    """The fiducial lists of a `PromptView`.

    Args:
        make: Makes an observed list for the clicks of one sign.
    """

    def __init__(self, make: Callable[[bool], Any]) -> None:
        self._make = make
        # By sign: the node, which of its points shows which prompt, and all points as they were
        # read last; nothing if they were touched since.
        self._nodes: dict[bool, Any] = {}
        self._shown: dict[bool, list[tuple[str, int, Point]]] = {True: [], False: []}
        self._placed: dict[bool, list[tuple[str, Position]]] = {}

    def node(self, positive: bool) -> Any:
        """The list of one sign; new points in it become clicks."""
        if positive not in self._nodes:
            self._nodes[positive] = self._make(positive)
        return self._nodes[positive]

    def show(self, clicks: Sequence[tuple[int, Point]]) -> None:
        """Bring the lists to the clicks, each with its index; what is shown already stays."""
        for positive in (True, False):
            own = [(n, click) for n, click in clicks if click.positive == positive]
            if own or positive in self._nodes:
                self._show(positive, own)

    def collect(self) -> list[Edit]:
        """Edits of the user to the points since the last `show`."""
        edits: list[Edit] = []
        for positive in (True, False):
            if self._shown[positive] or positive in self._nodes:
                edits += self._edits(positive)
        return edits

    def note_touched(self) -> None:
        """Markups were touched: the points are read again."""
        self._placed.clear()

    def let_go(self, node: Any) -> None:
        """A node is not observed any more."""
        for positive, known in list(self._nodes.items()):
            if known is node:
                del self._nodes[positive]

    def forget(self) -> None:
        """Forget both lists: the scene has removed them or is about to."""
        self._nodes.clear()
        self._shown = {True: [], False: []}
        self._placed.clear()

    def _show(self, positive: bool, clicks: list[tuple[int, Point]]) -> None:
        shown = self._read(positive)
        same = len(shown) == len(clicks) and all(
            _near(position, click.position_ras)
            for (_, position), (_, click) in zip(shown, clicks, strict=True)
        )
        if not same:
            node = self.node(positive)
            while node.GetNumberOfControlPoints():
                node.RemoveNthControlPoint(0)
            for _, click in clicks:
                node.AddControlPointWorld(*click.position_ras)
            shown = self._read(positive)
        self._shown[positive] = [
            (point_id, n, click) for (point_id, _), (n, click) in zip(shown, clicks, strict=True)
        ]

    def _read(self, positive: bool) -> list[tuple[str, Position]]:
        """The points of one sign; they are read again only if markups were touched since."""
        known = self._placed.get(positive)
        if known is None:
            node = self._nodes.get(positive)
            known = self._placed[positive] = [] if node is None else defined_points(node)
        return known

    def _edits(self, positive: bool) -> list[Edit]:
        placed = dict(self._read(positive))
        edits: list[Edit] = []
        for point_id, index, click in self._shown[positive]:
            position = placed.pop(point_id, None)
            if position is None:
                edits.append(Deleted(index))
            elif not _near(position, click.position_ras):
                edits.append(Replaced(index, Point(position, positive)))
        return [*edits, *(Added(Point(position, positive)) for position in placed.values())]


def _near(first: Position, second: Position) -> bool:
    return all(abs(a - b) <= SAME_MM for a, b in zip(first, second, strict=True))
