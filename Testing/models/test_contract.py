"""What every registered model promises, whatever it is inside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sample_volumes import make_blob

from MedSegFMLib import (
    Box,
    Geometry,
    Lasso,
    Line,
    Mask,
    Point,
    Scribble,
    Segmenter,
    Session,
    Text,
    Volume,
)
from MedSegFMLib.errors import Cancelled, PromptError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import PROMPT_NAMES, Prompt
from MedSegFMLib.registry import ALIASES, MODELS, card, cards, create, missing_packages


@pytest.fixture
def volume(directions: np.ndarray) -> Volume:
    geometry = Geometry.from_spacing((12, 22, 24), (0.9, 0.9, 2.1), directions, (5, -6, 70))
    return make_blob(geometry)[0]


def session_with_box(model: Segmenter, volume: Volume) -> Session:
    session = Session(model, volume)
    session.add(box_or_class(model, Box.from_ijk(volume.geometry, (4, 3, 1), (20, 18, 11))))
    return session


def box_or_class(model: Segmenter, box: Box) -> Prompt:
    """The box, or a name for a model that looks everywhere."""
    return box if "box" in model.card.prompts else Text((*model.classes, "liver")[0])


def test_cards_are_complete_and_named_as_registered() -> None:
    assert [own.name for own in cards()] == list(MODELS)
    for own in cards():
        assert own.title and own.summary.endswith(".") and own.code_licence
        assert set(own.prompts) <= set(PROMPT_NAMES.values())
        assert own.dimensions in (2, 3) and own.memory_bytes(10**6) > 0
        assert (own.weights is None) == (own.weights_licence is None)
        assert missing_packages(own) == []
        json.dumps(own.prompts)


def test_an_earlier_name_of_a_model_still_opens_it() -> None:
    assert not ALIASES.keys() & MODELS.keys() and set(ALIASES.values()) <= MODELS.keys()
    for name, present in ALIASES.items():
        assert card(name) is card(present)
    assert create("graphcut").card.name == "randomwalk"


def test_a_prediction_is_finite_on_a_region_of_the_volume(model: Segmenter, volume: Volume) -> None:
    prediction = session_with_box(model, volume).predict()
    assert prediction.logits_kji.dtype == np.float32
    assert np.isfinite(prediction.logits_kji).all()
    assert prediction.geometry == volume.geometry
    assert prediction.mask.array_kji.shape == volume.array_kji.shape
    assert prediction.mask.array_kji.any()


def test_the_same_prompts_give_the_same_mask(model: Segmenter, volume: Volume) -> None:
    first, second = (session_with_box(model, volume).predict() for _ in range(2))
    assert np.array_equal(first.logits_kji, second.logits_kji)


def test_the_volume_is_not_written_to(model: Segmenter, volume: Volume) -> None:
    volume.array_kji.setflags(write=False)
    before = volume.array_kji.copy()
    session_with_box(model, volume).predict()
    assert np.array_equal(volume.array_kji, before)


def test_every_mark_is_honoured(model: Segmenter, volume: Volume) -> None:
    geometry = volume.geometry
    session = session_with_box(model, volume)
    for ijk, positive in [((12, 10, 6), False), ((5, 4, 2), True), ((11, 10, 6), True)]:
        if "point" in model.card.prompts:
            session.add(Point.from_ijk(geometry, ijk, positive))
    if "scribble" in model.card.prompts:
        stroke = geometry.ras_from_ijk([(6, 16, 3), (9, 16, 3)])
        session.add(Scribble(tuple(map(tuple, stroke)), positive=True))
    if "lasso" in model.card.prompts:
        corners = geometry.ras_from_ijk([(13.5, 11.5, 8), (16.5, 11.5, 8), (16.5, 14.5, 8)])
        session.add(Lasso(tuple(map(tuple, corners)), positive=False))
    mask = session.predict().mask.array_kji
    if "point" in model.card.prompts:
        assert not mask[6, 10, 12] and mask[2, 4, 5] and mask[6, 10, 11]
    if "scribble" in model.card.prompts:
        assert mask[3, 16, 6:10].all()
    if "lasso" in model.card.prompts:
        assert not mask[8, 12, 15:17].any()


def test_a_click_alone_is_enough_where_the_model_takes_clicks(
    model: Segmenter, volume: Volume
) -> None:
    if "point" not in model.card.prompts:
        with pytest.raises(PromptError, match="does not support point"):
            Session(model, volume).add(Point.from_ijk(volume.geometry, (12, 10, 6)))
        return
    session = Session(model, volume)
    session.add(Point.from_ijk(volume.geometry, (12, 10, 6)))
    assert session.predict().mask.array_kji[6, 10, 12]


def test_a_line_is_enough_where_the_model_takes_boxes_or_clicks(
    model: Segmenter, volume: Volume
) -> None:
    line = Line.from_ijk(volume.geometry, (5, 10, 6), (19, 10, 6))
    session = Session(model, volume)
    if "line" not in model.card.accepted:
        assert not {"box", "point"}.intersection(model.card.prompts)
        with pytest.raises(PromptError, match="does not support line"):
            session.add(line)
        return
    session.add(line)
    prediction = session.predict()
    assert np.isfinite(prediction.logits_kji).all() and prediction.mask.array_kji.any()


def test_prompts_the_card_does_not_name_are_refused_by_the_model(
    model: Segmenter, volume: Volume
) -> None:
    encoding = model.encode(volume, None, no_progress)
    lasso = Lasso(((0, 0, 0), (1, 0, 0), (0, 1, 0)))
    name, refused = ("lasso", lasso) if "text" in model.card.prompts else ("text", Text("ball"))
    with pytest.raises(PromptError, match=f"does not support {name}"):
        model.predict(encoding, [refused], None, no_progress)


def test_work_can_be_cancelled(model: Segmenter, volume: Volume) -> None:
    def cancel(fraction: float, phrase: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        session_with_box(model, volume).predict(progress=cancel)


def test_progress_never_goes_back_and_ends_at_one(model: Segmenter, volume: Volume) -> None:
    told: list[float] = []
    session_with_box(model, volume).predict(progress=lambda fraction, phrase: told.append(fraction))
    assert told == sorted(told) and told[-1] == pytest.approx(1)


@pytest.mark.parametrize("shape", [(1, 30, 30), (2, 30, 30), (30, 1, 30), (3, 3, 3)])
def test_thin_volumes_are_segmented(model: Segmenter, shape: tuple[int, int, int]) -> None:
    volume = make_blob(Geometry.from_spacing(shape, (1, 1, 5)))[0]
    session = Session(model, volume)
    session.add(box_or_class(model, Box.from_ijk(volume.geometry, (0, 0, 0), shape[::-1])))
    assert session.predict().logits_kji.shape == shape


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_every_type_of_voxel_is_taken(model: Segmenter, dtype: str) -> None:
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.9, 2.1)))[0]
    typed = volume.with_array((volume.array_kji + 40).astype(dtype))
    assert session_with_box(model, typed).predict().mask.array_kji.any()


def test_a_volume_of_a_few_extreme_values_is_taken(model: Segmenter) -> None:
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.9, 2.1)))[0]
    volume.array_kji[0, 0, 0] = 3e38
    volume.array_kji[0, 0, 1] = -3e38
    assert np.isfinite(session_with_box(model, volume).predict().logits_kji).all()


def middle(volume: Volume) -> np.ndarray:
    inside = np.zeros(volume.geometry.shape_kji, bool)
    inside[4:9, 6:15, 8:14] = True
    return inside


def test_a_mask_is_where_an_object_starts_for_every_model_that_says_so(
    model: Segmenter, volume: Volume
) -> None:
    inside, geometry = middle(volume), volume.geometry
    session = Session(model, volume)
    mask = Mask.from_array(inside, geometry)
    if "mask" not in model.card.prompts:
        with pytest.raises(PromptError, match="does not support mask"):
            session.add(mask)
        return
    session.add(mask)
    assert np.array_equal(session.predict().mask.array_kji > 0, inside)
    session.freeze(Box.from_ijk(geometry, (0, 0, 0), (24, 22, 6)))
    if "point" in model.card.prompts:
        session.add(Point.from_ijk(geometry, (15, 10, 7)))
        session.add(Point.from_ijk(geometry, (11, 10, 7), positive=False))
    else:
        session.add(Box.from_ijk(geometry, (4, 3, 1), (20, 18, 11)))
    found = session.predict().mask.array_kji > 0
    assert np.array_equal(found[:6], inside[:6])
    if "point" in model.card.prompts:
        assert found[7, 10, 15] and not found[7, 10, 11]
    assert model.card.starts_from != "previous" or model.card.uses_previous


def test_no_model_segments_what_is_to_be_avoided(model: Segmenter, volume: Volume) -> None:
    session = session_with_box(model, volume)
    session.add(Mask.from_array(middle(volume), volume.geometry, role="avoid"))
    answer = session.predict()
    assert not answer.mask.array_kji[middle(volume)].any()
    for plane in answer.planes.values():
        whole = np.zeros(volume.geometry.shape_kji, np.float32)
        whole[answer.region.slices] = plane
        assert (whole[middle(volume)] < 0.5).all()
