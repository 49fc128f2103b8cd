"""What the tests of the scene logic share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

from MedSegFMLib import Box, Geometry, Point, Prediction, Prompt, Region, Session, Volume
from MedSegFMLib.consistency import measure
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.mrml.nodes.transforms import to_vtk
from MedSegFMLib.mrml.segments.grid import SegmentGrid
from MedSegFMLib.mrml.segments.oriented_images import grid_image, read_segment
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.voxels import box_region, enforce_marks, to_voxels
from MedSegFMLib.registry import card
from MedSegFMLib.segmenter import Encoding, probabilities
from MedSegFMLib.volumes.masks import bounding_box
from MedSegFMLib.worker.answer import make_answer
from MedSegFMLib.worker.events import Event, Failed, Predicted, Request, Stopped


class BoxesAndMarks:
    """A model whose answer is what it was told: start, boxes and + marks, without the − marks."""

    card = card("randomwalk")
    classes = ()

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 8)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        region = encoding.region
        logits = np.full(region.shape_kji, -5, np.float32)
        for prompt in prompts:
            if isinstance(prompt, Box):
                box = box_region(prompt, encoding.geometry).intersection(region)
                if box is not None:
                    logits[box.relative_to(region).slices] = 5
        marks = to_voxels(prompts, encoding.geometry).within(region)
        if marks.start is not None:
            logits[marks.start.on(Region.whole(region.shape_kji))] = 5
        enforce_marks(logits, marks, 9)
        return Prediction(encoding.geometry, region.start_kji, logits)


def with_doubts(prediction: Prediction) -> Prediction:
    """A prediction around its object, two of its planes seeing it further along the last axis."""
    box = bounding_box(prediction.logits_kji > 0)
    if box is not None:
        low, high = zip(*((max(part.start - 2, 0), part.stop + 2) for part in box), strict=True)
        logits = np.ascontiguousarray(prediction.logits_kji[tuple(map(slice, low, high))])
        offset = tuple(n + m for n, m in zip(prediction.offset_kji, low, strict=True))
        prediction = replace(prediction, offset_kji=offset, logits_kji=logits)
    seen = probabilities(prediction.logits_kji)
    names = ("axial", "coronal", "sagittal")
    planes = {name: np.roll(seen, shift, 2) for name, shift in zip(names, (0, 2, 3), strict=True)}
    return replace(prediction, planes=planes)


class SessionClient:
    """Predicts in this process, when polled; `paused` holds the answers back."""

    def __init__(self) -> None:
        self.volumes: list[Volume] = []
        self.requests: list[Request] = []
        self.compared: list[Request] = []
        self.paused = False
        self.cancelled = 0
        self.late: list[Event] = []
        self._pending: tuple[int, Request] | None = None
        self._events: list[Event] = []

    def set_volume(self, volume: Volume) -> None:
        self.volumes.append(volume)

    def request(self, request: Request) -> int:
        self._stop()
        self.requests.append(request)
        self._pending = (len(self.requests), request)
        return len(self.requests)

    def poll(self) -> list[Event]:
        if self._pending is not None and not self.paused:
            number, request = self._pending
            self._pending = None
            self._events.append(self.answer(number, request))
        events, self._events = self.late + self._events, []
        self.late = []
        return events

    def answer(self, number: int, request: Request) -> Event:
        session = Session(self.model(request), self.volumes[-1])
        try:
            session.change(request.prompts)
            predicted = session.predict_all()
        except MedSegFMError as error:
            return Failed(number, error)
        if not request.consistency:
            return Predicted(number, {n: make_answer(p) for n, p in predicted.items()})
        self.compared.append(request)
        seen = {n: with_doubts(p) for n, p in predicted.items()}
        prompts = {n: request.prompts.steps(n)[-1] for n in seen}
        return Predicted(
            number, {n: make_answer(p, measure(p, prompts[n])) for n, p in seen.items()}
        )

    def model(self, request: Request) -> BoxesAndMarks:
        return BoxesAndMarks()

    def cancel(self) -> None:
        self.cancelled += 1
        self._stop()

    def close(self) -> None:
        self._pending = None

    def _stop(self) -> None:
        if self._pending is not None:
            self._events.append(Stopped(self._pending[0]))
            self._pending = None


def add_volume_node(scene: Any, volume: Volume, name: str = "volume") -> Any:
    k, j, i = volume.array_kji.shape
    image = vtkImageData()
    image.SetDimensions(i, j, k)
    image.GetPointData().SetScalars(numpy_to_vtk(volume.array_kji.ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(to_vtk(volume.geometry.ijk_to_ras))
    node.SetAndObserveImageData(image)
    return node


def add_transform(scene: Any, matrix: np.ndarray) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(to_vtk(matrix))
    return node


def add_bent_transform(scene: Any) -> Any:
    from vtkmodules.vtkCommonTransforms import vtkThinPlateSplineTransform

    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bend")
    node.SetAndObserveTransformToParent(vtkThinPlateSplineTransform())
    return node


def add_boxes(logic: Any, boxes: Sequence[Box]) -> list[int]:
    """An object for each box; their labels."""
    labels = []
    for box in boxes:
        labels.append(logic.objects.add())
        logic.add(box)
    return labels


def click(logic: Any, kji: tuple[int, int, int], positive: bool = True) -> Point:
    """A click on a voxel (k, j, i) of the volume."""
    return Point.from_ijk(logic.volume.geometry, kji[::-1], positive)


def box_kji(logic: Any, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Box:
    """A box of voxels (k, j, i) of the volume."""
    return Box.from_ijk(logic.volume.geometry, start[::-1], stop[::-1])


def block(start: tuple[int, int, int], stop: tuple[int, int, int]) -> np.ndarray:
    """A block of voxels in the volume `plain`."""
    mask = np.zeros((12, 14, 16), bool)
    mask[Region(start, stop).slices] = True
    return mask


def content(logic: Any, label: int, geometry: Geometry | None = None) -> np.ndarray:
    """All voxels of an object's segment on the whole grid, as this library reads them."""
    node, segment_id = logic.segments.node, logic.segments.ids[label]
    grid = SegmentGrid.of(node, geometry or logic.volume.geometry)
    return read_segment(node, segment_id, grid, Region.whole(grid.geometry.shape_kji))


