"""A view: a session on the same voxels as if the patient were turned or mirrored.

The model gets a patient whose coronal or sagittal plane lies where one of another plane would, or
whose left is right. Both the order of the array's axes and the directions of the grid are those of
such a patient, since some models go by the one and others by the other; prompts move with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress
from ..prompts.edits import carrier
from ..prompts.mask import Mask
from ..prompts.mask_voxels import touches
from ..prompts.prompt_list import PromptList
from ..prompts.types import Prompt, Text, is_start
from ..segmenter import Prediction, probabilities
from ..session.session import Session
from ..volumes.geometry import Geometry, Matrix
from ..volumes.patient_planes import planes
from ..volumes.region import Region, Shape, on_region, shape_triple
from ..volumes.segmentations.vocabulary import other_side

Floats = NDArray[np.float32]

# The budget of each view for its cached encodings, and likewise for its cached predictions.
_BUDGET_BYTES = 1 << 27


@dataclass(frozen=True)
class Motion:
    """A turn or a mirroring of the patient: array axes in another order, and one reversed.

    Attributes:
        axes_kji: the order of the axes.
        reversed_axis: the axis, in that order, that is reversed.
        is_mirror: whether left becomes right.
    """

    axes_kji: Shape
    reversed_axis: int
    is_mirror: bool = False


def turning(shown: int, place: int) -> Motion:
    """A quarter turn by which slices along the axis `shown` lie as those along `place` do.

    Two axes are swapped and one is reversed, so the patient is turned, not mirrored.
    """
    order = [0, 1, 2]
    order[place], order[shown] = order[shown], order[place]
    return Motion(shape_triple(order), place)


def mirroring(geometry: Geometry) -> Motion:
    """The mirror image in which the patient's left is right."""
    sagittal = next(plane for plane in planes(geometry) if plane.name == "sagittal")
    return Motion((0, 1, 2), sagittal.axis_kji, is_mirror=True)


class View:
    """A model on a moved part of a session's volume.

    Args:
        session: the session.
        motion: what is done to the patient.
        part: the part of the volume.
        keeps_array: whether the voxels stay in their order and the directions of the grid alone
            change: for models that go by these, at no cost.
    """

    def __init__(self, session: Session, motion: Motion, part: Region, keeps_array: bool) -> None:
        volume = session.volume
        if part != Region.whole(volume.geometry.shape_kji):
            volume = volume.crop(part)
        own = volume.geometry
        moved = own.permute(motion.axes_kji).flip(motion.reversed_axis)
        matrix = _matrix(own, moved)
        self._motion = None if keeps_array else motion
        if self._motion is not None:
            volume = volume.permute(motion.axes_kji).flip(motion.reversed_axis)
        grid = Geometry(volume.geometry.shape_kji, matrix @ volume.geometry.ijk_to_ras)
        seen = volume.each_image(lambda image: replace(image, geometry=grid))
        self._own, self._part = own, part
        self._carry: Callable[[PromptList], PromptList] = carrier(matrix)
        self._is_mirror = motion.is_mirror
        self._session = Session(session.segmenter, seen, _BUDGET_BYTES)

    def predict_all(
        self,
        prompts: PromptList,
        regions: Mapping[int, Region] | None,
        progress: Progress,
    ) -> dict[int, Prediction]:
        """The predictions in the view, on its own grid.

        Args:
            prompts: the session's prompts.
            regions: as for `Session.predict_all`, on the volume's grid.
            progress: reports progress.
        """
        kept = tuple(
            (label, self._worded(prompt))
            for label, prompt in prompts.entries
            if not isinstance(prompt, Mask) or is_start(prompt) or touches(prompt, self._own)
        )
        self._session.change(self._carry(replace(prompts, entries=kept)))
        there = None if regions is None else {n: self._there(r) for n, r in regions.items()}
        return self._session.predict_all(progress, regions=there)

    def probabilities_on(self, prediction: Prediction, region: Region) -> Floats:
        """The view's probabilities on a region of the volume, 0 outside its own region."""
        array = probabilities(prediction.logits_kji)
        if self._motion is not None:
            back = np.argsort(self._motion.axes_kji)
            array = np.flip(array, self._motion.reversed_axis).transpose(back)
        seen = self._here(prediction.region)
        found: Floats = np.ascontiguousarray(on_region(array, seen, region))
        return found

    def _worded(self, prompt: Prompt) -> Prompt:
        """A text about the left as one about the right in a mirror image."""
        if not (self._is_mirror and isinstance(prompt, Text)):
            return prompt
        return Text(other_side(prompt.phrase, self._session.segmenter.classes))

    def _there(self, region: Region) -> Region:
        """A region of the volume in the view."""
        corners = _corners(region) - np.array(self._part.start_kji, np.int64)
        if self._motion is not None:
            corners = corners[:, self._motion.axes_kji]
            corners = self._reversed(corners)
        return _region(corners)

    def _here(self, region: Region) -> Region:
        """A region of the view in the volume."""
        corners = _corners(region)
        if self._motion is not None:
            corners = self._reversed(corners)[:, np.argsort(self._motion.axes_kji)]
        return _region(corners + np.array(self._part.start_kji, np.int64))

    def _reversed(self, corners: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self._motion is not None, "the array is moved"
        axis = self._motion.reversed_axis
        corners = corners.copy()
        count = self._session.volume.geometry.shape_kji[axis]
        corners[:, axis] = count - corners[::-1, axis]
        return corners


def _matrix(own: Geometry, moved: Geometry) -> Matrix:
    """(4, 4): moves the patient so that the axes of `moved` run as those of `own` do.

    A sheared grid stays as it is: its axes at other places would not be those of a patient.
    """
    matrix = np.eye(4)
    if own.is_sheared:
        return matrix
    turn = own.directions @ np.linalg.inv(moved.directions)
    # Right angles along the axes of the patient are exact.
    near = np.rint(turn)
    turn = near if np.allclose(turn, near, atol=1e-9) else turn
    centre = own.ras_from_ijk((np.array(own.shape_kji[::-1]) - 1) / 2)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre - turn @ centre
    return matrix


def _corners(region: Region) -> NDArray[np.int64]:
    """(2, 3): the first voxel of a region, and one beyond its last."""
    return np.array([region.start_kji, region.stop_kji], np.int64)


def _region(corners: NDArray[np.int64]) -> Region:
    start, stop = corners.tolist()
    return Region(shape_triple(start), shape_triple(stop))
