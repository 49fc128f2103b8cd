"""An interactive segmentation session: a volume, a model, objects, prompts, undo and redo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import PromptError
from ..progress import Progress, no_progress
from ..prompts.edits import with_prompt
from ..prompts.history import PromptHistory
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Prompt, Text, is_positive
from ..prompts.voxels import kept_part, to_voxels
from ..segmenter import Prediction, Segmenter, class_numbers, probabilities
from ..system.foreign_errors import callers
from ..volumes.images import taken_by
from ..volumes.region import Region
from ..volumes.segmentations.segmentation import Segment, Segmentation
from ..volumes.volume import Volume
from .changes import PromptChange, changes_of
from .list_predictor import ListPredictor
from .region_limit import Note


class Session:
    """A volume, a model, and the prompts for one or several objects.

    A sheared volume is segmented at right angles; its predictions are on the volume's own grid.
    The prompts are a `PromptList`; undo and redo go through all earlier lists. Predictions depend
    on the volume, the model and the prompts only, not on the order of edits that led to them.

    Args:
        segmenter: the model.
        volume: the volume to segment, never written to. Of several images, the model gets those
            that its card names; `unused_images` says which are left out.
        budget_bytes: the memory budget of the cached encodings, and likewise of the cached
            predictions.
        note: called with a sentence if a GPU's memory is too small for a region, which is then
            made smaller; None to log it.

    Attributes:
        current_label: the object that prompts are added to.
        unused_images: a sentence on the images of the volume that the model does not use; "" if it
            uses all.

    Raises:
        VolumeError: the volume cannot be segmented (constant, NaN), or lacks an image of the model.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        volume: Volume,
        budget_bytes: int = 1 << 29,
        note: Note | None = None,
    ) -> None:
        taken = taken_by(volume, segmenter.card.channels, segmenter.card.title)
        volume = taken.volume
        volume.intensity_range()
        self.unused_images = taken.note
        self._segmenter = segmenter
        self._volume = volume
        self.current_label = 1
        self._predictor = ListPredictor(segmenter, volume, budget_bytes, note)
        self._history = PromptHistory()

    @property
    def segmenter(self) -> Segmenter:
        """The model."""
        return self._segmenter

    @property
    def volume(self) -> Volume:
        """The volume with the images that the model takes, which is never written to."""
        return self._volume

    @property
    def prompts(self) -> PromptList:
        """The current objects and their prompts."""
        return self._history.present

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing has changed since."""
        return self._history.can_redo

    def add_object(self, name: str | None = None) -> int:
        """Add an object, make it the current one and return its label."""
        self.change(self.prompts.with_object(name))
        self.current_label = self.prompts.labels[-1]
        return self.current_label

    def remove_object(self, label: int) -> None:
        """Remove an object and its prompts."""
        self.change(self.prompts.without_object(label))

    def add(self, prompt: Prompt, label: int | None = None) -> None:
        """Add a prompt to an object, and make that the current one.

        Args:
            prompt: the prompt.
            label: its object; None for the current one, or another that the prompt begins (see
                `prompts.edits.begins_object`).

        Raises:
            PromptError: the prompt is outside the volume or not supported by the model, or there is
                no such object; nothing is changed.
        """
        if label is None:
            prompts, label = with_prompt(self.prompts, prompt, self.current_label)
        else:
            prompts = self.prompts.added(label, prompt)
        self.change(prompts)
        self.current_label = label

    def delete(self, index: int) -> None:
        """Delete the prompt at `index` of the list."""
        self.change(self.prompts.deleted(index))

    def move(self, index: int, position_ras: Sequence[float]) -> None:
        """Move the click, box or line at `index` of the list to a position in RAS millimetres."""
        self.change(self.prompts.moved(index, position_ras))

    def freeze(self, part: Box | Region, label: int | None = None) -> None:
        """Keep an object's voxels in a part of the volume as they are predicted now.

        Later prompts do not change them, except that a click decides its own voxel. Deleting the
        prompt that this adds, or undo, thaws them.

        Args:
            part: the part; a region in voxels, such as a range of slices.
            label: the object; None for the current one.

        Raises:
            PromptError: the part is outside the volume, or the object has no prompts.
        """
        label = self.current_label if label is None else label
        self.add(kept_part(self.predict(label).mask, part), label)

    def reset(self) -> None:
        """Remove all objects and prompts; undo restores them."""
        self.change(PromptList())

    def change(self, prompts: PromptList) -> None:
        """Check all prompts and make them the current state; undo restores the previous one."""
        for _, prompt in prompts.entries:
            self._check(prompt)
        self._history.change(prompts)
        self._keep_label()

    def undo(self) -> bool:
        """Undo one change; False if there is none."""
        moved = self._history.undo()
        self._keep_label()
        return moved

    def redo(self) -> bool:
        """Redo one undone change; False if there is none."""
        moved = self._history.redo()
        self._keep_label()
        return moved

    def predict(self, label: int | None = None, progress: Progress = no_progress) -> Prediction:
        """Segment one object (None: the current one), taking all others into account.

        Raises:
            PromptError: the object has no prompts; further errors are those of the model.
        """
        label = self.current_label if label is None else label
        if not any(owner == label for owner, _ in self.prompts.entries):
            known = self.prompts.name(label) if label in self.prompts.labels else label
            raise PromptError(
                f"The object {known} has no prompts yet; place a box or click on it first."
            )
        return self.predict_all(progress)[label]

    def predict_all(
        self,
        progress: Progress = no_progress,
        overlapping: bool = False,
        redraw: bool = False,
        regions: Mapping[int, Region] | None = None,
    ) -> dict[int, Prediction]:
        """Segment every object that has prompts.

        Args:
            progress: called with the completed fraction and a phrase.
            overlapping: whether a voxel may belong to several objects; otherwise the one with the
                highest logit gets it; see `SharedStarts` for the exception.
            redraw: whether the model draws objects again that only start from a mask; otherwise
                they are the mask itself.
            regions: by label, the regions that the model looks at, which do not grow; None for
                those around the prompts.

        Raises:
            PromptError: only background is marked for an object.
            ModelError: the packages that the model needs fail, whatever they raise, or it returns
                NaN or infinity.
        """
        progress = callers(progress)
        for label in self.prompts.labels:
            taken = self.prompts.steps(label)
            if taken and not any(map(is_positive, taken[-1])):
                raise PromptError(
                    f"Only background is marked for {self.prompts.name(label)}; add a box or a "
                    "click on the object."
                )
        return self._predictor.predict(self.prompts, progress, overlapping, redraw, regions)

    def changes(
        self, first: int = 0, stop: int | None = None, progress: Progress = no_progress
    ) -> list[PromptChange]:
        """The changes that some prompts made, in the order in which they were given.

        A model that does not continue from its previous answer (`ModelCard.uses_previous`)
        predicts once more for each prompt.

        Args:
            first: the index of the first of these prompts.
            stop: the index after the last; None for all. Later prompts count as given before.
            progress: reports progress.
        """
        return changes_of(
            self._predictor.predict,
            self.prompts,
            range(first, len(self.prompts.entries) if stop is None else stop),
            self.volume.geometry,
            callers(progress),
        )

    def labelmap(self, progress: Progress = no_progress) -> Volume:
        """All objects as a label map of the whole grid: uint8, or uint16 for labels above 255."""
        largest = max(self.prompts.labels, default=0)
        array = np.zeros(self.volume.geometry.shape_kji, np.uint8 if largest < 256 else np.uint16)
        for label, prediction in self.predict_all(progress).items():
            array[prediction.region.slices][prediction.logits_kji > 0] = label
        return Volume(array, self.volume.geometry)

    def segmentation(
        self,
        progress: Progress = no_progress,
        overlapping: bool = True,
        redraw: bool = False,
    ) -> Segmentation:
        """All objects as segments with names and probabilities; see `predict_all`."""
        predicted = self.predict_all(progress, overlapping, redraw)
        segments = (
            Segment(
                label,
                self.prompts.name(label),
                prediction.region,
                prediction.logits_kji > 0,
                probability_kji=probabilities(prediction.logits_kji),
            )
            for label, prediction in predicted.items()
        )
        return Segmentation(self.volume.geometry, tuple(segments))

    def _check(self, prompt: Prompt) -> None:
        self.segmenter.card.check_takes([prompt])
        classes = self.segmenter.classes
        if classes and isinstance(prompt, Text):
            class_numbers([prompt.phrase], classes, self.segmenter.card.name)
        to_voxels([prompt], self.volume.geometry)

    def _keep_label(self) -> None:
        labels = self.prompts.labels
        if labels and self.current_label not in labels:
            self.current_label = labels[-1]
