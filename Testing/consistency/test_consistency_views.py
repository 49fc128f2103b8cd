"""Any model's answer with its three planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from consistency_fakes import CARD, Fake, Liner, Planar, Sliced

from MedSegFMLib import Box, Geometry, Mask, Point, Prediction, Session, Text, Volume, create
from MedSegFMLib.consistency import PlaneViews, measure
from MedSegFMLib.consistency.views import MIRRORED
from MedSegFMLib.errors import Cancelled, PromptError
from MedSegFMLib.models.class_based.segmenter import WHOLE_VOLUME
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.types import Prompt, Scribble
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, probabilities
from MedSegFMLib.volumes.patient_planes import planes

NAMES = {"axial", "coronal", "sagittal"}


def boxed(model: Fake, volume: Volume, start: tuple[int, ...], stop: tuple[int, ...]) -> Session:
    session = Session(model, volume)
    session.add(Box.from_ijk(volume.geometry, start, stop))
    return session


def cancelled_at(fraction: float) -> Progress:
    def progress(done: float, phrase: str) -> None:
        if done >= fraction:
            raise Cancelled("The user has seen enough.")

    return progress


def test_each_plane_is_once_the_first_axis_that_the_model_sees(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume, geometry = blob[0], blob[0].geometry
    session = boxed(Liner(), volume, (2, 3, 1), (9, 12, 8))
    session.add(Point.from_ijk(geometry, (4, 9, 5)))
    answer = PlaneViews(session).predict_all()[1]
    assert set(answer.planes) == NAMES
    for plane in planes(geometry):
        line = np.zeros(geometry.shape_kji, dtype=bool)
        at: list[object] = [5, 9, 4]
        at[plane.axis_kji] = slice(None)
        line[tuple(at)] = True  # type: ignore[index]
        expected = line[answer.region.slices]
        seen = answer.planes[plane.name]
        assert seen.dtype == np.float32 and np.allclose(seen, expected, atol=1e-6)
    found = measure(answer, session.prompts.steps(1)[-1])
    lengths = answer.region.shape_kji
    # Two lines meet in the click alone.
    pairs = [(a, b) for a in lengths for b in lengths if a < b]
    assert found.agreement == pytest.approx(np.mean([2 / (a + b) for a, b in pairs]))


def test_planes_of_a_model_that_does_not_mind_the_order_of_axes_are_the_same(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume, mask = blob
    session = boxed(Fake(), volume, (2, 3, 2), (9, 12, 7))
    answer = PlaneViews(session).predict_all()[1]
    for array in answer.planes.values():
        assert np.array_equal(array > 0.5, mask[answer.region.slices])
    found = measure(answer, session.prompts.steps(1)[-1])
    assert found.agreement == 1 and found.disagreement_kji.max() < 1e-6


def test_a_shipped_model_that_does_not_mind_the_order_agrees_on_a_real_answer(
    blob: tuple[Volume, np.ndarray],
) -> None:
    session = boxed(create("randomwalk"), blob[0], (1, 2, 1), (10, 13, 9))  # type: ignore[arg-type]
    session.add(Point.from_ijk(blob[0].geometry, (5, 6, 4)))
    answer = PlaneViews(session).predict_all()[1]
    found = measure(answer, session.prompts.steps(1)[-1])
    assert found.agreement is not None and found.agreement > 0.98
    assert (answer.logits_kji > 0).any()


def test_answers_are_those_of_the_session_and_the_session_is_left_as_it_was(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume = blob[0]
    session = boxed(Liner(), volume, (2, 3, 1), (9, 12, 8))
    session.add(Point.from_ijk(volume.geometry, (4, 9, 5)))
    before, plain = session.prompts, session.predict_all()[1]
    answer = PlaneViews(session).predict_all()[1]
    assert np.array_equal(answer.logits_kji, plain.logits_kji)
    assert answer.region == plain.region and answer.geometry == volume.geometry
    assert session.prompts is before and not session.predict_all()[1].planes


def test_views_are_kept_for_the_next_prompt() -> None:
    geometry = Geometry.from_spacing((12, 14, 16))
    volume = Volume(np.arange(12 * 14 * 16.0).reshape(12, 14, 16), geometry)
    model = Liner()
    session = boxed(model, volume, (2, 3, 1), (9, 12, 8))
    views = PlaneViews(session)
    views.predict_all()
    assert len(model.encoded) == 3, "the volume, and twice more in another order of its axes"
    for click in ((4, 9, 5), (5, 5, 5)):
        session.add(Point.from_ijk(geometry, click))
        views.predict_all()
    session.undo()
    answer = views.predict_all()[1]
    assert len(model.encoded) == 3
    assert all((array > 0.5).any(axis=None) for array in answer.planes.values())
    session.add(Box.from_ijk(geometry, (2, 3, 1), (12, 12, 8)))
    views.predict_all()
    assert len(model.encoded) == 6, "elsewhere everything is seen anew"


@pytest.mark.parametrize("model", ["fake", "randomwalk"])
def test_marks_far_from_the_object_are_no_obstacle(model: str) -> None:
    geometry = Geometry.from_spacing((20, 30, 40))
    array = np.random.default_rng(0).normal(0, 5, (20, 30, 40)).astype(np.float32)
    array[6:12, 8:16, 10:20] += 100
    volume = Volume(array, geometry)
    far = Point.from_ijk(geometry, (39, 29, 19), positive=False)
    stroke = Scribble(((15.0, 28.0, 18.0), (15.0, 10.0, 9.0)), positive=False)
    segmenter = Fake() if model == "fake" else create(model)
    session = boxed(segmenter, volume, (10, 8, 6), (20, 16, 12))  # type: ignore[arg-type]
    views = PlaneViews(session)
    views.predict_all()
    for prompt in (far, stroke):
        session.add(prompt)
        answer = views.predict_all()[1]
        assert set(answer.planes) == NAMES
        assert {array.shape for array in answer.planes.values()} == {answer.logits_kji.shape}
        for seen in answer.planes.values():
            assert np.mean((seen > 0.5) == (answer.logits_kji > 0)) > 0.98


def test_a_box_in_a_part_that_is_all_the_same_is_answered() -> None:
    geometry = Geometry.from_spacing((14, 15, 16))
    array = np.zeros((14, 15, 16), dtype=np.float32)
    array[0, 0, 0] = 100
    session = boxed(Fake(), Volume(array, geometry), (9, 9, 9), (12, 12, 12))
    views = PlaneViews(session)
    for _ in range(2):
        answer = views.predict_all()[1]
        assert set(answer.planes) == NAMES
        assert not array[answer.region.slices].any()


@pytest.mark.parametrize("model", [Fake, Sliced])
def test_several_objects_get_planes_of_their_own_and_share_no_voxel(model: type[Fake]) -> None:
    geometry = Geometry.from_spacing((10, 12, 30))
    array = np.random.default_rng(0).normal(0, 5, (10, 12, 30)).astype(np.float32)
    array[3:7, 3:9, 3:10] += 100
    array[3:7, 3:9, 18:27] += 100
    session = Session(model(), Volume(array, geometry))
    session.add(Box.from_ijk(geometry, (2, 2, 2), (20, 10, 8)))
    session.add_object("second")
    session.add(Box.from_ijk(geometry, (8, 2, 2), (28, 10, 8)))
    session.add_object("without prompts")
    answers = PlaneViews(session).predict_all()
    assert list(answers) == [1, 2]
    for name in NAMES:
        owned = np.zeros(geometry.shape_kji, dtype=int)
        for answer in answers.values():
            assert answer.planes[name].shape == answer.logits_kji.shape
            owned[answer.region.slices] += answer.planes[name] > 0.5
        assert owned.max() == 1, "what two objects compete for is settled in each plane"
    for label, answer in answers.items():
        assert measure(answer, session.prompts.steps(label)[-1]).agreement == 1


def test_a_model_that_looks_at_planes_is_not_asked_again(blob: tuple[Volume, np.ndarray]) -> None:
    model = Planar()
    answer = PlaneViews(boxed(model, blob[0], (2, 3, 1), (9, 12, 8))).predict_all()[1]
    assert set(answer.planes) == {"axial", "coronal"} and len(model.encoded) == 1


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.4, 0.6, 0.8, 0.95])
def test_after_a_cancel_the_next_answer_is_as_if_there_had_been_none(
    blob: tuple[Volume, np.ndarray], fraction: float
) -> None:
    session = boxed(Liner(), blob[0], (2, 3, 1), (9, 12, 8))
    views = PlaneViews(session)
    views.predict_all()
    session.add(Point.from_ijk(blob[0].geometry, (4, 9, 5)))
    with pytest.raises(Cancelled):
        views.predict_all(cancelled_at(fraction))
    answer, fresh = views.predict_all()[1], PlaneViews(session).predict_all()[1]
    for name in NAMES:
        assert np.array_equal(answer.planes[name], fresh.planes[name])


def test_progress_never_goes_back_and_ends_at_one(blob: tuple[Volume, np.ndarray]) -> None:
    told: list[float] = []
    session = boxed(Fake(), blob[0], (2, 3, 1), (9, 12, 8))
    PlaneViews(session).predict_all(lambda fraction, phrase: told.append(fraction))
    assert told == sorted(told) and told[-1] == pytest.approx(1) and len(told) > 5


def test_without_prompts_there_is_nothing_and_with_background_alone_an_error(
    blob: tuple[Volume, np.ndarray],
) -> None:
    session = Session(Fake(), blob[0])
    views = PlaneViews(session)
    assert views.predict_all() == {}
    session.add(Point.from_ijk(blob[0].geometry, (4, 9, 5), positive=False))
    with pytest.raises(PromptError, match="Only background"):
        views.predict_all()


def test_a_single_slice_has_three_planes(directions: np.ndarray) -> None:
    geometry = Geometry.from_spacing((1, 14, 11), (0.7, 0.7, 5), directions)
    array = np.zeros((1, 14, 11), dtype=np.float32)
    array[0, 4:9, 3:8] = 100
    session = boxed(Fake(), Volume(array, geometry), (2, 3, 0), (9, 10, 1))
    answer = PlaneViews(session).predict_all()[1]
    for seen in answer.planes.values():
        assert np.array_equal(seen > 0.5, array[answer.region.slices] > 50)


@pytest.mark.parametrize("model", ["randomwalk", "ellipsoid"])
def test_masks_and_what_is_avoided_far_away_are_no_obstacle(
    model: str, blob: tuple[Volume, np.ndarray]
) -> None:
    volume, _ = blob
    block, far = np.zeros((2, *volume.array_kji.shape), bool)
    block[3:6, 4:9, 3:8] = True
    far[-1, -1, -1] = True
    session = Session(create(model, "cpu"), volume)
    session.add(Mask.from_array(block, volume.geometry))
    session.add(Mask.from_array(far, volume.geometry, role="avoid"))
    answer = PlaneViews(session).predict_all()[1]
    assert set(answer.planes) == NAMES and np.array_equal(answer.mask.array_kji > 0, block)
    for seen in answer.planes.values():
        assert np.array_equal(seen > 0.5, answer.logits_kji > 0)
    assert measure(answer, session.prompts.steps(1)[-1]).agreement == 1
    session.add(Box.from_ijk(volume.geometry, (2, 3, 2), (9, 12, 7)))
    answer = PlaneViews(session).predict_all()[1]
    assert measure(answer, session.prompts.steps(1)[-1]).agreement is not None


class Slices(Fake):
    """Takes, of each slice of the patient's axial plane, the line through a click along the first
    axis that the plane's image has; goes by the directions of the grid, not by the array."""

    card = replace(CARD, dimensions=2)

    def predict(self, encoding: Encoding, prompts: Any, *_: object) -> Prediction:
        shape = encoding.region.shape_kji
        logits = np.full(shape, -40, dtype=np.float32)
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        axial = next(plane for plane in planes(encoding.geometry) if plane.name == "axial")
        for voxel in marks.foreground_kji:
            line: list[Any] = list(voxel)
            line[axial.axis_kji] = slice(None)
            logits[tuple(line)] = 40
        seen = {"axial": probabilities(logits)}
        return Prediction(encoding.geometry, encoding.region.start_kji, logits, seen)


