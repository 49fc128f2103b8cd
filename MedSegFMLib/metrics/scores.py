"""Dice, surface Dice and HD95 together, with their common parts computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..system.threads import thread_count
from ..volumes.masks import Mask, bounding_box, check_mask, check_masks
from .surface import checked_spacing, checked_tolerance, surface_distances
from .surface_elements import Surface, extract_surface

Box = tuple[slice, slice, slice]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Scores:
    """Scores of one object; see the functions of these names.

    Attributes:
        dsc: Dice, 0 to 1.
        nsd: surface Dice, 0 to 1.
        hd95_mm: 95th percentile of the Hausdorff distance in millimetres.
    """

    dsc: float
    nsd: float
    hd95_mm: float


class References:
    """The reference objects of a case, for scoring several predictions.

    Args:
        labels_kji: (K, J, I), integer.
        labels: labels of the objects, above 0; one that does not occur agrees with an empty
            prediction.
        spacing_kji_mm: voxel size along K, J and I.
        threads: number of objects scored at once; by default as `system.threads`.

    Raises:
        MaskError: the labels are not a 3D array of integers.
        ValueError: the spacing is out of range.
    """

    def __init__(
        self,
        labels_kji: Mask,
        labels: Iterable[int],
        spacing_kji_mm: Sequence[float] | NDArray[Any],
        threads: int | None = None,
    ) -> None:
        check_mask(labels_kji, "reference")
        self.labels_kji = labels_kji
        self.labels = list(labels)
        self._spacing = checked_spacing(spacing_kji_mm)
        self._threads = threads or thread_count()
        boxes = _boxes(labels_kji)
        cut = partial(_cut, labels_kji, boxes=boxes, spacing_kji_mm=self._spacing)
        self._objects = dict(zip(self.labels, self._for_each(cut, self.labels), strict=True))

    def scores(self, predicted_kji: Mask, tolerance_mm: float) -> list[Scores]:
        """The scores of all labels, in their order.

        Args:
            predicted_kji: label map of the same shape with the same labels.
            tolerance_mm: tolerance of the surface Dice.

        Raises:
            MaskError: the shapes differ.
            ValueError: the tolerance is out of range.
        """
        check_masks(self.labels_kji, predicted_kji)
        tolerance = checked_tolerance(tolerance_mm)
        boxes = _boxes(predicted_kji)

        def score(label: int) -> Scores:
            other = _cut(predicted_kji, label, boxes, self._spacing)
            return _scores(self._objects[label], other, tolerance)

        # The largest object first, so that it does not remain for one thread at the end.
        largest_first = sorted(set(self.labels), key=lambda label: -self._objects[label].voxels)
        scored = dict(zip(largest_first, self._for_each(score, largest_first), strict=True))
        return [scored[label] for label in self.labels]

    def _for_each(self, work: Callable[[int], _T], labels: Sequence[int]) -> list[_T]:
        threads = min(self._threads, len(labels))
        if threads < 2:
            return [work(label) for label in labels]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, labels))


@dataclass(frozen=True, eq=False)
class _Object:
    """A mask cropped to its bounding box, both None if it is empty."""

    mask: NDArray[np.bool_] | None
    box: Box | None
    voxels: int
    surface: Surface | None


def _cut(
    labels_kji: Mask, label: int, boxes: Mapping[int, Box], spacing_kji_mm: NDArray[np.float64]
) -> _Object:
    box = boxes.get(label)
    if box is None:
        return _Object(None, None, 0, None)
    mask: NDArray[np.bool_] = labels_kji[box] == label
    surface = extract_surface(mask, spacing_kji_mm, [side.start for side in box])
    return _Object(mask, box, int(np.count_nonzero(mask)), surface)


def _scores(reference: _Object, prediction: _Object, tolerance_mm: float) -> Scores:
    total = reference.voxels + prediction.voxels
    dsc = 2.0 * _shared_voxels(reference, prediction) / total if total else 1.0
    distances = surface_distances(reference.surface, prediction.surface, tolerance_mm)
    return Scores(dsc, distances.dice, distances.hausdorff95_mm())


def _shared_voxels(a: _Object, b: _Object) -> int:
    if a.mask is None or b.mask is None or a.box is None or b.box is None:
        return 0
    common = [
        slice(max(one.start, other.start), min(one.stop, other.stop))
        for one, other in zip(a.box, b.box, strict=True)
    ]
    if any(side.start >= side.stop for side in common):
        return 0
    in_a, in_b = (
        tuple(
            slice(side.start - outer.start, side.stop - outer.start)
            for side, outer in zip(common, box, strict=True)
        )
        for box in (a.box, b.box)
    )
    return int(np.count_nonzero(a.mask[in_a] & b.mask[in_b]))


def _boxes(labels: Mask) -> dict[int, Box]:
    """The bounding box of each label above 0."""
    from scipy.ndimage import find_objects

    outer = bounding_box(labels)
    if outer is None:
        return {}
    cut = labels[outer]
    k, j, i = (side.start for side in outer)
    return {
        label: (_moved(box[0], k), _moved(box[1], j), _moved(box[2], i))
        for label, box in enumerate(
            find_objects(cut.view(np.uint8) if cut.dtype == bool else cut), 1
        )
        if box is not None
    }


def _moved(side: slice, by: int) -> slice:
    return slice(side.start + by, side.stop + by)
