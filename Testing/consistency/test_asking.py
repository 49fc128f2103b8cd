"""Where looks at named objects disagree, the answer is a question, and a click decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sample_volumes import DIRECTIONS
from words_model import CARD, WordsModel

from MedSegFMLib import Box, Geometry, Mask, Point, Session, Text, Volume
from MedSegFMLib.consistency.asking import asking, asking_card
from MedSegFMLib.consistency.asking.bound import agreement_bound
from MedSegFMLib.consistency.asking.mirror import Mirror
from MedSegFMLib.errors import Cancelled, PromptError
from MedSegFMLib.models.medical_sam3.card import without_clicks
from MedSegFMLib.prompts.places import PlaceQuestion
from MedSegFMLib.registry import card
from MedSegFMLib.segmenter import ModelCard, Prediction
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.segmentations.vocabulary import mirrored_name

SHAPE = (20, 24, 40)


def two_balls(codes: str = "LPS", sheared: bool = False) -> Volume:
    """A large ball at the beginning of the axis between left and right, a small one at its end."""
    axis = sideways(codes)
    k, j, i = np.indices(SHAPE)
    large = (k - 9) ** 2 + (j - 11) ** 2 + (i - 9) ** 2 <= 36
    small = (k - 11) ** 2 + (j - 12) ** 2 + (i - 31) ** 2 <= 16
    array = np.ascontiguousarray(np.moveaxis(100 * np.float32(large | small), 2, axis))
    directions = DIRECTIONS[codes]
    geometry = Geometry.from_spacing(array.shape, (1.0, 1.0, 2.0), directions, (5, -6, 70))
    if sheared:
        matrix = geometry.ijk_to_ras.copy()
        matrix[:3, 2] += 0.3 * matrix[:3, 1]
        geometry = Geometry(SHAPE, matrix)
    return Volume(array, geometry)


def sideways(codes: str) -> int:
    """The array axis that runs between left and right."""
    return 2 - int(np.abs(DIRECTIONS[codes][0]).argmax())


def session_of(model: WordsModel, volume: Volume, *others: WordsModel) -> Session:
    return Session(asking(model, others), volume)


def answer_to(session: Session, words: str = "left ball") -> Prediction:
    session.add(Text(words))
    return session.predict()


def question_of(prediction: Prediction) -> PlaceQuestion:
    assert prediction.question is not None
    assert not prediction.mask.array_kji.any()
    return prediction.question


@pytest.mark.parametrize("codes", DIRECTIONS)
def test_a_model_that_understands_sides_is_not_asked_in_any_orientation(codes: str) -> None:
    model, volume = WordsModel(), two_balls(codes)
    found = answer_to(session_of(model, volume))
    plain = answer_to(Session(WordsModel(), volume))
    assert found.question is None and np.array_equal(found.logits_kji, plain.logits_kji)
    assert found.mask.array_kji.any() and model.asked == ["left ball", "right ball"]


@pytest.mark.parametrize("codes", DIRECTIONS)
def test_a_guessed_side_is_a_question_with_both_places(codes: str) -> None:
    volume = two_balls(codes)
    question = question_of(answer_to(session_of(WordsModel(guesses=True), volume)))
    assert question.agreement < question.bound == agreement_bound()
    # The likeliest first; here the larger one, as each was found by one of two looks.
    assert [place.number for place in question.places] == [1, 2]
    voxels = [volume.geometry.ijk_from_ras(p.position_ras)[::-1] for p in question.places]
    centres = [np.insert((9, 11), sideways(codes), 9), np.insert((11, 12), sideways(codes), 31)]
    np.testing.assert_allclose(voxels, centres, atol=1e-6)
    assert question.places[0].score == pytest.approx(0.5, abs=0.01)
    split = np.moveaxis(volume.array_kji, sideways(codes), 2)
    millilitres = [np.count_nonzero(split[..., half]) * 2 / 1000 for half in HALVES]
    assert [p.millilitres for p in question.places] == pytest.approx(millilitres)


HALVES = (slice(0, 20), slice(20, 40))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("sheared", [False, True])
def test_a_click_at_a_place_decides(number: int, sheared: bool) -> None:
    volume = two_balls(sheared=sheared)
    session = session_of(WordsModel(guesses=True), volume)
    question = question_of(answer_to(session))
    session.add(Point(question.places[number - 1].position_ras))
    decided = session.predict()
    assert decided.question is None
    wanted = (volume.array_kji > 50) & np.zeros(SHAPE, bool)
    wanted[..., HALVES[number - 1]] = volume.array_kji[..., HALVES[number - 1]] > 50
    found = decided.mask.array_kji > 0
    # Straightening a sheared volume and back moves the border.
    overlap = 2 * (found & wanted).sum() / (found.sum() + wanted.sum())
    assert overlap > (0.8 if sheared else 0.999)
    session.undo()
    assert session.predict().question is not None


def test_a_click_for_the_background_rules_a_place_out_and_numbers_stay() -> None:
    session = session_of(WordsModel(guesses=True), two_balls())
    places = question_of(answer_to(session)).places
    session.add(Point(places[0].position_ras, positive=False))
    assert question_of(session.predict()).places == places[1:]
    session.add(Point(places[1].position_ras, positive=False))
    nothing = session.predict()
    assert nothing.question is None and not nothing.mask.array_kji.any()


def test_two_clicks_at_two_places_mean_both() -> None:
    volume = two_balls()
    session = session_of(WordsModel(guesses=True), volume)
    for place in question_of(answer_to(session)).places:
        session.add(Point(place.position_ras))
    assert np.array_equal(session.predict().mask.array_kji > 0, volume.array_kji > 50)


def test_a_click_beside_a_place_is_meant_for_it_and_one_elsewhere_is_refused() -> None:
    volume = two_balls()
    session = session_of(WordsModel(guesses=True), volume)
    answer_to(session)
    session.add(Point.from_ijk(volume.geometry, (17, 11, 9)))
    assert session.predict().mask.array_kji[9, 11, 9]
    session.undo()
    session.add(Point.from_ijk(volume.geometry, (20, 2, 1)))
    with pytest.raises(PromptError, match=r"nothing at the click on voxel 20 2 1 .* 2 places"):
        session.predict()


def test_an_answer_without_doubt_loses_a_place_that_the_user_rules_out() -> None:
    volume = two_balls()
    session = session_of(WordsModel(), volume)
    both = answer_to(session, "balls")
    assert both.question is None
    session.add(Point.from_ijk(volume.geometry, (31, 12, 11), positive=False))
    found = session.predict().mask.array_kji > 0
    assert not found[..., 20:].any()
    assert np.array_equal(found[..., :20], volume.array_kji[..., :20] > 50)


def test_a_place_of_another_object_is_none_of_this_one() -> None:
    session = session_of(WordsModel(guesses=True), two_balls())
    places = question_of(answer_to(session)).places
    session.add(Point(places[0].position_ras))
    other = session.add_object("other")
    session.add(Text("right ball"), other)
    answers = session.predict_all()
    assert answers[1].question is None
    assert question_of(answers[other]).places == places[1:]


def test_nothing_found_by_any_look_is_no_question() -> None:
    found = answer_to(session_of(WordsModel(), two_balls()), "nothing")
    assert found.question is None and not found.mask.array_kji.any()


def test_another_model_that_finds_another_place_is_a_question() -> None:
    volume = two_balls()
    alone = answer_to(session_of(WordsModel(), volume))
    assert alone.question is None
    other = WordsModel(guesses=True)
    assert question_of(answer_to(session_of(WordsModel(), volume, other)))
    assert other.asked == ["left ball"]


def test_planes_that_disagree_are_looks_too() -> None:
    class Planar(WordsModel):
        def predict(self, encoding, prompts, previous, progress):  # type: ignore[no-untyped-def]
            answer = super().predict(encoding, prompts, previous, progress)
            whole = np.float32(encoding.parts > 0)
            planes = {"axial": np.float32(answer.logits_kji > 0), "coronal": 1 - whole}
            return Prediction(answer.geometry, answer.offset_kji, answer.logits_kji, planes)

    assert question_of(answer_to(session_of(Planar(), two_balls())))


def test_a_place_that_the_user_showed_is_not_asked_about() -> None:
    volume = two_balls()
    boxed = WordsModel(guesses=True, card=_card("text", "box", "point", "mask"))
    box = Box.from_ijk(volume.geometry, (2, 2, 2), (20, 20, 18))
    for shown in (box, Point.from_ijk(volume.geometry, (9, 11, 9))):
        session = session_of(boxed, volume)
        session.add(Text("left ball"))
        session.add(shown)
        assert session.predict().question is None


def test_what_is_to_be_avoided_is_no_place() -> None:
    volume = two_balls()
    session = session_of(WordsModel(guesses=True), volume)
    places = question_of(answer_to(session)).places
    large = volume.array_kji > 50
    large[..., 20:] = False
    session.add(Mask.from_array(large, volume.geometry, role="avoid"))
    (left,) = question_of(session.predict()).places
    assert left.position_ras == places[1].position_ras


def _card(*prompts: str) -> ModelCard:
    return replace(CARD, prompts=prompts)


def test_a_click_without_words_is_refused_by_a_model_that_takes_none() -> None:
    volume = two_balls()
    session = session_of(WordsModel(), volume)
    session.add(Point.from_ijk(volume.geometry, (9, 11, 9)))
    with pytest.raises(PromptError, match="takes a click only to decide which place its words"):
        session.predict()


def test_each_look_is_made_once_and_can_be_stopped() -> None:
    model, volume = WordsModel(guesses=True), two_balls()
    session = session_of(model, volume)
    place = question_of(answer_to(session)).places[0]
    session.add(Point(place.position_ras))
    told: list[float] = []
    session.predict(progress=lambda fraction, _: told.append(fraction))
    assert len(model.asked) == 2 and told == sorted(told) and told[-1] == pytest.approx(1)

    def stop(fraction: float, phrase: str) -> None:
        raise Cancelled("stopped")

    stopped = session_of(model, volume)
    stopped.add(Text("left ball"))
    with pytest.raises(Cancelled):
        stopped.predict(progress=stop)


def test_models_of_classes_and_of_clicks_are_left_as_they_are() -> None:
    plain = WordsModel(card=replace(CARD, takes_words=False))
    assert asking(plain) is plain and asking_card(plain.card) is plain.card
    assert {c for c in ("voxtell", "medical-sam3", "nnunet", "ensam") if card(c).takes_words} == {
        "voxtell",
        "medical-sam3",
    }
    assert asking_card(card("voxtell")).prompts == ("text", "point")
    assert asking_card(card("medical-sam3")) is card("medical-sam3")
    # Its own message on clicks would refuse those that decide.
    bare = asking_card(without_clicks(card("medical-sam3")))
    bare.check_takes([Point((0, 0, 0))])


@pytest.mark.parametrize("codes", DIRECTIONS)
def test_the_mirror_exchanges_left_and_right_and_nothing_else(codes: str) -> None:
    volume = two_balls(codes)
    mirror = Mirror.of(volume)
    mirrored = mirror.volume(volume)
    assert mirrored.geometry == volume.geometry
    twice = mirror.volume(mirrored)
    assert np.array_equal(twice.array_kji, volume.array_kji)
    region = Region((1, 2, 3), (5, 9, 11))
    assert mirror.region(mirror.region(region)) == region
    same = np.flip(volume.array_kji[mirror.region(region).slices], mirror.axis_kji)
    assert np.array_equal(mirrored.array_kji[region.slices], same)
    axis = volume.geometry.ijk_to_ras[:3, 2 - mirror.axis_kji]
    assert np.argmax(np.abs(axis)) == 0


@pytest.mark.parametrize(
    ("name", "mirrored"),
    [
        ("left kidney", "right kidney"),
        ("Right Kidney", "left Kidney"),
        ("kidney_left", "kidney_right"),
        ("left lobe of the right lung", "right lobe of the left lung"),
        ("Kidney L", "right kidney"),
        ("liver", "liver"),
        ("both kidneys", "both kidneys"),
        ("bright spot", "bright spot"),
    ],
)
def test_words_of_the_mirror_image(name: str, mirrored: str) -> None:
    assert mirrored_name(name) == mirrored
