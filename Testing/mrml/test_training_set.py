"""Accepted segments of a scene become cases: the same voxels in the same place, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from sample_volumes import rotation
from scene_helpers import (
    add_bent_transform,
    add_transform,
    add_volume_node,
    paint_segment,
)

from MedSegFMLib import Box, Geometry, Region, Volume
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.errors import GeometryError, MedSegFMError, OutputError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node
from MedSegFMLib.mrml.segments.grid import give_grid
from MedSegFMLib.mrml.training.training_set import (
    AcceptedSegments,
    safe_names,
    write_cases,
)

BLOCK = Region((2, 3, 4), (7, 9, 11))


def segmented(scene: Any, volume_node: Any, *names: str) -> Any:
    """A segmentation of a volume: each segment a block, beside the one before."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume_node.GetName()} segments")
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    geometry = volume_from_node(volume_node).geometry
    for n, name in enumerate(names):
        segment_id = node.GetSegmentation().AddEmptySegment("", name)
        paint_segment(node, segment_id, geometry, BLOCK.shifted((0, 0, n)))
    return node


def written(scene: Any, folder: Path) -> list[Any]:
    """The cases of the scene, read again."""
    for _ in write_cases(AcceptedSegments(scene).candidates(), folder):
        pass
    return [load_case(case) for case in read_cases(folder / "cases.json")]


def add_plain(scene: Any, name: str) -> Any:
    k, j, i = np.indices((12, 14, 16))
    geometry = Geometry.from_spacing((12, 14, 16), (1.0, 2.0, 3.0))
    return add_volume_node(scene, Volume((100 * k + 10 * j + i).astype(np.int16), geometry), name)


def test_segments_of_the_logic_are_found_with_their_volume(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(Box.from_ijk(logic.volume.geometry, (2, 2, 2), (6, 6, 6)))
    assert not AcceptedSegments(scene).candidates(), "there is no answer yet"
    logic.pump()
    (found,) = AcceptedSegments(scene).candidates()
    assert found.volume_node is plain and found.title == "volume"
    assert found.segments == ((logic.segments.node, logic.segments.ids[1]),)


def test_labels_lie_on_their_image_in_every_orientation(
    scene: Any, volume_node: Any, tmp_path: Path
) -> None:
    segmented(scene, volume_node, "a", "b")
    (case,) = written(scene, tmp_path / "cases")
    volume = volume_from_node(volume_node)
    assert case.image.geometry.matches(volume.geometry, tolerance_mm=1e-3) and not case.resampled
    assert np.array_equal(case.image.array_kji, volume.array_kji)
    expected = np.zeros(volume.geometry.shape_kji, int)
    expected[BLOCK.slices] = 1
    expected[BLOCK.shifted((0, 0, 1)).slices] = 2
    assert np.array_equal(case.label.array_kji, expected)


def test_a_linear_transform_is_folded_into_the_files(scene: Any, tmp_path: Path) -> None:
    node = add_plain(scene, "moved")
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(20, -10, 5), (30, 20, 10)
    node.SetAndObserveTransformNodeID(add_transform(scene, matrix).GetID())
    segmented(scene, node, "a")
    (case,) = written(scene, tmp_path / "cases")
    expected = matrix @ Geometry.from_spacing((12, 14, 16), (1.0, 2.0, 3.0)).ijk_to_ras
    assert np.allclose(case.image.geometry.ijk_to_ras, expected, atol=1e-3)
    assert (case.label.array_kji[BLOCK.slices] == 1).all() and not case.resampled


def test_segments_on_another_grid_are_brought_to_the_image(scene: Any, tmp_path: Path) -> None:
    node = add_plain(scene, "coarse")
    fine = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "fine")
    fine.SetReferenceImageGeometryParameterFromVolumeNode(node)
    grid = Geometry.from_spacing((24, 28, 32), (0.5, 1.0, 1.5))
    half = np.eye(4)
    half[:3, 3] = (-0.25, -0.5, -0.75)
    grid = Geometry(grid.shape_kji, half @ grid.ijk_to_ras)
    give_grid(fine, grid)
    segment_id = fine.GetSegmentation().AddEmptySegment("", "a")
    paint_segment(fine, segment_id, grid, Region((4, 6, 8), (14, 18, 22)))
    (case,) = written(scene, tmp_path / "cases")
    expected = np.zeros((12, 14, 16), bool)
    expected[2:7, 3:9, 4:11] = True
    assert np.array_equal(case.label.array_kji > 0, expected)


