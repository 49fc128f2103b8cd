"""Packing of real images and label maps into a single file for training.

The sources are a JSON file: {"sources": [{"name", "image", "label", "licence", "attribution",
"groups", "most_labels"}]}, paths relative to the file; one of image and label may be null. Two keys
are optional: "groups" are lists of label values that together are one object; "most_labels" keeps
at most that number of labels, those with the most voxels. Used for packing only: reads files with
SimpleITK.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from ...system.json_files import load_json
from ...volumes.intensities import intensity_bounds, normalised
from ...volumes.pooling import pooled
from ...volumes.region import Region
from ...volumes.volume import Volume
from .adjacency import label_boxes, touching_pairs
from .pack_format import PackedVolume
from .supervoxels import region_tree

# Longer sides are pooled. Label maps without an image compress well and have thin structures.
_LONGEST_IMAGE_SIDE = 176
_LONGEST_LABEL_SIDE = 256
# Intensities of 0 to 255 up to this are empty at the border of an image.
_EMPTY = 8


@dataclass(frozen=True)
class PackSource:
    """One volume to pack; see the module's docstring.

    Attributes:
        name: its unique name.
        image: the image file, or None.
        label: the label file, or None.
        licence: the licence of the data.
        attribution: the attribution that the licence requires.
        groups: lists of label values of the file that together are one object.
        most_labels: the largest number of labels to keep; None for all.
    """

    name: str
    image: Path | None
    label: Path | None
    licence: str
    attribution: str
    groups: tuple[tuple[int, ...], ...] = ()
    most_labels: int | None = None


def read_sources(path: Path) -> list[PackSource]:
    """The volumes listed in a JSON file.

    Raises:
        VolumeError: the file cannot be used.
    """
    try:
        items = load_json(path, dict)["sources"]
        sources = [
            PackSource(
                str(item["name"]),
                path.parent / item["image"] if item["image"] else None,
                path.parent / item["label"] if item["label"] else None,
                str(item["licence"]),
                str(item["attribution"]),
                tuple(tuple(map(int, group)) for group in item.get("groups", ())),
                int(item["most_labels"]) if item.get("most_labels") else None,
            )
            for item in items
        ]
    except OSError as error:
        raise VolumeError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VolumeError(
            f"{path} is not a list of sources to pack ({error!r}); see Docs/training.md."
        ) from error
    counts = Counter(source.name for source in sources)
    duplicates = sorted(name for name, count in counts.items() if count > 1)
    if duplicates:
        raise VolumeError(f"{path} names {', '.join(duplicates)} twice; give each a unique name.")
    empty = [source.name for source in sources if source.image is None and source.label is None]
    if empty or not sources:
        raise VolumeError(
            f"{path}: {', '.join(empty) or 'the list'} names neither image nor label."
        )
    return sources


def read_whole(path: Path, is_label: bool) -> Volume:
    """The volume of a file, whether of an image or of labels."""
    return Volume.read(path)


def pack_volume(
    source: PackSource, read: Callable[[Path, bool], Volume] = read_whole
) -> PackedVolume:
    """Read a source, crop it to its non-empty part, pool it if it is large, and index its regions.

    Labels on another grid are resampled to the image's.

    Args:
        source: the volume.
        read: reads a file; the second argument is whether it is that of the labels.

    Raises:
        VolumeError: a file cannot be used.
        ModelError: scikit-image, needed for images, is not installed.
    """
    image = read(source.image, False) if source.image else None
    label = read(source.label, True) if source.label else None
    if image and label and not label.geometry.matches(image.geometry):
        label = label.resample(image.geometry, order=0)
    grey = _bytes(image) if image else None
    filled = np.zeros(0, bool)
    if grey is not None:
        filled = grey.array_kji > _EMPTY
    if label:
        filled = filled | (label.array_kji != 0) if grey is not None else label.array_kji != 0
    volume = grey or label
    assert volume is not None
    if not filled.any():
        raise VolumeError(f"{source.name} is empty; leave it out.")
    region = _box(filled)
    longest = _LONGEST_IMAGE_SIDE if grey else _LONGEST_LABEL_SIDE
    factors = [-(-n // longest) for n in region.shape_kji]
    spacing = np.array(volume.geometry.spacing_kji_mm) * factors
    arrays: dict[str, Any] = {}
    groups: tuple[tuple[int, ...], ...] = ()
    if label:
        values, arrays["labels"] = _numbered(
            label.array_kji[region.slices], factors, source.most_labels
        )
        arrays["boxes"] = label_boxes(arrays["labels"], len(values) + 1)[1:]
        arrays["sizes"] = np.bincount(arrays["labels"].ravel())[1:].astype(np.int32)
        pairs = touching_pairs(arrays["labels"])[0]
        arrays["neighbours"] = pairs[pairs[:, 0] > 0].astype(np.uint8)
        groups = _in_numbers(source.groups, values)
    spacing_kji_mm = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    if grey:
        small = pooled(grey.array_kji[region.slices], factors, "mean")
        arrays["image"] = np.round(small).astype(np.uint8)
        arrays |= vars(region_tree(arrays["image"], spacing_kji_mm))
    return PackedVolume(
        source.name, spacing_kji_mm, source.licence, source.attribution, groups, **arrays
    )


def _bytes(image: Volume) -> Volume:
    """The image with the range between its 0.5 and 99.5 percentiles mapped to 0 to 255."""
    image.intensity_range()
    floats = image.array_kji.astype(np.float32)
    return image.with_array(
        np.round(255 * normalised(floats, intensity_bounds(floats))).astype(np.uint8)
    )


def _box(filled: NDArray[np.bool_]) -> Region:
    sides = [np.flatnonzero(filled.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return Region.from_slices([slice(int(side[0]), int(side[-1]) + 1) for side in sides])


def _numbered(
    labels: NDArray[Any], factors: Sequence[int], most: int | None
) -> tuple[list[int], NDArray[np.uint8]]:
    """The values of the kept labels, and the labels renumbered as 1, 2, … in their order.

    Args:
        labels: the labels.
        factors: the subsampling factor of each axis.
        most: the largest number of labels to keep, the largest ones; None for all.
    """
    # The voxel in the middle of each block, or the last one of a block that is cut off before it.
    middles = [
        np.minimum(np.arange(f // 2, n + f // 2, f), n - 1)
        for f, n in zip(factors, labels.shape, strict=True)
    ]
    picked = labels[np.ix_(*middles)]
    whole = np.round(picked).astype(np.int64)
    present, counts = np.unique(whole[whole != 0], return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:most]
    values = sorted(present[kept].tolist())
    whole = np.where(np.isin(whole, values), whole, 0)
    if len(values) > 255:
        raise VolumeError(f"A label map has {len(values)} labels; at most 255 can be packed.")
    return values, np.where(whole == 0, 0, np.searchsorted(values, whole) + 1).astype(np.uint8)


def _in_numbers(
    groups: Sequence[Sequence[int]], values: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    numbers = {value: number for number, value in enumerate(values, 1)}
    renumbered = (tuple(numbers[value] for value in group if value in numbers) for group in groups)
    return tuple(group for group in renumbered if group)
