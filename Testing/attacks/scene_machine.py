"""Lives of a scene: volumes change, nodes are deleted, Slicer crashes, scenes are saved and loaded.

After everything has settled, each object's segment is what the model gives for its prompts in a
fresh session, whatever happened, no prompt is lost, and segments that are no objects stay as they
were drawn.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from machines import escape_in_lives
from scene_helpers import (
    BoxesAndMarks,
    SessionClient,
    add_volume_node,
    content,
    paint_segment,
)
from slicer_application import application

from MedSegFMLib import Box, Geometry, Point, Region, Session, Volume
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.mrml.autosave import Autosave
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.segments.grid import SegmentGrid
from MedSegFMLib.mrml.segments.oriented_images import read_segment
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.worker.events import Request

NAME = "scene lives"

SHAPE = (6, 8, 10)
NAMES = ("one", "two")
MODELS = ("randomwalk", "ensam")
GRIDS = {
    "one": Geometry.from_spacing(SHAPE, (1.0, 2.0, 3.0)),
    "two": Geometry.from_spacing(SHAPE, (2.0, 1.0, 1.0)),
}
places = st.tuples(*(st.integers(0, n - 1) for n in SHAPE[::-1]))


class OneSmaller(BoxesAndMarks):
    """Another model: its boxes lack their first slice."""

    def predict(self, encoding: Any, prompts: Any, previous: Any, progress: Any) -> Any:
        made = super().predict(encoding, prompts, previous, progress)
        made.logits_kji[0] = -5
        return made


def model_of(name: str) -> BoxesAndMarks:
    return OneSmaller() if name == "ensam" else BoxesAndMarks()


class Client(SessionClient):
    """A client whose models differ."""

    def model(self, request: Request) -> BoxesAndMarks:
        return model_of(request.model)


class SceneMachine(RuleBasedStateMachine):
    """A logic in a scene with two volumes, and the prompts that each should have."""

    @initialize()
    def begin(self) -> None:
        self.app = application()
        self.scene = self.app.scene
        self.scene.Clear(False)
        self.folder = tempfile.TemporaryDirectory()
        self.files = 0
        self.prompts: dict[str, PromptList] = {}
        self.drawn: dict[str, np.ndarray] = {}
        for name in NAMES:
            self.add_volume(name)
        self.make_logic()
        self.choose("one")

    # What the machine needs.

    def add_volume(self, name: str) -> None:
        values = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
        add_volume_node(self.scene, Volume(values, GRIDS[name]), name)

    def make_logic(self) -> None:
        self.client = Client()
        self.autosave = Autosave(Path(self.folder.name), seconds=0)
        self.logic = SegmentationLogic(
            self.scene,
            lambda _host: self.client,
            self.app.app_logic,
            self.app.terminologies_logic,
            self.autosave,
        )

    def choose(self, name: str) -> None:
        self.logic.set_volume(self.scene.GetFirstNodeByName(name))
        self.name = name
        expected = self.prompts.get(name)
        if expected is not None:
            assert self.logic.prompts == expected, f"{self.logic.prompts} is not {expected}"
        self.note()

    def note(self) -> None:
        self.prompts[self.name] = self.logic.prompts

    def path(self, suffix: str) -> Path:
        self.files += 1
        return Path(self.folder.name) / f"{self.files}{suffix}"

    def segment_with(self, region: Region) -> str:
        """The identifier of a new segment with all voxels of a region."""
        node = self.logic.segments.node
        segment_id = node.GetSegmentation().AddEmptySegment("", "given")  # type: ignore[union-attr]
        paint_segment(node, segment_id, GRIDS[self.name], region)
        return str(segment_id)

    # What a user does.

    @rule(low=places, high=places)
    def box(self, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        pairs = list(zip(low, high, strict=True))
        corners = [min(pair) for pair in pairs], [max(pair) + 1 for pair in pairs]
        self.logic.add(Box.from_ijk(GRIDS[self.name], *corners))
        self.note()

    @rule(place=places, positive=st.sampled_from([True, True, False]))
    def point(self, place: tuple[int, ...], positive: bool) -> None:
        self.logic.add(Point.from_ijk(GRIDS[self.name], place, positive))
        self.note()

    @rule(low=places, high=places)
    def adopt(self, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        """Go on with a segment that others have drawn."""
        region = region_of(low, high)
        if self.logic.segments.node is None or region == Region.whole(SHAPE):
            return
        self.logic.objects.adopt(self.segment_with(region))
        self.note()

    @precondition(lambda self: self.logic.segments.node is not None)
    @rule(low=places, high=places)
    def draw_other(self, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        """Draw a segment that never becomes an object."""
        region = region_of(low, high)
        mask = np.zeros(SHAPE, bool)
        mask[region.slices] = True
        self.drawn[self.segment_with(region)] = mask

    @rule(place=places)
    def click(self, place: tuple[int, ...]) -> None:
        """A click into a view, which the next pump takes."""
        ras = GRIDS[self.name].ras_from_ijk(np.array(place, float))
        self.logic.view.draft("point").AddControlPointWorld(*ras)
        self.pump()

    @rule()
    def add_object(self) -> None:
        self.logic.objects.add()
        self.note()

    @precondition(lambda self: self.logic.prompts.objects)
    @rule(n=st.integers(0, 9))
    def remove_object(self, n: int) -> None:
        labels = self.logic.prompts.labels
        self.logic.objects.remove(labels[n % len(labels)])
        self.note()

    @precondition(lambda self: self.logic.prompts.entries)
    @rule(n=st.integers(0, 9))
    def delete(self, n: int) -> None:
        self.logic.delete(n % len(self.logic.prompts.entries))
        self.note()

    @precondition(lambda self: self.logic.prompts.objects)
    @rule(n=st.integers(0, 9))
    def rename(self, n: int) -> None:
        labels = self.logic.prompts.labels
        self.logic.objects.rename(labels[n % len(labels)], f"name {n}")
        self.note()

    @rule()
    def undo(self) -> None:
        self.logic.undo()
        self.note()

    @rule()
    def redo(self) -> None:
        self.logic.redo()
        self.note()

    @rule(name=st.sampled_from(MODELS))
    def use_model(self, name: str) -> None:
        self.logic.set_model(name)
        self.note()

    @rule()
    def run(self) -> None:
        self.logic.predict()
        self.logic.requests.release()
        self.note()

    @rule()
    def cancel(self) -> None:
        """Only while nothing is awaited: what the user stops is not expected any more."""
        if not self.logic.is_predicting:
            self.logic.cancel()

    @rule()
    def load_model_in_advance(self) -> None:
        self.logic.requests.warm_up()

    @rule(on=st.booleans())
    def hold_back(self, on: bool) -> None:
        self.logic.requests.holds_back = on

    @rule()
    def use_new_segmentation(self) -> None:
        self.logic.use_segmentation(None)
        self.note()

    @rule(name=st.sampled_from(NAMES))
    def change_volume(self, name: str) -> None:
        self.choose(name)

    # What happens to the work.

    @rule(on=st.booleans())
    def keep_waiting(self, on: bool) -> None:
        self.client.paused = on

    @rule()
    def pump(self) -> None:
        self.logic.pump()
        self.note()

    @precondition(lambda self: self.logic.segments.node is not None)
    @rule()
    def delete_segmentation(self) -> None:
        self.scene.RemoveNode(self.logic.segments.node)

    @rule(n=st.integers(0, 3))
    def delete_any_segmentation(self, n: int) -> None:
        count = self.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        if count:
            node = self.scene.GetNthNodeByClass(n % count, "vtkMRMLSegmentationNode")
            self.scene.RemoveNode(node)

    @precondition(lambda self: self.logic.segments.node is not None and self.logic.segments.ids)
    @rule(n=st.integers(0, 9))
    def delete_segment(self, n: int) -> None:
        there = self.logic.segments.is_there
        ids = [segment for n, segment in self.logic.segments.ids.items() if there(n)]
        if not ids:
            return
        self.logic.segments.node.GetSegmentation().RemoveSegment(ids[n % len(ids)])  # type: ignore[union-attr]
        self.pump()

    @rule()
    def reload_module(self) -> None:
        self.logic.close()
        self.make_logic()
        self.choose(self.name)

    @rule()
    def save_and_load(self) -> None:
        self.pump()
        path, folder = self.path(".mrb"), self.path("")
        assert self.scene.WriteToMRB(str(path))
        self.scene.Clear(False)
        self.logic.pump()
        assert self.logic.volume_node is None
        folder.mkdir()
        self.app.app_logic.OpenSlicerDataBundle(str(path), str(folder))
        self.logic.pump()
        node = self.logic.volume_node
        if node is None or node.GetName() != self.name:
            # The one that was used last of those with work.
            assert not self.prompts[self.name].objects
        self.choose(self.name)

    @rule()
    def crash_and_recover(self) -> None:
        self.logic.pump()
        self.logic.pump()
        self.note()
        if self.logic.segments.node is None or not self.logic.prompts.objects:
            return
        self.scene.Clear(False)
        self.logic.close()
        self.prompts = {self.name: self.prompts[self.name]}
        for name in NAMES:
            self.add_volume(name)
        self.make_logic()
        self.logic.set_volume(self.scene.GetFirstNodeByName(self.name))
        snapshot = self.autosave.read()
        assert snapshot is not None
        self.logic.saved.recover(snapshot)
        assert self.logic.prompts == self.prompts[self.name]

    # What must hold.

    @rule()
    def settle(self) -> None:
        """With nothing in the way of answers, the segments are those of a fresh session."""
        self.client.paused = False
        self.logic.requests.release()
        for _ in range(3):
            self.logic.pump()
        self.note()
        assert not self.logic.is_predicting
        node = self.logic.segments.node
        if node is None:
            return
        assert self.scene.GetNodeByID(node.GetID()) is node
        self.check_drawn(node)
        try:
            expected = fresh_masks(self.logic)
        except MedSegFMError:
            return
        for label, mask in expected.items():
            assert np.array_equal(content(self.logic, label), mask), (
                f"object {label} has {content(self.logic, label).sum()} voxels, a fresh session "
                f"gives {mask.sum()} for {self.logic.prompts}"
            )

    def check_drawn(self, node: Any) -> None:
        grid = SegmentGrid.of(node, GRIDS[self.name])
        for segment_id in node.GetSegmentation().GetSegmentIDs():
            if segment_id in self.drawn:
                voxels = read_segment(node, segment_id, grid, Region.whole(SHAPE))
                assert np.array_equal(voxels, self.drawn[segment_id]), (
                    f"the drawn segment {segment_id} has {voxels.sum()} voxels, not "
                    f"{self.drawn[segment_id].sum()}"
                )

    def teardown(self) -> None:
        if not hasattr(self, "logic"):
            return
        try:
            for name in NAMES:
                self.settle()
                self.choose(name)
            self.settle()
        finally:
            self.logic.close()
            self.scene.Clear(False)
            self.folder.cleanup()


def region_of(low: tuple[int, ...], high: tuple[int, ...]) -> Region:
    """The region between two voxels (i, j, k), with both."""
    pairs = [(min(pair), max(pair) + 1) for pair in zip(low, high, strict=True)][::-1]
    return Region(*zip(*pairs, strict=True))


def fresh_masks(logic: SegmentationLogic) -> dict[int, np.ndarray]:
    """Each object's voxels as a new session gives them."""
    session = Session(model_of(logic.model), logic.volume)  # type: ignore[arg-type]
    session.change(logic.prompts)
    predicted = session.predict_all()
    masks = {}
    for label in logic.prompts.labels:
        masks[label] = np.zeros(SHAPE, bool)
        if label in predicted:
            masks[label][predicted[label].region.slices] = predicted[label].logits_kji > 0
        elif label in logic._writer.adopted:
            # Without prompts it has the voxels that were there.
            masks[label] = logic._writer.adopted[label].on(Region.whole(SHAPE))
    return masks


def inputs(rng: random.Random) -> Iterator[int]:
    """Numbers of lives."""
    while True:
        yield rng.getrandbits(32)


def escape(payload: int, folder: Path) -> str | None:
    """How a life broke a rule."""
    return escape_in_lives(SceneMachine, payload)