def test_a_model_of_one_plane_of_slices_gets_the_others_by_turning_the_patient(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume, geometry = blob[0], blob[0].geometry
    model = Slices()
    session = boxed(model, volume, (2, 3, 1), (9, 12, 8))
    session.add(Point.from_ijk(geometry, (4, 9, 5)))
    answer = PlaneViews(session).predict_all()[1]
    assert list(answer.planes) == ["axial", "coronal", "sagittal"]
    for plane in planes(geometry):
        line = np.zeros(geometry.shape_kji, dtype=bool)
        at: list[object] = [5, 9, 4]
        at[plane.axis_kji] = slice(None)
        line[tuple(at)] = True  # type: ignore[index]
        assert np.allclose(answer.planes[plane.name], line[answer.region.slices], atol=1e-6)
    for turned in model._volumes.values():
        assert turned.array_kji is volume.array_kji, "no voxel is copied"


def test_the_turned_patient_has_right_angles_and_is_no_mirror_image(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume = blob[0]
    for model in (Liner(), Slices()):
        PlaneViews(boxed(model, volume, (2, 3, 1), (9, 12, 8))).predict_all()
        own, *others = model.encoded
        assert len(others) == 2
        for other in others:
            assert np.linalg.det(own.directions) * np.linalg.det(other.directions) > 0
            assert np.allclose(other.directions.T @ other.directions, np.eye(3), atol=1e-6)
        if isinstance(model, Liner):
            for other in others:
                assert np.allclose(other.directions, own.directions), "a patient as the first"


class Words(Fake):
    """Takes bright voxels on one side of the patient, which a word names."""

    card = replace(CARD, prompts=("text",), region_rule=WHOLE_VOLUME)

    def logits(self, part: np.ndarray, encoding: Encoding, prompts: Sequence[Prompt]) -> np.ndarray:
        (text,) = prompts
        assert isinstance(text, Text)
        sagittal = next(p for p in planes(encoding.geometry) if p.name == "sagittal").axis_kji
        towards_right = np.sign(encoding.geometry.directions[0, 2 - sagittal])
        side = np.indices(part.shape)[sagittal] - (part.shape[sagittal] - 1) / 2
        wanted = side * towards_right * (-1 if "left" in text.phrase.casefold() else 1) > 0
        return np.where((part > 50) & wanted, 9, -9).astype(np.float32)


def test_a_model_of_words_sees_the_mirror_image_in_which_left_is_right(
    blob: tuple[Volume, np.ndarray],
) -> None:
    volume = blob[0]
    model = Words()
    session = Session(model, volume)
    session.add(Text("left kidney"))
    answer = PlaneViews(session).predict_all()[1]
    assert list(answer.planes) == [next(iter(answer.planes)), MIRRORED]
    own, mirrored = answer.planes.values()
    assert (own > 0.5).any() and np.array_equal(own > 0.5, mirrored > 0.5)
    one, other = model.encoded
    assert np.allclose(one.directions, other.directions), "a patient as the first"
    assert measure(answer, session.prompts.steps(1)[-1]).agreement == 1


def test_each_view_looks_where_the_model_itself_did(blob: tuple[Volume, np.ndarray]) -> None:
    volume = blob[0]
    model = Fake()
    session = Session(model, volume)
    session.add(Point.from_ijk(volume.geometry, (5, 6, 5)))
    answer = PlaneViews(session).predict_all()[1]
    # The object reaches beyond the first region around the click, which grew for the model itself.
    count = len(model.encoded) - 2
    assert count >= 2 and answer.region.shape_kji != (9, 9, 9)
    for array in answer.planes.values():
        assert np.array_equal(array > 0.5, answer.logits_kji > 0)
