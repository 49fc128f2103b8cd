"""Regions of a real image with visible borders, at all scales: candidates for objects.

Small supervoxels are merged in pairs, the most similar first. They are numbered so that each region
of the resulting tree is a range of numbers, which a table look-up turns into a mask. Used for
packing only: needs scikit-image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...system.installing import extra_command
from .border_contrast import Borders
from .region_merging import Merging

_VOXELS_EACH = 80
_MOST = 10000
# SLIC's weight of distance against intensity: low values follow edges.
_COMPACTNESS = 0.03
_LEAST_VOXELS = 40
# The shape of a single supervoxel is an artefact of SLIC.
_LEAST_SUPERVOXELS = 3
_LEAST_SALIENCE = 0.5
_LEAST_CONTRAST = 8.0
# The fraction of a region's surroundings that may be as bright as the region.
_MOST_ALIKE = 0.4
# Least spread (of intensities 0 to 255), so that the salience of a constant region stays finite.
_FLOOR_SPREAD = 8.0


@dataclass(frozen=True, eq=False)
class RegionTree:
    """The regions of an image; see `PackedVolume` for the arrays."""

    supervoxels: NDArray[np.uint16]
    ranges: NDArray[np.int32]
    range_boxes: NDArray[np.int16]
    salience: NDArray[np.float32]


def region_tree(image: NDArray[np.uint8], spacing_kji_mm: tuple[float, float, float]) -> RegionTree:
    """The supervoxels of a (K, J, I) uint8 image and the regions that they form.

    Raises:
        ModelError: scikit-image is not installed.
    """
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ModelError(
            "Packing images needs scikit-image, which is not installed; run: "
            f"{extra_command('models')}."
        ) from error
    count = int(np.clip(image.size / _VOXELS_EACH, 8, _MOST))
    segments = slic(
        image.astype(np.float32) / 255,
        n_segments=count,
        compactness=_COMPACTNESS,
        sigma=0.5,
        spacing=spacing_kji_mm,
        channel_axis=None,
        start_label=0,
    )
    first = np.unique(segments, return_inverse=True)[1].reshape(image.shape)
    tree = Merging(image, first)
    tree.merge_all()
    order = tree.leaf_order()
    numbers = np.empty(len(order), np.uint16)
    numbers[order] = np.arange(len(order), dtype=np.uint16)
    return _tree_arrays(tree, numbers, image, first)


def _tree_arrays(
    tree: Merging, numbers: NDArray[np.uint16], image: NDArray[np.uint8], first: NDArray[Any]
) -> RegionTree:
    """The regions that qualify as objects: large enough, clear, and not the whole image."""
    start, stop = numbers.astype(int).tolist(), (numbers.astype(int) + 1).tolist()
    for a, b in tree.children:
        start.append(min(start[a], start[b]))
        stop.append(max(stop[a], stop[b]))
    supervoxels = numbers[first]
    borders = Borders(image, supervoxels)
    kept, salience = [], []
    for node, size in enumerate(tree.size):
        box = tree.boxes[node]
        sides = [box[3 + a] - box[a] for a in range(3)]
        spanned = sum(side == n for side, n in zip(sides, image.shape, strict=True))
        count = stop[node] - start[node]
        if size < _LEAST_VOXELS or count < _LEAST_SUPERVOXELS or spanned >= 2:
            continue
        contrast = borders.contrast(start[node], stop[node], tree.mean(node))
        clear = contrast / (tree.spread(node) + _FLOOR_SPREAD)
        if contrast < _LEAST_CONTRAST or clear < _LEAST_SALIENCE:
            continue
        around = tuple(slice(max(0, box[a] - 3), box[3 + a] + 3) for a in range(3))
        number = supervoxels[around]
        inside = (number >= start[node]) & (number < stop[node])
        if _alike_around(image[around], inside) <= _MOST_ALIKE:
            kept.append(node)
            salience.append(clear * (size / np.prod(sides)) ** 0.5)
    return RegionTree(
        supervoxels,
        np.array([(start[n], stop[n]) for n in kept], np.int32).reshape(-1, 2),
        np.array([tree.boxes[n] for n in kept], np.int16).reshape(-1, 6),
        np.array(salience, np.float32),
    )


def _alike_around(image: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """The fraction of voxels two steps outside a region with intensities like its own."""
    from scipy.ndimage import binary_dilation

    near = binary_dilation(inside)
    shell = binary_dilation(near) & ~near
    values = image[inside].astype(np.float64)
    difference = np.abs(image[shell] - values.mean())
    is_alike = difference <= max(_FLOOR_SPREAD, values.std())
    return float(is_alike.mean()) if shell.any() else 1.0
