"""Several models on the same prompts, and what the user does with their results.

    comparison = ModelComparison(logic)
    comparison.start(["ensam", "graphcut"])
    while comparison.is_running:       # from the timer that pumps the logic
        logic.pump()
        comparison.pump()

Nothing is written to the user's segments before `take` or `ask_consensus`.
"""

from __future__ import annotations

from typing import Any

from ...errors import MaskError, MedSegFMError
from ..logic import SegmentationLogic
from .requests import FEWEST, ModelAsking

# The ways to a consensus, and what the user calls them.
METHODS = {"staple": "STAPLE", "majority": "majority"}


class ModelComparison(ModelAsking):
    """A comparison whose results can be taken, alone or together."""

    def __init__(self, logic: SegmentationLogic) -> None:
        super().__init__(logic)
        self._consensuses: set[tuple[int, str]] = set()
        self._complaints: list[str] = []

    @property
    def is_computing(self) -> bool:
        """Whether a model is asked, or a number or a consensus is computed."""
        return self.is_running or self.scoring.is_busy or bool(self._consensuses)

    def pump(self) -> bool:
        """As `ModelAsking`; a consensus that was computed is added."""
        changed = super().pump()
        for label, method in list(self._consensuses):
            changed |= self._add_consensus(label, method)
        return changed

    def close(self) -> None:
        """As `ModelAsking`; a consensus on its way is dropped."""
        self._consensuses.clear()
        super().close()

    def take(self, model: str, label: int) -> int:
        """Make a model's object the accepted segment; the label it has in the user's work.

        The segment gets exactly these voxels, as far as locks and masking let it; the prompts stay,
        and undo brings back what was there. Where the work has no such object it is begun. Raises
        MaskError where the model saw nothing or the segment is locked.
        """
        found, subject = self.result(model), self.subject
        assert subject is not None, "there is a result"
        name = subject.prompts.name(label)
        mask = found.masks.get(label)
        if mask is None:
            raise MaskError(f"{found.title} has no voxels for {name}; take another result.")
        own = self._own_label(label, name)
        self._logic.replace_segment(own, mask)
        return own

    def ask_consensus(self, label: int, method: str) -> None:
        """Compute the consensus of the answers there are on an object, and add it as a segment.

        method: "staple" or "majority". It comes with a later `pump`; the user's other segments stay
        as they are. Raises MaskError with fewer than two answers.
        """
        answered = [r for r in self.results if r.cost is not None]
        if len(answered) < FEWEST:
            raise MaskError(
                f"{len(answered)} of the models have answered; a consensus needs {FEWEST} or more."
            )
        self.scoring.ask_consensus(label, method)
        self._consensuses.add((label, method))

    def complaints(self) -> list[str]:
        """What went wrong since the last call, for the user."""
        said, self._complaints = self._complaints, []
        return said

    def _add_consensus(self, label: int, method: str) -> bool:
        """Add a consensus where it is there; whether it was, or cannot be had."""
        assert self.subject is not None, "there is a comparison"
        try:
            mask = self.scoring.consensus(label, method)
            if mask is None:
                return False
            title = f"{self.subject.prompts.name(label)} consensus ({METHODS[method]})"
            self._logic.add_segment(title, mask)
        except MedSegFMError as error:
            self._complaints.append(str(error))
        self._consensuses.discard((label, method))
        self._changed()
        return True

    def own_segment(self, label: int) -> tuple[Any, str] | None:
        """The segmentation node and the segment that an object has in the user's work."""
        if self.subject is None:
            return None
        own = self._known_label(label, self.subject.prompts.name(label))
        segments = self._logic.segments
        if own is None or not segments.is_there(own):
            return None
        return segments.node, segments.ids[own]

    def _own_label(self, label: int, name: str) -> int:
        """Which object of the user's work a compared one is; one is begun where there is none."""
        known = self._known_label(label, name)
        return self._logic.add_object(name) if known is None else known

    def _known_label(self, label: int, name: str) -> int | None:
        """The object of the user's work with this label and name, otherwise with this name."""
        objects = self._logic.prompts.objects
        if (label, name) in objects:
            return label
        return next((known for known, other in objects if other == name), None)
