"""One model on one case: a first prompt for each object, then clicks, scored at each step.

A protocol segments the objects of a case one after another, each by itself in the volume, or all at
once: they then compete for voxels, as in `Session`, and the result is one label map.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...datasets.loading import LoadedCase
from ...errors import PromptError
from ...metrics import References, Scores
from ...metrics.challenge import instance_f1
from ...progress import Progress, parts_of
from ...segmenter import Segmenter
from ...session.session import Session
from ...system.memory.peak_memory import peak_bytes, reset_peak
from ..instances import are_instances
from ..protocol import Protocol, derive_seed
from ..records import PlacedKind, Row, Task
from ..results.case_picture import PICTURED
from ..results.target import failed_rows
from .label_map_output import StepLabelMaps
from .simulated_prompts import click, first_prompt

_WORST = Scores(0.0, 0.0, math.inf)


def run_case(
    task: Task,
    loaded: LoadedCase,
    segmenter: Segmenter,
    protocol: Protocol,
    progress: Progress,
    label_maps: StepLabelMaps | None = None,
) -> tuple[list[Row], NDArray[np.uint8]]:
    """Run a model on a case.

    An object that the model cannot segment (it has no class of that name) gets rows of a failure,
    and the others continue. Other errors are raised.

    Args:
        task: the task.
        loaded: the image and labels of its case.
        segmenter: the model.
        protocol: the protocol.
        progress: reports progress.
        label_maps: receives the label maps of all steps.

    Returns:
        The rows of the case, and the masks after the last step as one array (K, J, I): bit n is set
        in the voxels of object n, for the first PICTURED objects. Bool arrays for a case with many
        objects would fill the memory.
    """
    numbered = list(enumerate(task.case.objects))
    groups = [numbered] if protocol.together else [[item] for item in numbered]
    rows: list[Row] = []
    masks_kji = np.zeros(loaded.label.array_kji.shape, dtype=np.uint8)
    for group, share in zip(groups, parts_of(progress, len(groups)), strict=True):
        objects = [_Object(n, value, name) for n, (value, name) in group]
        run = _Run(task, objects, loaded, segmenter, protocol)
        run.go(share, label_maps)
        rows += [row for each in objects for row in each.rows]
        for each in objects:
            if each.n < PICTURED:
                masks_kji[run.drawn_kji == each.number] |= 1 << each.n
    return rows, masks_kji


@dataclass
class _Object:
    """An object that is segmented.

    Attributes:
        n: its index in the case.
        value: its label in the case.
        name: its name.
        number: its value in the group's label maps, 1 or more.
        label: its label in the session.
        rows: its rows so far.
        done: whether it gets no more clicks.
    """

    n: int
    value: int
    name: str
    number: int = 0
    label: int = 0
    rows: list[Row] = field(default_factory=list)
    done: bool = False


class _Run:
    """The steps of the objects that are segmented at once."""

    def __init__(
        self,
        task: Task,
        objects: list[_Object],
        loaded: LoadedCase,
        segmenter: Segmenter,
        protocol: Protocol,
    ) -> None:
        reset_peak()
        self.task, self.objects, self.loaded = task, objects, loaded
        self.segmenter, self.protocol = segmenter, protocol
        self.session = Session(segmenter, loaded.image)
        self.has_instances = are_instances(task.case, protocol)
        self.f1: float | None = 0.0 if self.has_instances else None
        shape, dtype = loaded.label.array_kji.shape, np.min_scalar_type(len(objects))
        self.reference_kji = np.zeros(shape, dtype)
        self.drawn_kji = np.zeros(shape, dtype)
        for number, each in enumerate(objects, 1):
            each.number, each.label = number, self.session.add_object(each.name)
            self.reference_kji[self._reference(each.value)] = number
        numbers = range(1, len(objects) + 1)
        millimetres = loaded.image.geometry.spacing_kji_mm
        self.references = References(self.reference_kji, numbers, millimetres)
        # Distances are in millimetres, whatever spacing the surface Dice uses.
        stored = loaded.stored_spacing
        self.stored = None
        if protocol.nsd_spacing == "stored" and stored != millimetres:
            self.stored = References(self.reference_kji, numbers, stored)

    def _reference(self, value: int) -> NDArray[np.bool_]:
        labels: NDArray[np.bool_] = self.loaded.label.array_kji == value
        return self.loaded.label.array_kji > 0 if self.has_instances else labels

    def go(self, progress: Progress, label_maps: StepLabelMaps | None) -> None:
        """Run all steps and fill in the rows of the objects."""
        limit = self.protocol.seconds_per_object
        allowed = math.inf if limit is None else limit * len(self.objects)
        spent = 0.0
        scores = [_WORST] * len(self.objects)
        for step, share in enumerate(parts_of(progress, self.protocol.clicks + 1)):
            placed = {each.number: self._place(each, step) for each in self.objects}
            seconds = 0.0
            if any(kind != PlacedKind.NONE for kind in placed.values()):
                seconds = self._predict(share)
            if step == 0 or seconds:
                scores = self._scores()
                if self.has_instances:
                    self.f1 = instance_f1(self.loaded.label.array_kji, self.drawn_kji)
            self._paint(label_maps, step)
            spent += seconds
            peak = peak_bytes()
            for each, own in zip(self.objects, scores, strict=True):
                if not each.done:
                    each.rows.append(self._row(each, step, placed[each.number], own, seconds, peak))
                    each.done = self.protocol.reached(own.dsc)
            if spent > allowed:
                self._too_slow(spent, allowed)
            if all(each.done for each in self.objects):
                for later in range(step + 1, self.protocol.clicks + 1):
                    self._paint(label_maps, later)
                return

    def _paint(self, label_maps: StepLabelMaps | None, step: int) -> None:
        if label_maps is not None:
            for each in self.objects:
                label_maps.set_mask(step, each.value, self.drawn_kji == each.number)

    def _place(self, each: _Object, step: int) -> PlacedKind:
        """Place the prompt of a step; returns the kind for its row."""
        if each.done:
            return PlacedKind.NONE
        seed = derive_seed(self.task.seed, self.task.case.name, each.name, step)
        card, loaded, protocol = self.segmenter.card, self.loaded, self.protocol
        reference = self.reference_kji == each.number
        if step == 0:
            prompt, kind = first_prompt(
                card, each.name, each.value, reference, loaded, protocol, seed
            )
        else:
            mask = self.drawn_kji == each.number
            prompt, kind = click(card, reference, mask, loaded, protocol, seed)
        try:
            if prompt is not None:
                self.session.add(prompt, each.label)
        except PromptError as error:
            self._fail(each, str(error))
            return PlacedKind.NONE
        return kind

    def _predict(self, progress: Progress) -> float:
        """Write the model's masks into `drawn_kji`; returns the seconds it took."""
        begun = time.perf_counter()
        try:
            answers = self.session.predict_all(progress)
        except PromptError as error:
            self._fail_all(str(error))
            return 0.0
        seconds = time.perf_counter() - begun
        self.drawn_kji[...] = 0
        for each in self.objects:
            answer = answers.get(each.label)
            if answer is not None:
                self.drawn_kji[answer.region.slices][answer.logits_kji > 0] = each.number
        return seconds

    def _scores(self) -> list[Scores]:
        tolerance = self.protocol.nsd_tolerance
        scores = self.references.scores(self.drawn_kji, tolerance)
        if self.stored is None:
            return scores
        stored = self.stored.scores(self.drawn_kji, tolerance)
        return [replace(a, nsd=b.nsd) for a, b in zip(scores, stored, strict=True)]

    def _row(
        self, each: _Object, step: int, placed: PlacedKind, own: Scores, seconds: float, peak: int
    ) -> Row:
        return Row(
            self.task.case.name,
            self.task.case.modality,
            each.name,
            self.task.model,
            self.task.seed,
            step,
            placed,
            own.dsc,
            own.nsd,
            own.hd95_mm,
            seconds if placed != PlacedKind.NONE else 0.0,
            peak,
            self.loaded.resampled,
            f1=self.f1,
        )

    def _too_slow(self, spent: float, allowed: float) -> None:
        self._fail_all(
            f"The model took {spent:.1f} s, over the protocol's {allowed:g} s for "
            f"{len(self.objects)} object{'' if len(self.objects) == 1 else 's'}."
        )

    def _fail_all(self, reason: str) -> None:
        for each in self.objects:
            if not (each.rows and each.rows[0].failed):
                self._fail(each, reason)

    def _fail(self, each: _Object, reason: str) -> None:
        """Replace the rows of an object by those of a failure; prompts and times are kept."""
        rows = failed_rows(
            self.task.case, self.task.model, self.task.seed, each.name, reason, self.protocol
        )
        rows = [replace(row, resampled=self.loaded.resampled) for row in rows]
        for step, row in enumerate(each.rows):
            rows[step] = replace(
                rows[step], prompt=row.prompt, seconds=row.seconds, peak_bytes=row.peak_bytes
            )
        each.rows, each.done = rows, True
