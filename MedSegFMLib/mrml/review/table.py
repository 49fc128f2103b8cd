"""The table of a review and its sentences: the same in Slicer's panel and in the browser."""

from __future__ import annotations

from dataclasses import dataclass

from ...batch.review.queue import ReviewProgress, ReviewQueue
from ...batch.review.records import Decision

COLUMNS = ("Case", "Segment", "Dice at least", "Expected", "Decision")
DECISIONS = {
    Decision.ACCEPTED: "accepted",
    Decision.CORRECTED: "corrected",
    Decision.SKIPPED: "skipped",
}
HINT = (
    "Cases come in the order of what is expected of their worst segment. Click on a mistake to "
    "correct it, as usual; Accept keeps the result, or saves your correction, and opens the next "
    "case."
)
ACCEPT, SAVE, SKIP, NEXT_SLICE = "Accept", "Save correction", "Skip", "Next slice"


@dataclass(frozen=True)
class TableRow:
    """An object of a case in the table.

    Attributes:
        case, label: the object.
        texts: its cells, one for each of `COLUMNS`.
        is_done: whether its case was accepted or corrected.
        notes: what the batch noted about the case; "" if nothing.
    """

    case: str
    label: int
    texts: tuple[str, ...]
    is_done: bool
    notes: str


def table_rows(queue: ReviewQueue) -> list[TableRow]:
    """A row for each object, those of the worst case first."""
    return [
        TableRow(
            case.name,
            row.label,
            (
                case.name,
                row.title,
                row.bound_text,
                row.expected_text,
                "" if case.decision is None else DECISIONS[case.decision],
            ),
            case.is_done,
            row.notes,
        )
        for case in queue.cases
        for row in case.rows
    ]


def progress_text(progress: ReviewProgress) -> str:
    """How far a review is: "12 of 100 done, 3 of them corrected; 1 skipped"."""
    text = f"{progress.done} of {progress.cases} done"
    if progress.corrected:
        text += f", {progress.corrected} of them corrected"
    return f"{text}; {progress.skipped} skipped" if progress.skipped else text
