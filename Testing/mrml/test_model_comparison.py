"""Several models on the same prompts, through the worker that the user's own work uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from scene_helpers import (
    SessionClient,
    add_boxes,
    add_transform,
    add_volume_node,
    content,
    paint,
    paint_segment,
)
from waiting import wait_until

from MedSegFMLib import Box, Geometry, Point, Region, Volume
from MedSegFMLib.errors import MaskError, ModelError, PromptError, VolumeError
from MedSegFMLib.metrics import dice, surface_dice
from MedSegFMLib.mrml.comparison.columns import COLUMNS
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.comparison.results import Stage
from MedSegFMLib.mrml.comparison.table import table_of
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.transforms import to_vtk
from MedSegFMLib.mrml.segments.grid import give_grid
from MedSegFMLib.mrml.segments.oriented_images import image_from_mask
from MedSegFMLib.mrml.segments.reference import ReferenceSegment, reference_choices
from MedSegFMLib.prompts.json_format import prompts_from_json, prompts_to_json
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Text
from MedSegFMLib.worker.client import LocalLauncher, WorkerClient
from MedSegFMLib.worker.events import Cost, Event, Failed, Noted, Predicted, Request

MODELS = ("ensam", "randomwalk", "ellipsoid")


class ModelsClient(SessionClient):
    """Each model sees the object a voxel further along i than the one before; "sam" has no weights.

    asked: the models of the requests that were answered, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, bool]] = []

    def answer(self, number: int, request: Request) -> Event:
        self.asked.append((request.model, request.consistency))
        if request.model == "sam":
            return Failed(number, ModelError("No trained weights of sam are installed."))
        event = super().answer(number, replace(request, prompts=boxed(request.prompts)))
        if not isinstance(event, Predicted):
            return event
        is_shifted = request.clear_cache and request.model in MODELS
        shift = MODELS.index(request.model) if is_shifted else 0
        answers = {
            n: replace(a, offset_kji=(*a.offset_kji[:2], a.offset_kji[2] + shift))
            for n, a in event.answers.items()
        }
        return Predicted(number, answers, Cost(0.5 + shift, 1.0, 300_000_000, False))


def boxed(prompts: PromptList) -> PromptList:
    """The prompts without words, which the fake model does not know."""
    kept = tuple(e for e in prompts.entries if not isinstance(e[1], Text))
    return replace(prompts, entries=kept)


@pytest.fixture
def client() -> ModelsClient:
    return ModelsClient()


@pytest.fixture
def comparison(logic: SegmentationLogic) -> Iterator[ModelComparison]:
    made = ModelComparison(logic)
    yield made
    made.shut_down()


