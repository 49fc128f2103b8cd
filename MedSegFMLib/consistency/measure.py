"""What the planes of one answer say together: map, scores, hot spots and the next click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction
from ..volumes.geometry import Geometry
from ..volumes.patient_planes import planes as planes_of
from ..volumes.region import Region
from .agreement import agreement, disagreement, slice_agreement
from .hot_spots import HotSpot, expected_error, hot_spots
from .intersection import intersection_of_object

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Less than so much of a voxel, in all, is no object to expect a Dice of.
_NOTHING = 0.5


@dataclass(frozen=True, eq=False)
class Consistency:
    """How well the planes of an answer agree, and where they do not.

    region: the voxels that the arrays cover.
    disagreement_kji: float32, 0 to 1: see `agreement.disagreement`.
    masks: what each plane that was looked at takes for the object, by its name.
    agreement: the mean Dice over pairs of these masks, 0 to 1; None with fewer than two planes.
    expected_dice: the Dice that the answer is expected to have, if each voxel belongs to the object
        with the planes' mean probability; None where neither answer nor planes see anything.
    intersection: the cross-plane paper's sum of squares, mean over the object; 0 is perfect. None
        for an empty object or fewer than two planes.
    slices: `agreement` of each slice of the region along the axis of each of the three planes, by
        that plane's name; None for slices without the object.
    hot_spots: what is probably wrong, by falling gain; the first one's click is the next to place.
    """

    region: Region
    disagreement_kji: Floats
    masks: Mapping[str, Mask]
    agreement: float | None
    expected_dice: float | None
    intersection: float | None
    slices: Mapping[str, Sequence[float | None]]
    hot_spots: Sequence[HotSpot]

    @property
    def suggestion(self) -> HotSpot | None:
        """Where the next click helps most; None where nothing is probably wrong."""
        return self.hot_spots[0] if self.hot_spots else None


def measure(prediction: Prediction, prompts: Sequence[Prompt]) -> Consistency:
    """The consistency of an answer with its planes, given after `prompts`.

    Raises ValueError for a prediction without planes: see `views.PlaneViews`.
    """
    region, seen = prediction.region, prediction.planes
    apart = disagreement(seen)
    mask = prediction.logits_kji > 0
    masks = {name: array > 0.5 for name, array in seen.items()}
    error = expected_error(seen, mask)
    marks = to_voxels(prompts, prediction.geometry).within(region)
    axes = plane_axes(prediction.geometry)
    return Consistency(
        region,
        apart,
        masks,
        agreement(masks),
        _expected_dice(error, mask),
        intersection_of_object(seen, axes, mask),
        {name: slice_agreement(masks, axis) for name, axis in axes.items()},
        hot_spots(error, mask, marks.voxels_kji, region),
    )


def plane_axes(geometry: Geometry) -> dict[str, int]:
    """The array axis that the axial, coronal and sagittal plane are cut along, by their names."""
    return {plane.name: plane.axis_kji for plane in planes_of(geometry)}


def _expected_dice(error: Floats, mask: Mask) -> float | None:
    taken = float(np.count_nonzero(mask))
    wrong, missed = float(error[mask].sum()), float(error[~mask].sum())
    total = 2 * taken - wrong + missed
    return None if total < _NOTHING else 2 * (taken - wrong) / total
