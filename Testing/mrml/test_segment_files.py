"""Slicer's own reader and writer of .seg.nrrd files, and the library's, understand each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from segmentation_samples import assert_same, masks_by_name, overlapping

from MedSegFMLib import Geometry
from MedSegFMLib.mrml.segments.grid import SegmentGrid
from MedSegFMLib.mrml.segments.oriented_images import read_segment
from MedSegFMLib.mrml.segments.terminology import meaning_of
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation


def storage(path: Path) -> Any:
    node = slicer.vtkMRMLSegmentationStorageNode()
    node.SetFileName(str(path))
    return node


def masks_in(node: Any, geometry: Geometry) -> dict[str, np.ndarray]:
    segmentation, grid = node.GetSegmentation(), SegmentGrid.of(node, geometry)
    whole = Region.whole(geometry.shape_kji)
    return {
        segmentation.GetSegment(n).GetName(): read_segment(node, n, grid, whole)
        for n in segmentation.GetSegmentIDs()
    }


def test_slicer_reads_our_segments_with_names_colours_and_meanings(
    scene: Any, slicer_app: Any, geometry: Geometry, tmp_path: Path
) -> None:
    given = overlapping(geometry, "a ledger")
    given.write(tmp_path / "a.seg.nrrd")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage(tmp_path / "a.seg.nrrd").ReadData(node)
    found = masks_in(node, geometry)
    for name, mask in masks_by_name(given).items():
        assert np.array_equal(found[name], mask), name
    for segment in given.with_usual_colors().segments:
        read = node.GetSegmentation().GetSegment(f"Segment_{segment.label}")
        assert read.GetLabelValue() == segment.label
        assert np.allclose(read.GetColor(), segment.color_rgb, atol=1e-5)
        entry = meaning_of(segment.name, slicer_app.terminologies_logic).entry
        assert read.GetTerminology().split("~")[:4] == entry.split("~")[:4]


def test_we_read_what_slicer_writes_of_what_it_read(
    scene: Any, geometry: Geometry, tmp_path: Path
) -> None:
    given = overlapping(geometry)
    given.write(tmp_path / "a.seg.nrrd")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage(tmp_path / "a.seg.nrrd").ReadData(node)
    assert storage(tmp_path / "b.seg.nrrd").WriteData(node)
    found = Segmentation.read(tmp_path / "b.seg.nrrd")
    # Slicer numbers the segments of each layer anew.
    segments = [replace(s, label=n) for n, s in enumerate(given.segments, 1)]
    assert_same(found, replace(given, segments=tuple(segments)))
