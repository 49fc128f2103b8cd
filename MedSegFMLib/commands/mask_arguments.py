"""Masks from the command line: FILE, FILE:LABEL, and the parts of them that stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import MedSegFMError, PromptError, numbers_text
from ..prompts.mask import Mask, Role
from ..prompts.mask_voxels import is_resampled, start_voxels
from ..prompts.voxels import to_voxels
from ..system.names import parse_label
from ..volumes.geometry import Geometry
from ..volumes.region import Region
from ..volumes.volume import Volume


def read_mask(text: str, geometry: Geometry, role: Role = "start") -> Mask:
    """Read the mask of an option.

    Args:
        text: FILE, FILE:LABEL, or FILE:LABEL,LABEL for several segments as one.
        geometry: the grid of the volume that is segmented.
        role: see `Mask`.

    Raises:
        PromptError: the file is not a mask of that volume, or lacks a label; the message names it.
    """
    path, labels = _parts(text)
    try:
        mask = Mask.from_volume(Volume.read(path), labels, role)
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


def _parts(text: str) -> tuple[Path, list[int]]:
    """The file and the labels of FILE or FILE:LABELS; a file whose name has a colon comes first."""
    name, colon, tail = text.rpartition(":")
    if not colon or Path(text).exists():
        return Path(text), []
    labels = [parse_label(part.strip()) for part in tail.split(",")]
    if not name or any(label is None for label in labels):
        return Path(text), []
    return Path(name), [label for label in labels if label is not None]
