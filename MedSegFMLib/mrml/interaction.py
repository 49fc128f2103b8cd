"""One interaction: a change of the prompts, and what markups, segments and requests make of it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MedSegFMError, PromptError
from ..prompts.edits import replaced, with_prompt
from ..prompts.prompt_list import PromptList
from ..prompts.types import prompt_name
from ..prompts.voxels import to_voxels
from ..segmenter import class_numbers
from .consistency.tracker import ConsistencyTracker
from .prompts.edits import Added, Deleted, Edit, Refused, Replaced
from .prompts.view import PromptView
from .requests.request_queue import RequestQueue
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import PromptsChanged, Update, Warned
from .workspace import Workspace


class Interaction:
    """Keeps markups, segments and requests in step with the prompts.

    Args:
        workspace: The present work.
        view: The markups of the prompts.
        segments: The segments of the objects.
        writer: Holds the voxels that segments have from answers.
        queue: Takes the requests.
        consistency: Shows and measures the agreement of the planes.
        updates: Gets what the user should see.

    Attributes:
        new_object_per_box: Whether a drawn box for an object that has one begins another object.
        before_new_prompt: Called before drawn prompts are added, for an object to add them to.
    """

    def __init__(
        self,
        workspace: Workspace,
        view: PromptView,
        segments: Segments,
        writer: SegmentWriter,
        queue: RequestQueue,
        consistency: ConsistencyTracker,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._view = view
        self._segments = segments
        self._writer = writer
        self._queue = queue
        self._consistency = consistency
        self._updates = updates
        self.new_object_per_box = False
        self.before_new_prompt: Callable[[], object] = lambda: None

    def change(self, prompts: PromptList, select: int | None = None) -> None:
        """Make a prompt list the present one, after checking the prompts that are new in it.

        Args:
            prompts: The new list.
            select: The index of the object that becomes the current one; None to keep it.

        Raises:
            PromptError: If a new prompt cannot be taken; nothing changes then.
            VolumeError: If no volume is chosen.
        """
        before = self._workspace.prompts
        self.check(prompts, before)
        self.make_present(before, prompts, select)

    def take_edits(self) -> None:
        """Take what the user drew, moved and deleted; what is refused is undone in the views."""
        edits = self._view.collect()
        if not edits:
            return
        workspace = self._workspace
        if any(isinstance(edit, Added) for edit in edits):
            try:
                self.before_new_prompt()
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
                edits = [edit for edit in edits if not isinstance(edit, Added)]
        before = prompts = workspace.prompts
        label = workspace.current_label
        gone = []
        for edit in edits:
            try:
                if isinstance(edit, Deleted):
                    gone.append(edit.index)
                else:
                    prompts, label = self._edited(prompts, label, edit)
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
        # New prompts come at the end, so the indices of those that go are still valid.
        for index in sorted(gone, reverse=True):
            prompts = prompts.deleted(index)
        if prompts == before:
            self._view.show(prompts)
            return
        self.make_present(before, prompts, None)
        workspace.current_label = label

    def predict(self) -> None:
        """Request the answer to the present prompts, also if one is remembered."""
        workspace = self._workspace
        prompts = workspace.prompts
        self._writer.held = None
        if workspace.volume is None or not prompts.entries:
            self._queue.drop()
            return
        if self._segments.node is None:
            # It was deleted; without one the answer would be lost.
            self._segments.ensure_all(workspace.volume_node, prompts.objects)
        self._queue.predict(prompts)

    def predict_anew(self) -> None:
        """Request the answer again: earlier ones are of another model or volume."""
        self._writer.forget_remembered()
        self._consistency.forget()
        self.predict()
        self._workspace.store()

    def show_present(self, recall: bool = False) -> None:
        """Bring markups, segments and requests to the present prompts.

        Args:
            recall: Whether to take what these prompts gave before, if it is remembered.
        """
        workspace = self._workspace
        prompts = workspace.prompts
        objects = prompts.objects
        if objects and all(label != workspace.current_label for label, _ in objects):
            workspace.current_label = objects[-1][0]
        self._updates.append(PromptsChanged())
        self._view.show(prompts)
        if workspace.volume is None or workspace.volume_node is None:
            return
        if objects or self._segments.node is not None:
            try:
                self._bring_segments(prompts, recall or not prompts.entries)
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
                # The pending request is for other prompts.
                self.predict()
        workspace.store()
        if self._consistency.is_on:
            self._consistency.show()

    def check(self, prompts: PromptList, before: PromptList) -> None:
        """Refuse prompts that are new in a list and that the model cannot take.

        Raises:
            PromptError: If the model does not take a prompt of that type, it is outside the
                volume, or its text names none of the classes that the model knows.
            VolumeError: If no volume is chosen.
        """
        geometry = self._workspace.require_volume().geometry
        known = {prompt for _, prompt in before.entries}
        new = [prompt for _, prompt in prompts.entries if prompt not in known]
        model = self._queue.model
        if any(prompt_name(prompt) not in model.card.prompts for prompt in new):
            model.card.check_takes(new)
        phrases = to_voxels(new, geometry).phrases
        if phrases and model.classes:
            class_numbers(phrases, model.classes, model.name)

    def _edited(self, prompts: PromptList, label: int, edit: Edit) -> tuple[PromptList, int]:
        """The list after one checked edit, and the object that a new prompt went to."""
        if isinstance(edit, Added):
            after, label = with_prompt(prompts, edit.prompt, label, self.new_object_per_box)
        elif isinstance(edit, Replaced):
            after = replaced(prompts, edit.index, edit.prompt)
        else:
            assert isinstance(edit, Refused), "deletions are taken together"
            raise PromptError(edit.sentence)
        self.check(after, prompts)
        return after, label

    def make_present(
        self, before: PromptList, prompts: PromptList, select: int | None, adopted: int = 0
    ) -> None:
        """Make a checked list the present one.

        Args:
            before: The list before.
            prompts: The new list.
            select: See `change`.
            adopted: The label of a new object whose segment is there already; 0 for none.
        """
        workspace, history = self._workspace, self._writer.replaced
        if not history.is_empty:
            history.forget_undone(before)
        if prompts.objects != before.objects:
            for label in set(prompts.labels) - set(before.labels) - {adopted}:
                self._writer.release(label)
        workspace.history.change(prompts)
        if select is not None and prompts.objects:
            workspace.select(prompts.objects[select][0])
        same_entries = prompts.entries == before.entries
        if same_entries:
            self._writer.remember_as(self._queue.model.text, before, prompts)
        self.show_present(recall=same_entries or adopted > 0)

    def _bring_segments(self, prompts: PromptList, recall: bool) -> None:
        workspace, segments = self._workspace, self._segments
        node, geometry = workspace.volume_node, workspace.require_volume().geometry
        segments.ensure_all(node, prompts.objects)
        self._writer.resume_adopted(prompts.labels)
        name = self._queue.model.text
        written = self._writer.recall(node, geometry, name, prompts) if recall else None
        if written is None:
            self.predict()
            if len(segments.ids) > len(prompts.objects):
                self._writer.drop_objects(node, geometry, prompts)
            return
        self._queue.drop()
        self._updates.append(written)
        self._consistency.measure()
