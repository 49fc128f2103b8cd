"""The rules of the CVPR 2025 challenge, followed to the letter."""

from __future__ import annotations

import numpy as np
import pytest
from protocol_cases import CVPR25, OBJECTS, SHAPE, Filler, loaded_case, rows_of, task

from MedSegFMLib import Box, Point, Volume
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.evaluate.protocol import BOX_MIDDLES, Protocol
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.run.label_map_output import StepLabelMaps
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.evaluate.run.simulated_prompts import first_prompt
from MedSegFMLib.metrics import challenge_scores
from MedSegFMLib.progress import no_progress
from MedSegFMLib.simulate import challenge_box, next_click


def test_all_classes_get_a_click_in_one_call_for_each_step() -> None:
    model = Filler()
    rows, _ = run_case(task(), loaded_case(), model, CVPR25, no_progress)
    assert rows_of(rows, "left")[0].prompt == "box"
    for step in range(6):
        pair = [row for row in rows if row.step == step]
        placed = [row for row in pair if row.prompt != "none"]
        # The step's time is the user's, whatever the object.
        assert len({row.seconds for row in placed}) <= 1
    assert {len(rows_of(rows, name)) for _, name in OBJECTS} == {6}


def test_scores_are_those_of_the_challenge_on_the_label_map_of_each_step() -> None:
    loaded = loaded_case()
    kept = StepLabelMaps(SHAPE, [1, 4], CVPR25)
    rows, _ = run_case(task(), loaded, Filler(), CVPR25, no_progress, kept)
    for step in range(6):
        drawn = kept._maps[step]
        # The numbers of `spacing`, x first as writers store them, go to K, J and I as they stand.
        dsc, nsd = challenge_scores(loaded.label.array_kji, drawn, (0.8, 1.0, 3.0))
        pair = [row for row in rows if row.step == step]
        assert np.mean([row.dsc for row in pair]) == pytest.approx(dsc, abs=1e-12)
        gated = np.mean([row.nsd for row in pair]) if dsc > 0.2 else 0.0
        assert gated == pytest.approx(nsd, abs=1e-12)
    assert 0 < rows[0].dsc < 1


def test_the_surface_dice_of_the_honest_spacing_is_another() -> None:
    loaded = loaded_case()
    nsd = {}
    for spacing in ("geometry", "stored"):
        protocol = Protocol(0, box_rule="challenge", nsd_spacing=spacing, nsd_tolerance=1.0)
        rows, _ = run_case(task(), loaded, Filler(), protocol, no_progress)
        nsd[spacing] = [row.nsd for row in rows], [row.hd95_mm for row in rows]
    assert nsd["geometry"][0] != nsd["stored"][0]
    # Distances are millimetres in both.
    assert nsd["geometry"][1] == nsd["stored"][1]


def test_each_click_is_the_one_of_the_challenges_script() -> None:
    loaded, model = loaded_case(), Filler()
    kept = StepLabelMaps(SHAPE, [1, 4], CVPR25)
    rows, _ = run_case(task(), loaded, model, CVPR25, no_progress, kept)
    geometry = loaded.image.geometry
    for value, name in OBJECTS:
        truth = loaded.label.array_kji == value
        clicks = [row.prompt for row in rows_of(rows, name)][1:]
        for step, words in enumerate(clicks):
            expected = next_click(truth, kept._maps[step] == value, None)
            if expected is None:
                assert words == "none"
                continue
            position, positive = expected
            assert words == ("click +" if positive else "click -")
            point = Point.from_ijk(geometry, position[::-1], positive)
            assert any(point in prompts for prompts in model.asked)


def test_the_click_among_ties_is_numpys_old_generator_with_the_seed_42() -> None:
    truth = np.zeros((4, 6, 30), bool)
    truth[1, 2, 3:29] = True
    deepest = np.argwhere(truth)
    np.random.seed(42)
    expected = deepest[np.random.choice(len(deepest))]
    assert next_click(truth, np.zeros_like(truth), None) == (tuple(expected), True)


