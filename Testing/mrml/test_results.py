"""What comes out: the overlay of changes, labelmaps and files, on any segmentation grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_volumes import rotation
from scene_helpers import add_boxes, add_transform, content, slicer_content

from MedSegFMLib import Box, Point, Volume
from MedSegFMLib.errors import MaskError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Warned, Written


def test_what_changed_is_counted_and_shown_for_a_while(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    now = [0.0]
    logic.overlay.clock = lambda: now[0]
    logic.set_volume(plain)
    geometry = logic.volume.geometry
    logic.add(Box.from_ijk(geometry, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    logic.add(Point.from_ijk(geometry, (8, 3, 3)))
    logic.add(Point.from_ijk(geometry, (3, 3, 3), positive=False))
    (written,) = [u for u in logic.pump() if isinstance(u, Written)]
    assert written.added == {1: 1} and written.removed == {1: 1}
    shown = logic.overlay.node.GetSegmentation()
    assert list(shown.GetSegmentIDs()) == ["added", "removed"]
    assert not logic.overlay.node.GetSaveWithScene()
    now[0] = 2.9
    logic.pump()
    assert logic.overlay.node is not None
    now[0] = 3.1
    logic.pump()
    assert logic.overlay.node is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_transformed_volume_gets_its_answer_in_place(
    logic: SegmentationLogic, scene: Any, volume_node: Any, ball_box: Box
) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(20, -10, 5), (30, 20, 10)
    volume_node.SetAndObserveTransformNodeID(add_transform(scene, matrix).GetID())
    logic.set_volume(volume_node)
    geometry = logic.volume.geometry
    logic.add(Box.from_ijk(geometry, (2, 3, 1), (7, 9, 6)))
    logic.add(Point.from_ijk(geometry, (9, 11, 7)))
    logic.pump()
    expected = np.zeros(geometry.shape_kji, bool)
    expected[1:6, 3:9, 2:7] = expected[7, 11, 9] = True
    assert np.array_equal(slicer_content(logic, 1), expected)


def test_a_segmentation_with_another_transform_gets_the_answer_in_place(
    logic: SegmentationLogic, scene: Any, volume_node: Any
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "theirs")
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(20, -10, 5), (30, 20, 10)
    node.SetAndObserveTransformNodeID(add_transform(scene, matrix).GetID())
    logic.set_volume(volume_node)
    logic.use_segmentation(node)
    logic.add(Box.from_ijk(logic.volume.geometry, (2, 3, 1), (7, 9, 6)))
    logic.pump()
    expected = np.zeros(logic.volume.geometry.shape_kji, bool)
    expected[1:6, 3:9, 2:7] = True
    assert np.array_equal(content(logic, 1), expected)
    assert np.array_equal(slicer_content(logic, 1), expected)


def test_a_segmentation_on_a_finer_grid_gets_the_answer_in_place(
    logic: SegmentationLogic, scene: Any, volume_node: Any, blob: tuple[Volume, np.ndarray]
) -> None:
    from scene_helpers import add_volume_node

    coarse = blob[0].geometry
    fine = coarse.resampled([mm / 2 for mm in coarse.spacing_ijk_mm])
    reference = add_volume_node(scene, Volume(np.zeros(fine.shape_kji, np.int16), fine))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "fine")
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    logic.set_volume(volume_node)
    logic.use_segmentation(node)
    logic.add(Box.from_ijk(coarse, (2, 3, 1), (7, 9, 6)))
    logic.pump()
    found = content(logic, 1)
    expected = np.zeros(fine.shape_kji, bool)
    expected[2:12, 6:18, 4:14] = True
    assert np.array_equal(found, expected)


def test_labels_are_exported_as_node_and_file(
    logic: SegmentationLogic, volume_node: Any, tmp_path: Path
) -> None:
    logic.set_volume(volume_node)
    with pytest.raises(MaskError, match="no object to export"):
        logic.objects.to_labels()
    geometry = logic.volume.geometry
    add_boxes(
        logic,
        [
            Box.from_ijk(geometry, (1, 1, 1), (4, 4, 4)),
            Box.from_ijk(geometry, (5, 5, 5), (8, 8, 8)),
        ],
    )
    logic.pump()
    expected = np.zeros(geometry.shape_kji, np.uint8)
    expected[1:4, 1:4, 1:4], expected[5:8, 5:8, 5:8] = 1, 2
    labels = logic.objects.to_labels()
    assert np.array_equal(labels.array_kji, expected) and labels.geometry.matches(geometry)
    for name in ("labels.nii.gz", "labels.nrrd"):
        logic.objects.to_labels().write(tmp_path / name)
        read = Volume.read(tmp_path / name).reoriented(geometry.axis_codes)
        assert read.array_kji.sum() == expected.sum()


def test_a_segmentation_under_a_bent_transform_is_told(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    from scene_helpers import add_bent_transform

    logic.set_volume(plain)
    logic.add(Point.from_ijk(logic.volume.geometry, (3, 3, 3)))
    logic.segments.node.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    told = [u.sentence for u in logic.pump() if isinstance(u, Warned)]
    assert "non-linear" in told[0] and len(logic.prompts.entries) == 1
    logic.undo()
    logic.pump()


def test_a_segmentation_of_surfaces_is_refused(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "contours")
    node.GetSegmentation().AddEmptySegment("a", "a")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    with pytest.raises(MaskError, match="contours stores its segments as 'Closed surface'"):
        logic.use_segmentation(node)
