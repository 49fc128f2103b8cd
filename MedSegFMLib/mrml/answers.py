"""The worker's answers: written into the segments, remembered and reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import MedSegFMError
from ..worker.events import Event, Predicted
from .consistency.tracker import ConsistencyTracker
from .replacing import SegmentReplacer
from .requests.request_queue import PendingRequest, RequestQueue
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import Update, Warned
from .workspace import Workspace


class Answers:
    """Takes what the worker sends.

    Args:
        workspace: The present work.
        segments: The segments of the objects.
        writer: Writes answers into them.
        replacer: Repeats replacements that were made while the answer was awaited.
        queue: Holds the model that answers.
        consistency: Measures the agreement of the planes after each answer.
        updates: Gets what the user should see.
    """

    def __init__(
        self,
        workspace: Workspace,
        segments: Segments,
        writer: SegmentWriter,
        replacer: SegmentReplacer,
        queue: RequestQueue,
        consistency: ConsistencyTracker,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._segments = segments
        self._writer = writer
        self._replacer = replacer
        self._queue = queue
        self._consistency = consistency
        self._updates = updates

    def take(self, event: Event, pending: PendingRequest | None) -> None:
        """Take an event of the worker, with the request that was pending when it came."""
        if pending is not None and pending.for_consistency:
            self._consistency.take(event, pending)
            return
        self._updates.append(event)
        workspace = self._workspace
        if not isinstance(event, Predicted) or pending is None or workspace.volume is None:
            return
        prompts = pending.prompts
        places = self._consistency.places
        if places.is_used or any(a.question is not None for a in event.answers.values()):
            places.take(prompts, event.answers)
        try:
            written = self._writer.write_answers(
                workspace.volume_node, workspace.volume.geometry, prompts, event.answers
            )
        except MedSegFMError as error:
            self._updates.append(Warned(str(error)))
            return
        self._writer.remember(self._queue.model.text, prompts)
        bounds = {n: a.lower_bound for n, a in event.answers.items() if a.lower_bound is not None}
        voxels = {n: int(np.count_nonzero(a.mask_kji)) for n, a in event.answers.items()}
        self._updates.append(replace(written, voxels=voxels, lower_bounds=bounds))
        for label in written.cut_off:
            self._updates.append(Warned(self._cut_off_sentence(prompts.name(label))))
        for label, mask in pending.replaced.items():
            self._replacer.replace(label, mask)
        workspace.store()
        if self._consistency.is_on:
            self._consistency.measure()

    def _cut_off_sentence(self, name: str) -> str:
        return (
            f"A part of {name} lies outside the voxels that {self._segments.node.GetName()} has "  # type: ignore[union-attr]
            "room for; choose a new segmentation to keep all of it."
        )