def test_a_class_without_error_gets_no_click_and_the_others_do() -> None:
    labels = loaded_case().label.array_kji
    perfect = {4: ((3, 4, 7), (7, 9, 13)), 1: ((2, 2, 1), (6, 10, 6))}
    full = labels.copy()
    full[3:7, 4, 7] = 4
    loaded = loaded_case(boxes=perfect)
    loaded = LoadedCase(loaded.image, Volume(full, loaded.image.geometry), False, perfect)
    rows, _ = run_case(task(), loaded, Filler(), CVPR25, no_progress)
    assert [row.prompt for row in rows_of(rows, "right")] == ["box"] + ["none"] * 5
    assert {row.dsc for row in rows_of(rows, "right")} == {1.0}
    assert rows_of(rows, "left")[1].prompt == "click -"


def test_the_files_own_boxes_are_the_first_prompts() -> None:
    boxes = {1: ((2, 2, 1), (6, 8, 6)), 4: ((3, 4, 7), (7, 9, 13))}
    loaded, model = loaded_case(boxes=boxes), Filler()
    run_case(task(), loaded, model, CVPR25, no_progress)
    for start, stop in boxes.values():
        box = Box.from_ijk(loaded.image.geometry, start[::-1], stop[::-1])
        assert (box,) in model.asked


def test_a_file_without_boxes_has_a_first_score_of_zero_and_begins_with_clicks() -> None:
    model = Filler()
    rows, _ = run_case(task(), loaded_case(boxes={}), model, CVPR25, no_progress)
    for _, name in OBJECTS:
        own = rows_of(rows, name)
        assert [row.prompt for row in own[:2]] == ["none", "click +"]
        assert (own[0].dsc, own[0].nsd, own[0].seconds) == (0, 0, 0)
    assert not any(isinstance(p, Box) for prompts in model.asked for p in prompts)


def test_a_volume_gets_the_challenges_box_in_proportion_to_its_slice() -> None:
    reference = np.zeros((4, 512, 128), bool)
    reference[1:3, 200:300, 40:60] = True
    widths = set()
    for seed in range(60):
        (_, j0, i0), (_, j1, i1) = challenge_box(reference, 5, seed, 256)
        assert 200 - j0 == j1 - 300 and 40 - i0 == i1 - 60
        widths.add((200 - j0, 40 - i0))
    # 0 to 5, twice as much on 512 voxels, half as much, rounded down, on 128.
    assert widths == {(2 * n, n // 2) for n in range(6)}


def test_a_case_over_its_time_counts_zero_at_every_step_and_is_asked_no_more() -> None:
    protocol = Protocol(5, together=True, seconds_per_object=0.03, failures="zero")
    model = Filler(seconds=0.025)
    rows, _ = run_case(task(), loaded_case(), model, protocol, no_progress)
    assert len(rows) == 12 and len(model.asked) < 8
    assert {(row.dsc, row.nsd) for row in rows} == {(0, 0)}
    assert all("over the protocol's 0.06 s for 2 objects" in row.failed for row in rows)
    assert rows[0].prompt == "box" and rows[0].seconds >= 0.05
    quick, _ = run_case(task(), loaded_case(), Filler(), CVPR25, no_progress)
    assert not any(row.failed for row in quick)


def test_both_rules_of_the_challenge_draw_boxes_for_volumes() -> None:
    loaded = loaded_case(boxes=None)
    reference = np.zeros(SHAPE, bool)
    reference[1, 1:8, 1:8] = reference[2, 2:4, 2:4] = reference[3, 4:7, 4:7] = True
    drawn = []
    for protocol in (CVPR25, read_protocol("cvpr25-middle-voxel")):
        prompt, _ = first_prompt(Filler().card, "a", 1, reference, loaded, protocol, seed=5)
        middle = BOX_MIDDLES[protocol.box_rule]
        (k0, j0, i0), (k1, j1, i1) = challenge_box(reference, 5, 5, 256, middle)
        assert prompt == Box.from_ijk(loaded.image.geometry, (i0, j0, k0), (i1, j1, k1))
        drawn.append(prompt)
    assert drawn[0] != drawn[1]
