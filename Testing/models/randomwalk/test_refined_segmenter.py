"""A model whose predictions the random walk refines: edges of the image, marks, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sample_volumes import ball

from MedSegFMLib import Box, Geometry, Point, Prediction, Region, Session, Volume
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.ensam.model import CARD
from MedSegFMLib.models.randomwalk import refined_segmenter
from MedSegFMLib.models.randomwalk.refined_segmenter import RefinedSegmenter
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.segmenter import Encoding

CLICK_LOGIT = 1.0
GEOMETRY = Geometry.from_spacing((40, 44, 48), (0.9, 0.8, 1.2))


class Unsure:
    """A model that answers with given logits of the whole volume, and counts its predictions."""

    card = CARD
    classes: tuple[str, ...] = ()

    def __init__(self, logits: Any) -> None:
        self.logits = np.asarray(logits, np.float32)
        self.predictions = 0

    def encode(self, volume: Volume, region: Region | None, progress: Any) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1000)

    def predict(
        self, encoding: Encoding, prompts: Sequence[Prompt], previous: Any, progress: Any
    ) -> Prediction:
        self.predictions += 1
        if previous is not None and len(prompts) == self.predictions > 2:
            return previous
        region = encoding.region
        return Prediction(encoding.geometry, region.start_kji, self.logits[region.slices])


def rough(mask: np.ndarray) -> np.ndarray:
    """Logits of a network that has the place right and the outline wrong."""
    from scipy.ndimage import gaussian_filter

    moved = np.roll(mask, (2, -2, 1), (0, 1, 2))
    return 4 * gaussian_filter(moved.astype(np.float32), 3) - 1.6


def test_outlines_move_to_the_edges_of_the_image() -> None:
    volume, mask, box = ball(GEOMETRY)
    logits = rough(mask)
    session = Session(RefinedSegmenter(Unsure(logits), CLICK_LOGIT), volume)
    session.add(box)
    refined = dice(mask, session.predict().mask.array_kji > 0)
    assert refined > dice(mask, logits > 0) + 0.08


def test_sure_predictions_stay_without_edges() -> None:
    _, mask, box = ball(GEOMETRY)
    grain = np.random.default_rng(1).normal(0, 3, GEOMETRY.shape_kji).astype(np.float32)
    session = Session(
        RefinedSegmenter(Unsure(np.where(mask, 6, -6)), CLICK_LOGIT), Volume(grain, GEOMETRY)
    )
    session.add(box)
    assert dice(mask, session.predict().mask.array_kji > 0) > 0.95


@pytest.mark.parametrize("positive", [True, False])
def test_a_click_decides_its_voxel_and_leaves_what_is_far(positive: bool) -> None:
    volume, mask, box = ball(GEOMETRY)
    model = RefinedSegmenter(Unsure(np.where(mask, 2, -2)), CLICK_LOGIT)
    encoding = model.encode(volume, None, no_progress)
    before = model.predict(encoding, [box], None, no_progress)
    center = tuple(n // 2 for n in GEOMETRY.shape_kji)
    at = (center[0], center[1], center[2] + (14 if positive else -9))
    click = Point.from_ijk(GEOMETRY, at[::-1], positive)
    after = model.predict(encoding, [box, click], before, no_progress)
    assert (after.logits_kji[at] > 0) == positive
    assert abs(after.logits_kji[at]) >= CLICK_LOGIT
    i = np.indices(GEOMETRY.shape_kji)[2]
    far = np.abs(i - at[2]) > 14
    changed = (after.logits_kji > 0) != (before.logits_kji > 0)
    assert changed.any() and changed[far].mean() < 0.002


def test_prompts_that_change_nothing_are_not_refined_again() -> None:
    volume, mask, box = ball(GEOMETRY)
    model = RefinedSegmenter(Unsure(rough(mask)), CLICK_LOGIT)
    encoding = model.encode(volume, None, no_progress)
    points = [Point.from_ijk(GEOMETRY, (24, 22, 20)), Point.from_ijk(GEOMETRY, (25, 22, 20))]
    first = model.predict(encoding, [box], None, no_progress)
    second = model.predict(encoding, [box, points[0]], first, no_progress)
    assert model.predict(encoding, [box, *points], second, no_progress) is second


def test_the_paths_of_earlier_clicks_do_not_change_an_answer() -> None:
    volume, mask, box = ball(GEOMETRY)
    clicks = [Point.from_ijk(GEOMETRY, (24 + 5 * n, 22, 20), n < 2) for n in range(3)]
    answers = []
    for steps in (range(1, 4), [3]):
        model = RefinedSegmenter(Unsure(rough(mask)), CLICK_LOGIT)
        encoding = model.encode(volume, None, no_progress)
        for n in steps:
            found = model.predict(encoding, [box, *clicks[:n]], None, no_progress)
        answers.append(found.logits_kji)
    np.testing.assert_array_equal(*answers)


def test_an_empty_prediction_without_a_box_stays_empty_but_for_its_click() -> None:
    volume, mask, _ = ball(GEOMETRY)
    model = RefinedSegmenter(Unsure(np.full(mask.shape, -5)), CLICK_LOGIT)
    click = Point.from_ijk(GEOMETRY, (24, 22, 20))
    found = model.predict(model.encode(volume, None, no_progress), [click], None, no_progress)
    assert np.argwhere(found.logits_kji > 0).tolist() == [[20, 22, 24]]


def test_the_image_is_prepared_once_for_all_clicks_in_a_box(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[Region] = []

    def counting(crop: Any, spacing: Any, box: Region, settings: Any) -> Any:
        prepared.append(box)
        return prepare(crop, spacing, box, settings)

    prepare = refined_segmenter.prepare_crop
    monkeypatch.setattr(refined_segmenter, "prepare_crop", counting)
    volume, mask, box = ball(GEOMETRY)
    session = Session(RefinedSegmenter(Unsure(rough(mask)), CLICK_LOGIT), volume)
    for prompt in (box, *(Point.from_ijk(GEOMETRY, (24 + n, 22, 20)) for n in range(3))):
        session.add(prompt)
        session.predict()
    assert len(prepared) == 1


def test_encodings_of_other_models_are_refused() -> None:
    volume, mask, box = ball(GEOMETRY)
    model = Unsure(rough(mask))
    with pytest.raises(TypeError, match="Encoding"):
        RefinedSegmenter(model, CLICK_LOGIT).predict(
            model.encode(volume, None, no_progress), [box], None, no_progress
        )


def test_a_box_at_the_edge_of_the_volume_and_one_slice_are_refined() -> None:
    geometry = Geometry.from_spacing((1, 30, 30))
    j, i = np.indices(geometry.shape_kji)[1:]
    mask = (j - 4) ** 2 + (i - 5) ** 2 <= 64
    grain = np.random.default_rng(0).normal(0, 3, mask.shape)
    volume = Volume((20 + 80 * mask + grain).astype(np.float32), geometry)
    session = Session(RefinedSegmenter(Unsure(np.where(mask, 1, -1)), CLICK_LOGIT), volume)
    session.add(Box.from_ijk(geometry, (0, 0, 0), (14, 13, 1)))
    assert dice(mask, session.predict().mask.array_kji > 0) > 0.95
