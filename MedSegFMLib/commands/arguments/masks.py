"""Masks from the command line: FILE, FILE:NAME or LABEL, and the parts of them that stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import MedSegFMError, PromptError, numbers_text
from ...prompts.mask import Mask, Role
from ...prompts.mask_voxels import is_resampled, start_voxels
from ...prompts.voxels import to_voxels
from ...system.names import parse_label
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.segmentations.files import has_segments
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume


def read_mask(text: str, geometry: Geometry, role: Role = "start") -> Mask:
    """Read the mask of an option.

    Args:
        text: FILE, FILE:LABEL, or FILE:LABEL,LABEL for several segments as one; a segment of a
            .seg.nrrd, DICOM SEG or RTSTRUCT file by its name or label.
        geometry: the grid of the volume that is segmented.
        role: see `Mask`.

    Raises:
        PromptError: the file is not a mask of that volume, or lacks a label; the message names it.
    """
    path, choices = _parts(text)
    try:
        mask = _mask(path, choices, role, geometry)
        to_voxels([mask], geometry)
    except MedSegFMError as error:
        advice = f" Write {path}:LABEL." if "choose one of them" in str(error) else ""
        message = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise PromptError(f"{message}{advice}") from error
    return mask


def mask_files(texts: Sequence[str]) -> list[Path]:
    """The files that options name."""
    return [_parts(text)[0] for text in texts]


def resampling_notes(masks: Sequence[Mask], geometry: Geometry) -> list[str]:
    """A line for the user if masks have another grid than the volume; nothing otherwise."""
    count = sum(is_resampled(mask, geometry) for mask in set(masks))
    if not count:
        return []
    these = "A mask is" if count == 1 else f"{count} masks are"
    return [f"{these} on another grid than the volume; the nearest voxels were used."]


def frozen_part(
    mask: Mask | None,
    start_ijk: Sequence[int],
    stop_ijk: Sequence[int],
    geometry: Geometry,
    option: str,
) -> Mask:
    """The prompt that keeps a mask as it is within voxel bounds.

    Raises:
        PromptError: there is no mask, or the bounds are empty or outside the volume.
    """
    if mask is None:
        raise PromptError(f"{option} keeps a part of a mask; give --mask FILE before it.")
    size = geometry.shape_kji[::-1]
    bounds = f"{option} from {numbers_text(start_ijk)} to {numbers_text(stop_ijk)} (i, j, k)"
    if not all(a < b for a, b in zip(start_ijk, stop_ijk, strict=True)):
        raise PromptError(
            f"{bounds} is inverted or empty; each stop must be greater than its start."
        )
    if not all(a >= 0 and b <= n for a, b, n in zip(start_ijk, stop_ijk, size, strict=True)):
        raise PromptError(
            f"{bounds} extends outside the volume, which has {numbers_text(size)} voxels counted "
            "from 0."
        )
    i, j, k = start_ijk
    i1, j1, k1 = stop_ijk
    part = Region((k, j, i), (k1, j1, i1))
    inside = start_voxels(mask, geometry).on(part)
    return Mask.from_array(inside, geometry.crop(part), role="keep")


def _mask(path: Path, choices: Sequence[str], role: Role, grid: Geometry) -> Mask:
    if not has_segments(path):
        labels = [parse_label(choice) for choice in choices]
        if None in labels:
            raise PromptError(
                f"{path} has labels and no names, so that '{choices[labels.index(None)]}' is "
                "nothing in it; choose by label."
            )
        return Mask.from_volume(
            Volume.read(path), [label for label in labels if label is not None], role
        )
    segmentation = Segmentation.read(path, grid)
    segments = [segmentation.segment(choice) for choice in choices] or segmentation.segments
    if role == "start" and len(segments) != 1 and not choices:
        listed = ", ".join(f"{s.label} {s.name}" for s in segments) or "none"
        raise PromptError(f"The file has the segments {listed}; choose one of them.")
    inside = np.zeros(segmentation.geometry.shape_kji, bool)
    for segment in segments:
        inside[segment.region.slices] |= segment.mask_kji
    return Mask.from_array(inside, segmentation.geometry, role=role)


def _parts(text: str) -> tuple[Path, list[str]]:
    """The file and the choices of FILE or FILE:CHOICES; a file whose name has a colon comes first.

    Names are choices only of a file that is there, so that C:\\FILE is one file.
    """
    name, colon, tail = text.rpartition(":")
    if not colon or not name or Path(text).exists():
        return Path(text), []
    choices = [part.strip() for part in tail.split(",")]
    are_labels = all(parse_label(choice) is not None for choice in choices)
    if not are_labels and not (all(choices) and Path(name).is_file()):
        return Path(text), []
    return Path(name), choices
