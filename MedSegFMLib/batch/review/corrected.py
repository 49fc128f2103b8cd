"""Corrected results: their files in the folder of the batch, and what was changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...results.ledger import sidecar_of
from ...system.atomic_files import make_folder, write_text
from ...volumes.segmentations.dicom_source import SEG_DICOM
from ...volumes.segmentations.files import SEG_NRRD, has_layers
from ...volumes.segmentations.segmentation import Segmentation
from .case import ReviewCase

FOLDER = "corrected"


@dataclass(frozen=True)
class ObjectChange:
    """An object after a correction.

    Attributes:
        label, name: the object.
        voxels: its voxels now.
        ml: its volume now.
        dice: of the object before and now; 1 if both are empty.
    """

    label: int
    name: str
    voxels: int
    ml: float
    dice: float


def corrected_path(folder: Path, case: ReviewCase) -> Path:
    """The file of a case's correction: of the batch's format, or Slicer's for DICOM objects.

    What refers to DICOM images needs them, and is made from a segmentation by `medsegfm convert`.
    """
    name = case.output.name.lower()
    endings = [e for e in (SEG_NRRD, ".nii.gz") if name.endswith(e)]
    ending = endings[0] if endings else case.output.suffix.lower()
    return folder / FOLDER / f"{case.name}{SEG_NRRD if name.endswith(SEG_DICOM) else ending}"


def write_corrected(result: Segmentation, path: Path) -> None:
    """Write a result with its ledger, in it or beside it.

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent, "check the permissions of the folder of the batch")
    result.write(path)
    if not has_layers(path):
        write_text(sidecar_of(path), result.ledger + "\n")


def object_changes(before: Segmentation, result: Segmentation) -> list[ObjectChange]:
    """Each object after a correction, by its label, on one grid; one that is gone has no voxels."""
    geometry, old = result.geometry, {segment.label: segment for segment in before.segments}
    litre = geometry.voxel_volume_mm3 / 1000
    changes = []
    for segment in result.segments:
        mask = segment.on(geometry)
        known = old.pop(segment.label, None)
        earlier = np.zeros_like(mask) if known is None else known.on(geometry)
        total = int(mask.sum()) + int(earlier.sum())
        dice = 2 * int((mask & earlier).sum()) / total if total else 1.0
        count = int(mask.sum())
        changes.append(ObjectChange(segment.label, segment.name, count, count * litre, dice))
    for segment in old.values():
        gone = 0.0 if segment.voxels else 1.0
        changes.append(ObjectChange(segment.label, segment.name, 0, 0.0, gone))
    return changes