def test_flagged_and_empty_segments_are_left_out(scene: Any) -> None:
    node = segmented(scene, add_plain(scene, "one"), "good", "bad")
    segmentation = node.GetSegmentation()
    segmentation.AddEmptySegment("", "empty")
    bad = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName("bad"))
    slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(bad, 3)
    accepted = AcceptedSegments(scene)
    (found,) = accepted.candidates()
    assert [segmentation.GetSegment(i).GetName() for _, i in found.segments] == ["good"]
    slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(bad, 2)
    assert len(accepted.candidates()[0].segments) == 2


def test_a_segment_that_is_painted_later_is_seen(scene: Any) -> None:
    volume = add_plain(scene, "one")
    node = segmented(scene, volume)
    segment_id = node.GetSegmentation().AddEmptySegment("", "late")
    accepted = AcceptedSegments(scene)
    assert not accepted.candidates()
    geometry = volume_from_node(volume).geometry
    paint_segment(node, segment_id, geometry, BLOCK)
    assert len(accepted.candidates()) == 1
    paint_segment(node, segment_id, geometry, BLOCK, value=False)
    assert not accepted.candidates()


def test_names_are_safe_and_each_ones_own(scene: Any, tmp_path: Path) -> None:
    titles = ["CT, 1: Jürgen/../x", "ct 2", "CT=2", "日本"]
    assert safe_names(titles) == ["CT_1_J_rgen_x", "ct_2", "CT_2_2", "volume"]
    for _ in range(2):
        segmented(scene, add_plain(scene, "same"), "liver", "Liver")
    cases = written(scene, tmp_path / "cases")
    document = json.loads((tmp_path / "cases" / "cases.json").read_text(encoding="utf-8"))["cases"]
    assert [case["name"] for case in document] == ["same", "same_2"] and len(cases) == 2
    assert document[0]["objects"] == {"1": "liver", "2": "Liver 2"}


def test_an_object_that_another_covers_is_not_listed(scene: Any, tmp_path: Path) -> None:
    volume = add_plain(scene, "one")
    node = segmented(scene, volume, "below")
    segment_id = node.GetSegmentation().AddEmptySegment("", "above")
    paint_segment(node, segment_id, volume_from_node(volume).geometry, BLOCK)
    written(scene, tmp_path / "cases")
    document = json.loads((tmp_path / "cases" / "cases.json").read_text(encoding="utf-8"))["cases"]
    assert document[0]["objects"] == {"2": "above"}


def test_a_volume_that_cannot_be_trained_on_is_named_and_nothing_is_left(
    scene: Any, tmp_path: Path
) -> None:
    segmented(scene, add_plain(scene, "fine"), "a")
    bent = add_plain(scene, "bent")
    segmented(scene, bent, "a")
    bent.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    with pytest.raises(GeometryError, match="bent cannot be trained on"):
        written(scene, tmp_path / "cases")
    constant = Volume(np.zeros((12, 14, 16), np.int16), Geometry.from_spacing((12, 14, 16)))
    scene.RemoveNode(bent)
    segmented(scene, add_volume_node(scene, constant, "flat"), "a")
    with pytest.raises(MedSegFMError, match="flat cannot be trained on"):
        written(scene, tmp_path / "cases")
    assert not list(tmp_path.iterdir())


def test_writing_that_is_given_up_leaves_nothing(scene: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        segmented(scene, add_plain(scene, name), "a")
    steps = write_cases(AcceptedSegments(scene).candidates(), tmp_path / "cases")
    assert next(steps) == (0.0, "writing one") and next(steps) == (0.5, "writing two")
    assert len(list(tmp_path.iterdir())) == 1
    steps.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_not_touched(scene: Any, tmp_path: Path) -> None:
    segmented(scene, add_plain(scene, "one"), "a")
    with pytest.raises(OutputError, match="there already"):
        written(scene, tmp_path)
