"""A row of review.csv: an object of a case, and what a person decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """A decision about a case.

    ACCEPTED: the result stays as the batch wrote it. CORRECTED: another file was written. SKIPPED:
    it was left for later.
    """

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ReviewRow:
    """An object of a case that was decided about; a row of review.csv.

    Attributes:
        case, object, label, frame: as in `batch.records.ObjectRow`.
        decision: a `Decision`.
        voxels: the voxels of the result; 0 for an object that a correction removed.
        ml: its volume in millilitres.
        dice_before: the Dice of the batch's object and the result, 1 if nothing was changed or both
            are empty.
        expected_dice, lower_bound: what the batch expected of its object.
        seconds: from the opening of the case to the decision.
        reviewed: when, in UTC, as ISO 8601.
        output: the file of the result, in the folder of the batch unless it is absolute.
        output_sha256: of that file; of a label map without the ledger beside it.
        of_sha256: of the batch's file as it was written; with another one, the decision does not
            count any more.
    """

    case: str
    object: str
    label: int
    frame: int
    decision: str
    voxels: int
    ml: float
    dice_before: float
    expected_dice: float
    lower_bound: float
    seconds: float
    reviewed: str
    output: str
    output_sha256: str
    of_sha256: str
