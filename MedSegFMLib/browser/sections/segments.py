"""The section "Segments": the list, what is shown of it, and the files that it is saved as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import PageError
from ...mrml.results.saving import Saving
from ...mrml.segments.masking import is_locked, set_locked
from ...mrml.words.messages import segment_hint
from ...mrml.words.translation import tr as _
from ..colors import as_hex
from ..fields import Message, flag, number, text
from ..segment_colors import SegmentColors
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

_LONGEST_NAME = 64


class SegmentsSection:
    """Chooses the segment that prompts are for, and how segments are drawn.

    Args:
        desk: The work.

    Attributes:
        saving: Writes the segments to files.
    """

    name = "segments"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.saving = Saving(desk.logic)
        self._opacity = 0.5
        self._is_outlined = True
        self._styled: Any | None = None
        self._colors = SegmentColors()

    def follow(self) -> None:
        """Draw what is new as the rest; called with each tick."""
        node = self._desk.logic.segments.node
        self._colors.follow(node)
        if node is not None and node is not self._styled:
            self._styled = node
            self._draw_so()

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        node = logic.segments.node
        labels = {segment_id: label for label, segment_id in logic.segments.ids.items()}
        rows = [] if node is None else [self._row(node, n, labels) for n in _ids(node)]
        return {
            "hint": segment_hint(logic),
            "rows": rows,
            "current": logic.objects.current_segment,
            "avoidsOthers": logic.limits.avoid_others,
            "opacity": self._opacity,
            "isOutlined": self._is_outlined,
            "canAdd": logic.volume is not None and self._desk.can_run,
            "canSave": any(map(logic.segments.is_there, logic.prompts.labels)),
            "formats": [
                {"key": item.key, "title": _(item.title), "ending": item.endings[0]}
                for item in self.saving.offered()
            ],
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "newSegment": lambda _message: self._desk.logic.objects.add(),
            "chooseSegment": self._choose,
            "renameSegment": self._rename,
            "removeSegment": self._remove,
            "showSegment": self._show,
            "lockSegment": self._lock,
            "avoidOthers": self._avoid_others,
            "opacity": self._set_opacity,
            "outline": self._set_outline,
        }

    def _row(self, node: Any, segment_id: str, labels: Mapping[str, int]) -> State:
        segment = node.GetSegmentation().GetSegment(segment_id)
        label = labels.get(segment_id)
        return {
            "id": segment_id,
            "name": segment.GetName(),
            "color": as_hex(segment.GetColor()),
            "isVisible": bool(node.GetDisplayNode().GetSegmentVisibility(segment_id)),
            "isLocked": is_locked(node, segment_id),
            "isObject": label is not None and label in self._desk.logic.prompts.labels,
        }

    def _segment_id(self, message: Message) -> tuple[Any, str]:
        wanted, node = text(message, "id"), self._desk.logic.segments.node
        if node is None or wanted not in _ids(node):
            raise PageError(f"There is no segment {wanted[:40]!a}; reload the page.")
        return node, wanted

    def _label(self, message: Message) -> int:
        _node, wanted = self._segment_id(message)
        logic = self._desk.logic
        for label, segment_id in logic.segments.ids.items():
            if segment_id == wanted and label in logic.prompts.labels:
                return label
        raise PageError(_("This segment has no prompts; choose it, and give it one first."))

    def _choose(self, message: Message) -> None:
        _node, wanted = self._segment_id(message)
        self._desk.logic.objects.choose(wanted)

    def _rename(self, message: Message) -> None:
        name = " ".join(text(message, "name", _LONGEST_NAME).split())
        if not name:
            raise PageError(_("The segment needs a name; type one."))
        self._desk.logic.objects.rename(self._label(message), name)

    def _remove(self, message: Message) -> None:
        self._desk.logic.objects.remove(self._label(message))

    def _show(self, message: Message) -> None:
        node, wanted = self._segment_id(message)
        node.GetDisplayNode().SetSegmentVisibility(wanted, flag(message, "on"))

    def _lock(self, message: Message) -> None:
        node, wanted = self._segment_id(message)
        set_locked(node, wanted, flag(message, "on"))

    def _avoid_others(self, message: Message) -> None:
        self._desk.logic.limits.avoid_others = flag(message, "on")

    def _set_opacity(self, message: Message) -> None:
        self._opacity = number(message, "opacity", 0, 1)
        self._draw_so()

    def _set_outline(self, message: Message) -> None:
        self._is_outlined = flag(message, "on")
        self._draw_so()

    def _draw_so(self) -> None:
        node = self._desk.logic.segments.node
        display = None if node is None else node.GetDisplayNode()
        if display is not None:
            display.SetOpacity2DFill(self._opacity)
            display.SetVisibility2DOutline(self._is_outlined)


def _ids(node: Any) -> list[str]:
    return [str(segment_id) for segment_id in node.GetSegmentation().GetSegmentIDs()]
