"""Interactive segmentation in a scene: volume, prompts, answers and segments, kept in step.

    logic = SegmentationLogic(scene, WorkerClient(LocalLauncher()))
    logic.set_volume(volume_node)
    logic.add(Box.from_ijk(...))            # or the user draws into logic.view.draft("box")
    for update in logic.pump(): ...         # from a timer, on the main thread

Undo and redo go through the prompt list. The segments follow at once where the answer to a state
is remembered, otherwise when it has been predicted again. An answer to a state that is gone is
dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import MaskError, PromptError
from ..prompts.edits import (
    renamed,
    with_boxes,
    with_classes,
    with_prompt,
    without_prompts,
)
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Prompt
from ..prompts.voxels import to_voxels
from ..registry import card, resolve_name
from .scene_follower import SceneFollower
from .segments.grid import check_holds_labelmaps
from .segments.masking import is_locked, set_locked
from .segments.model_voxels import Holding
from .updates import Update


class SegmentationLogic(SceneFollower):
    """One volume, one segmentation node and the prompts of its objects.

    scene: the vtkMRMLScene. client: who predicts.
    application_logic, terminologies: Slicer's own, where there are.
    autosave: where to save now and then; None: nowhere.
    """

    def use_segmentation(self, node: Any | None) -> None:
        """Write to this segmentation node, into segments of our own; None: to a new one.

        Raises MaskError where its segments are stored as surfaces.
        """
        if node is not None:
            check_holds_labelmaps(node)
        self._take_edits()
        self._asking.drop()
        self.segments.use(node)
        self._state.forget()
        self._present_changed()

    def set_model(self, name: str, device: str = "auto", **options: Any) -> None:
        """Predict with another model, and replay the present prompts with it.

        Raises ModelError for an unknown one, PromptError where it does not take a present prompt.
        """
        name = resolve_name(name)
        card(name).check_takes([prompt for _, prompt in self.prompts.entries])
        if self._asking.set_model(name, device, options):
            self._predict_anew()
            self._store()

    def add_object(self, name: str | None = None) -> int:
        """Begin another object with a segment of its own and make it current; its label."""
        self._take_edits()
        self._change(self.prompts.with_object(name), select=-1)
        return self.current_label

    def remove_object(self, label: int) -> None:
        """Take an object, its prompts and its segment away; undo brings them back."""
        self._take_edits()
        self._change(self.prompts.without_object(label))

    def rename(self, label: int, name: str) -> None:
        """Name an object; its segment gets the terminology and colour of that name."""
        self._take_edits()
        self._change(renamed(self.prompts, label, name))
        self.segments.rename(label, name)

    def select(self, label: int) -> None:
        """Make an object the one that new prompts are for."""
        self._take_edits()
        self.prompts.name(label)
        self.current_label = label
        self._show_consistency()

    def set_locked(self, label: int, locked: bool) -> None:
        """Lock an object's segment: no answer changes it or takes voxels from it.

        Raises MaskError where it has none.
        """
        self.prompts.name(label)
        if not self.segments.is_there(label):
            raise MaskError(
                f"{self.prompts.name(label)} has no segment to lock yet; predict it first."
            )
        set_locked(self.segments.node, self.segments.ids[label], locked)

    def is_locked(self, label: int) -> bool:
        """Whether an object's segment is locked."""
        node, segment_id = self.segments.node, self.segments.ids.get(label)
        return node is not None and segment_id is not None and is_locked(node, segment_id)

    def add(self, prompt: Prompt, label: int | None = None) -> None:
        """Add a prompt for an object (the current one), which is begun where there is none.

        Raises PromptError for a prompt outside the volume or not taken by the model, VolumeError
        where no volume is chosen; nothing changes then.
        """
        self._take_edits()
        label = self.current_label if label is None else label
        prompts, label = with_prompt(self.prompts, prompt, label, self.new_object_per_box)
        self._change(prompts)
        self.current_label = label

    def accept_suggestion(self, other_sign: bool = False) -> bool:
        """Add the suggested click to the current object, as any click; False where there is none.

        other_sign: it belongs to the other side than was suggested.
        """
        click, label = self.suggested_click(other_sign), self.current_label
        if click is None:
            return False
        self.add(click, label)
        return True

    def add_boxes(self, boxes: Sequence[Box]) -> list[int]:
        """Add one object for each box, all predicted in one run; their labels."""
        self._take_edits()
        prompts, labels = with_boxes(self.prompts, boxes)
        self._change(prompts, select=-1)
        return labels

    def segment_classes(self) -> None:
        """Segment all that the model knows: an object for each class that none is named for yet.

        Raises PromptError where the model knows no classes, or is not loaded yet.
        """
        if not self.classes:
            raise PromptError(f"The model {self.model} knows no classes; draw a box or click.")
        self._take_edits()
        prompts = with_classes(self.prompts, self.classes)
        if prompts == self.prompts:
            self.predict()
        else:
            self._change(prompts, select=-1)

    def delete(self, index: int) -> None:
        """Delete the prompt `index` of the list, however early it was given."""
        self._take_edits()
        self._change(self.prompts.deleted(index))

    def move(self, index: int, position_ras: Sequence[float]) -> None:
        """Move the click or box `index` of the list to a place in RAS millimetres."""
        self._take_edits()
        self._change(self.prompts.moved(index, position_ras))

    def reset(self) -> None:
        """Take all prompts and what they gave away; the objects stay. Undo brings all back."""
        self._take_edits()
        self._change(without_prompts(self.prompts))

    def undo(self) -> bool:
        """Go back one change of the prompts, or what was taken; False where there is neither."""
        self._take_edits()
        if self._state.takes.can_undo(self.prompts):
            return self._put_back(redo=False)
        return self._history.undo() and self._present_changed(recall=True)

    def redo(self) -> bool:
        """Go forward one undone change; False where there is none."""
        self._take_edits()
        if self._state.takes.can_redo(self.prompts):
            return self._put_back(redo=True)
        return self._history.redo() and self._present_changed(recall=True)

    def take(self, label: int, mask: Holding) -> None:
        """Make an object's segment hold exactly these voxels of the volume; undo brings it back.

        Raises MaskError where it is locked. The prompts stay, and the next one is answered as ever;
        of an answer that is awaited the other objects get theirs.
        """
        self._take_edits()
        name = self.prompts.name(label)
        if self.is_locked(label):
            raise MaskError(f"{name} is locked; untick Lock before you take another result for it.")
        self._take(label, mask)
        self._asking.taken[label] = mask

    def add_segment(self, name: str, mask: Holding) -> str:
        """A new segment beside the objects', with these voxels of the volume; its identifier.

        It is numbered where another one has that name. Raises MaskError where the segmentation has
        no room for it.
        """
        geometry = self._chosen().geometry
        self.segments.ensure_node(self.volume_node)
        return self._state.add_segment(self.volume_node, geometry, name, mask)

    def check_inside(self, prompts: PromptList) -> None:
        """Raise PromptError for a prompt outside the volume, VolumeError where there is none."""
        to_voxels([prompt for _, prompt in prompts.entries], self._chosen().geometry)

    def pump(self) -> list[Update]:
        """Follow the scene and the user's markups, take the worker's events, write answers.

        Call it from a timer on the main thread; it never waits.
        """
        self._follow_scene()
        for event, awaited in self._asking.poll():
            self._take_event(event, awaited)
        self.overlay.expire()
        self._show_consistency()
        self._save_now_and_then()
        updates, self._updates = self._updates, []
        return updates

    def _put_back(self, redo: bool) -> bool:
        # An answer that is awaited counts again.
        self._asking.taken.clear()
        geometry = self._chosen().geometry
        self._wrote(self._state.put_back(self.volume_node, geometry, self.prompts, redo))
        return True

    def close(self) -> None:
        """Let go of the scene and end the worker."""
        self._asking.drop()
        self._watch.close()
        self.view.clear()
        self.overlay.clear()
        self._forget_comparison()
        self._asking.close()
