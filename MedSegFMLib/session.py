"""One segmentation as the user lives it: a volume, a model, objects, prompts, undo and redo."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .contest import settle
from .errors import PromptError
from .progress import Progress, no_progress, part_of
from .prompt_list import PromptList
from .prompt_region import prompt_region, touched_faces
from .prompt_voxels import to_voxels
from .prompts import Box, Prompt
from .region import Region
from .segmenter import Encoding, Prediction, Segmenter
from .volume import Volume

# An object that runs out of its region is looked at in a larger one, this often.
_MOST_GROWTHS = 4


@dataclass(frozen=True)
class _Step:
    """A model's answer for one object after some of its prompts, and where it looked."""

    prediction: Prediction
    region: Region


class Session:
    """Volume, model, and the prompts for one or several objects.

    The prompts are a `PromptList`, and so is every earlier state: undo and redo go through those,
    as far as the user likes. Predictions depend on the volume, the model and the prompts alone,
    not on the way that led to them; those already computed are kept.

    Raises VolumeError for a volume that cannot be segmented (constant, NaN).
    """

    def __init__(
        self, segmenter: Segmenter, volume: Volume, encoding_budget_bytes: int = 1 << 30
    ) -> None:
        volume.intensity_range()
        self.segmenter = segmenter
        self.volume = volume
        self.current_label = 1
        self._budget_bytes = encoding_budget_bytes
        self._encodings: OrderedDict[Region, Encoding] = OrderedDict()
        self._steps: dict[tuple[Region | None, tuple[Prompt, ...]], _Step] = {}
        self._done: list[PromptList] = [PromptList()]
        self._undone: list[PromptList] = []

    @property
    def prompts(self) -> PromptList:
        """The objects and their prompts as they stand."""
        return self._done[-1]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing changed since."""
        return bool(self._undone)

    def add_object(self, name: str | None = None) -> int:
        """Begin another object and make it the current one; returns its label."""
        self.change(self.prompts.with_object(name))
        self.current_label = self.prompts.labels[-1]
        return self.current_label

    def remove_object(self, label: int) -> None:
        """Take an object and its prompts away."""
        self.change(self.prompts.without_object(label))

    def add(self, prompt: Prompt, label: int | None = None) -> None:
        """Add a prompt for an object (the current one), which is begun where there is none.

        Raises PromptError for a prompt that is outside the volume or that the model does not take;
        nothing changes then.
        """
        prompts = self.prompts
        label = self.current_label if label is None else label
        if not prompts.labels:
            prompts = prompts.with_object()
            label = prompts.labels[0]
        self.change(prompts.added(label, prompt))
        self.current_label = label

    def delete(self, index: int) -> None:
        """Delete the prompt `index` of the list, however early it was given."""
        self.change(self.prompts.deleted(index))

    def move(self, index: int, position_ras: Sequence[float]) -> None:
        """Move the click or box `index` of the list to a place in RAS millimetres."""
        self.change(self.prompts.moved(index, position_ras))

    def reset(self) -> None:
        """Take all objects and prompts away; undo brings them back."""
        self.change(PromptList())

    def change(self, prompts: PromptList) -> None:
        """Make `prompts` the present state, after checking each; the last one can be undone to."""
        for _, prompt in prompts.entries:
            self._check(prompt)
        self._done.append(prompts)
        self._undone.clear()
        self._keep_label()

    def undo(self) -> bool:
        """Go back one change; False where there is none."""
        if not self.can_undo:
            return False
        self._undone.append(self._done.pop())
        self._keep_label()
        return True

    def redo(self) -> bool:
        """Go forward one undone change; False where there is none."""
        if not self._undone:
            return False
        self._done.append(self._undone.pop())
        self._keep_label()
        return True

    def predict(self, label: int | None = None, progress: Progress = no_progress) -> Prediction:
        """Segment one object (the current one), beside all others.

        Raises PromptError where the object has no prompts, and what the model raises.
        """
        label = self.current_label if label is None else label
        self.prompts.name(label)
        predictions = self.predict_all(progress)
        if label not in predictions:
            raise PromptError(
                f"The object {label} has no prompts yet; place a box or click on it first."
            )
        return predictions[label]

    def predict_all(self, progress: Progress = no_progress) -> dict[int, Prediction]:
        """Segment every object that has prompts; no voxel belongs to two of them."""
        steps = {label: self.prompts.steps(label) for label in self.prompts.labels}
        steps = {label: taken for label, taken in steps.items() if taken}
        answers: dict[int, Prediction] = {}
        for n, (label, taken) in enumerate(steps.items()):
            share = part_of(progress, n / len(steps), (n + 1) / len(steps))
            answers[label] = self._answer(taken, share).prediction
        boxes = {
            label: to_voxels(
                [prompt for prompt in taken[-1] if isinstance(prompt, Box)], self.volume.geometry
            ).boxes
            for label, taken in steps.items()
        }
        return settle(answers, boxes)

    def labelmap(self, progress: Progress = no_progress) -> Volume:
        """All objects on the whole grid: uint8 (uint16 past 255), each with its label."""
        largest = max(self.prompts.labels, default=0)
        array = np.zeros(self.volume.geometry.shape_kji, np.uint8 if largest < 256 else np.uint16)
        for label, prediction in self.predict_all(progress).items():
            array[prediction.region.slices][prediction.logits_kji > 0] = label
        return Volume(array, self.volume.geometry)

    def _check(self, prompt: Prompt) -> None:
        self.segmenter.card.check_takes([prompt])
        to_voxels([prompt], self.volume.geometry)

    def _keep_label(self) -> None:
        labels = self.prompts.labels
        if labels and self.current_label not in labels:
            self.current_label = labels[-1]

    def _answer(self, taken: Sequence[tuple[Prompt, ...]], progress: Progress) -> _Step:
        """The model's answer after the last of `taken`, from the latest one that is known.

        A model that continues from its previous answer goes through every step, so that the same
        prompts always give the same mask.
        """
        if not self.segmenter.card.uses_previous:
            taken = taken[-1:]
        shared = self._shared_region()
        first = next(
            (n for n in reversed(range(len(taken))) if (shared, taken[n]) in self._steps), -1
        )
        step = self._steps[shared, taken[first]] if first >= 0 else None
        missing = taken[first + 1 :]
        for n, prompts in enumerate(missing):
            share = part_of(progress, n / len(missing), (n + 1) / len(missing))
            step = self._predict_step(prompts, shared, step, share)
            self._steps[shared, prompts] = step
        assert step is not None, "taken holds at least one step"
        return step

    def _predict_step(
        self,
        prompts: tuple[Prompt, ...],
        shared: Region | None,
        before: _Step | None,
        progress: Progress,
    ) -> _Step:
        geometry = self.volume.geometry
        region = shared or prompt_region(prompts, geometry, self.segmenter.card.region_rule)
        if before is not None:
            region = region.union(before.region)
        boxed = any(isinstance(prompt, Box) for prompt in prompts)
        previous = before.prediction if before else None
        for _ in range(_MOST_GROWTHS):
            encoding = self._encode(region, part_of(progress, 0, 0.5))
            prediction = self.segmenter.predict(
                encoding, prompts, previous, part_of(progress, 0.5, 1)
            )
            # A box says how far the object reaches; without one the object itself tells.
            grown = touched_faces(prediction.logits_kji > 0, region, geometry)
            if boxed or grown is None:
                break
            region = grown
        return _Step(prediction, prediction.region)

    def _encode(self, region: Region, progress: Progress) -> Encoding:
        if region in self._encodings:
            self._encodings.move_to_end(region)
            return self._encodings[region]
        encoding = self.segmenter.encode(self.volume, region, progress)
        self._encodings[region] = encoding
        held = sum(item.nbytes for item in self._encodings.values())
        while held > self._budget_bytes and len(self._encodings) > 1:
            held -= self._encodings.popitem(last=False)[1].nbytes
        return encoding

    def _shared_region(self) -> Region | None:
        """For a model that sees all objects at once: the region of all boxes and marks."""
        rule = self.segmenter.card.region_rule
        prompts = [prompt for _, prompt in self.prompts.entries]
        if not rule.shared or not any(isinstance(prompt, Box) for prompt in prompts):
            return None
        return prompt_region(prompts, self.volume.geometry, rule)
