"""The section "Clean up and freeze": changes of the current segment without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...errors import PageError, PromptError
from ...mrml.words import messages, prompt_titles
from ...mrml.words.translation import tr as _
from ...prompts.types import Box
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.segmentations.treatment import Treatment
from ..fields import Message, flag, number, whole
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

# As in the module's panel.
LARGEST_SMOOTH_MM, LARGEST_PART_ML = 20.0, 999.0


class RefineSection:
    """Treats the current segment, and freezes parts of it.

    Args:
        desk: The work.
    """

    name = "refine"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        is_there = not logic.objects.chosen_segment and logic.segments.is_there(logic.current_label)
        volume = logic.volume
        return {
            "canTreat": is_there,
            "canFreeze": is_there and volume is not None,
            "slices": 0 if volume is None else volume.geometry.shape_kji[0],
            "shown": "" if volume is None else self._shown(volume.geometry),
            "boxes": [
                {
                    "index": index,
                    "title": f"{prompt_titles.title(prompt)} · {logic.prompts.name(label)} · "
                    f"{prompt_titles.place(prompt)}",
                }
                for index, (label, prompt) in enumerate(logic.prompts.entries)
                if isinstance(prompt, Box)
            ],
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "treat": self._treat,
            "freezeSlices": self._freeze_slices,
            "freezeBox": self._freeze_box,
        }

    def _shown(self, geometry: Geometry) -> str:
        """Which slice of the volume, counted as those to freeze, the view across it shows."""
        index = self._desk.views.shown_slice(geometry)
        return "" if index is None else _("Slice {n} is shown.").format(n=index)

    def _treat(self, message: Message) -> None:
        desk = self._desk
        name = desk.logic.prompts.name(desk.logic.current_label)
        treatment = Treatment(
            flag(message, "fillHoles"),
            number(message, "smoothMm", 0, LARGEST_SMOOTH_MM),
            number(message, "minVolumeMl", 0, LARGEST_PART_ML),
            flag(message, "largestPart"),
        )
        is_changed = desk.logic.objects.treat(treatment)
        desk.note_segments()
        desk.status.inform(messages.treated(name, is_changed))

    def _freeze_slices(self, message: Message) -> None:
        slices, rows, columns = self._desk.logic.require_volume().geometry.shape_kji
        first, last = (whole(message, name, 0, slices - 1) for name in ("first", "last"))
        if first > last:
            raise PromptError(messages.no_slices(first, last))
        self._desk.logic.freeze(Region((first, 0, 0), (last + 1, rows, columns)))

    def _freeze_box(self, message: Message) -> None:
        entries = self._desk.logic.prompts.entries
        index = whole(message, "index", 0, max(0, len(entries) - 1))
        prompt = entries[index][1] if index < len(entries) else None
        if not isinstance(prompt, Box):
            raise PageError("This prompt is no box; choose another, or reload the page.")
        self._desk.logic.freeze(prompt)
