"""A case step by step: the first prompt that each model takes, clicks, and when they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from protocol_cases import CVPR25, OBJECTS, SHAPE, Filler, loaded_case, rows_of, task

from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.results.target import reached_target
from MedSegFMLib.evaluate.run.label_map_output import StepLabelMaps
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.progress import no_progress


def test_the_recist_protocol_begins_with_the_line_and_goes_on_with_clicks() -> None:
    model = Filler()
    rows, _ = run_case(task(), loaded_case(), model, read_protocol("recist"), no_progress)
    left = rows_of(rows, "left")
    assert left[0].prompt == "line" and left[0].dsc > 0
    assert all(row.prompt.startswith("click") for row in left[1:])
    assert {row.step for row in left} == set(range(6))


def test_each_model_is_begun_with_what_it_takes() -> None:
    def first(prompts: Sequence[str], **differing: bool) -> str:
        protocol = Protocol(0, **differing)  # type: ignore[arg-type]
        classes = ("left", "right") if "text" in prompts else ()
        rows, _ = run_case(task(), loaded_case(), Filler(prompts, classes), protocol, no_progress)
        assert {row.failed for row in rows} == {""}
        (words,) = {row.prompt for row in rows}
        return words

    assert first(["box", "point", "text"]) == "box"
    assert first(["box", "point", "text"], text_first=True) == "text"
    assert first(["point", "text"]) == "click +"
    assert first(["text"]) == "text"
    assert first(["box", "point"], box=False) == "click +"
    assert first(["box", "text"], box=False) == "text"


def test_a_protocol_that_starts_from_a_mask_gives_the_object_with_an_error() -> None:
    refine = read_protocol("refine")
    assert refine.start == "any" and "as a mask to start from" in refine.sentence()
    model = Filler(("point", "mask"))
    rows, _ = run_case(task(), loaded_case(), model, replace(refine, clicks=2), no_progress)
    again, _ = run_case(task(), loaded_case(), model, replace(refine, clicks=2), no_progress)
    assert [row.dsc for row in rows] == [row.dsc for row in again]
    for name in ("left", "right"):
        first, *clicks = rows_of(rows, name)
        assert first.prompt == "mask" and 0.3 < first.dsc < 1
        assert all(row.prompt.startswith("click") for row in clicks)
        assert clicks[-1].dsc != first.dsc
    boxed, _ = run_case(task(), loaded_case(), Filler(("box",)), refine, no_progress)
    assert boxed[0].prompt == "box"


@pytest.mark.parametrize("together", [False, True])
def test_a_model_that_knows_one_object_has_its_row_and_the_other_says_why_not(
    together: bool,
) -> None:
    protocol = Protocol(2, together=together)
    model = Filler(["text"], ["left"])
    rows, _ = run_case(task(), loaded_case(), model, protocol, no_progress)
    assert (
        [row.step for row in rows_of(rows, "left")]
        == [0, 1, 2]
        == [row.step for row in rows_of(rows, "right")]
    )
    assert rows_of(rows, "left")[0].dsc > 0.3 and not rows_of(rows, "left")[0].failed
    for row in rows_of(rows, "right"):
        assert row.failed == "The model filler has no class 'right'; its classes are left."
        assert (row.dsc, row.nsd, row.hd95_mm) == (0, 0, np.inf)
        assert not protocol.counts(row) and CVPR25.counts(row)
    assert protocol.complete(rows_of(rows, "right"))


def test_objects_compete_so_that_the_result_is_one_label_map() -> None:
    boxes = {1: ((2, 2, 1), (6, 10, 9)), 4: ((3, 4, 5), (7, 9, 13))}
    _, alone = run_case(
        task(), loaded_case(boxes=boxes), Filler(), Protocol(0, box_rule="challenge"), no_progress
    )
    _, together = run_case(
        task(),
        loaded_case(boxes=boxes),
        Filler(),
        Protocol(0, box_rule="challenge", together=True),
        no_progress,
    )
    assert (alone == 3).any() and not (together == 3).any()


def test_clicks_end_at_the_target_and_tell_how_many_it_took() -> None:
    protocol = Protocol(clicks=10, box=False, target_dice=0.5)
    rows, _ = run_case(task(), loaded_case(), Filler(), protocol, no_progress)
    for _, name in OBJECTS:
        own = rows_of(rows, name)
        assert protocol.complete(own) and not protocol.complete(own[:-1])
        assert own[-1].dsc >= 0.5 and all(row.dsc < 0.5 for row in own[:-1])
        reached = reached_target(own, protocol)
        assert reached.reached and reached.interactions == len(own) > 1
        assert reached.seconds == pytest.approx(sum(row.seconds for row in own))


def test_an_object_that_never_reaches_the_target_has_all_its_clicks() -> None:
    protocol = Protocol(clicks=2, box=False, target_dice=1.0)
    rows, _ = run_case(task(), loaded_case(), Filler(), protocol, no_progress)
    assert len(rows_of(rows, "left")) == 3 and protocol.complete(rows_of(rows, "left"))
    assert reached_target(rows_of(rows, "left"), protocol).reached is False


def test_maps_are_kept_to_the_last_step_where_clicks_end_early(tmp_path: Path) -> None:
    protocol = Protocol(clicks=3, target_dice=0.01, save_segs=True)
    kept = StepLabelMaps(SHAPE, [1, 4], protocol)
    run_case(task(), loaded_case(), Filler(), protocol, no_progress, kept)
    kept.write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as written:
        assert written["segs"].shape == SHAPE and written["all_segs"].shape == (4, *SHAPE)
        assert all(np.array_equal(each, written["segs"]) for each in written["all_segs"])
        assert set(np.unique(written["segs"])) == {0, 1, 4}
