"""The prompts as markups in the scene, and what the user does to those.

The prompt list is the truth; markups show it and are rebuilt from it after undo, redo and loading.
They are not saved with the scene, the list is. Observers note what the user does to them, and
`collect` reads it, so that no scene change happens inside an observer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer

from ...errors import PromptError
from ...prompts.prompt_list import PromptList
from ...prompts.types import (
    Box,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
    is_positive,
    prompt_name,
)
from .clicks import ClickMarkups
from .edits import Added, Deleted, Edit, Refused, Replaced
from .nodes import add_markup, prompts_from_node, same_shape, show_prompt


@dataclass(frozen=True)
class _Shape:
    """The prompt that a node stands for, and what the node showed when it was made or taken."""

    index: int
    prompt: Prompt
    shown: Prompt


# What a node of its own shows, and the nodes that Slicer completes by itself while drawing.
_Drawn = Box | Scribble | Lasso | Line
_COMPLETED = ("vtkMRMLMarkupsROINode", "vtkMRMLMarkupsLineNode")


class PromptView:
    """The markups nodes of one prompt list in a scene.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        has_edits: Whether markups were touched since the last `show`, and no drag goes on.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._observed: dict[str, tuple[Any, list[int]]] = {}
        self._clicks = ClickMarkups(lambda positive: self._make("point", positive))
        self._shapes: dict[str, _Shape] = {}
        self._drafts: set[str] = set()
        self._is_dragging = False
        self.has_edits = False

    def draft(self, kind: str, positive: bool = True) -> Any:
        """A node to draw a prompt into.

        A click is taken when its point is placed, a box when its second corner is, a line when its
        second end is, strokes and outlines when `finish` is called with their node. A box or line
        that was begun and not finished is dropped when the next one is begun.

        Args:
            kind: "point", "box", "line", "scribble" or "lasso".
            positive: Whether it marks what belongs to the object.
        """
        if kind == "point":
            return self._clicks.node(positive)
        if kind not in ("box", "line"):
            return self._make(kind, positive)
        for node_id in [i for i in self._drafts if self._is_open(i)]:
            self._drafts.discard(node_id)
            self._remove(node_id)
        node = self._make(kind, positive)
        self._drafts.add(node.GetID())
        return node

    def finish(self, node: Any) -> None:
        """Take the drawing in a node at the next `collect`: it has ended."""
        self._drafts.add(node.GetID())
        self._on_touched()

    def show(self, prompts: PromptList) -> None:
        """Bring the markups to a prompt list; nodes that show their prompt already stay."""
        clicks: list[tuple[int, Point]] = []
        shapes: list[tuple[int, _Drawn]] = []
        for n, (_, prompt) in enumerate(prompts.entries):
            if isinstance(prompt, Point):
                clicks.append((n, prompt))
            elif isinstance(prompt, _Drawn):
                shapes.append((n, prompt))
        self._clicks.show(clicks)
        if shapes or self._shapes:
            self._show_shapes(shapes)
        self.has_edits = False

    def collect(self) -> list[Edit]:
        """Edits of the user to the markups since the last call; none while a drag lasts.

        After the edits were taken or refused, `show` must be called with the resulting list.
        """
        if not self.has_edits:
            return []
        self.has_edits = False
        edits = self._clicks.collect()
        for node_id in list(self._shapes):
            edits += self._shape_edits(node_id)
        for node_id in list(self._drafts):
            edits += self._draft_edits(node_id)
        return edits

    def clear(self) -> None:
        """Remove all markups of the prompts from the scene."""
        for node_id in list(self._observed):
            self._remove(node_id)
        self.forget()

    def forget(self) -> None:
        """Let go of nodes that the scene has removed or is about to remove."""
        for node, tags in self._observed.values():
            for tag in tags:
                node.RemoveObserver(tag)
        self._observed.clear()
        self._clicks.forget()
        self._shapes.clear()
        self._drafts.clear()
        self.has_edits = self._is_dragging = False

    def note_removed(self, node_id: str) -> None:
        """A node left the scene; if it showed a prompt, the next `collect` deletes that."""
        if node_id in self._observed:
            self._unobserve(node_id)
            self._is_dragging = False
            self._on_touched()

    def _show_shapes(self, wanted: list[tuple[int, _Drawn]]) -> None:
        kept: dict[str, _Shape] = {}
        missing = []
        free = dict(self._shapes)
        for n, prompt in wanted:
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
        if same_shape(now, shape.shown):
            return []
        # The next `show` finds the node by the prompt it shows; if that is refused, it replaces it.
        self._shapes[node_id] = _Shape(shape.index, now, now)
        return [Replaced(shape.index, now)]

    def _is_open(self, node_id: str) -> bool:
        node = self._scene.GetNodeByID(node_id)
        return (
            node is not None
            and any(map(node.IsA, _COMPLETED))
            and not node.GetControlPointPlacementComplete()
        )

    def _draft_edits(self, node_id: str) -> list[Edit]:
        node = self._scene.GetNodeByID(node_id)
        if node is None:
            self._drafts.discard(node_id)
            return []
        if self._is_open(node_id):
            return []
        self._drafts.discard(node_id)
        try:
            (prompt,) = prompts_from_node(node)
        except PromptError as error:
            self._remove(node_id)
            return [Refused(str(error))]
        # Its index is set by the next `show`, which finds the node by its prompt.
        self._shapes[node_id] = _Shape(-1, prompt, prompt)
        return [Added(prompt)]

    def _make(self, role: str, positive: bool) -> Any:
        node = add_markup(self._scene, role, positive)
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
        return node

    def _unobserve(self, node_id: str) -> None:
        node, tags = self._observed.pop(node_id)
        for tag in tags:
            node.RemoveObserver(tag)
        self._clicks.let_go(node)

    def _remove(self, node_id: str) -> None:
        if node_id in self._observed:
            self._unobserve(node_id)
            # No event says that a drag of it has ended.
            self._is_dragging = False
        node = self._scene.GetNodeByID(node_id)
        if node is not None:
            self._scene.RemoveNode(node)

    def _on_touched(self, *_: object) -> None:
        self._clicks.note_touched()
        self.has_edits = not self._is_dragging

    def _on_drag(self, *_: object) -> None:
        self._is_dragging = True
        self.has_edits = False

    def _on_drop(self, *_: object) -> None:
        self._is_dragging = False
        self._on_touched()
