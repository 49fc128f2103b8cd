"""The review of a batch in a scene: cases are opened, corrected with prompts, and decided about."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_batch import BALL, GRID, write_batch
from scene_helpers import SessionClient, paint

from MedSegFMLib import Point, Region, Segmentation
from MedSegFMLib.batch.review.records import Decision
from MedSegFMLib.errors import CasesError, OutputError, VolumeError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.review.review import Review
from MedSegFMLib.prompts.mask import Mask
from MedSegFMLib.results.replay import read_ledger


@pytest.fixture(scope="module", params=[".nii.gz", ".seg.nrrd"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("batch")
    write_batch(folder, request.param)
    return folder


@pytest.fixture
def batch(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "batch")
    return tmp_path / "batch"


@pytest.fixture
def review(logic: SegmentationLogic, scene: Any, batch: Path) -> Review:
    made = Review(logic, scene, lambda node: None)
    made.open(batch / "out", batch / "in")
    return made


def table(batch: Path) -> dict[str, dict[str, str]]:
    with (batch / "out/review.csv").open(newline="", encoding="utf-8") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def names(scene: Any, kind: str) -> list[str]:
    kind = f"vtkMRML{kind}Node"
    count = scene.GetNumberOfNodesByClass(kind)
    return [scene.GetNthNodeByClass(n, kind).GetName() for n in range(count)]


def voxels(logic: SegmentationLogic) -> np.ndarray:
    return logic.objects.to_labels().array_kji > 0


def result(batch: Path, name: str) -> Segmentation:
    (path,) = (p for p in (batch / "out").glob(f"{name}.*") if not p.name.endswith("json"))
    return Segmentation.read(path)


def take_away_a_corner(logic: SegmentationLogic) -> None:
    """Click on a voxel of the segment that does not belong to it."""
    k, j, i = np.argwhere(voxels(logic))[0].tolist()
    logic.add(Point.from_ijk(GRID, (i, j, k), positive=False), 1)
    logic.pump()


def test_a_case_is_opened_as_it_was_saved_without_asking_the_model(
    review: Review, logic: SegmentationLogic, client: SessionClient, batch: Path
) -> None:
    assert review.next_case() == ""
    logic.pump()
    assert review.open_case is not None and review.open_case.case.name == "b"
    assert logic.prompts == BALL and logic.model == "randomwalk"
    saved = result(batch, "b")
    assert np.array_equal(voxels(logic), saved.segments[0].on(saved.geometry))
    assert not client.requests and not review.is_changed


def test_the_views_go_to_the_worst_slice_and_then_to_the_next(
    review: Review, logic: SegmentationLogic, scene: Any
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    review.next_case()
    assert review.open_case is not None
    worst = review.open_case.case.slices_of(1)
    assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(2.0 * worst[0])
    assert review.next_slice() == worst[1]
    assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(2.0 * worst[1])
    for _ in worst[1:]:
        shown = review.next_slice()
    assert shown == worst[0]


def test_an_object_that_a_case_does_not_have_is_refused_and_opens_nothing(review: Review) -> None:
    with pytest.raises(CasesError, match="no object 7"):
        review.go_to("a", 7)
    assert review.open_case is None


def test_accepting_writes_the_decision_and_leaves_the_file(
    review: Review, batch: Path, scene: Any
) -> None:
    review.next_case()
    assert review.accept() is Decision.ACCEPTED
    assert table(batch)["b"]["decision"] == "accepted"
    assert not (batch / "out/corrected").exists()
    review.next_case()
    assert review.open_case is not None and review.open_case.case.name != "b"
    # The case before has left the scene, with its segments and prompts.
    name = review.open_case.case.name
    assert names(scene, "ScalarVolume") == [name]
    assert len(names(scene, "Segmentation")) == 1 and len(names(scene, "Text")) == 1


def test_a_correction_goes_on_from_the_saved_prompts_and_is_written_with_its_ledger(
    review: Review, logic: SegmentationLogic, batch: Path
) -> None:
    review.next_case()
    take_away_a_corner(logic)
    assert review.is_changed
    corrected = voxels(logic)
    assert review.accept() is Decision.CORRECTED
    row = table(batch)["b"]
    assert row["decision"] == "corrected" and 0 < float(row["dice_before"]) < 1
    path = batch / "out" / row["output"]
    found = Segmentation.read(path)
    assert np.array_equal(found.segments[0].on(found.geometry), corrected)
    ledger = read_ledger(path)
    assert len(ledger.prompts.entries) == 2 and ledger.volume_sha256
    assert not review.is_changed


def test_a_correction_that_is_not_saved_is_not_left_by_mistake(
    review: Review, logic: SegmentationLogic, batch: Path
) -> None:
    review.next_case()
    take_away_a_corner(logic)
    for leave in (review.next_case, lambda: review.open(batch / "out", batch / "in")):
        with pytest.raises(OutputError, match="correction of b is not saved yet"):
            leave()
    review.skip()
    assert table(batch)["b"]["decision"] == "skipped"
    review.next_case()
    assert review.open_case is not None and review.open_case.case.name != "b"


def test_an_awaited_answer_is_no_result_yet(
    review: Review, logic: SegmentationLogic, client: SessionClient
) -> None:
    review.next_case()
    client.paused = True
    logic.add(Point.from_ijk(GRID, (8, 7, 5), positive=False), 1)
    with pytest.raises(OutputError, match="still awaited"):
        review.accept()
    client.paused = False
    logic.pump()
    assert review.accept() is Decision.CORRECTED


def test_a_correction_is_opened_again_with_its_prompts(
    review: Review, logic: SegmentationLogic, scene: Any, batch: Path
) -> None:
    review.next_case()
    take_away_a_corner(logic)
    review.accept()
    corrected = voxels(logic)
    review.close_case()
    again = Review(logic, scene, lambda node: None)
    again.open(batch / "out", batch / "in")
    again.go_to("b")
    assert np.array_equal(voxels(logic), corrected) and len(logic.prompts.entries) == 2
    # Looked at once more and left as it is.
    assert again.accept() is Decision.CORRECTED
    assert table(batch)["b"]["decision"] == "corrected"


def test_what_was_painted_is_kept_when_a_correction_is_opened_again(
    review: Review, logic: SegmentationLogic, scene: Any, batch: Path
) -> None:
    review.next_case()
    painted = voxels(logic)
    painted[:3] = False
    paint(logic, 1, Region((0, 0, 0), (3, *GRID.shape_kji[1:])), value=False)
    logic.pump()
    assert np.array_equal(voxels(logic), painted) and painted.any()
    assert review.accept() is Decision.CORRECTED
    review.close_case()
    review.open(batch / "out", batch / "in")
    review.go_to("b")
    assert np.array_equal(voxels(logic), painted)
    ((_, prompt),) = logic.prompts.entries
    assert isinstance(prompt, Mask)
    logic.add(Point.from_ijk(GRID, (8, 7, 5)), 1)
    logic.pump()
    assert not voxels(logic)[:3].any()


def test_the_work_that_was_there_before_stays_in_the_scene(
    review: Review, logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(Point((3, 4, 5)))
    logic.pump()
    review.next_case()
    review.close_case()
    assert logic.volume_node is None and names(scene, "ScalarVolume") == [plain.GetName()]
    logic.set_volume(plain)
    assert len(logic.prompts.entries) == 1


def test_a_case_that_another_user_action_left_is_gone_on_with(
    review: Review, logic: SegmentationLogic, plain: Any, scene: Any
) -> None:
    review.next_case()
    assert review.open_case is not None
    take_away_a_corner(logic)
    logic.set_volume(plain)
    assert review.accept() is Decision.CORRECTED
    assert logic.volume_node is review.open_case.volume_node
    scene.RemoveNode(review.open_case.volume_node)
    logic.pump()
    with pytest.raises(CasesError, match="No case is open"):
        review.accept()


def test_a_case_of_another_volume_is_refused_and_the_open_one_stays(
    review: Review, logic: SegmentationLogic, batch: Path
) -> None:
    review.go_to("b")
    shutil.copy(batch / "in/b.nii.gz", batch / "in/a.nii.gz")
    with pytest.raises(VolumeError, match="not the volume that the result was made from"):
        review.go_to("a")
    assert review.open_case is not None and review.open_case.case.name == "b"
    assert review.accept() is Decision.ACCEPTED


def test_when_all_is_done_nothing_is_open(review: Review, scene: Any) -> None:
    for _ in range(3):
        review.next_case()
        review.accept()
    assert review.next_case() == ""
    assert review.open_case is None and names(scene, "ScalarVolume") == []
    assert review.queue is not None and review.queue.progress.done == 3


def test_without_a_batch_the_way_out_is_said(logic: SegmentationLogic, scene: Any) -> None:
    review = Review(logic, scene, lambda node: None)
    with pytest.raises(CasesError, match="open the folder of its results first"):
        review.next_case()
