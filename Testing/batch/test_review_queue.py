"""The queue of a batch's review: what is looked at first, and decisions that last."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from review_batch import FAST, GRID, write_batch
from sample_volumes import make_blob

from MedSegFMLib.batch.review.queue import ReviewQueue
from MedSegFMLib.batch.review.records import Decision
from MedSegFMLib.batch.review.volumes import CaseVolumes, read_case
from MedSegFMLib.errors import CasesError, VolumeError
from MedSegFMLib.results.replay import read_ledger
from MedSegFMLib.volumes.segmentations.segmentation import Segment, Segmentation


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of three balls, b harder to see than the others, in `out` beside `in`."""
    folder = tmp_path_factory.mktemp("batch")
    write_batch(folder)
    return folder


@pytest.fixture
def batch(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "batch")
    return tmp_path / "batch"


def corrected(queue: ReviewQueue, name: str) -> tuple[Segmentation, Segmentation]:
    """A case's result, and the same without its upper half."""
    before, ledger = read_case(queue.case(name))
    (segment,) = before.segments
    mask = segment.on(before.geometry)
    mask[5:] = False
    changed = Segment.from_mask(segment.label, segment.name, mask)
    return before, replace(before, segments=(changed,), ledger=ledger.to_json())


def test_the_worst_case_comes_first_and_accepting_goes_on_with_the_next(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    assert queue.cases[0].name == "b"
    assert {case.name for case in queue.cases} == set("abc")
    first = queue.following()
    assert first is not None and first.name == "b"
    queue.accept("b")
    second = queue.following("b")
    assert second is not None and second.name == queue.cases[1].name
    assert (queue.progress.cases, queue.progress.done, queue.progress.accepted) == (3, 1, 1)


def test_a_review_goes_on_where_it_ended_and_skipped_cases_come_last(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    queue.skip("b")
    queue.accept(queue.cases[1].name)
    again = ReviewQueue(batch / "out")
    assert [case.decision for case in again.cases] == ["skipped", "accepted", None]
    last = again.following()
    assert last is not None and last.name == again.cases[2].name
    again.accept(last.name)
    skipped = again.following(last.name)
    assert skipped is not None and skipped.name == "b"
    again.accept("b")
    assert again.following("b") is None and again.progress.done == 3


def test_two_people_lose_none_of_their_decisions(batch: Path) -> None:
    one, other = ReviewQueue(batch / "out"), ReviewQueue(batch / "out")
    one.accept("a")
    other.accept("c")
    assert {row["case"] for row in table(batch / "out/review.csv")} == {"a", "c"}
    one.read_again()
    assert one.progress.done == 2


def test_the_table_says_what_a_correction_changed_and_the_batchs_file_stays(batch: Path) -> None:
    now = [100.0]
    queue = ReviewQueue(batch / "out", clock=lambda: now[0])
    original = (batch / "out/b.nii.gz").read_bytes()
    queue.opened("b")
    now[0] += 42
    before, result = corrected(queue, "b")
    path = queue.correct("b", before, result)
    assert path == batch / "out/corrected/b.nii.gz"
    assert (batch / "out/b.nii.gz").read_bytes() == original
    (row,) = table(batch / "out/review.csv")
    voxels = result.segments[0].voxels
    kept = before.segments[0].voxels
    assert (row["decision"], row["output"]) == ("corrected", "corrected/b.nii.gz")
    assert (int(row["voxels"]), float(row["seconds"])) == (voxels, 42.0)
    assert float(row["dice_before"]) == pytest.approx(2 * voxels / (voxels + kept), abs=1e-4)
    assert float(row["ml"]) == pytest.approx(voxels * GRID.voxel_volume_mm3 / 1000)


def test_a_correction_is_what_is_opened_the_next_time(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    queue.correct("b", *(pair := corrected(queue, "b")))
    case = ReviewQueue(batch / "out").case("b")
    assert case.decision is Decision.CORRECTED and case.is_done
    found, _ = read_case(case)
    assert found.segments[0].voxels == pair[1].segments[0].voxels


def test_a_decision_about_another_result_does_not_count(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    queue.accept("a")
    rows = (batch / "out/results.csv").read_text().splitlines()
    (line,) = (n for n, row in enumerate(rows) if row.startswith("a,"))
    digest = next(r["output_sha256"] for r in table(batch / "out/results.csv") if r["case"] == "a")
    rows[line] = rows[line].replace(digest, "0" * 64)
    (batch / "out/results.csv").write_text("\n".join(rows) + "\n")
    assert ReviewQueue(batch / "out").case("a").decision is None


def test_a_result_that_is_gone_cannot_be_accepted(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    (batch / "out/a.nii.gz").unlink()
    with pytest.raises(CasesError, match="run the batch again, or skip a"):
        queue.accept("a")
    queue.skip("a")
    assert queue.case("a").decision is Decision.SKIPPED


def test_the_batch_goes_on_over_a_reviewed_folder(batch: Path) -> None:
    queue = ReviewQueue(batch / "out")
    queue.correct("b", *corrected(queue, "b"))
    assert run("segment", batch / "in", *FAST, "--out", batch / "out") == 0
    assert ReviewQueue(batch / "out").case("b").decision is Decision.CORRECTED


def test_the_volume_of_a_case_is_found_in_its_folder_or_its_list(batch: Path) -> None:
    ledger = read_ledger(batch / "out/a.nii.gz")
    volume = CaseVolumes(batch / "in", batch / "out").read("a", ledger)
    assert volume.geometry.matches(GRID)
    (batch / "list.csv").write_text("volume,case\nin/a.nii.gz,a\nin/b.nii.gz,other\n")
    listed = CaseVolumes(batch / "list.csv", batch / "out")
    assert np.array_equal(listed.read("a", ledger).array_kji, volume.array_kji)
    with pytest.raises(CasesError, match="no volume of the case 'c'"):
        listed.read("c", ledger)
    with pytest.raises(VolumeError, match="not the volume that the result was made from"):
        listed.read("other", ledger)


@pytest.mark.parametrize("order", ["xyz", "zyx"])
def test_an_npz_volume_is_read_as_the_batch_read_it(order: str, tmp_path: Path) -> None:
    ball, _ = make_blob(GRID)
    array = ball.array_kji.astype(np.float32)
    (tmp_path / "in").mkdir()
    np.savez_compressed(tmp_path / "in/a.npz", imgs=array, spacing=(1.0, 1.0, 2.0))
    words = ["--model", "randomwalk", "--box", 2, 2, 1, 14, 12, 9, "--spacing-order", order]
    assert run("segment", tmp_path / "in/a.npz", *words, "--out", tmp_path / "a.nii.gz") == 0
    ledger = read_ledger(tmp_path / "a.nii.gz")
    (tmp_path / "list.csv").write_text("volume,case\nin/a.npz,a\n")
    volume = CaseVolumes(tmp_path / "list.csv", tmp_path).read("a", ledger)
    expected = (1.0, 1.0, 2.0) if order == "xyz" else (2.0, 1.0, 1.0)
    assert volume.geometry.spacing_ijk_mm == expected


def test_what_is_neither_volumes_nor_a_batch_is_refused(batch: Path) -> None:
    with pytest.raises(CasesError, match="neither a folder of volumes nor"):
        CaseVolumes(batch / "nothing", batch / "out")
    with pytest.raises(CasesError, match=r"has no results\.csv of a batch"):
        ReviewQueue(batch / "in")


def test_worst_slices_are_those_of_the_object(batch: Path) -> None:
    case = ReviewQueue(batch / "out").case("b")
    slices = case.slices_of(1)
    assert slices[0] == case.rows[0].worst_slice and len(slices) > 1
