"""One step of the work: a change of the prompts, and what view, segments and worker make of it."""

from __future__ import annotations

from ..errors import MedSegFMError
from ..prompts.prompt_list import PromptList
from ..worker.events import Event, Opened, Predicted
from .consistency.logic import ComparingWork
from .prompts.accept_edits import check_new, edited
from .requests.requests import Awaited
from .segments.model_voxels import Holding
from .updates import PromptsChanged, Warned, Written


class Steps(ComparingWork):
    """Keeps markups, segments and requests in step with the prompts.

    new_object_per_box: whether a box for an object that has one begins another object.
    """

    new_object_per_box = False

    @property
    def classes(self) -> tuple[str, ...]:
        """What the model knows by name; () where prompts say what, or before it was loaded."""
        told = self._asking.opened.get(self.model)
        return () if told is None else told.classes

    def predict(self) -> None:
        """Ask for the answer to the present prompts, also where one is remembered."""
        if self.volume is not None and self.prompts.entries:
            self._asking.ask(self.prompts)
        else:
            self._asking.drop()

    def ask_again(self) -> None:
        """Ask anew for what is awaited: another worker takes over."""
        self._shared.start_over()
        if self.is_predicting:
            self.predict()
        elif self.is_comparing:
            self._asking.drop()
            self._compare()

    def cancel(self) -> None:
        """Stop predicting, or comparing the planes; the prompts stay."""
        self._asking.cancel()

    def _check(self, prompts: PromptList, before: PromptList) -> None:
        check_new(prompts, before, self.card, self._chosen().geometry, self.classes)

    def _change(self, prompts: PromptList, select: int | None = None) -> None:
        before = self.prompts
        self._check(prompts, before)
        self._state.takes.change(before)
        for label in set(prompts.labels) - set(before.labels):
            self._state.release(label)
        self._history.change(prompts)
        if select is not None and prompts.labels:
            self.current_label = prompts.labels[select]
        same_entries = prompts.entries == before.entries
        if same_entries:
            self._state.remember_as(self.model, before, prompts)
        self._present_changed(recall=same_entries)

    def _present_changed(self, recall: bool = False) -> bool:
        """Bring view, segments and worker to the present prompts.

        recall: take what these prompts gave before, where that is remembered.
        """
        labels = self.prompts.labels
        if labels and self.current_label not in labels:
            self.current_label = labels[-1]
        self._updates.append(PromptsChanged())
        self.view.show(self.prompts)
        if self.volume is None or self.volume_node is None:
            return True
        if labels or self.segments.node is not None:
            self.segments.ensure_node(self.volume_node)
            try:
                self._bring_segments(recall or not self.prompts.entries)
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
                # What is awaited is for other prompts.
                self.predict()
        self._store()
        self._show_consistency()
        return True

    def _bring_segments(self, recall: bool) -> None:
        node, geometry = self.volume_node, self._chosen().geometry
        for label, name in self.prompts.objects:
            self.segments.ensure(label, name)
        written = self._state.recall(node, geometry, self.model, self.prompts) if recall else None
        if written is None:
            self.predict()
            self._state.drop_objects(node, geometry, self.prompts)
        else:
            self._asking.drop()
            self._updates.append(written)
            self._compare()

    def _predict_anew(self) -> None:
        """All answers so far are of another model or volume."""
        self._state.forget_remembered()
        self._forget_comparison()
        self.predict()

    def _take_edits(self) -> None:
        """What the user drew, moved and deleted; what cannot be taken is told and undone."""
        edits = self.view.collect()
        if not edits:
            return
        try:
            found = edited(
                self.prompts, self.current_label, edits, self._check, self.new_object_per_box
            )
            self._updates += map(Warned, found.refused)
            if found.prompts != self.prompts:
                self._change(found.prompts)
                self.current_label = found.label
        except MedSegFMError as error:
            self._updates.append(Warned(str(error)))
        self.view.show(self.prompts)

    def _take_event(self, event: Event, awaited: Awaited | None) -> None:
        if isinstance(event, Opened):
            self._asking.opened[event.model] = event
            self._updates.append(event)
            return
        if awaited is not None and awaited.is_comparison:
            self._take_comparison(event, awaited)
            return
        self._updates.append(event)
        if not isinstance(event, Predicted) or awaited is None or self.volume is None:
            return
        asked = awaited.prompts
        try:
            written = self._state.write_answers(
                self.volume_node, self.volume.geometry, asked, event.answers
            )
        except MedSegFMError as error:
            self._updates.append(Warned(str(error)))
            return
        self._state.remember(self.model, asked)
        self._updates.append(written)
        self._updates += [Warned(self._cut_off_sentence(label)) for label in written.cut_off]
        for label, mask in awaited.taken.items():
            self._take(label, mask)
        self._store()
        self._compare()

    def _take(self, label: int, mask: Holding) -> None:
        """Bring an object's segment to these voxels of the volume."""
        self.segments.ensure_node(self.volume_node)
        self.segments.ensure(label, self.prompts.name(label))
        geometry = self._chosen().geometry
        self._wrote(self._state.take(self.volume_node, geometry, self.prompts, label, mask))

    def _wrote(self, written: Written) -> None:
        self._state.remember(self.model, self.prompts)
        self._updates += [written, PromptsChanged()]
        self._store()

    def _cut_off_sentence(self, label: int) -> str:
        return (
            f"A part of {self.prompts.name(label)} lies outside the voxels that "
            f"{self.segments.node.GetName()} has room for; choose a new segmentation to have it "  # type: ignore[union-attr]
            "whole."
        )
