"""Consistency over every model: planes, a map of errors and the next click, at a bounded cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Point, Prediction, Region, Segmenter, Session, Text, Volume
from MedSegFMLib.consistency import PlaneViews, measure
from MedSegFMLib.consistency.hot_spots import expected_error
from MedSegFMLib.consistency.views import MIRRORED
from MedSegFMLib.errors import Cancelled
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.segmenter import Encoding

GEOMETRY = Geometry.from_spacing((12, 22, 24), (0.9, 0.9, 2.1), origin_ras=(5, -6, 70))


class Counted:
    """A model whose encodings and predictions are counted."""

    def __init__(self, model: Segmenter) -> None:
        self._model = model
        self.encoded = self.predicted = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        self.encoded += 1
        return self._model.encode(volume, region, progress)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.predicted += 1
        return self._model.predict(encoding, prompts, previous, progress)

    def take(self) -> tuple[int, int]:
        """The counts since the last call."""
        counts = self.encoded, self.predicted
        self.encoded = self.predicted = 0
        return counts


@pytest.fixture
def volume() -> Volume:
    return make_blob(GEOMETRY)[0]


def prompts_of(model: Segmenter) -> list[Prompt]:
    """The prompts for a model, one after another."""
    if "box" not in model.card.prompts:
        # The one phrase that the random VoxTell knows in both mirror images, else a class.
        return [Text(model.classes[0] if model.classes else "left kidney")]
    given: list[Prompt] = [Box.from_ijk(GEOMETRY, (4, 3, 1), (20, 18, 11))]
    if "point" in model.card.prompts:
        given += [
            Point.from_ijk(GEOMETRY, (12, 10, 6)),
            Point.from_ijk(GEOMETRY, (5, 4, 2), positive=False),
        ]
    return given


def test_every_model_is_seen_from_other_sides_at_three_times_the_cost_at_most(
    model: Segmenter, volume: Volume
) -> None:
    alone, seen = Counted(model), Counted(model)
    plain, session = Session(alone, volume), Session(seen, volume)
    views = PlaneViews(session)
    for prompt in prompts_of(model):
        for each in (plain, session):
            each.add(prompt, 1) if each.prompts.labels else each.add(prompt)
        own = plain.predict_all()[1]
        answer = views.predict_all()[1]
        (encodings, predictions), (all_encodings, all_predictions) = alone.take(), seen.take()
        assert all_encodings <= 3 * encodings or (encodings, all_encodings) == (0, 0)
        assert predictions <= all_predictions <= 3 * predictions
        assert np.array_equal(answer.logits_kji, own.logits_kji)
        assert len(answer.planes) >= 2
        for array in answer.planes.values():
            assert array.shape == answer.logits_kji.shape and array.dtype == np.float32
            assert array.min() >= 0 and array.max() <= 1
        found = measure(answer, session.prompts.steps(1)[-1])
        assert found.agreement is not None and 0 <= found.agreement <= 1
        error = expected_error(answer.planes, answer.logits_kji > 0)
        assert np.isfinite(error).all() and error.shape == answer.logits_kji.shape
        if found.suggestion is not None:
            assert answer.region.contains(found.suggestion.region)


def test_each_model_has_the_planes_that_it_can_have(model: Segmenter, volume: Volume) -> None:
    session = Session(model, volume)
    session.add(prompts_of(model)[0])
    planes = list(PlaneViews(session).predict_all()[1].planes)
    if model.card.dimensions == 3 and "box" not in model.card.prompts:
        assert planes == ["axial", MIRRORED], "it knows patients as they lie"
    else:
        assert planes == ["axial", "coronal", "sagittal"]


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8])
def test_the_next_prompt_interrupts_and_nothing_is_lost(
    model: Segmenter, volume: Volume, fraction: float
) -> None:
    def stop(done: float, phrase: str) -> None:
        if done >= fraction:
            raise Cancelled("A prompt came.")

    session = Session(model, volume)
    session.add(prompts_of(model)[0])
    views = PlaneViews(session)
    with pytest.raises(Cancelled):
        views.predict_all(stop)
    for prompt in prompts_of(model)[1:]:
        session.add(prompt, 1)
    after, fresh = views.predict_all()[1], PlaneViews(session).predict_all()[1]
    assert after.planes.keys() == fresh.planes.keys()
    for name, array in after.planes.items():
        assert np.array_equal(array, fresh.planes[name]), name
