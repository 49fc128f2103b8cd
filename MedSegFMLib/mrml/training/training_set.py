"""The segments of a scene as a training set: files of each volume and its labels, and cases.json.

A segment counts as accepted if it has voxels and is not flagged (a status that the user sets in
Slicer's lists of segments). It belongs to the volume that its segmentation was made on.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ...errors import MedSegFMError, OutputError, TrainingError
from ...system.atomic_files import make_folder, write_text
from ...volumes.geometry import Geometry
from ...volumes.volume import Volume
from ..nodes.volume_nodes import volume_from_node
from ..segments.grid import LABELMAP, SegmentGrid
from ..segments.oriented_images import labels_of, read_segment, segment_bounds

FILE = "cases.json"
_FLAGGED = "flagged"
_ADVICE = "choose another folder for weights in MEDSEGFM_WEIGHTS"
_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class Candidate:
    """A volume with accepted segments.

    Attributes:
        name: The unique name of its case, safe in files and settings.
        title: The name of its node.
        volume_node: The node.
        segments: The segmentation node and the identifier of each segment.
    """

    name: str
    title: str
    volume_node: Any
    segments: tuple[tuple[Any, str], ...]


class AcceptedSegments:
    """Finds the accepted segments of a scene; unchanged segments are read only once.

    Args:
        scene: The vtkMRMLScene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._filled: dict[tuple[str, str], tuple[int, int, bool]] = {}

    def candidates(self) -> list[Candidate]:
        """The volumes that have some, in the order of the scene."""
        found: dict[str, list[tuple[Any, str]]] = {}
        volumes: dict[str, Any] = {}
        count = self._scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        for n in range(count):
            node = self._scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
            volume = _volume_of(node)
            segments = [] if volume is None else self._accepted(node)
            if volume is not None and segments:
                volumes[volume.GetID()] = volume
                found.setdefault(volume.GetID(), []).extend((node, name) for name in segments)
        names = safe_names([volumes[key].GetName() for key in found])
        return [
            Candidate(name, volumes[key].GetName(), volumes[key], tuple(segments))
            for name, (key, segments) in zip(names, found.items(), strict=True)
        ]

    def _accepted(self, node: Any) -> list[str]:
        segmentation = node.GetSegmentation()
        ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
        return [
            name
            for name in ids
            if not _is_flagged(segmentation.GetSegment(name)) and self._is_filled(node, name)
        ]

    def _is_filled(self, node: Any, segment_id: str) -> bool:
        segment = node.GetSegmentation().GetSegment(segment_id)
        image = segment.GetRepresentation(LABELMAP)
        if image is None:
            return False
        key, stamp = (node.GetID(), segment_id), (image.GetMTime(), segment.GetLabelValue())
        known = self._filled.get(key)
        if known is None or known[:2] != stamp:
            labels, _ = labels_of(image)
            known = self._filled[key] = (*stamp, bool((labels == stamp[1]).any()))
        return known[2]


