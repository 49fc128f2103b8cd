"""Medical SAM3 as a model of volumes; most of it with a network that sees brightness alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from bright_sam3 import SIDE, Bright, segmenter
from command_line import run
from medical_sam3_checkpoints import random_sam3, write_checkpoint, write_tokenizer
from PIL import Image
from sample_volumes import ball
from torch.nn.functional import interpolate

from MedSegFMLib import Box, Geometry, Session, Text, Volume, create
from MedSegFMLib.errors import Cancelled, ModelError, PromptError, WeightsError
from MedSegFMLib.metrics import dice
from MedSegFMLib.model_choice import read_choice
from MedSegFMLib.models.medical_sam3.preprocessing import relative, sam3_preprocessor
from MedSegFMLib.models.medical_sam3.runtime import SliceQuestion
from MedSegFMLib.models.medical_sam3.segmenter import MedicalSam3Segmenter
from MedSegFMLib.models.medical_sam3.text_propagation import propagate_text
from MedSegFMLib.models.medical_sam3.tokenizer import PhraseTokenizer
from MedSegFMLib.models.medical_sam3.torch_runtime import (
    TorchSam3Runtime,
    chosen_objects,
    empty_boxes,
)
from MedSegFMLib.progress import no_progress

pytestmark = pytest.mark.usefixtures("one_thread")


def session_of(model: MedicalSam3Segmenter, volume: Volume, *prompts: Text | Box) -> Session:
    session = Session(model, volume)
    for prompt in prompts:
        session.add(prompt)
    return session


@pytest.fixture
def grid(directions: np.ndarray) -> Geometry:
    return Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5), directions, (3, -20, 11))


def test_words_alone_find_the_object_in_every_orientation(grid: Geometry) -> None:
    volume, mask, _ = ball(grid)
    prediction = session_of(segmenter(Bright()), volume, Text("ball")).predict()
    assert prediction.region.shape_kji == grid.shape_kji
    assert dice(mask, prediction.mask.array_kji) > 0.9
    assert list(prediction.planes) == ["axial"]


def test_without_propagation_every_slice_is_searched_with_the_words_alone(grid: Geometry) -> None:
    volume, mask, box = ball(grid)
    runtime = Bright()
    model = segmenter(runtime, propagates=False)
    prediction = session_of(model, volume, Text("ball")).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9
    axial = model.encode(volume, None, no_progress).stacks["axial"]
    assert runtime.looked == len(runtime.asked) == len(axial.slice_images)
    assert all(question.box is None for question in runtime.asked)
    assert model.card.prompts == ("text",)
    with pytest.raises(PromptError):
        session_of(model, volume, box)


def test_the_published_protocol_is_one_option(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    text = f"medical-sam3={path}?protocol=paper"
    choice = read_choice(text)
    assert choice.card.prompts == ("text",) and read_choice("medical-sam3").card is not choice.card
    loaded: Any = choice.create("cpu")
    assert loaded.card.prompts == ("text",) and not loaded._propagates
    assert loaded._detector._threshold == 0.1 and loaded._tracker is None
    for name, value in (("threshold", "0.3"), ("propagation", "boxes"), ("planes", "coronal")):
        with pytest.raises(ModelError, match=f"protocol=paper has its own {name}"):
            create("medical-sam3", "cpu", weights=path, protocol="paper", **{name: value})
    with pytest.raises(ModelError, match="no protocol 'best'"):
        create("medical-sam3", "cpu", weights=path, protocol="best")


def test_evaluate_reaches_the_published_protocol(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    volume, mask, _ = ball(Geometry.from_spacing((6, 20, 22), (0.8, 1.0, 1.5)))
    volume.write(tmp_path / "i.nrrd")
    Volume(mask.astype(np.uint8), volume.geometry).write(tmp_path / "l.nrrd")
    case = {"name": "a", "image": "i.nrrd", "label": "l.nrrd", "modality": "CT"}
    listed = tmp_path / "cases.json"
    listed.write_text(json.dumps({"cases": [{**case, "objects": {"1": "liver"}}]}))
    model = f"medical-sam3={path}?protocol=paper"
    words = ["--models", model, "--clicks", 1, "--jobs", 1, "--device", "cpu"]
    assert run("evaluate", listed, *words, "--out", tmp_path / "out") == 0
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    # The words alone: no box, though the protocol has one, and no click.
    assert [row["prompt"] for row in rows] == ["text", "none"]
    assert {row["model"] for row in rows} == {model} and {row["failed"] for row in rows} == {""}


def test_words_and_a_box_look_at_the_boxs_slices_alone(grid: Geometry) -> None:
    volume, mask, box = ball(grid)
    runtime = Bright()
    prediction = session_of(segmenter(runtime), volume, Text("ball"), box).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9
    axis = next(iter(segmenter(Bright()).encode(volume, None, no_progress).stacks.values()))
    spanned = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis.plane.axes_kji[0]})))
    assert runtime.looked == len(spanned)
    assert {question.phrase for question in runtime.asked} == {"ball"}
    assert all(question.box is not None for question in runtime.asked)


def test_a_box_alone_is_asked_as_visual() -> None:
    volume, mask, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    runtime = Bright()
    assert dice(mask, session_of(segmenter(runtime), volume, box).predict().mask.array_kji) > 0.9
    assert {question.phrase for question in runtime.asked} == {"visual"}


def test_three_planes_agree_and_the_later_ones_look_where_the_first_found_it(
    grid: Geometry,
) -> None:
    volume, mask, _ = ball(grid)
    runtime = Bright()
    model = segmenter(runtime, ("axial", "coronal", "sagittal"))
    prediction = session_of(model, volume, Text("ball")).predict()
    assert set(prediction.planes) == {"axial", "coronal", "sagittal"}
    for likely in prediction.planes.values():
        assert dice(mask, likely > 0.5) > 0.85
    assert dice(mask, prediction.mask.array_kji) > 0.9
    assert runtime.looked < sum(grid.shape_kji)


def test_slices_between_two_that_say_no_are_skipped_and_others_followed() -> None:
    volume, mask, _ = ball(Geometry.from_spacing((60, 40, 36), (1.0, 1.0, 1.0)))
    runtime = Bright()
    prediction = session_of(segmenter(runtime, step_mm=6.0), volume, Text("ball")).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9
    inside = int(mask.any(axis=(1, 2)).sum())
    assert runtime.looked <= 10 + inside + 2
    first = [question.box is None for question in runtime.asked]
    assert first.count(True) == 10 and all(first[:10])
    every = Bright()
    session_of(segmenter(every, step_mm=0.0), volume, Text("ball")).predict()
    assert every.looked == 60


def test_what_is_not_there_gives_nothing_and_spares_the_other_planes() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    runtime = Bright()
    model = segmenter(runtime, ("axial", "coronal", "sagittal"))
    prediction = session_of(model, volume, Text("nothing")).predict()
    assert not prediction.mask.array_kji.any() and np.isfinite(prediction.logits_kji).all()
    assert set(prediction.planes) == {"axial", "coronal", "sagittal"}
    assert runtime.looked <= 10


def test_a_box_without_what_the_words_name_stays_empty() -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    session = session_of(segmenter(Bright()), volume, Text("nothing"), box)
    assert not session.predict().mask.array_kji.any()


def test_a_no_to_words_alone_is_asked_again_with_a_neighbours_box() -> None:
    there = np.where(np.pad(np.ones((4, 4)), 3) > 0, 1.0, -1.0).astype(np.float32)

    def answered(again: bool) -> tuple[list[tuple[int, bool]], list[int]]:
        going, asked = propagate_text((6, 10, 10), 2, again=again), []
        asks = next(going)
        try:
            while True:
                asked += [(index, prompt.box is not None) for index, prompt in asks]
                # Words alone find it on slice 2 alone, with a box it is on 1 to 4.
                asks = going.send(
                    [
                        there if n == 2 or (1 <= n <= 4 and prompt.box is not None) else -(there**2)
                        for n, prompt in asks
                    ]
                )
        except StopIteration as end:
            return asked, sorted(n for n, logits in end.value.items() if (logits > 0).any())

    asked, found = answered(again=True)
    assert found == [1, 2, 3, 4] and len(asked) == len(set(asked))
    assert {(0, False), (0, True), (4, False), (4, True)} <= set(asked)
    assert answered(again=False)[1] == [1, 2, 3]


def test_planes_that_say_it_is_not_there_do_not_outvote_the_one_that_found_it() -> None:
    volume, mask, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model = segmenter(Bright(), ("axial", "coronal", "sagittal"))
    whole = segmenter(Bright()).encode(volume, None, no_progress)
    alone = segmenter(Bright()).predict(whole, [Text("ball"), box], None, no_progress)
    seen = model._propagated

    def blind(encoding: Any, name: str, *given: Any) -> Any:
        return seen(encoding, name, *given) if name == "axial" else {}

    with patch.object(model, "_propagated", blind):
        encoding = model.encode(volume, None, no_progress)
        found = model.predict(encoding, [Text("ball"), box], None, no_progress)
    assert dice(mask, found.mask.array_kji) > 0.9
    assert np.array_equal(found.logits_kji, alone.logits_kji)
    assert set(found.planes) == {"axial", "coronal", "sagittal"}


def test_several_texts_are_several_objects_that_look_at_a_slice_once() -> None:
    volume, mask, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    runtime = Bright()
    session = session_of(segmenter(runtime), volume, Text("ball"))
    session.predict_all()
    looked = runtime.looked
    session.add_object("other")
    session.add(Text("nothing"))
    labels = session.labelmap().array_kji
    assert dice(mask, labels == 1) > 0.9 and not (labels == 2).any()
    assert runtime.looked == looked


def test_the_answer_to_the_same_question_is_remembered() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    runtime = Bright()
    model = segmenter(runtime)
    encoding = model.encode(volume, None, no_progress)
    first = model.predict(encoding, [Text("ball")], None, no_progress)
    asked = len(runtime.asked)
    again = model.predict(encoding, [Text("ball")], None, no_progress)
    assert len(runtime.asked) == asked
    assert np.array_equal(first.logits_kji, again.logits_kji)


def test_work_with_words_can_be_cancelled_on_the_way() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))

    def cancel(fraction: float, phrase: str) -> None:
        if fraction > 0.6:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        session_of(segmenter(Bright()), volume, Text("ball")).predict(progress=cancel)


def test_pictures_are_squashed_and_brought_to_minus_one_and_one() -> None:
    preprocessor = sam3_preprocessor(SIDE)
    picture = np.zeros((1, 20, 50), np.uint8)
    picture[:, :, 25:] = 255
    plan = preprocessor.resize_plan((20, 50))
    images = preprocessor.images(picture, plan)
    assert images.shape == (1, 3, SIDE, SIDE)
    assert images.min() == -1 and images.max() == 1
    expected = np.asarray(Image.fromarray(picture[0]).resize((SIDE, SIDE), 2)) / 127.5 - 1
    assert np.allclose(images[0, 1], expected, atol=1e-6)
    low = torch.randn(1, 16, 16)
    there = preprocessor.resize_logits(low, plan)
    assert torch.equal(there[0], interpolate(low[None], (20, 50), mode="bilinear")[0, 0])
    assert relative((5, 10, 15, 30), (20, 50)) == pytest.approx((0.4, 0.5, 0.4, 0.5))


def test_without_a_box_the_highest_score_is_meant_and_with_one_the_overlap_counts() -> None:
    scores = torch.tensor([[0.6, 0.5, 0.05]])
    boxes = torch.tensor([[[0.0, 0.0, 0.2, 0.2], [0.5, 0.5, 0.9, 0.9], [0.5, 0.5, 1.0, 1.0]]])
    chosen, best = chosen_objects(scores, boxes, None, 0.1)
    assert chosen.tolist() == [0] and best.tolist() == pytest.approx([0.6])
    asked = torch.tensor([[[0.75, 0.75, 0.5, 0.5]]])
    chosen, best = chosen_objects(scores, boxes, asked, 0.1)
    assert chosen.tolist() == [1] and best.tolist() == pytest.approx([0.5])
    nowhere = torch.tensor([[[0.3, 0.8, 0.1, 0.1]]])
    assert chosen_objects(scores, boxes, nowhere, 0.1)[1].tolist() == [0.0]


def test_the_runtime_answers_what_the_network_answers(tmp_path: Path) -> None:
    network = random_sam3()
    words = PhraseTokenizer(write_tokenizer(tmp_path), 16)
    runtime = TorchSam3Runtime(network, words, torch.device("cpu"))
    images = np.random.default_rng(0).normal(size=(3, 3, 56, 56)).astype(np.float32)
    features = runtime.encode(images, no_progress)
    box = (0.5, 0.5, 0.6, 0.6)
    questions = [SliceQuestion("liver"), SliceQuestion("liver", box), SliceQuestion("spleen")]
    answers = runtime.decode(features, questions, 0.0, no_progress)
    for image, question, answer in zip(images, questions, answers, strict=True):
        tokens, mask = words.tokens([question.phrase])
        boxes = None if question.box is None else torch.tensor([[question.box]])
        empty = empty_boxes(1, torch.device("cpu"))
        with torch.inference_mode():
            output = network(
                pixel_values=torch.from_numpy(image[None]),
                input_ids=tokens,
                attention_mask=mask,
                **(empty if boxes is None else {"input_boxes": boxes}),
            )
        scores = output.pred_logits.sigmoid() * output.presence_logits.sigmoid()
        chosen, best = chosen_objects(scores, output.pred_boxes, boxes, threshold=0.0)
        assert answer.score == pytest.approx(float(best), abs=1e-6)
        expected = output.pred_masks[0, int(chosen)].numpy()
        assert answer.logits is not None and np.allclose(answer.logits, expected, atol=1e-4)
    assert all(a.logits is None for a in runtime.decode(features, questions, 1.0, no_progress))


def test_looking_at_slices_in_16_bits_hardly_changes_the_answers(tmp_path: Path) -> None:
    words = PhraseTokenizer(write_tokenizer(tmp_path), 16)
    images = np.random.default_rng(0).normal(size=(2, 3, 56, 56)).astype(np.float32)
    questions = [SliceQuestion("liver"), SliceQuestion("liver", (0.5, 0.5, 0.6, 0.6))]
    found = []
    for fast in (False, True):
        runtime = TorchSam3Runtime(random_sam3(), words, torch.device("cpu"))
        with patch(
            "MedSegFMLib.models.medical_sam3.torch_runtime.fast_gpu",
            lambda device, fast=fast: torch.autocast("cpu", torch.bfloat16, enabled=fast),
        ):
            features = runtime.encode(images, no_progress)
            found.append(runtime.decode(features, questions, 0.0, no_progress))
    for exact, rough in zip(*found, strict=True):
        assert rough.score == pytest.approx(exact.score, abs=0.02)
        assert np.corrcoef(exact.logits.ravel(), rough.logits.ravel())[0, 1] > 0.99


def test_wrong_options_and_missing_files_are_told_in_a_sentence(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    for options, match in [
        ({"planes": "axial,oblique"}, "no plane 'oblique'"),
        ({"threshold": "much"}, "threshold is 'much'"),
        ({"threshold": 2}, "give 0 to 1"),
        ({"step_mm": -1}, "give 0 to 1000"),
    ]:
        with pytest.raises(ModelError, match=match):
            create("medical-sam3", "cpu", weights=path, **options)
    with pytest.raises(WeightsError, match="has no model"):
        create("medical-sam3", "cpu", weights=tmp_path.parent)
    with pytest.raises(WeightsError, match="no tokenizer in"):
        create("medical-sam3", "cpu", weights=path, tokenizer=tmp_path.parent)
    with pytest.raises(WeightsError, match="adapter_model"):
        create("medical-sam3", "cpu", weights=path, adapter=tmp_path)


def test_too_many_words_are_refused(tmp_path: Path) -> None:
    model = create("medical-sam3", "cpu", weights=write_checkpoint(tmp_path))
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    session = Session(model, volume)
    session.add(Text("a very long description of an organ"))
    with pytest.raises(PromptError, match="of 16 at most"):
        session.predict()
