"""The predictions of a model seen from several sides, whatever the model is.

Such predictions should be the same; a network's are only as far as it has learnt to, and their
differences show its uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, no_progress, parts_of
from ..prompts.mask import Mask
from ..prompts.mask_voxels import start_voxels
from ..prompts.types import Text
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction, probabilities
from ..session.session import Session
from ..volumes.patient_planes import Plane, planes
from ..volumes.region import Region
from .view import Motion, View, mirroring, turning

Floats = NDArray[np.float32]

# The name of the mirror image among the planes.
MIRRORED = "mirrored"


class PlaneViews:
    """The predictions of a session together with those from other sides, for any model.

    - A model that segments two or three planes of slices returns them itself.
    - A model that segments one plane, or volumes, segments the objects twice more in a patient who
      is turned, so that each of the three planes is once the plane of its slices.
    - A model of volumes that gets words knows patients as they lie: it segments the mirror image
      instead, in which left is right.

    So there are at most three times the predictions of the session itself. Encodings and
    predictions are cached for the next prompt.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._part: Region | None = None
        self._motions: dict[str, Motion] = {}
        self._views: dict[str, View] = {}

    def predict_all(self, progress: Progress = no_progress) -> dict[int, Prediction]:
        """Like `Session.predict_all`, with the planes of each prediction.

        Raises the same errors.
        """
        session = self._session
        share, *shares = parts_of(progress, 3)
        answers = session.predict_all(share)
        if not answers or any(len(answer.planes) > 1 for answer in answers.values()):
            progress(1.0, "Comparing the planes")
            return _with_planes_of_others(answers)
        own = self._own_plane(answers)
        motions = self._motions_beside(own)
        self._make_views(self._surroundings(answers), motions)
        regions = {label: answer.region for label, answer in answers.items()}
        others = {}
        for name, share in zip(motions, shares, strict=False):
            fixed = None if self._is_of_words else regions
            others[name] = self._views[name].predict_all(session.prompts, fixed, share)
        progress(1.0, "Comparing the planes")
        return {
            label: replace(answer, planes=self._planes_of(label, answer, own, others))
            for label, answer in answers.items()
        }

    @property
    def _is_of_words(self) -> bool:
        """Whether words or classes say what is segmented, anywhere in the volume."""
        return any(isinstance(prompt, Text) for _, prompt in self._session.prompts.entries)

    def _own_plane(self, answers: Mapping[int, Prediction]) -> Plane:
        """The plane whose slices the model sees: its single one, or those along the first axis."""
        given = next((name for answer in answers.values() for name in answer.planes), None)
        by_name = {plane.name: plane for plane in planes(self._session.volume.geometry)}
        first = next(plane for plane in by_name.values() if plane.axis_kji == 0)
        return by_name.get(given or "", first)

    def _motions_beside(self, own: Plane) -> dict[str, Motion]:
        """The motion of the patient for each further prediction, by the name of its plane."""
        geometry = self._session.volume.geometry
        if self._is_of_words and self._session.segmenter.card.dimensions == 3:
            return {MIRRORED: mirroring(geometry)}
        return {
            plane.name: turning(plane.axis_kji, own.axis_kji)
            for plane in planes(geometry)
            if plane.axis_kji != own.axis_kji
        }

    def _surroundings(self, answers: Mapping[int, Prediction]) -> Region:
        """The part of the volume that the views hold.

        It contains the model's region and every marked voxel, since marks outside a volume are
        errors. Models of slices see all of it, in its own order, and so do models that get words.
        """
        volume = self._session.volume
        whole = Region.whole(volume.geometry.shape_kji)
        if self._session.segmenter.card.dimensions == 2 or self._is_of_words:
            return whole
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
            around.append(Region.around(marked))
        part = Region.enclosing(around)
        voxels = volume.array_kji[part.slices]
        # A constant part would be an error too, but the whole volume is not constant.
        return whole if voxels.min() == voxels.max() else part

    def _make_views(self, part: Region, motions: Mapping[str, Motion]) -> None:
        if (part, motions) == (self._part, self._motions):
            return
        keeps_array = self._session.segmenter.card.dimensions == 2
        self._views = {
            name: View(self._session, motion, part, keeps_array) for name, motion in motions.items()
        }
        self._part, self._motions = part, dict(motions)

    def _planes_of(
        self,
        label: int,
        answer: Prediction,
        own: Plane,
        others: Mapping[str, Mapping[int, Prediction]],
    ) -> dict[str, Floats]:
        by_name = {own.name: answer.planes.get(own.name, probabilities(answer.logits_kji))}
        for name, predicted in others.items():
            by_name[name] = self._views[name].probabilities_on(predicted[label], answer.region)
        order = [*(plane.name for plane in planes(answer.geometry)), MIRRORED]
        return {name: by_name[name] for name in order if name in by_name}


def _with_planes_of_others(answers: dict[int, Prediction]) -> dict[int, Prediction]:
    """The answers, of which those without planes, which are masks, get them: they are alike."""
    names = max((tuple(answer.planes) for answer in answers.values()), key=len, default=())
    return {
        label: answer
        if len(answer.planes) > 1
        else replace(answer, planes=dict.fromkeys(names, probabilities(answer.logits_kji)))
        for label, answer in answers.items()
    }
