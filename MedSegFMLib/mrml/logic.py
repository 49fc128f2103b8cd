"""Interactive segmentation in a scene: volume, prompts, answers and segments, kept in step.

    logic = SegmentationLogic(scene, lambda host: WorkerClient(LocalLauncher()))
    logic.set_volume(volume_node)
    logic.add(Box.from_ijk(...))            # or the user draws into logic.view.draft("box")
    for update in logic.pump(): ...         # from a timer, on the main thread

Undo and redo go through the prompt list. The segments follow at once if the answer to a state is
remembered, otherwise when it has been predicted again. An answer to a state that is gone is
dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..consistency.asking import asking_card
from ..errors import MaskError, PromptError
from ..prompts.edits import with_classes, with_prompt, without_prompts
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Point, Prompt
from ..prompts.voxels import kept_part
from ..registry import card, resolve_name
from ..segmenter import ModelCard
from ..volumes.region import Region
from ..volumes.volume import Volume
from .answer_limits import AnswerLimits
from .answers import Answers
from .autosave import Autosave
from .consistency.tracker import ConsistencyTracker
from .consistency.view import ConsistencyView
from .image_choice import ImageChoice
from .interaction import Interaction
from .nodes.while_saving import WhileSaving
from .objects import Objects
from .places.tracker import PlaceTracker
from .prompts.view import PromptView
from .questions import Questions
from .replacing import SegmentReplacer
from .requests.client import Client
from .requests.request_queue import RequestQueue
from .saved_work import SavedWork
from .scene_follower import SceneFollower
from .segments.change_overlay import ChangeOverlay
from .segments.editor import SegmentEditor
from .segments.grid import check_holds_labelmaps
from .segments.other_segments import OtherSegments
from .segments.reference import ReferenceSegment
from .segments.replacements import Replacements
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import Update
from .workspace import Workspace


class SegmentationLogic:
    """One volume, one segmentation node and the prompts of its objects.

    Args:
        scene: The vtkMRMLScene.
        make_client: Makes a client of a worker on a host, "" for this computer.
        application_logic: Slicer's vtkMRMLApplicationLogic; None if there is none.
        terminologies: Slicer's vtkSlicerTerminologiesModuleLogic; None if there is none.
        autosave: Saves the work every few seconds; None for no autosave.

    Attributes:
        view: The markups of the prompts, and nodes to draw into.
        segments: The segmentation node and the segments of the objects.
        overlay: Shows what the last step changed.
        consistency: The agreement of the model's planes, and whether it is measured.
        consistency_view: Shows how well the model's planes agree.
        questions: The questions about the current object, and their answers.
        objects: The objects and their segments as wholes.
        limits: Which voxels answers may take.
        images: The images joined to the volume, for models that take several.
        saved: The work in an autosave.
        requests: The worker, and what is requested of it.
        while_saving: Has all that changes the user's display give it back while the scene is saved.
    """

    def __init__(
        self,
        scene: Any,
        make_client: Callable[[str], Client],
        application_logic: Any | None = None,
        terminologies: Any | None = None,
        autosave: Autosave | None = None,
    ) -> None:
        updates: list[Update] = []
        self._updates = updates
        self.view = view = PromptView(scene)
        self.overlay = overlay = ChangeOverlay(scene)
        self.segments = segments = Segments(scene, terminologies)
        self.requests = queue = RequestQueue(make_client)
        others = OtherSegments(segments)
        editor = SegmentEditor(scene, application_logic)
        self._writer = writer = SegmentWriter(scene, segments, overlay, editor)
        replacements = Replacements(segments, writer, editor)
        self._workspace = work = Workspace(scene, view, segments, writer, queue, updates)
        queue.limited = lambda prompts: others.limited(prompts, work.geometry)
        self.consistency_view = ConsistencyView(scene)
        self.while_saving = WhileSaving(scene)
        self.while_saving.add(self.consistency_view)
        self._places = places = PlaceTracker(scene, work)
        self.consistency = consistency = ConsistencyTracker(
            work, segments, queue, self.consistency_view, places, updates
        )
        self._interaction = interaction = Interaction(
            work, view, segments, writer, queue, consistency, updates
        )
        self._replacer = replacer = SegmentReplacer(
            work, segments, writer, replacements, queue, updates
        )
        self._answers = Answers(work, segments, writer, replacer, queue, consistency, updates)
        self._follower = follower = SceneFollower(
            scene, work, interaction, view, segments, writer, queue, consistency, updates
        )
        self.questions = Questions(consistency, places, self.consistency_view, self._click, updates)
        self.objects = Objects(
            work, segments, writer, replacements, replacer, queue, interaction, consistency
        )
        self.limits = AnswerLimits(work, writer, others, interaction)
        self.images = ImageChoice(work, follower.observer)
        self.saved = SavedWork(work, follower, interaction, consistency, autosave, updates)

    @property
    def volume_node(self) -> Any | None:
        """The vtkMRMLScalarVolumeNode that is segmented; None if none is chosen."""
        return self._workspace.volume_node

    @property
    def volume(self) -> Volume | None:
        """Its voxels and grid; None if none is chosen, or it cannot be segmented now."""
        return self._workspace.volume

    def require_volume(self) -> Volume:
        """The volume.

        Raises:
            VolumeError: If no volume is chosen, or it cannot be segmented now.
        """
        return self._workspace.require_volume()

    @property
    def prompts(self) -> PromptList:
        """The objects and their prompts."""
        return self._workspace.prompts

    @property
    def current_label(self) -> int:
        """The object that new prompts are for."""
        return self._workspace.current_label

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._workspace.history.can_undo or self._writer.replaced.can_undo(self.prompts)

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing changed since."""
        return self._workspace.history.can_redo or self._writer.replaced.can_redo(self.prompts)

    @property
    def is_predicting(self) -> bool:
        """Whether an answer to the present prompts is awaited."""
        return self.requests.is_predicting

    @property
    def model(self) -> str:
        """The name of the model that predicts."""
        return self.requests.model.name

    @property
    def device(self) -> str:
        """Where the model shall run."""
        return self.requests.model.device

    @property
    def options(self) -> dict[str, Any]:
        """The options of the model that are not its defaults."""
        return dict(self.requests.model.options)

    @property
    def card(self) -> ModelCard:
        """The model's card; once it was loaded, with the prompts it takes with its weights."""
        return self.requests.model.card

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the model offers; () for a promptable one, and before it was loaded."""
        return self.requests.model.classes

    @property
    def new_object_per_box(self) -> bool:
        """Whether a box for an object that has one begins another object."""
        return self._interaction.new_object_per_box

    @new_object_per_box.setter
    def new_object_per_box(self, on: bool) -> None:
        self._interaction.new_object_per_box = on

    def set_volume(self, node: Any | None) -> None:
        """Segment another volume; what was done on the present one stays in the scene.

        A state that the scene has for the volume is taken up again.

        Args:
            node: A vtkMRMLScalarVolumeNode; None for no volume.

        Raises:
            VolumeError, GeometryError: If the volume cannot be segmented; the present one stays.
        """
        self._follower.set_volume(node)

    def use_segmentation(self, node: Any | None) -> None:
        """Write to another segmentation node, into segments of its own for each object.

        Args:
            node: A vtkMRMLSegmentationNode; None for a new one.

        Raises:
            MaskError: If its segments are stored as surfaces.
        """
        if node is not None:
            check_holds_labelmaps(node)
        self._interaction.take_edits()
        self.requests.drop()
        self.segments.use(node)
        self._writer.forget()
        self._interaction.show_present()

    def open_segmentation(self, node: Any | None) -> None:
        """Put the work on the present segmentation down and go on in another one.

        The objects and prompts that the scene has for that one and the volume are taken up; its
        segments stay as they are.

        Args:
            node: A vtkMRMLSegmentationNode; None for a new one, made for the first prompt.

        Raises:
            MaskError: If its segments are stored as surfaces; nothing changes then.
        """
        if node is not None:
            check_holds_labelmaps(node)
        self._follower.open_segmentation(node)

    def set_model(self, name: str, device: str = "auto", **options: Any) -> None:
        """Predict with another model, and replay the present prompts with it.

        Raises:
            ModelError: If there is no such model.
            PromptError: If it does not take one of the present prompts.
        """
        name = resolve_name(name)
        own = asking_card(card(name, options))
        own.check_takes([prompt for _, prompt in self.prompts.entries])
        if self.requests.set_model(name, device, options):
            self._interaction.predict_anew()

    def add(self, prompt: Prompt, label: int | None = None) -> None:
        """Add a prompt to an object, and make that the current one.

        Args:
            prompt: The prompt.
            label: Its object; None for the current one, or another that the prompt begins (see
                `prompts.edits.begins_object`).

        Raises:
            PromptError: If the prompt is outside the volume, or the model does not take it.
            VolumeError: If no volume is chosen. Nothing changes then.
        """
        self._interaction.take_edits()
        if label is None:
            self.objects.adopt_for(prompt)
        prompts = self.prompts
        if label is not None and prompts.objects:
            prompts = prompts.added(label, prompt)
        else:
            label = self.current_label if label is None else label
            prompts, label = with_prompt(prompts, prompt, label, self.new_object_per_box)
        self._interaction.change(prompts)
        self._workspace.select(label)

    def segment_classes(self) -> None:
        """Segment all classes of the model: each gets an object unless one is named for it.

        Raises:
            PromptError: If the model offers no classes, or is not loaded yet.
        """
        if not self.classes:
            raise PromptError(f"{self.card.title} knows no classes; draw a box or click.")
        self._interaction.take_edits()
        prompts = with_classes(self.prompts, self.classes)
        if prompts == self.prompts:
            self.predict()
        else:
            self._interaction.change(prompts, select=-1)

    def freeze(self, part: Box | Region, label: int | None = None) -> None:
        """Keep a part of an object's segment as it is, also what was painted there by hand.

        It is a prompt of the object: deleting it, or undo, thaws the part. A click still decides
        its own voxel.

        Args:
            part: A box, or a region in voxels of the volume, such as a range of slices.
            label: The object; None for the current one.

        Raises:
            MaskError: If the object has no segment with voxels.
            PromptError: If the part is outside the volume.
            VolumeError: If no volume is chosen. Nothing changes then.
        """
        self._interaction.take_edits()
        label = self.current_label if label is None else label
        name, geometry = self.prompts.name(label), self._workspace.require_volume().geometry
        if not self.segments.is_there(label):
            raise MaskError(f"{name} has no segment to freeze yet; predict it first.")
        segment = ReferenceSegment(self.segments.node, self.segments.ids[label])
        held = segment.read(geometry)[0]
        whole = Volume(held.on(Region.whole(geometry.shape_kji)), geometry)
        self.add(kept_part(whole, part), label)

    def delete(self, index: int) -> None:
        """Delete the prompt `index` of the list, however early it was given."""
        self._interaction.take_edits()
        self._interaction.change(self.prompts.deleted(index))

    def move(self, index: int, position_ras: Sequence[float]) -> None:
        """Move the click or box `index` of the list to a place in RAS millimetres."""
        self._interaction.take_edits()
        self._interaction.change(self.prompts.moved(index, position_ras))

    def reset(self) -> None:
        """Remove all prompts and what they gave; the objects stay. Undo brings all back."""
        self._interaction.take_edits()
        self._interaction.change(without_prompts(self.prompts))

    def undo(self) -> bool:
        """Undo the last replacement of a segment or change of the prompts; False without one."""
        self._interaction.take_edits()
        if self._writer.replaced.can_undo(self.prompts):
            self._replacer.put_back(redo=False)
            return True
        if not self._workspace.history.undo():
            return False
        self._interaction.show_present(recall=True)
        return True

    def redo(self) -> bool:
        """Redo what was undone last; False without any."""
        self._interaction.take_edits()
        if self._writer.replaced.can_redo(self.prompts):
            self._replacer.put_back(redo=True)
            return True
        if not self._workspace.history.redo():
            return False
        self._interaction.show_present(recall=True)
        return True

    def predict(self) -> None:
        """Request the answer to the present prompts, also if one is remembered."""
        self._interaction.predict()

    def cancel(self) -> None:
        """Stop predicting or measuring; the prompts stay."""
        self.requests.cancel()

    def pump(self) -> list[Update]:
        """Follow the scene and the user's markups, take the worker's events, write answers.

        Call it from a timer on the main thread; it never waits.

        Returns:
            What happened since the last call, in order.
        """
        if self._follower.observer.has_changes or self.segments.was_removed:
            self._follower.follow()
        elif self.view.has_edits:
            self._interaction.take_edits()
        for event, pending in self.requests.poll():
            self._answers.take(event, pending)
        if self.overlay.node is not None:
            self.overlay.expire()
        if self.consistency.is_on:
            self.consistency.show()
        if self._places.is_used:
            self.questions.follow()
        if self._workspace.is_unsaved:
            self.saved.save()
        if not self._updates:
            return []
        updates = list(self._updates)
        self._updates.clear()
        return updates

    def close(self) -> None:
        """Let go of the scene and end the worker."""
        self.requests.drop()
        self._follower.close()
        self.while_saving.close()
        self.requests.close()
        self.saved.release()

    def _click(self, click: Point) -> None:
        self.add(click, self.current_label)
