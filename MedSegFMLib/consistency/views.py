"""The three planes of a 3D model: its predictions with each plane as its slices.

Such a model should give the same result for any order of the array's axes; a network does so only
as far as it has learnt to, and differences between its three results show uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, no_progress, parts_of
from ..prompts.mask import Mask
from ..prompts.mask_voxels import start_voxels, touches
from ..prompts.prompt_list import PromptList
from ..prompts.types import is_start
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction, probabilities
from ..session.session import Session
from ..volumes.geometry import Geometry
from ..volumes.patient_planes import Plane, planes
from ..volumes.region import Region, Shape, shape_triple

Floats = NDArray[np.float32]

# The budget of each view for its cached encodings, and likewise for its cached predictions.
_BUDGET_BYTES = 1 << 27


@dataclass(frozen=True)
class _View:
    """A session on a part of the volume with axes in the order `axes_kji`, the first reversed."""

    session: Session
    axes_kji: Shape

    def probabilities_on(self, prediction: Prediction, crop: Region, region: Region) -> Floats:
        """The view's probabilities on a region of the volume, 0 outside its own region."""
        whole = np.zeros(prediction.geometry.shape_kji, dtype=np.float32)
        whole[prediction.region.slices] = probabilities(prediction.logits_kji)
        reoriented = np.flip(whole, 0).transpose(np.argsort(self.axes_kji))
        return np.ascontiguousarray(reoriented[region.relative_to(crop).slices])


class PlaneViews:
    """The predictions of a session together with their planes, for any model.

    A model that segments slices returns its planes itself. Any other model segments the
    surroundings of the objects twice more, with the axes in another order; its encodings and
    predictions are cached for the next prompt.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._crop: Region | None = None
        self._views: dict[str, _View] = {}

    def predict_all(self, progress: Progress = no_progress) -> dict[int, Prediction]:
        """Like `Session.predict_all`, with the planes of each prediction.

        Raises the same errors.
        """
        session = self._session
        other_planes = [p for p in planes(session.volume.geometry) if p.axis_kji != 0]
        share, *shares = parts_of(progress, 1 + len(other_planes))
        answers = session.predict_all(share)
        if not answers or all(answer.planes for answer in answers.values()):
            progress(1.0, "Comparing the planes")
            return answers
        self._make_views(self._surroundings(answers), other_planes)
        others = {}
        for plane, share in zip(other_planes, shares, strict=True):
            view = self._views[plane.name]
            view.session.change(self._within(session.prompts, view.session.volume.geometry))
            others[plane.name] = view.session.predict_all(share)
        return {
            label: replace(answer, planes=self._planes_of(label, answer, others))
            for label, answer in answers.items()
        }

    def _surroundings(self, answers: Mapping[int, Prediction]) -> Region:
        """The model's region and every marked voxel, since marks outside a volume are errors."""
        volume = self._session.volume
        around = [answer.region for answer in answers.values()]
        prompts = [prompt for _, prompt in self._session.prompts.entries]
        marks = to_voxels(prompts, volume.geometry)
        marked = marks.voxels_kji
        for prompt in prompts:
            if isinstance(prompt, Mask) and prompt.role == "start":
                # A mask must not cover all of a view.
                region = start_voxels(prompt, volume.geometry).region
                around.append(region.grown([1] * 3, volume.geometry.shape_kji))
        if len(marked):
            low, high = marked.min(axis=0).tolist(), (marked.max(axis=0) + 1).tolist()
            around.append(Region(shape_triple(low), shape_triple(high)))
        crop = Region.enclosing(around)
        voxels = volume.array_kji[crop.slices]
        # A constant crop would be an error too, but the whole volume is not constant.
        return Region.whole(volume.geometry.shape_kji) if voxels.min() == voxels.max() else crop

    def _within(self, prompts: PromptList, view: Geometry) -> PromptList:
        """The prompts without masks that are about nothing in a view."""
        kept = tuple(
            (label, prompt)
            for label, prompt in prompts.entries
            if not isinstance(prompt, Mask) or is_start(prompt) or touches(prompt, view)
        )
        return replace(prompts, entries=kept)

    def _make_views(self, crop: Region, other_planes: list[Plane]) -> None:
        if crop == self._crop:
            return
        volume = self._session.volume.crop(crop)
        views = {}
        for plane in other_planes:
            # Two axes are swapped and one is reversed, so the patient is rotated, not mirrored.
            order = [0, 1, 2]
            order[0], order[plane.axis_kji] = order[plane.axis_kji], order[0]
            axes = shape_triple(order)
            reoriented = volume.permute(axes).flip(0)
            session = Session(self._session.segmenter, reoriented, _BUDGET_BYTES)
            views[plane.name] = _View(session, axes)
        self._crop, self._views = crop, views

    def _planes_of(
        self, label: int, answer: Prediction, others: Mapping[str, Mapping[int, Prediction]]
    ) -> dict[str, Floats]:
        crop, region = self._crop, answer.region
        assert crop is not None, "the views were made for these answers"
        by_plane = {}
        for plane in planes(answer.geometry):
            if plane.name in others:
                other = others[plane.name][label]
                by_plane[plane.name] = self._views[plane.name].probabilities_on(other, crop, region)
            else:
                by_plane[plane.name] = probabilities(answer.logits_kji)
        return by_plane
