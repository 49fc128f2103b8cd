"""The section "Review" of the page `review`: the queue of a batch, and what is decided about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...batch.review.records import Decision
from ...errors import MedSegFMError
from ...mrml.review.review import Review
from ...mrml.review.table import (
    ACCEPT,
    COLUMNS,
    HINT,
    SAVE,
    TableRow,
    progress_text,
    table_rows,
)
from ...mrml.review.words import decided_sentence, skipped_sentence
from ..fields import Message, text, whole
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk


class ReviewSection:
    """Goes through a batch; a volume is read in another thread, so that the page goes on meanwhile.

    Args:
        desk: The work.

    Attributes:
        review: The review in the scene.
    """

    name = "review"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.review = Review(desk.logic, desk.scene, desk.views.show)
        self._opening = ""
        self._task: asyncio.Task[None] | None = None
        # The rows as they are sent, and the cases that they were made from.
        self._rows: list[TableRow] = []
        self._rows_of: object = None

    def open(self, results: Path, volumes: Path) -> None:
        """Open a batch; a page opens its worst case.

        Raises:
            CasesError: One of the folders is not that.
        """
        self.review.open(results, volumes)

    def state(self) -> State:
        """See `Section`."""
        review, queue = self.review, self.review.queue
        if queue is None:
            return {"isOpen": False}
        if queue.cases is not self._rows_of:
            self._rows, self._rows_of = table_rows(queue), queue.cases
        opened = review.open_case
        return {
            "isOpen": True,
            "hint": HINT,
            "columns": COLUMNS,
            "rows": [
                {
                    "case": row.case,
                    "label": row.label,
                    "texts": row.texts,
                    "isDone": row.is_done,
                    "notes": row.notes,
                }
                for row in self._rows
            ],
            "case": "" if opened is None else opened.case.name,
            "label": review.label,
            "opening": self._opening,
            "cases": queue.progress.cases,
            "done": queue.progress.done,
            "progress": progress_text(queue.progress),
            "following": review.following,
            "accept": SAVE if opened is not None and self._desk.logic.can_undo else ACCEPT,
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "reviewCase": self._choose,
            "reviewNext": lambda _message: self._next(),
            "reviewSlice": lambda _message: self.review.next_slice(),
            "reviewAccept": self._accept,
            "reviewSkip": self._skip,
        }

    def _choose(self, message: Message) -> None:
        self._go_to(text(message, "case", 1000), whole(message, "label", 1, 65535))

    def _accept(self, _message: Message) -> None:
        decision, name = self.review.accept(), self._name()
        self._next(decided_sentence(name, decision is Decision.CORRECTED, self.review.queue))

    def _skip(self, _message: Message) -> None:
        name = self._name()
        self.review.skip()
        self._next(skipped_sentence(name))

    def _name(self) -> str:
        opened = self.review.open_case
        return "" if opened is None else opened.case.name

    def _next(self, said: str = "") -> None:
        name = self.review.following
        if name:
            self._go_to(name, None, said)
            return
        self.review.check_saved()
        self._stop_reading()
        self.review.close_case()
        self._desk.status.inform(said)

    def _go_to(self, name: str, label: int | None, said: str = "") -> None:
        """Open a case; a request that comes while one is read takes its place."""
        if self._name() == name:
            self._stop_reading()
            self.review.go_to(name, label)
            return
        self.review.check_saved()
        self._stop_reading()
        self._opening = name
        self._task = asyncio.get_running_loop().create_task(self._open(name, label, said))

    def _stop_reading(self) -> None:
        """Have a case that is being read not be opened."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._opening = None, ""

    async def _open(self, name: str, label: int | None, said: str) -> None:
        status = self._desk.status
        try:
            found = await asyncio.to_thread(self.review.read, name)
            sentence = self.review.go_to(name, label, found)
        except MedSegFMError as error:
            status.warn(" ".join(str(error).split()))
            return
        finally:
            # Another case may be read by now.
            if self._task is asyncio.current_task():
                self._opening = ""
        self._desk.note_segments()
        status.inform(said)
        if sentence:
            status.warn(sentence)
        self._desk.warm_up()
