"""The prompts as markups in the scene, and what the user does to those.

The prompt list is the truth; markups show it and are rebuilt from it after undo, redo and loading.
They are not saved with the scene, the list is. What the user does to them is noted by observers
and read by `collect`, so that no scene change happens inside an observer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from ...errors import PromptError
from ...prompts.prompt_list import PromptList
from ...prompts.types import (
    Box,
    Lasso,
    Point,
    Prompt,
    Scribble,
    is_positive,
    prompt_name,
)
from .edits import Added, Deleted, Edit, Refused, Replaced
from .nodes import CLASSES, ROLE, SIGN, defined_points, prompts_from_node, show_prompt

_COLORS = {True: (0.20, 0.80, 0.35), False: (0.95, 0.25, 0.20)}
_BOX_COLOR = (0.95, 0.80, 0.20)
# Setting a position and reading it back through a parent transform costs the last digits.
_SAME_MM = 1e-6


@dataclass(frozen=True)
class _Shape:
    """Which prompt a node stands for, and what the node showed when it was made or taken."""

    index: int
    prompt: Prompt
    shown: Prompt


class PromptView:
    """The markups nodes of one prompt list in a scene."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._observed: dict[str, tuple[Any, list[int]]] = {}
        self._points: dict[bool, list[tuple[str, int, Point]]] = {True: [], False: []}
        self._shapes: dict[str, _Shape] = {}
        self._drafts: set[str] = set()
        self._touched = False
        self._dragging = False

    def point_node(self, positive: bool) -> Any:
        """The fiducial list that shows the clicks of one sign; new points in it become clicks."""
        for node in self._nodes("point"):
            if (node.GetAttribute(SIGN) != "-") == positive:
                return node
        return self._make("point", positive)

    def draft(self, kind: str, positive: bool = True) -> Any:
        """A node to draw a prompt into: "point", "box", "scribble" or "lasso".

        A click is taken when its point is placed, a box when its second corner is, strokes and
        outlines when `finish` is called with their node. A box that was begun and not finished is
        dropped when the next one is begun.
        """
        if kind == "point":
            return self.point_node(positive)
        if kind != "box":
            return self._make(kind, positive)
        for node_id in [i for i in self._drafts if self._is_open_box(i)]:
            self._drafts.discard(node_id)
            self._remove(node_id)
        node = self._make(kind, positive)
        self._drafts.add(node.GetID())
        return node

    def finish(self, node: Any) -> None:
        """Drawing into `node` has ended: take it at the next `collect`."""
        self._drafts.add(node.GetID())
        self._touched = True

    def show(self, prompts: PromptList) -> None:
        """Bring the markups to a prompt list; nodes that show their prompt already stay."""
        wanted = [(n, prompt) for n, (_, prompt) in enumerate(prompts.entries)]
        for positive in (True, False):
            points = [(n, p) for n, p in wanted if isinstance(p, Point) and p.positive == positive]
            if points or self._points[positive] or self._has_points(positive):
                self._show_points(positive, points)
        kept: dict[str, _Shape] = {}
        missing: list[tuple[int, Box | Scribble | Lasso]] = []
        free = dict(self._shapes)
        for n, prompt in wanted:
            if not isinstance(prompt, Box | Scribble | Lasso):
                continue
            known = next((i for i, shape in free.items() if shape.prompt == prompt), None)
            if known is not None and self._scene.GetNodeByID(known) is not None:
                kept[known] = _Shape(n, prompt, free.pop(known).shown)
            else:
                missing.append((n, prompt))
        for node_id in free:
            self._remove(node_id)
        self._shapes = kept
        for n, prompt in missing:
            node = self._make(prompt_name(prompt), is_positive(prompt))
            show_prompt(node, prompt)
            (shown,) = prompts_from_node(node)
            self._shapes[node.GetID()] = _Shape(n, prompt, shown)
        self._touched = False

    def collect(self) -> list[Edit]:
        """What the user did to the markups since the last call; nothing while a drag lasts.

        After the edits were taken or refused, `show` must be called with the list as it is then.
        """
        if not self._touched or self._dragging:
            return []
        self._touched = False
        edits: list[Edit] = []
        for positive in (True, False):
            if self._points[positive] or self._has_points(positive):
                edits += self._point_edits(positive)
        for node_id in list(self._shapes):
            edits += self._shape_edits(node_id)
        for node_id in list(self._drafts):
            edits += self._draft_edits(node_id)
        return edits

    def clear(self) -> None:
        """Take all markups of the prompts out of the scene."""
        for node_id in list(self._observed):
            self._remove(node_id)
        self.forget()

    def forget(self) -> None:
        """Let go of nodes that the scene has removed or is about to remove."""
        for node, tags in self._observed.values():
            for tag in tags:
                node.RemoveObserver(tag)
        self._observed.clear()
        self._points = {True: [], False: []}
        self._shapes.clear()
        self._drafts.clear()
        self._touched = self._dragging = False

    def note_removed(self, node_id: str) -> None:
        """A node left the scene; where it showed a prompt, the next `collect` deletes that."""
        if node_id in self._observed:
            self._unobserve(node_id)
            self._touched, self._dragging = True, False

    def _show_points(self, positive: bool, points: list[tuple[int, Point]]) -> None:
        node = self.point_node(positive)
        shown = defined_points(node)
        same = len(shown) == len(points) and all(
            _near(position, point.position_ras)
            for (_, position), (_, point) in zip(shown, points, strict=True)
        )
        if not same:
            while node.GetNumberOfControlPoints():
                node.RemoveNthControlPoint(0)
            for _, point in points:
                node.AddControlPointWorld(*point.position_ras)
            shown = defined_points(node)
        self._points[positive] = [
            (point_id, n, point) for (point_id, _), (n, point) in zip(shown, points, strict=True)
        ]

    def _point_edits(self, positive: bool) -> list[Edit]:
        nodes = [n for n in self._nodes("point") if (n.GetAttribute(SIGN) != "-") == positive]
        placed = dict(defined_points(nodes[0])) if nodes else {}
        edits: list[Edit] = []
        for point_id, index, point in self._points[positive]:
            position = placed.pop(point_id, None)
            if position is None:
                edits.append(Deleted(index))
            elif not _near(position, point.position_ras):
                edits.append(Replaced(index, Point(position, positive)))
        return edits + [Added(Point(position, positive)) for position in placed.values()]

    def _shape_edits(self, node_id: str) -> list[Edit]:
        shape, node = self._shapes[node_id], self._scene.GetNodeByID(node_id)
        if node is None:
            return [Deleted(shape.index)]
        try:
            (now,) = prompts_from_node(node)
        except PromptError as error:
            # The next `show` makes it anew.
            del self._shapes[node_id]
            self._remove(node_id)
            return [Refused(str(error))]
        if _same(now, shape.shown):
            return []
        # The next `show` knows the node by what it shows, or, where that is refused, replaces it.
        self._shapes[node_id] = _Shape(shape.index, now, now)
        return [Replaced(shape.index, now)]

    def _is_open_box(self, node_id: str) -> bool:
        node = self._scene.GetNodeByID(node_id)
        return (
            node is not None
            and node.IsA("vtkMRMLMarkupsROINode")
            and not node.GetControlPointPlacementComplete()
        )

    def _draft_edits(self, node_id: str) -> list[Edit]:
        node = self._scene.GetNodeByID(node_id)
        if node is None:
            self._drafts.discard(node_id)
            return []
        if self._is_open_box(node_id):
            return []
        self._drafts.discard(node_id)
        try:
            (prompt,) = prompts_from_node(node)
        except PromptError as error:
            self._remove(node_id)
            return [Refused(str(error))]
        # Its index is set by the next `show`, which knows the node by its prompt.
        self._shapes[node_id] = _Shape(-1, prompt, prompt)
        return [Added(prompt)]

    def _has_points(self, positive: bool) -> bool:
        return any((n.GetAttribute(SIGN) != "-") == positive for n in self._nodes("point"))

    def _nodes(self, role: str) -> list[Any]:
        nodes = (self._scene.GetNodeByID(node_id) for node_id in self._observed)
        return [node for node in nodes if node is not None and node.GetAttribute(ROLE) == role]

    def _make(self, role: str, positive: bool) -> Any:
        title = {"box": "box"}.get(role, f"{role} {'+' if positive else '−'}")
        node = self._scene.AddNewNodeByClass(CLASSES[role], f"MedSegFM {title}")
        node.SetAttribute(ROLE, role)
        node.SetAttribute(SIGN, "+" if positive else "-")
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        if display is not None:
            color = _BOX_COLOR if role == "box" else _COLORS[positive]
            display.SetColor(color)
            display.SetSelectedColor(color)
            display.SetSaveWithScene(False)
            display.SetPropertiesLabelVisibility(False)
            display.SetPointLabelsVisibility(False)
        if role == "box" and display is not None:
            display.SetFillVisibility(False)
        self._observe(node)
        return node

    def _observe(self, node: Any) -> None:
        events = [
            (node.PointPositionDefinedEvent, self._on_touched),
            (node.PointModifiedEvent, self._on_touched),
            (node.PointRemovedEvent, self._on_touched),
            (node.PointStartInteractionEvent, self._on_drag),
            (node.PointEndInteractionEvent, self._on_drop),
            ("ModifiedEvent", self._on_touched),
            (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._on_touched),
        ]
        self._observed[node.GetID()] = (node, [node.AddObserver(e, call) for e, call in events])

    def _unobserve(self, node_id: str) -> None:
        node, tags = self._observed.pop(node_id)
        for tag in tags:
            node.RemoveObserver(tag)

    def _remove(self, node_id: str) -> None:
        if node_id in self._observed:
            self._unobserve(node_id)
            # Nobody will tell that a drag of it has ended.
            self._dragging = False
        node = self._scene.GetNodeByID(node_id)
        if node is not None:
            self._scene.RemoveNode(node)

    def _on_touched(self, *_: object) -> None:
        self._touched = True

    def _on_drag(self, *_: object) -> None:
        self._dragging = True

    def _on_drop(self, *_: object) -> None:
        self._dragging, self._touched = False, True


def _same(first: Prompt, second: Prompt) -> bool:
    """Whether a node shows the same shape as before, but for the last digits."""
    if isinstance(first, Box) and isinstance(second, Box):
        return bool(np.allclose(first.corners_ras(), second.corners_ras(), atol=_SAME_MM))
    if isinstance(first, Scribble | Lasso) and isinstance(second, Scribble | Lasso):
        a, b = first.positions_ras, second.positions_ras
        return len(a) == len(b) and bool(np.allclose(a, b, atol=_SAME_MM))
    return first == second


def _near(first: Any, second: Any) -> bool:
    return all(abs(a - b) <= _SAME_MM for a, b in zip(first, second, strict=True))