def write_cases(candidates: Sequence[Candidate], folder: Path) -> Iterator[tuple[float, str]]:
    """Write a folder with images, labels and cases.json, one volume at a step.

    The folder appears complete or not at all. Linear transforms above a volume are folded into its
    grid. If segments overlap, the later one wins. Nothing is left behind after an error, or if the
    iterator is closed.

    Args:
        candidates: The volumes and their segments.
        folder: The folder to make.

    Yields:
        How far it is, 0 to 1, and a phrase for the user.

    Raises:
        MedSegFMError: If a volume, which the message names, cannot be trained on.
        OutputError: If the folder exists already or cannot be written.
    """
    if folder.exists():
        raise OutputError(f"The folder {folder} is there already; choose another.")
    beside = folder.with_name(f".tmp-{token_hex(8)}-{folder.name}")
    make_folder(beside, _ADVICE)
    try:
        cases = []
        for n, candidate in enumerate(candidates):
            yield n / len(candidates), f"writing {candidate.title}"
            cases.append(_write_case(candidate, beside))
        try:
            text = json.dumps({"cases": cases}, indent=1, ensure_ascii=False)
            write_text(beside / FILE, text)
            beside.replace(folder)
        except MedSegFMError:
            # Some of these are OSErrors too.
            raise
        except OSError as error:
            raise OutputError(
                f"{folder} could not be written ({error.strerror or error}); free some space and "
                "try again."
            ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def safe_names(titles: Sequence[str]) -> list[str]:
    """A unique name for each title, of letters, digits, "-" and "_" alone; case does not matter."""
    names: list[str] = []
    for title in titles:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_-")[:_LONGEST_NAME] or "volume"
        names.append(_unlike(plain, names, "_"))
    return names


def _write_case(candidate: Candidate, folder: Path) -> dict[str, Any]:
    try:
        image = volume_from_node(candidate.volume_node)
        image.intensity_range()
        labels, objects = _labels(candidate, image.geometry)
        names = [f"{candidate.name}.nii", f"{candidate.name}-labels.nii"]
        image.write(folder / names[0])
        Volume(labels, image.geometry).write(folder / names[1])
    except MedSegFMError as error:
        raise type(error)(f"{candidate.title} cannot be trained on: {error}") from error
    return {
        "name": candidate.name,
        "image": names[0],
        "label": names[1],
        "modality": _modality(candidate.volume_node),
        "objects": {str(label): name for label, name in objects.items()},
    }


def _labels(candidate: Candidate, geometry: Geometry) -> tuple[NDArray[np.uint16], dict[int, str]]:
    """The segments on a volume's grid, and the names of those that have voxels there."""
    labels = np.zeros(geometry.shape_kji, np.uint16)
    names: dict[int, str] = {}
    for label, (node, segment_id) in enumerate(candidate.segments, 1):
        grid = SegmentGrid.of(node, geometry)
        region = segment_bounds(node, segment_id, grid)
        if region is None:
            continue
        mask = read_segment(node, segment_id, grid, region)
        if grid.is_volume_grid:
            labels[region.slices][mask] = label
        else:
            part = Volume(mask.astype(np.uint8), grid.geometry.crop(region))
            labels[part.resample(geometry, order=0).array_kji > 0] = label
        title = node.GetSegmentation().GetSegment(segment_id).GetName().strip() or segment_id
        names[label] = _unlike(title, list(names.values()), " ")
    seen = set(np.unique(labels).tolist())
    names = {label: name for label, name in names.items() if label in seen}
    if not names:
        raise TrainingError("none of its segments has a voxel in it; segment something there.")
    return labels, names


def _unlike(name: str, taken: Sequence[str], gap: str) -> str:
    """The name, with a number if it is taken; case does not matter, as in some file systems."""
    known = {other.casefold() for other in taken}
    found, number = name, 2
    while found.casefold() in known:
        found, number = f"{name}{gap}{number}", number + 1
    return found


def _volume_of(segmentation_node: Any) -> Any | None:
    if segmentation_node.GetHideFromEditors():
        return None
    role = segmentation_node.GetReferenceImageGeometryReferenceRole()
    volume = segmentation_node.GetNodeReference(role)
    if volume is None or not volume.IsA("vtkMRMLScalarVolumeNode"):
        return None
    return None if volume.IsA("vtkMRMLLabelMapVolumeNode") else volume


def _is_flagged(segment: Any) -> bool:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    status = logic.GetSegmentStatus(segment)
    return bool(logic.GetSegmentStatusAsMachineReadableString(status) == _FLAGGED)


def _modality(node: Any) -> str:
    """The DICOM modality of a volume; "unknown" if Slicer has none."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = 0 if tree is None else tree.GetItemByDataNode(node)
    return (tree.GetItemAttribute(item, "DICOM.Modality") if item else "") or "unknown"
