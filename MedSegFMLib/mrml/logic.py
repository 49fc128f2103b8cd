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

from ..consistency import Consistency, HotSpot
from ..consistency.asking import asking_card
from ..errors import MaskError, MedSegFMError, PromptError
from ..prompts.edits import renamed, with_classes, with_prompt, without_prompts
from ..prompts.places import PlaceQuestion
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Point, Position, Prompt
from ..prompts.voxels import kept_part, to_voxels
from ..registry import card, resolve_name
from ..segmenter import ModelCard
from ..volumes.region import Region
from ..volumes.segmentations.treatment import Treatment
from ..volumes.volume import Volume
from .autosave import Autosave, Snapshot
from .consistency.tracker import ConsistencyTracker
from .consistency.view import ConsistencyView
from .interaction import Interaction
from .nodes.image_set import are_resampled, join_image, joined_images, set_resampled
from .nodes.while_saving import WhileSaving
from .places.tracker import PlaceTracker
from .prompts.view import PromptView
from .requests.client import Client
from .requests.request_queue import RequestQueue
from .scene_follower import SceneFollower
from .segment_choice import SegmentChoice
from .segments.change_overlay import ChangeOverlay
from .segments.editor import SegmentEditor
from .segments.export import labels_of_segments
from .segments.grid import check_holds_labelmaps
from .segments.masking import Masking, Overwrite, is_locked, set_locked
from .segments.model_voxels import ModelVoxels
from .segments.other_segments import OtherSegments
from .segments.reference import ReferenceSegment
from .segments.replacements import Replacements
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import Update, Warned
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
        consistency_view: Shows how well the model's planes agree.
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
        self._autosave = autosave
        self.view = view = PromptView(scene)
        self.overlay = overlay = ChangeOverlay(scene)
        self.segments = segments = Segments(scene, terminologies)
        self.requests = queue = RequestQueue(make_client)
        self._others = others = OtherSegments(segments)
        editor = SegmentEditor(scene, application_logic)
        self._writer = writer = SegmentWriter(scene, segments, overlay, editor)
        self._replacements = replacements = Replacements(segments, writer, editor)
        self._workspace = work = Workspace(scene, view, segments, writer, queue, updates)
        queue.limited = lambda prompts: others.limited(prompts, work.geometry)
        self.consistency_view = ConsistencyView(scene)
        self.while_saving = WhileSaving(scene)
        self.while_saving.add(self.consistency_view)
        self._places = places = PlaceTracker(scene, work)
        self._consistency = consistency = ConsistencyTracker(
            work, segments, queue, self.consistency_view, places, updates
        )
        self._interaction = Interaction(
            work, view, segments, writer, replacements, queue, consistency, updates
        )
        self._choice = SegmentChoice(work, segments, writer, queue, self._interaction)
        self._follower = SceneFollower(
            scene, work, self._interaction, view, segments, writer, queue, consistency, updates
        )
        self._observer = self._follower.observer

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
    def treatment(self) -> Treatment:
        """The treatment of all segments after the answer to the present prompts; see `treat`."""
        labels = [label for label, _ in self.prompts.entries]
        return self._writer.replaced.treatment(self.prompts, labels)

    @property
    def current_label(self) -> int:
        """The object that new prompts are for."""
        return self._workspace.current_label

    @property
    def chosen_segment(self) -> str:
        """The segment that the next prompt adopts: see `choose_segment`; "" if there is none."""
        return self._workspace.chosen_segment

    @property
    def current_segment(self) -> str:
        """The identifier of the segment that new prompts are for; "" if it is not there yet."""
        chosen = self.chosen_segment
        there = self.segments.is_there(self.current_label)
        return chosen or (self.segments.ids[self.current_label] if there else "")

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
    def is_measuring_consistency(self) -> bool:
        """Whether the agreement of the planes is awaited; prompts may come meanwhile."""
        return self.requests.is_measuring_consistency

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
    def overwrite(self) -> Overwrite | None:
        """Which segments lose voxels to an answer: see `SegmentWriter`."""
        return self._writer.overwrite

    @overwrite.setter
    def overwrite(self, mode: Overwrite | None) -> None:
        self._writer.overwrite = mode

    @property
    def masks_limit_answers(self) -> bool:
        """Whether the user's masking in the Segment Editor keeps answers out of some voxels."""
        masking = self._writer.masking()
        return masking != Masking(masking.overwrite)

    @property
    def new_object_per_box(self) -> bool:
        """Whether a box for an object that has one begins another object."""
        return self._interaction.new_object_per_box

    @new_object_per_box.setter
    def new_object_per_box(self, on: bool) -> None:
        self._interaction.new_object_per_box = on

    @property
    def avoids_others(self) -> bool:
        """Whether answers keep away from the segments that are no objects of the present work."""
        return self._others.are_avoided

    @avoids_others.setter
    def avoids_others(self, on: bool) -> None:
        if on == self._others.are_avoided:
            return
        self._others.are_avoided = on
        if self.prompts.entries:
            self._interaction.predict_anew()

    @property
    def measures_consistency(self) -> bool:
        """Whether each answer is followed by a measurement of the planes' agreement."""
        return self._consistency.is_on

    @measures_consistency.setter
    def measures_consistency(self, on: bool) -> None:
        self._consistency.switch(on)

    @property
    def shows_contours(self) -> bool:
        """Whether each plane's own outline of the object is drawn."""
        return self.consistency_view.shows_contours

    @shows_contours.setter
    def shows_contours(self, on: bool) -> None:
        self._consistency.set_contours_shown(on)

    @property
    def consistency(self) -> Consistency | None:
        """How well the planes agree on the current object with the present prompts, if known."""
        return self._consistency.current

    @property
    def spot(self) -> int | None:
        """The index of the current object's hot spot that the views were brought to last."""
        return self._consistency.spot

    def go_to_next_spot(self) -> HotSpot | None:
        """Bring the views to the next hot spot: see `ConsistencyTracker`."""
        return self._consistency.go_to_next_spot()

    def doubtful_position(self) -> Position | None:
        """Where a click would help most: see `ConsistencyTracker`."""
        return self._consistency.doubtful_position()

    def set_volume(self, node: Any | None) -> None:
        """Segment another volume; what was done on the present one stays in the scene.

        A state that the scene has for the volume is taken up again.

        Args:
            node: A vtkMRMLScalarVolumeNode; None for no volume.

        Raises:
            VolumeError, GeometryError: If the volume cannot be segmented; the present one stays.
        """
        self._follower.set_volume(node)

    @property
    def images(self) -> dict[str, Any]:
        """The volume nodes that are joined as images of the volume, by name; {} if none is."""
        return {} if self.volume_node is None else joined_images(self.volume_node)

    def set_image(self, name: str, node: Any | None) -> None:
        """Join a volume node to the volume as its image of a name, for models of several.

        Args:
            name: A name of `volumes.images.image_names`.
            node: The volume node, which may be the volume's own; None for no image of the name.
        """
        if self.volume_node is not None and self.images.get(name) is not node:
            join_image(self.volume_node, name, node)
            self._observer.volume_changed = self._observer.has_changes = True

    @property
    def resamples_images(self) -> bool:
        """Whether joined images on another grid are resampled to that of the volume."""
        return self.volume_node is not None and are_resampled(self.volume_node)

    @resamples_images.setter
    def resamples_images(self, on: bool) -> None:
        if self.volume_node is not None and on != self.resamples_images:
            set_resampled(self.volume_node, on)
            self._observer.volume_changed = self._observer.has_changes = True

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

    def add_object(self, name: str | None = None) -> int:
        """Begin another object with a segment of its own and make it current; returns its label."""
        self._interaction.take_edits()
        self._interaction.change(self.prompts.with_object(name), select=-1)
        return self.current_label

    def remove_object(self, label: int) -> None:
        """Remove an object, its prompts and its segment; undo brings them back."""
        self._interaction.take_edits()
        self._interaction.change(self.prompts.without_object(label))

    def rename(self, label: int, name: str) -> None:
        """Name an object; its segment gets the terminology and colour of that name."""
        self._interaction.take_edits()
        self._interaction.change(renamed(self.prompts, label, name))
        self.segments.rename(label, name)

    def take_names(self) -> None:
        """Name objects as others have named their segments; those keep their terminology."""
        for label, name in self.segments.take_names().items():
            if label in self.prompts.labels and name and name != self.prompts.name(label):
                self._interaction.change(renamed(self.prompts, label, name))

    def select(self, label: int) -> None:
        """Make an object the one that new prompts are for."""
        self._interaction.take_edits()
        self.prompts.name(label)
        self._workspace.select(label)
        if self._consistency.is_on:
            self._consistency.show()

    def set_locked(self, label: int, locked: bool) -> None:
        """Lock an object's segment: no answer changes it or takes voxels from it.

        Raises:
            MaskError: If it has no segment.
        """
        name = self.prompts.name(label)
        if not self.segments.is_there(label):
            raise MaskError(f"{name} has no segment to lock yet; predict it first.")
        set_locked(self.segments.node, self.segments.ids[label], locked)

    def is_locked(self, label: int) -> bool:
        """Whether an object's segment is locked."""
        node, segment_id = self.segments.node, self.segments.ids.get(label)
        return node is not None and segment_id is not None and is_locked(node, segment_id)

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
        if label is None and self.chosen_segment:
            self._choice.adopt_for(prompt)
        prompts = self.prompts
        if label is not None and prompts.objects:
            prompts = prompts.added(label, prompt)
        else:
            label = self.current_label if label is None else label
            prompts, label = with_prompt(prompts, prompt, label, self.new_object_per_box)
        self._interaction.change(prompts)
        self._workspace.select(label)

    def answer_doubt(self, belongs: bool) -> bool:
        """Add a click at the doubtful position to the current object, as any click.

        Args:
            belongs: Whether the position belongs to the object.

        Returns:
            Whether there was a doubtful position.
        """
        position = self.doubtful_position()
        if position is None:
            return False
        self.add(Point(position, belongs), self.current_label)
        return True

    @property
    def place_question(self) -> PlaceQuestion | None:
        """Where the current object is, if the model asks; None if it does not."""
        return self._places.current

    def go_to_place(self, number: int) -> None:
        """Bring the views to a place of the question."""
        place = self._places.place(number)
        if place is not None:
            self.consistency_view.jump(place.position_ras)

    def answer_place(self, number: int, is_there: bool = True) -> bool:
        """Add a click at a place of the question to the current object, as any click.

        Args:
            number: The number of the place.
            is_there: Whether the object is there; otherwise the place is ruled out.

        Returns:
            Whether there was such a place.
        """
        place = self._places.place(number)
        if place is None:
            return False
        self.add(Point(place.position_ras, is_there), self.current_label)
        return True

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

    def adopt_segment(self, segment_id: str) -> int:
        """Go on with an existing segment of the segmentation: it becomes an object of its own.

        Its voxels are the object's mask to start from, a prompt as any other, and stay as they are
        until a prompt corrects them. Undo brings them back. When the object is removed, or its
        prompts are, the segment stays in the scene with the voxels that it had before. A segment
        that is an object's already makes that the current one.

        Args:
            segment_id: The segment in `segments.node`; see `use_segmentation`.

        Returns:
            The object's label, which is the current one.

        Raises:
            MaskError: If there is no such segment, or it is empty, locked or a surface.
            PromptError: If the model takes no masks, or the segment is outside the volume.
            VolumeError: If no volume is chosen. Nothing changes then.
        """
        self._interaction.take_edits()
        return self._choice.adopt(segment_id)

    def choose_segment(self, segment_id: str) -> None:
        """Make a segment of the segmentation the one that new prompts are for.

        One that is no object's yet is adopted by the next prompt, and is not changed before: see
        `adopt_segment`. An empty one becomes an object with that segment.

        Raises:
            MaskError: If there is no such segment.
        """
        self._interaction.take_edits()
        self._choice.choose(segment_id)
        if self._consistency.is_on:
            self._consistency.show()

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
            self._interaction.put_back(redo=False)
            return True
        if not self._workspace.history.undo():
            return False
        self._interaction.show_present(recall=True)
        return True

    def redo(self) -> bool:
        """Redo what was undone last; False without any."""
        self._interaction.take_edits()
        if self._writer.replaced.can_redo(self.prompts):
            self._interaction.put_back(redo=True)
            return True
        if not self._workspace.history.redo():
            return False
        self._interaction.show_present(recall=True)
        return True

    def replace_segment(self, label: int, mask: ModelVoxels) -> None:
        """Make an object's segment hold exactly these voxels of the volume; undo restores it.

        The prompts stay, and the next one is answered as usual. If an answer is awaited, it is
        for the other objects only.

        Raises:
            MaskError: If the segment is locked.
        """
        self._interaction.take_edits()
        name = self.prompts.name(label)
        if self.is_locked(label):
            raise MaskError(f"{name} is locked; untick Lock before you replace its segment.")
        self._interaction.replace_segment(label, mask)
        pending = self.requests.pending
        if pending is not None and not pending.for_consistency:
            pending.replaced[label] = mask

    def treat(self, treatment: Treatment, label: int | None = None) -> bool:
        """Treat an object's segment: fill holes, smooth, leave parts out; undo restores it.

        No voxel of another object is taken. The next answer replaces the result.

        Args:
            treatment: What is done.
            label: The object; None for the current one.

        Returns:
            Whether any voxel changed.

        Raises:
            MaskError: If the object has no segment with voxels, or it is locked.
            VolumeError: If no volume is chosen.
        """
        self._interaction.take_edits()
        label = self.current_label if label is None else label
        self.prompts.name(label)
        if self.is_locked(label):
            name = self.prompts.name(label)
            raise MaskError(f"{name} is locked; untick Lock before you change its segment.")
        return self._interaction.treat(label, treatment)

    def add_segment(self, name: str, mask: ModelVoxels) -> str:
        """Add a segment beside those of the objects: see `Replacements.add_segment`."""
        volume_node, geometry = self.volume_node, self._workspace.require_volume().geometry
        self.segments.ensure_node(volume_node)
        return self._replacements.add_segment(volume_node, geometry, name, mask)

    def check_inside(self, prompts: PromptList) -> None:
        """Refuse prompts that are not in the volume.

        Raises:
            PromptError: If one is outside the volume.
            VolumeError: If no volume is chosen.
        """
        geometry = self._workspace.require_volume().geometry
        to_voxels([prompt for _, prompt in prompts.entries], geometry)

    def predict(self) -> None:
        """Request the answer to the present prompts, also if one is remembered."""
        self._interaction.predict()

    def cancel(self) -> None:
        """Stop predicting or measuring; the prompts stay."""
        self.requests.cancel()

    def labels(self) -> Volume:
        """All objects in one volume on the segmentation's grid; save it with `Volume.write`.

        Raises:
            MaskError: If there is no object.
            VolumeError: If no volume is chosen.
        """
        ids = {n: self.segments.ids[n] for n in self.prompts.labels if n in self.segments.ids}
        if not ids:
            raise MaskError("There is no object to export yet; place a box or click on one first.")
        grid = self.segments.grid(self._workspace.require_volume().geometry)
        return labels_of_segments(self.segments.node, grid, ids)

    def snapshot(self) -> Snapshot | None:
        """The contents of an autosave; None if no volume is chosen or nothing was done."""
        return self._workspace.snapshot()

    def recover(self, snapshot: Snapshot) -> None:
        """Take up an autosave, into a new segmentation of the chosen volume.

        Raises:
            PromptError: If it was made for a volume with another grid.
            VolumeError: If no volume is chosen.
        """
        self._workspace.check_fits(snapshot)
        self._follower.leave()
        if not self._workspace.recover(snapshot):
            # It was saved while an answer was awaited.
            self._interaction.show_present()
        self._consistency.measure()

    def pump(self) -> list[Update]:
        """Follow the scene and the user's markups, take the worker's events, write answers.

        Call it from a timer on the main thread; it never waits.

        Returns:
            What happened since the last call, in order.
        """
        if self._observer.has_changes or self.segments.was_removed:
            self._follower.follow()
        elif self.view.has_edits:
            self._interaction.take_edits()
        for event, pending in self.requests.poll():
            self._interaction.take_event(event, pending)
        if self.overlay.node is not None:
            self.overlay.expire()
        if self._consistency.is_on:
            self._consistency.show()
        if self._places.is_used:
            self._follow_places()
        if self._autosave is not None and self._workspace.is_unsaved:
            self._save(self._autosave)
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
        if self._autosave is not None:
            self._autosave.release()

    def _follow_places(self) -> None:
        """Show where the current object may be, and take a click at one of the hot spots."""
        marks = self._places.marks
        if marks.picked is not None:
            try:
                self.answer_place(marks.picked)
            except MedSegFMError as error:
                self._updates.append(Warned(str(error)))
        self._places.show()

    def _save(self, autosave: Autosave) -> None:
        if not autosave.is_due():
            return
        self._workspace.is_unsaved = False
        try:
            snapshot = self.snapshot()
            sentence = None if snapshot is None else autosave.save(snapshot)
        except MedSegFMError as error:
            sentence = str(error)
        if sentence is not None:
            self._updates.append(Warned(sentence))
