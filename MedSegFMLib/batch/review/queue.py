"""The queue of a batch's review: its cases, the worst first, and the decisions in review.csv.

Each decision is written at once, so that a review goes on where it ended, and several people may
review one folder: each decision is added to those that the file holds by then.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path

from ...errors import CasesError
from ...system.folder_lock import folder_lock
from ...tasks.csv_files import read_records, write_records
from ...volumes.segmentations.segmentation import Segmentation
from ..digests import digest_of_files
from ..records import ObjectRow, SliceRow
from ..results_folder import read_batch
from .case import ReviewCase, cases_of
from .corrected import corrected_path, object_changes, write_corrected
from .records import Decision, ReviewRow

TABLE = "review.csv"
_ADVICE = "and decide again"


@dataclass(frozen=True)
class ReviewProgress:
    """How far a review is.

    Attributes:
        cases: the number of cases.
        accepted, corrected, skipped: the number of those that were decided about.
    """

    cases: int
    accepted: int
    corrected: int
    skipped: int

    @property
    def done(self) -> int:
        """The number of cases that were accepted or corrected."""
        return self.accepted + self.corrected


class ReviewQueue:
    """The cases of a batch and what is decided about them.

    Args:
        folder: the folder that `medsegfm segment` wrote.
        clock: gives the time in seconds.

    Attributes:
        folder: the folder.
        cases: its cases, the one with the worst object first.

    Raises:
        CasesError: it holds no batch, or its tables are damaged.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        rows, slices, _ = read_batch(folder)
        if not rows:
            raise CasesError(f"{folder} has no results to review; see its failures.csv.")
        self._rows: list[ObjectRow] = rows
        self._slices: list[SliceRow] = slices
        self._opened: dict[str, float] = {}
        self.cases: list[ReviewCase] = []
        self.read_again()

    @property
    def progress(self) -> ReviewProgress:
        """How far the review is."""
        counts = Counter(case.decision for case in self.cases)
        return ReviewProgress(
            len(self.cases),
            counts[Decision.ACCEPTED],
            counts[Decision.CORRECTED],
            counts[Decision.SKIPPED],
        )

    def case(self, name: str) -> ReviewCase:
        """A case by its name.

        Raises:
            CasesError: there is none.
        """
        for case in self.cases:
            if case.name == name:
                return case
        raise CasesError(f"{self.folder} has no case '{name}'; choose one of its list.")

    def following(self, name: str | None = None) -> ReviewCase | None:
        """The next case to look at: nothing decided, else skipped; None if all are done.

        Args:
            name: the case to look on from, which is tried last; None for the first.
        """
        names = [case.name for case in self.cases]
        after = names.index(name) + 1 if name in names else 0
        turned = self.cases[after:] + self.cases[:after]
        for wanted in (None, Decision.SKIPPED):
            for case in turned:
                if case.decision is wanted and case.name != name:
                    return case
        return None

    def opened(self, name: str) -> None:
        """Note that a case is looked at from now on."""
        self._opened[name] = self._clock()

    def accept(self, name: str) -> None:
        """Accept a result as the batch wrote it.

        Raises:
            CasesError: the file is not there.
            OutputError: the table cannot be written.
        """
        case = self.case(name)
        if not case.output.exists():
            raise CasesError(f"{case.output} is not there; run the batch again, or skip {name}.")
        rows = [self._row(row, Decision.ACCEPTED) for row in case.rows]
        digest = digest_of_files(case.output)
        self._decide(name, [replace(row, output_sha256=digest) for row in rows])

    def skip(self, name: str) -> None:
        """Leave a case for later.

        Raises:
            OutputError: the table cannot be written.
        """
        rows = [self._row(row, Decision.SKIPPED) for row in self.case(name).rows]
        self._decide(name, [replace(row, output_sha256="") for row in rows])

    def correct(self, name: str, before: Segmentation, result: Segmentation) -> Path:
        """Write a corrected result and its decision.

        Args:
            name: the case.
            before: the batch's objects, on the grid of the volume.
            result: the corrected ones on that grid, with their ledger.

        Returns:
            The file, in the folder `corrected` of the batch.

        Raises:
            OutputError: a file cannot be written.
        """
        case = self.case(name)
        path = corrected_path(self.folder, case)
        write_corrected(result, path)
        output = path.relative_to(self.folder).as_posix()
        digest = digest_of_files(path)
        known = {row.label: row for row in case.rows}
        rows = []
        for change in object_changes(before, result):
            # Nothing was expected of an object that the correction added.
            new = replace(case.rows[0], label=change.label, expected_dice=nan, lower_bound=nan)
            row = replace(known.get(change.label, new), object=change.name)
            decided = self._row(row, Decision.CORRECTED)
            rows.append(
                replace(
                    decided,
                    voxels=change.voxels,
                    ml=round(change.ml, 4),
                    dice_before=round(change.dice, 4),
                    output=output,
                    output_sha256=digest,
                )
            )
        self._decide(name, rows)
        return path

    def read_again(self) -> None:
        """Take up what others have decided meanwhile.

        Raises:
            CasesError: the table is damaged.
        """
        self._take(read_records(self.folder / TABLE, ReviewRow))

    def _take(self, decided: Sequence[ReviewRow]) -> None:
        current = {row.case: row.output_sha256 for row in self._rows}
        known = {
            row.case: (Decision(row.decision), row.output)
            for row in decided
            if current.get(row.case) == row.of_sha256
        }
        self.cases = cases_of(self.folder, self._rows, self._slices, known)

    def _decide(self, name: str, rows: Sequence[ReviewRow]) -> None:
        path = self.folder / TABLE
        with folder_lock(self.folder, _ADVICE):
            others = [row for row in read_records(path, ReviewRow) if row.case != name]
            order = {case.name: n for n, case in enumerate(self.cases)}
            decided = sorted([*others, *rows], key=lambda row: order.get(row.case, len(order)))
            write_records(decided, path, ReviewRow)
        self._opened.pop(name, None)
        self._take(decided)

    def _row(self, row: ObjectRow, decision: Decision) -> ReviewRow:
        opened = self._opened.get(row.case)
        return ReviewRow(
            row.case,
            row.object,
            row.label,
            row.frame,
            decision,
            row.voxels,
            row.ml,
            1.0,
            row.expected_dice,
            row.lower_bound,
            0.0 if opened is None else round(self._clock() - opened, 1),
            datetime.now(UTC).isoformat(timespec="seconds"),
            row.output,
            row.output_sha256,
            row.output_sha256,
        )
