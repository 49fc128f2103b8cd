"""Several models on the same prompts, through the worker that the user's own work uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_comparisons import MODELS, ModelsClient, finish, mask_of, row, stages
from scene_helpers import add_volume_node, content

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.errors import ModelError, PromptError, VolumeError
from MedSegFMLib.metrics import dice
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.comparison.results import Stage
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.prompts.json_format import prompts_from_json, prompts_to_json
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Text
from MedSegFMLib.worker.client import LocalLauncher, WorkerClient
from MedSegFMLib.worker.events import Noted


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
