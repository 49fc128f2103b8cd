"""The three planes of a model that sees in 3D: it is asked once with each plane as its slices.

Such a model should answer the same however the array's axes are ordered; a network does so only as
far as it has learnt, and where its three answers differ it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, no_progress, parts_of
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction, probabilities
from ..session.session import Session
from ..volumes.patient_planes import Plane, planes
from ..volumes.region import Region, Shape, shape_triple

Floats = NDArray[np.float32]

# What each view may keep of its own, twice, for the next prompt.
_BUDGET_BYTES = 1 << 27


@dataclass(frozen=True)
class _View:
    """A session on a part of the volume whose axes stand in the order `axes_kji`, the first one
    reversed."""

    session: Session
    axes_kji: Shape

    def seen(self, prediction: Prediction, crop: Region, region: Region) -> Floats:
        """The view's probabilities on a region of the volume, 0 where it did not look."""
        whole = np.zeros(prediction.geometry.shape_kji, dtype=np.float32)
        whole[prediction.region.slices] = probabilities(prediction.logits_kji)
        turned = np.flip(whole, 0).transpose(np.argsort(self.axes_kji))
        return np.ascontiguousarray(turned[region.relative_to(crop).slices])


class PlaneViews:
    """The predictions of a session with their planes, whatever the model.

    A model that looks at planes gave them itself. Any other sees the surroundings of the objects
    twice more, with the axes in another order; what it saw is kept for the next prompt.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._crop: Region | None = None
        self._views: dict[str, _View] = {}

    def predict_all(self, progress: Progress = no_progress) -> dict[int, Prediction]:
        """As `Session.predict_all`, with the planes of each prediction filled in.

        Raises what that raises.
        """
        session = self._session
        seen_by = [p for p in planes(session.volume.geometry) if p.axis_kji != 0]
        share, *shares = parts_of(progress, 1 + len(seen_by))
        answers = session.predict_all(share)
        if not answers or all(answer.planes for answer in answers.values()):
            progress(1.0, "Comparing the planes")
            return answers
        self._look_at(self._surroundings(answers), seen_by)
        others = {}
        for plane, share in zip(seen_by, shares, strict=True):
            view = self._views[plane.name]
            view.session.change(session.prompts)
            others[plane.name] = view.session.predict_all(share)
        return {
            label: replace(answer, planes=self._planes_of(label, answer, others))
            for label, answer in answers.items()
        }

    def _surroundings(self, answers: Mapping[int, Prediction]) -> Region:
        """Where the model looked, and every marked voxel: what is outside a volume is refused."""
        volume = self._session.volume
        around = [answer.region for answer in answers.values()]
        prompts = [prompt for _, prompt in self._session.prompts.entries]
        marked = to_voxels(prompts, volume.geometry).voxels_kji
        if len(marked):
            low, high = marked.min(axis=0).tolist(), (marked.max(axis=0) + 1).tolist()
            around.append(Region(shape_triple(low), shape_triple(high)))
        crop = Region.enclosing(around)
        voxels = volume.array_kji[crop.slices]
        # A part in which all is the same is refused too, but there is more around it.
        return Region.whole(volume.geometry.shape_kji) if voxels.min() == voxels.max() else crop

    def _look_at(self, crop: Region, seen_by: list[Plane]) -> None:
        if crop == self._crop:
            return
        volume = self._session.volume.crop(crop)
        views = {}
        for plane in seen_by:
            # Two axes change places and one is reversed: the patient is turned, not mirrored.
            order = [0, 1, 2]
            order[0], order[plane.axis_kji] = order[plane.axis_kji], order[0]
            axes = shape_triple(order)
            turned = volume.permute(axes).flip(0)
            session = Session(self._session.segmenter, turned, _BUDGET_BYTES)
            views[plane.name] = _View(session, axes)
        self._crop, self._views = crop, views

    def _planes_of(
        self, label: int, answer: Prediction, others: Mapping[str, Mapping[int, Prediction]]
    ) -> dict[str, Floats]:
        crop, region = self._crop, answer.region
        assert crop is not None, "the views were made for these answers"
        found = {}
        for plane in planes(answer.geometry):
            if plane.name in others:
                other = others[plane.name][label]
                found[plane.name] = self._views[plane.name].seen(other, crop, region)
            else:
                found[plane.name] = probabilities(answer.logits_kji)
        return found
