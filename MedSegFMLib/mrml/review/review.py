"""A review of a batch in a scene: the one logic of Slicer's panel and of the page in a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...batch.review.corrected import corrected_path
from ...batch.review.queue import ReviewQueue
from ...batch.review.records import Decision
from ...batch.review.volumes import CaseVolumes, read_case
from ...errors import CasesError, OutputError
from ...volumes.segmentations.files import has_layers
from ..logic import SegmentationLogic
from ..nodes.slice_views import jump_to
from .open_case import OpenCase, ReadCase


class Review:
    """One batch at a time, and of that one case at a time.

    Args:
        logic: The scene logic, which works on the open case.
        scene: The vtkMRMLScene.
        show_volume: Called with a volume's node, to show it in the views.

    Attributes:
        queue: The cases and what is decided about them; None while no batch is open.
        open_case: The case that is in the scene; None if there is none.
        label: The object of it that is looked at.
    """

    def __init__(
        self, logic: SegmentationLogic, scene: Any, show_volume: Callable[[Any], None]
    ) -> None:
        self._logic, self._scene, self._show_volume = logic, scene, show_volume
        self._volumes: CaseVolumes | None = None
        self.queue: ReviewQueue | None = None
        self.open_case: OpenCase | None = None
        self.label = 0
        # The number of the worst slice that is shown, and the case that was open last.
        self._shown, self._last = 0, ""

    def open(self, results: Path, volumes: Path) -> None:
        """Open a batch; the case that was open before is closed.

        Args:
            results: The folder that `medsegfm segment` wrote.
            volumes: The folder of its volumes, or the list of them.

        Raises:
            CasesError: One of them is not that.
            OutputError: A correction was not saved yet.
        """
        self.check_saved()
        queue = ReviewQueue(results)
        self._volumes = CaseVolumes(volumes, results)
        self.close_case()
        self.queue = queue

    def read(self, name: str) -> ReadCase:
        """Read the volume and the result of a case; it may run in another thread.

        Raises:
            CasesError: There is no such case, or no volume of it.
            VolumeError: The volume or the result cannot be read, or do not belong together.
        """
        assert self._volumes is not None, "a batch is open"
        case = self._require_queue().case(name)
        segmentation, ledger = read_case(case)
        volume = self._volumes.read(name, ledger)
        before = segmentation
        if case.result != case.output:
            before, _ = read_case(replace(case, result=case.output))
        return ReadCase(case, volume, segmentation, ledger, before)

    def go_to(self, name: str, label: int | None = None, found: ReadCase | None = None) -> str:
        """Open a case and bring the views to the worst slice of an object.

        Args:
            name: The case.
            label: The object; None for the worst one.
            found: The case as it was read; None to read it, which takes a while.

        Returns:
            A sentence that the user should see; "" if there is none.

        Raises:
            CasesError: There is no such case, no such object in it, or no volume of it.
            OutputError: The correction of the open case was not saved yet.
            VolumeError: The volume or the result cannot be read, or do not belong together.
        """
        queue = self._require_queue()
        case = queue.case(name)
        if label is not None and all(row.label != label for row in case.rows):
            raise CasesError(f"{name} has no object {label}; choose one of the list.")
        if self.open_case is None or self.open_case.case.name != name:
            self.check_saved()
            self._open_case(self.read(name) if found is None else found)
        opened = self._require_case()
        self.label = case.rows[0].label if label is None else label
        if self.label in self._logic.prompts.labels:
            self._logic.objects.select(self.label)
        self._shown = 0
        self._jump()
        if not opened.has_other_weights:
            return ""
        return (
            f"{name} was segmented with other weights than those that are installed, which answer "
            "your corrections."
        )

    def next_slice(self) -> int | None:
        """Bring the views to the next of the object's worst slices; after the last, the first.

        Returns:
            The slice, along k from 0; None if none is known.
        """
        self._shown += 1
        return self._jump()

    @property
    def following(self) -> str:
        """The name of the next case that is not done; "" if all are."""
        found = None if self.queue is None else self.queue.following(self._last)
        return "" if found is None else found.name

    def next_case(self) -> str:
        """Open the next case that is not done; see `go_to`. Without one, nothing is open."""
        self._require_queue()
        name = self.following
        if name:
            return self.go_to(name)
        self.check_saved()
        self.close_case()
        return ""

    @property
    def is_changed(self) -> bool:
        """Whether the open case differs from its file."""
        return self.open_case is not None and self._require_case().is_changed()

    def accept(self) -> Decision:
        """Accept the open case as it is now; a correction is written.

        Returns:
            Whether it is accepted as the batch wrote it, or corrected.

        Raises:
            CasesError: No case is open.
            OutputError: An answer is still awaited, or a file cannot be written.
            MaskError: No object is left.
        """
        opened, queue = self._require_case(), self._require_queue()
        name = opened.case.name
        if self._logic.is_predicting:
            raise OutputError(
                f"The answer to the last prompt of {name} is still awaited; wait for it, or undo "
                "the prompt."
            )
        if opened.is_changed():
            path = corrected_path(queue.folder, opened.case)
            queue.correct(name, opened.before, opened.result(has_layers(path)))
            opened.note_saved()
            return Decision.CORRECTED
        if opened.case.decision is Decision.CORRECTED:
            # It shows the correction, which stays.
            return Decision.CORRECTED
        queue.accept(name)
        return Decision.ACCEPTED

    def skip(self) -> None:
        """Leave the open case for later, without what was changed since it was opened.

        Raises:
            CasesError: No case is open.
            OutputError: The table cannot be written.
        """
        opened = self._require_case()
        if opened.case.decision is not Decision.CORRECTED:
            self._require_queue().skip(opened.case.name)
        self.close_case()

    def close_case(self) -> None:
        """Remove the open case from the scene, with what was not saved of it."""
        opened, self.open_case = self.open_case, None
        if opened is None:
            return
        if self._logic.volume_node is opened.volume_node:
            self._logic.set_volume(None)
        opened.close()

    def forget(self) -> None:
        """Let go of a scene that closes; the queue stays."""
        self.open_case = None

    def _open_case(self, found: ReadCase) -> None:
        queue, before = self._require_queue(), self.open_case
        self.open_case = None
        try:
            self.open_case = OpenCase(self._logic, self._scene, found)
        finally:
            if before is not None:
                before.close()
        queue.opened(found.case.name)
        self._last = found.case.name
        self._show_volume(self.open_case.volume_node)

    def _jump(self) -> int | None:
        opened = self._require_case()
        slices = opened.case.slices_of(self.label)
        if not slices:
            return None
        k = slices[self._shown % len(slices)]
        jump_to(self._scene, opened.position(self.label, k))
        return k

    def _require_queue(self) -> ReviewQueue:
        if self.queue is None:
            raise CasesError("No batch is open; open the folder of its results first.")
        return self.queue

    def _require_case(self) -> OpenCase:
        """The open case, which the scene logic works on again if the user has left it."""
        opened = self.open_case
        if opened is not None and not opened.is_there:
            opened = self.open_case = None
        if opened is None:
            raise CasesError("No case is open; choose one of the list.")
        if self._logic.volume_node is not opened.volume_node:
            self._logic.set_volume(opened.volume_node)
        return opened

    def check_saved(self) -> None:
        """Refuse to leave a case that was corrected.

        Raises:
            OutputError: The correction was not saved.
        """
        opened = self.open_case
        if opened is None or not opened.is_there:
            return
        if self._require_case().is_changed():
            raise OutputError(
                f"The correction of {opened.case.name} is not saved yet; accept it, or skip it to "
                "drop the correction."
            )