def slicer_content(logic: Any, label: int) -> np.ndarray:
    """The same as Slicer's own `arrayFromSegmentBinaryLabelmap` gives it."""
    import slicer.util

    array = slicer.util.arrayFromSegmentBinaryLabelmap(
        logic.segments.node, logic.segments.ids[label], logic.volume_node
    )
    return np.asarray(array) > 0


def paint(logic: Any, label: int, region: Region, value: bool = True) -> None:
    """What the user does in the Segment Editor: paint or erase a block by hand."""
    node, segment_id = logic.segments.node, logic.segments.ids[label]
    paint_segment(node, segment_id, logic.volume.geometry, region, value)


def paint_segment(
    node: Any, segment_id: str, geometry: Geometry, region: Region, value: bool = True
) -> None:
    editor = slicer.vtkSlicerSegmentEditorLogic()
    editor.SetMRMLScene(node.GetScene())
    settings = slicer.vtkMRMLSegmentEditorNode()
    settings.SetOverwriteMode(settings.OverwriteNone)
    node.GetScene().AddNode(settings)
    editor.SetSegmentEditorNode(settings)
    editor.SetSegmentationNode(node)
    grid = SegmentGrid.of(node, geometry)
    image = grid_image(np.ones(region.shape_kji, bool), region, grid)
    mode = editor.ModificationModeAdd if value else editor.ModificationModeRemove
    editor.ModifySegmentByLabelmap(node, segment_id, image, mode, False, True)
    node.GetScene().RemoveNode(settings)
