"""A case of a batch that is reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..records import ObjectRow, SliceRow
from .records import Decision


@dataclass(frozen=True)
class ReviewCase:
    """A case with what is known of it.

    Attributes:
        name: the case.
        output: the file that the batch wrote.
        rows: its objects, the worst first.
        slices: their slices that are most likely wrong, the worst first.
        decision: what was decided; None if nothing was.
        result: the file that counts: the correction's, or else the batch's.
    """

    name: str
    output: Path
    rows: tuple[ObjectRow, ...]
    slices: tuple[SliceRow, ...]
    decision: Decision | None
    result: Path

    @property
    def is_done(self) -> bool:
        """Whether it was accepted or corrected."""
        return self.decision in (Decision.ACCEPTED, Decision.CORRECTED)

    def slices_of(self, label: int) -> list[int]:
        """The indices along k of an object's worst slices, the worst first; [] if none is known."""
        row = next(row for row in self.rows if row.label == label)
        found = [item.slice for item in self.slices if item.object == row.object]
        return found or ([row.worst_slice] if row.worst_slice >= 0 else [])


def cases_of(
    folder: Path,
    rows: Sequence[ObjectRow],
    slices: Sequence[SliceRow],
    decided: dict[str, tuple[Decision, str]],
) -> list[ReviewCase]:
    """The cases of a batch in the order of their worst object.

    Args:
        folder: the folder of the batch.
        rows: its objects, the worst first.
        slices: their slices, the worst first.
        decided: by case, the decision and the file of the result.
    """
    own: dict[str, list[ObjectRow]] = {}
    for row in rows:
        own.setdefault(row.case, []).append(row)
    found = []
    for name, objects in own.items():
        output = objects[0].output
        decision, result = decided.get(name, (None, output))
        parts = tuple(item for item in slices if item.case == name)
        found.append(
            ReviewCase(name, folder / output, tuple(objects), parts, decision, folder / result)
        )
    return found