@pytest.fixture
def boxed_logic(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    """A box of 125 voxels around "liver", answered."""
    logic.set_volume(plain)
    logic.objects.add("liver")
    logic.add(Box.from_ijk(logic.volume.geometry, (3, 3, 3), (8, 8, 8)))
    logic.pump()
    return logic


def finish(logic: Any, comparison: ModelComparison) -> None:
    """Pump until nothing is computed any more."""

    def is_finished() -> bool:
        if not comparison.is_computing:
            return True
        logic.pump()
        comparison.pump()
        return False

    wait_until(is_finished, describe=lambda: comparison.results, interval=0.002)


def mask_of(comparison: ModelComparison, model: str, label: int = 1) -> np.ndarray:
    """What a model found, on the whole volume."""
    found = np.zeros(comparison.subject.volume.geometry.shape_kji, bool)
    mask = comparison.result(model).masks.get(label)
    if mask is not None:
        found[mask.region.slices] = mask.mask_kji
    return found


def row(comparison: ModelComparison, model: str, label: int = 1) -> dict[str, Any]:
    """A row of the table by its headings."""
    table = table_of(comparison, [label])
    (values,) = [r for r in table.rows if r[1] == comparison.result(model).title]
    return dict(zip([c.heading for c in table.columns], values, strict=True))


def stages(comparison: ModelComparison) -> list[Stage]:
    return [found.stage for found in comparison.results]


def test_each_model_answers_the_same_prompts_and_the_users_segment_stays(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    before, prompts = content(boxed_logic, 1), boxed_logic.prompts
    comparison.start(MODELS)
    assert stages(comparison) == [Stage.RUNNING, Stage.WAITING, Stage.WAITING]
    finish(boxed_logic, comparison)
    asked = client.requests[-3:]
    assert [r.model for r in asked] == list(MODELS)
    assert all(r.prompts == prompts and r.clear_cache for r in asked)
    for n, model in enumerate(MODELS):
        assert np.array_equal(mask_of(comparison, model), np.roll(before, n, axis=2))
    assert np.array_equal(content(boxed_logic, 1), before) and boxed_logic.prompts == prompts
    assert boxed_logic.segments.node.GetSegmentation().GetNumberOfSegments() == 1


def test_one_model_with_other_options_is_another_model(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(["ensam", "ensam?refine=no", "randomwalk"], consistency=True)
    finish(boxed_logic, comparison)
    asked = [(r.model, dict(r.options)) for r in client.requests[-6:]]
    assert asked == [
        *[("ensam", {})] * 2,
        *[("ensam", {"refine": "no"})] * 2,
        *[("randomwalk", {})] * 2,
    ]
    titles = [found.title for found in comparison.results]
    assert titles == ["ENSAM", "ENSAM (refine=no)", "Random walker"]
    assert row(comparison, "ensam")["Dice with ENSAM (refine=no)"] == 1
    comparison.use_result("ensam?refine=no", 1)
    for wrong in (["ensam?refine=no", "ensam?refine=%6Eo"], ["ensam", "ensam?x=1"]):
        with pytest.raises(ModelError):
            comparison.start(wrong)


def test_a_private_option_is_the_users_own_and_in_no_result(
    boxed_logic: SegmentationLogic, client: ModelsClient
) -> None:
    own = {"server": "http://mine:1", "key": "k"}
    known = ModelComparison(boxed_logic, lambda name: own if name == "nninteractive" else {})
    models = ["randomwalk", "nninteractive?server=*", "nninteractive?box=2&server=*"]
    known.start(models)
    assert [result.model for result in known.results] == models
    finish(boxed_logic, known)
    sent = [request.options for request in client.requests if request.model == "nninteractive"]
    assert sent == [own, {"box": "2", **own}]
    known.close()
    strange = ModelComparison(boxed_logic)
    strange.start(models[:2])
    finish(boxed_logic, strange)
    assert "is its user's own and not known here" in strange.results[1].sentence
    strange.close()


def test_results_come_one_after_the_other(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS)
    seen = []
    while comparison.is_running:
        boxed_logic.pump()
        comparison.pump()
        seen.append(sum(stage is Stage.DONE for stage in stages(comparison)))
        assert 0 <= comparison.fraction <= 1
    assert set(seen) >= {1, 2, 3} and comparison.fraction == 1


def test_the_numbers_of_the_table_are_those_of_the_masks(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS, consistency=True)
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(boxed_logic, comparison)
    truth, spacing = content(boxed_logic, 1), boxed_logic.volume.geometry.spacing_kji_mm
    for n, model in enumerate(MODELS):
        mask, found = mask_of(comparison, model), row(comparison, model)
        assert found["Dice"] == pytest.approx(dice(truth, mask), abs=5e-4)
        expected = surface_dice(truth, mask, spacing, 2.0)
        assert found["Surface Dice at 2 mm"] == pytest.approx(expected, abs=5e-4)
        assert found["Volume (ml)"] == pytest.approx(125 * 6 / 1000)
        assert (found["Time (s)"], found["Peak memory (MB)"]) == (0.5 + n, 300)
        assert 0 < found["Consistency"] < 1 and found["Note"] == ""
        others = [dice(mask, mask_of(comparison, m)) for m in MODELS if m != model]
        assert found["Agreement"] == pytest.approx(np.mean(others), abs=5e-4)
    pair = dice(mask_of(comparison, "ensam"), mask_of(comparison, "randomwalk"))
    assert row(comparison, "ensam")["Dice with Random walker"] == pytest.approx(pair)
    assert row(comparison, "ensam")["Dice with ENSAM"] is None


def test_the_guide_explains_every_column_of_the_panel() -> None:
    guide = (Path(__file__).parents[2] / "Docs" / "user-guide.md").read_text("utf-8")
    table = guide.split("| column | meaning |\n|---|---|\n")[1].split("\n\n")[0]
    explained = {n.strip() for line in table.splitlines() for n in line.split("|")[1].split(",")}
    shown = {column.short for column in COLUMNS if column.short and column.key != "model"}
    assert shown | {"≈ …"} == explained


def test_consistency_is_measured_after_each_answer_where_it_is_wanted(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS[:2], consistency=True)
    finish(boxed_logic, comparison)
    assert client.asked[-4:] == [
        ("ensam", False),
        ("ensam", True),
        ("randomwalk", False),
        ("randomwalk", True),
    ]
    comparison.start(MODELS[:2])
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Consistency"] is None


def test_a_model_without_weights_and_one_that_takes_no_clicks_say_so_and_the_others_go_on(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
    boxed_logic.pump()
    comparison.start(["sam", "ellipsoid", "ensam", "randomwalk"])
    finish(boxed_logic, comparison)
    assert stages(comparison) == [Stage.FAILED, Stage.FAILED, Stage.DONE, Stage.DONE]
    assert "No trained weights" in row(comparison, "sam")["Note"]
    assert "does not support point prompts" in row(comparison, "ellipsoid")["Note"]
    assert row(comparison, "sam")["Volume (ml)"] is None
    assert row(comparison, "ensam")["Agreement"] is not None


def test_a_model_of_words_is_asked_for_the_objects_by_name(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(["sam3d", "ensam"])
    boxed_logic.pump()
    assert client.requests[-1].prompts.entries == ((1, Text("liver")),)


def test_the_users_own_prompts_come_first_and_no_answer_is_lost(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS)
    client.paused = True
    boxed_logic.pump()
    assert client.requests[-1].model == "ensam" and client.requests[-1].clear_cache
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
    assert boxed_logic.is_predicting and not client.requests[-1].clear_cache
    for _ in range(3):
        boxed_logic.pump()
        comparison.pump()
    assert not client.requests[-1].clear_cache, "a comparison does not push in"
    client.paused = False
    finish(boxed_logic, comparison)
    assert content(boxed_logic, 1)[8, 9, 10] and not boxed_logic.is_predicting
    assert stages(comparison) == [Stage.DONE] * 3
    assert all(mask_of(comparison, model).sum() == 125 for model in MODELS)


def test_a_comparison_that_ends_takes_no_answer_from_the_work_that_cut_in(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    for end in (comparison.cancel, comparison.close, lambda: comparison.start(MODELS)):
        comparison.start(MODELS)
        client.paused = True
        boxed_logic.pump()
        boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
        end()
        client.paused = False
        boxed_logic.pump()
        assert content(boxed_logic, 1)[8, 9, 10]
        boxed_logic.undo()


def test_a_late_answer_to_the_work_is_not_taken_for_a_models(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    client.paused = True
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
    late = client.answer(len(client.requests), client.requests[-1])
    boxed_logic.cancel()
    comparison.start(MODELS)
    client.late.append(late)
    boxed_logic.pump()
    comparison.pump()
    assert comparison.results[0].cost is None
    client.paused = False
    finish(boxed_logic, comparison)
    assert mask_of(comparison, "ensam").sum() == 126


def test_cancel_keeps_what_is_there_and_asks_no_further_model(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS)
    boxed_logic.pump()
    boxed_logic.pump()
    comparison.pump()
    comparison.cancel()
    assert stages(comparison) == [Stage.DONE, Stage.STOPPED, Stage.STOPPED]
    count = len(client.requests)
    finish(boxed_logic, comparison)
    assert len(client.requests) == count and mask_of(comparison, "ensam").any()
    assert row(comparison, "randomwalk")["Note"] == "Stopped."


def test_cancel_during_the_planes_keeps_the_answer(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS, consistency=True)
    boxed_logic.pump()
    boxed_logic.pump()
    comparison.pump()
    client.paused = True
    boxed_logic.pump()
    assert client.requests[-1].consistency
    comparison.cancel()
    assert stages(comparison)[0] is Stage.DONE and mask_of(comparison, "ensam").any()


def test_what_a_worker_notes_stands_in_the_row(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS)
    client.paused = True
    boxed_logic.pump()
    client.late.append(Noted(len(client.requests), "It runs on the CPU."))
    client.paused = False
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Note"] == "It runs on the CPU."


def test_too_few_too_many_unknown_or_no_prompts_are_refused(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    for models in ([], ["ensam"], ["ensam", "ensam"], [f"m{n}" for n in range(7)]):
        with pytest.raises(ModelError):
            comparison.start(models)
    with pytest.raises(PromptError, match="no prompts"):
        comparison.start(MODELS, PromptList())
    far = PromptList().with_object("x").added(1, Point((9000.0, 0.0, 0.0), True))
    with pytest.raises(PromptError, match="outside"):
        comparison.start(MODELS, far)
    assert not comparison.is_open
    boxed_logic.set_volume(None)
    with pytest.raises(VolumeError):
        comparison.start(MODELS)


def test_a_comparison_ends_with_its_volume(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any, client: ModelsClient
) -> None:
    comparison.start(MODELS)
    client.paused = True
    boxed_logic.pump()
    other = Volume(np.zeros((5, 6, 7), np.int16), Geometry((5, 6, 7), np.eye(4)))
    other.array_kji[2, 3, 3] = 1
    boxed_logic.set_volume(add_volume_node(scene, other, "other"))
    client.paused = False
    boxed_logic.pump()
    assert comparison.pump() and not comparison.is_open
    count = len(client.requests)
    boxed_logic.pump()
    assert len(client.requests) == count, "no model is asked about another volume"


def test_a_closed_scene_ends_it_too(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    scene.Clear(False)
    boxed_logic.pump()
    comparison.pump()
    assert not comparison.is_open


def test_a_worker_that_was_restarted_is_asked_again(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    comparison.start(MODELS)
    client.paused = True
    boxed_logic.pump()
    boxed_logic.requests.restart()
    client.paused = False
    finish(boxed_logic, comparison)
    assert stages(comparison) == [Stage.DONE] * 3


def test_saved_prompts_are_run_again_and_touch_no_prompt_of_the_user(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    saved = prompts_from_json(prompts_to_json(boxed_logic.prompts))
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    masks = [mask_of(comparison, model) for model in MODELS]
    boxed_logic.reset()
    boxed_logic.pump()
    comparison.start(MODELS, saved)
    finish(boxed_logic, comparison)
    for model, mask in zip(MODELS, masks, strict=True):
        assert np.array_equal(mask_of(comparison, model), mask)
    assert not boxed_logic.prompts.entries and not content(boxed_logic, 1).any()


def test_the_prompts_of_a_saved_scene_run_the_same_comparison(
    boxed_logic: SegmentationLogic,
    comparison: ModelComparison,
    scene: Any,
    slicer_app: Any,
    tmp_path: Path,
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    mask = mask_of(comparison, "randomwalk")
    path = tmp_path / "case.mrb"
    assert scene.WriteToMRB(str(path))
    scene.Clear(False)
    boxed_logic.pump()
    comparison.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(str(path), str(tmp_path / "unpacked"))
    boxed_logic.pump()
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    assert np.array_equal(mask_of(comparison, "randomwalk"), mask)


def test_take_gives_the_segment_exactly_these_voxels_and_undo_and_redo_follow(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    paint(boxed_logic, 1, Region((0, 0, 0), (2, 2, 2)))
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    prompts = boxed_logic.prompts
    assert comparison.use_result("ellipsoid", 1) == 1
    taken = mask_of(comparison, "ellipsoid")
    assert np.array_equal(content(boxed_logic, 1), taken) and boxed_logic.prompts == prompts
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(boxed_logic, 1), mask_of(comparison, "randomwalk"))
    for step, expected in ((boxed_logic.undo, taken), (boxed_logic.undo, before)):
        assert boxed_logic.can_undo and step()
        assert np.array_equal(content(boxed_logic, 1), expected)
    assert boxed_logic.can_redo and boxed_logic.redo()
    assert np.array_equal(content(boxed_logic, 1), taken) and boxed_logic.prompts == prompts
    boxed_logic.undo()
    assert boxed_logic.undo() and not boxed_logic.prompts.entries, "then the prompts themselves"


def test_what_was_taken_is_corrected_by_the_next_prompt_and_comes_back_with_undo(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.use_result("ellipsoid", 1)
    taken = content(boxed_logic, 1)
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (10, 9, 8)))
    boxed_logic.pump()
    assert content(boxed_logic, 1).sum() == 126 and content(boxed_logic, 1)[8, 9, 10]
    boxed_logic.undo()
    assert np.array_equal(content(boxed_logic, 1), taken)
    boxed_logic.undo()
    assert np.array_equal(content(boxed_logic, 1), before)


def test_taking_one_object_leaves_the_others_alone(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    add_boxes(boxed_logic, [Box.from_ijk(boxed_logic.volume.geometry, (9, 3, 3), (13, 8, 8))])
    boxed_logic.pump()
    other = content(boxed_logic, 2)
    assert other.any()
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(boxed_logic, 2), other)
    assert np.array_equal(content(boxed_logic, 1), mask_of(comparison, "randomwalk"))


def test_what_is_taken_while_an_answer_is_awaited_leaves_the_other_objects_theirs(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, client: ModelsClient
) -> None:
    geometry = boxed_logic.volume.geometry
    add_boxes(boxed_logic, [Box.from_ijk(geometry, (9, 3, 3), (13, 8, 8))])
    boxed_logic.pump()
    predicted = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    for undone in (False, True):
        client.paused = True
        boxed_logic.add(Point.from_ijk(geometry, (14, 12, 10)), 2)
        comparison.use_result("randomwalk", 1)
        if undone:
            boxed_logic.undo()
        client.paused = False
        boxed_logic.pump()
        expected = predicted if undone else mask_of(comparison, "randomwalk")
        assert np.array_equal(content(boxed_logic, 1), expected)
        assert content(boxed_logic, 2)[10, 12, 14]
        if not undone:
            assert boxed_logic.undo() and np.array_equal(content(boxed_logic, 1), predicted)
        boxed_logic.undo()
        boxed_logic.pump()
        assert not content(boxed_logic, 2)[10, 12, 14]


def test_a_locked_segment_and_an_empty_result_are_not_taken(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(["sam", "ensam"])
    finish(boxed_logic, comparison)
    before = content(boxed_logic, 1)
    with pytest.raises(MaskError, match="no voxels"):
        comparison.use_result("sam", 1)
    boxed_logic.objects.set_locked(1, True)
    with pytest.raises(MaskError, match="locked"):
        comparison.use_result("ensam", 1)
    assert np.array_equal(content(boxed_logic, 1), before)
    boxed_logic.undo()
    assert not boxed_logic.prompts.entries, "there was no replacement to undo"


def test_a_replayed_object_that_is_not_in_the_work_is_begun_and_outlives_later_answers(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    box = Box.from_ijk(boxed_logic.volume.geometry, (9, 3, 3), (13, 8, 8))
    comparison.start(MODELS, PromptList().with_object("spleen").added(1, box))
    finish(boxed_logic, comparison)
    assert comparison.use_result("randomwalk", 1) == 2
    assert boxed_logic.prompts.name(2) == "spleen"
    taken = mask_of(comparison, "randomwalk")
    assert np.array_equal(content(boxed_logic, 2), taken)
    boxed_logic.add(Point.from_ijk(boxed_logic.volume.geometry, (1, 1, 1)), 1)
    boxed_logic.pump()
    assert np.array_equal(content(boxed_logic, 2), taken), "it has no prompts to be predicted from"


@pytest.mark.parametrize("method", ["staple", "majority"])
def test_a_consensus_is_a_segment_of_its_own(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, method: str
) -> None:
    before = content(boxed_logic, 1)
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    comparison.ask_consensus(1, method)
    finish(boxed_logic, comparison)
    choices = reference_choices(boxed_logic.segments.node.GetScene())
    assert len(choices) == 2 and choices[1].title.startswith("liver consensus")
    found, resampled = choices[1].read(boxed_logic.volume.geometry)
    expected = mask_of(comparison, "randomwalk")
    mask = np.zeros_like(expected)
    mask[found.region.slices] = found.mask_kji
    assert np.array_equal(mask, expected) and not resampled
    assert np.array_equal(content(boxed_logic, 1), before) and boxed_logic.prompts.labels == (1,)


def test_a_second_consensus_of_one_name_is_numbered(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    for _ in range(3):
        comparison.ask_consensus(1, "majority")
        finish(boxed_logic, comparison)
    segments = boxed_logic.segments.node.GetSegmentation()
    names = [segments.GetSegment(n).GetName() for n in segments.GetSegmentIDs()]
    name = "liver consensus (majority)"
    assert names == ["liver", name, f"{name} 2", f"{name} 3"]


def test_a_consensus_that_the_segmentation_has_no_room_for_is_refused_without_a_segment(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    comparison.start(MODELS)
    finish(boxed_logic, comparison)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "small")
    give_grid(node, Geometry.from_spacing((4, 4, 4), origin_ras=(900.0, 0.0, 0.0)))
    boxed_logic.use_segmentation(node)
    before = node.GetSegmentation().GetNumberOfSegments()
    comparison.ask_consensus(1, "majority")
    finish(boxed_logic, comparison)
    (said,) = comparison.complaints()
    assert "has room for" in said and node.GetSegmentation().GetNumberOfSegments() == before


def test_a_consensus_needs_two_answers(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(["sam", "ensam"])
    finish(boxed_logic, comparison)
    with pytest.raises(MaskError, match="1 of the models"):
        comparison.ask_consensus(1, "staple")


def test_the_reference_is_followed_when_it_is_edited_and_said_to_be_unusable(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS[:2])
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    paint(boxed_logic, 1, Region((3, 3, 3), (8, 8, 5)), value=False)
    comparison.pump()
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == pytest.approx(2 * 75 / (75 + 125), abs=1e-4)
    paint(boxed_logic, 1, Region((0, 0, 0), (12, 14, 16)), value=False)
    comparison.pump()
    assert "no voxels" in comparison.scoring.faults[1] and row(comparison, "ensam")["Dice"] is None
    comparison.scoring.use_reference(1, None)
    comparison.pump()
    assert comparison.scoring.faults == {}


def test_a_reference_on_another_grid_is_resampled_and_said_so(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    fine = geometry.resampled([n / 2 for n in geometry.spacing_ijk_mm])
    give_grid(node, fine)
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, fine, Region((6, 6, 6), (16, 16, 16)))
    found, resampled = ReferenceSegment(node, segment_id).read(geometry)
    mask = np.zeros(geometry.shape_kji, bool)
    mask[found.region.slices] = found.mask_kji
    assert resampled and np.array_equal(mask, content(boxed_logic, 1))
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert "resampled" in comparison.scoring.faults[1] and row(comparison, "ensam")["Dice"] == 1


def test_a_reference_that_is_put_away_leaves_no_number_that_was_on_its_way(
    boxed_logic: SegmentationLogic, comparison: ModelComparison
) -> None:
    comparison.start(MODELS[:2])
    finish(boxed_logic, comparison)
    busy = threading.Event()
    comparison.scoring.jobs.put("busy", busy.wait)
    reference = ReferenceSegment(boxed_logic.segments.node, boxed_logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    comparison.pump()
    comparison.scoring.use_reference(1, None)
    comparison.pump()
    busy.set()
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] is None


def test_a_reference_is_read_from_its_own_voxels_and_left_as_it_is(
    boxed_logic: SegmentationLogic, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    fine = geometry.resampled([n / 2 for n in geometry.spacing_ijk_mm])
    image = image_from_mask(np.ones((10, 10, 10), bool), (6, 6, 6), to_vtk(fine.ijk_to_ras))
    segment_id = node.AddSegmentFromBinaryLabelmapRepresentation(image, "liver")
    found, resampled = ReferenceSegment(node, segment_id).read(geometry)
    assert resampled and np.array_equal(
        found.on(Region.whole(geometry.shape_kji)), content(boxed_logic, 1)
    )
    key = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    # A node that says no grid of its own is not given ours.
    assert node.GetSegmentation().GetConversionParameter(key) == ""
    empty = node.GetSegmentation().AddEmptySegment("", "nothing")
    with pytest.raises(MaskError, match="no voxels"):
        ReferenceSegment(node, empty).read(geometry)


def test_a_reference_moves_with_every_transform_above_it(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    geometry = boxed_logic.volume.geometry
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, geometry, Region((3, 3, 3), (8, 8, 8)))
    parent, above = add_transform(scene, np.eye(4)), add_transform(scene, np.eye(4))
    parent.SetAndObserveTransformNodeID(above.GetID())
    node.SetAndObserveTransformNodeID(parent.GetID())
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    one_voxel = np.eye(4)
    one_voxel[:3, 3] = geometry.ijk_to_ras[:3, 0]
    above.SetMatrixTransformToParent(to_vtk(one_voxel))
    comparison.pump()
    finish(boxed_logic, comparison)
    assert (row(comparison, "ensam")["Dice"], row(comparison, "randomwalk")["Dice"]) == (0.8, 1)


def test_a_reference_outside_the_volume_is_refused(
    boxed_logic: SegmentationLogic, scene: Any
) -> None:
    far = Geometry.from_spacing((4, 4, 4), origin_ras=(900.0, 0.0, 0.0))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "elsewhere")
    give_grid(node, far)
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, far, Region((0, 0, 0), (2, 2, 2)))
    with pytest.raises(MaskError, match="lies outside the volume"):
        ReferenceSegment(node, segment_id).read(boxed_logic.volume.geometry)


def test_results_are_taken_on_their_voxels_in_every_orientation(
    logic: SegmentationLogic, comparison: ModelComparison, volume_node: Any, ball_box: Box
) -> None:
    logic.set_volume(volume_node)
    logic.add(ball_box)
    logic.pump()
    boxed = content(logic, 1)
    comparison.start(MODELS[:2])
    reference = ReferenceSegment(logic.segments.node, logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    finish(logic, comparison)
    shifted = mask_of(comparison, "randomwalk")
    assert np.array_equal(shifted, np.roll(boxed, 1, axis=2))
    spacing = logic.volume.geometry.spacing_kji_mm
    assert row(comparison, "randomwalk")["Surface Dice at 2 mm"] == pytest.approx(
        surface_dice(boxed, shifted, spacing, 2.0), abs=1e-4
    )
    voxel_ml = np.prod(spacing) / 1000
    assert row(comparison, "randomwalk")["Volume (ml)"] == pytest.approx(
        shifted.sum() * voxel_ml, abs=1e-3
    )
    comparison.use_result("randomwalk", 1)
    assert np.array_equal(content(logic, 1), shifted)


def test_the_real_worker_compares_three_models_and_their_numbers_make_sense(
    slicer_app: Any, scene: Any, monkeypatch: Any
) -> None:
    from sample_volumes import make_blob

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    volume, truth = make_blob(Geometry.from_spacing((20, 24, 28), (1.0, 1.0, 2.0)))
    logic = SegmentationLogic(
        scene, lambda _host: WorkerClient(LocalLauncher()), slicer_app.app_logic
    )
    comparison = ModelComparison(logic)
    try:
        logic.set_volume(add_volume_node(scene, volume))
        logic.objects.add("ball")
        inside = np.argwhere(truth)[:, ::-1]
        logic.add(Box.from_ijk(volume.geometry, inside.min(axis=0), inside.max(axis=0) + 1))
        comparison.start(["ellipsoid", "randomwalk", "sam", "ensam"], consistency=True)
        finish(logic, comparison)
        assert stages(comparison) == [Stage.DONE, Stage.DONE, Stage.FAILED, Stage.DONE]
        assert "weights" in row(comparison, "sam")["Note"]
        for model in ("ellipsoid", "randomwalk", "ensam"):
            found = row(comparison, model)
            assert found["Time (s)"] >= 0 and 30 < found["Peak memory (MB)"] < 8000
            assert found["Volume (ml)"] > 0 and found["Agreement"] > 0.5
            assert found["Consistency"] is None or 0 < found["Consistency"] <= 1
        assert dice(truth, mask_of(comparison, "ensam")) > 0.7
        logic.pump()
        assert not logic.is_predicting and content(logic, 1).any()
        comparison.use_result("randomwalk", 1)
        assert np.array_equal(content(logic, 1), mask_of(comparison, "randomwalk"))
    finally:
        comparison.shut_down()
        logic.close()


def test_a_reference_that_leaves_the_scene_is_said_to_be_gone(
    boxed_logic: SegmentationLogic, comparison: ModelComparison, scene: Any
) -> None:
    geometry = boxed_logic.volume.geometry
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    segment_id = node.GetSegmentation().AddEmptySegment("", "liver")
    paint_segment(node, segment_id, geometry, Region((3, 3, 3), (8, 8, 8)))
    comparison.start(MODELS[:2])
    comparison.scoring.use_reference(1, ReferenceSegment(node, segment_id))
    finish(boxed_logic, comparison)
    assert row(comparison, "ensam")["Dice"] == 1
    scene.RemoveNode(node)
    comparison.pump()
    assert "left the scene" in comparison.scoring.faults[1]
    assert row(comparison, "ensam")["Dice"] is None
