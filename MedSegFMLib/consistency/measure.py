"""The consistency of a prediction's planes: map, scores, hot spots and the next click."""

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

# Below this expected total number of voxels there is no object and no expected Dice.
_NOTHING = 0.5


@dataclass(frozen=True, eq=False)
class Consistency:
    """The agreement of the planes of a prediction.

    Attributes:
        region: the region that the arrays cover.
        disagreement_kji: float32, 0 to 1: see `agreement.disagreement`.
        masks: the mask of each plane that was segmented, by its name.
        agreement: the mean Dice over pairs of these masks, 0 to 1; None with fewer than two planes.
        expected_dice: the expected Dice of the prediction if each voxel belongs to the object with
            the planes' mean probability; None if neither prediction nor planes contain an object.
        intersection: the cross-plane paper's sum of squares, mean over the object; 0 is perfect.
            None for an empty object or fewer than two planes.
        slices: `agreement` of each slice of the region along the axis of each of the three planes,
            by the plane's name; None for slices without the object.
        hot_spots: the probably wrong parts, by descending gain; the click of the first is the next
            to place.
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
        """The hot spot whose click would help most; None if nothing is probably wrong."""
        return self.hot_spots[0] if self.hot_spots else None


def measure(prediction: Prediction, prompts: Sequence[Prompt]) -> Consistency:
    """The consistency of a prediction with its planes.

    Args:
        prediction: the prediction.
        prompts: the prompts it was made from; no click is suggested beside their marks.

    Raises:
        ValueError: the prediction has no planes; see `views.PlaneViews`.
    """
    region, by_plane = prediction.region, prediction.planes
    disagreement_kji = disagreement(by_plane)
    mask = prediction.logits_kji > 0
    masks = {name: array > 0.5 for name, array in by_plane.items()}
    error = expected_error(by_plane, mask)
    marks = to_voxels(prompts, prediction.geometry).within(region)
    axes = plane_axes(prediction.geometry)
    return Consistency(
        region,
        disagreement_kji,
        masks,
        agreement(masks),
        expected_dice(error, mask),
        intersection_of_object(by_plane, axes, mask),
        {name: slice_agreement(masks, axis) for name, axis in axes.items()},
        hot_spots(error, mask, marks.voxels_kji, region),
    )


def plane_axes(geometry: Geometry) -> dict[str, int]:
    """The array axis perpendicular to the axial, coronal and sagittal plane, by plane name."""
    return {plane.name: plane.axis_kji for plane in planes_of(geometry)}


def expected_dice(error: Floats, mask: Mask) -> float | None:
    """The expected Dice of a mask; None if there is probably no object.

    Args:
        error: the probability that a voxel is wrong, of any shape.
        mask: the mask, of the same shape.
    """
    taken = float(np.count_nonzero(mask))
    wrong, missed = float(error[mask].sum()), float(error[~mask].sum())
    total = 2 * taken - wrong + missed
    return None if total < _NOTHING else 2 * (taken - wrong) / total
