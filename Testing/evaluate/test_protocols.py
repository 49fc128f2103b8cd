"""Protocols: read from data, and followed to the letter of the CVPR 2025 challenge's rules."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run

from MedSegFMLib import Box, Geometry, Line, Point, Text, Volume
from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.errors import CasesError
from MedSegFMLib.evaluate.protocol import BOX_MIDDLES, Protocol
from MedSegFMLib.evaluate.protocols import read_protocol, shipped_protocols
from MedSegFMLib.evaluate.records import Row, Task
from MedSegFMLib.evaluate.results.target import reached_target
from MedSegFMLib.evaluate.run.label_map_output import StepLabelMaps
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.evaluate.run.simulated_prompts import first_prompt
from MedSegFMLib.metrics import challenge_scores
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import (
    Encoding,
    ModelCard,
    Prediction,
    RegionRule,
    class_numbers,
)
from MedSegFMLib.simulate import challenge_box, next_click
from MedSegFMLib.volumes.region import Region

SHAPE = (8, 12, 14)
OBJECTS = ((1, "left"), (4, "right"))


class Filler:
    """Fills its box, less one voxel layer for each click to come; notes what it was asked."""

    def __init__(
        self,
        prompts: Sequence[str] = ("box", "point"),
        classes: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> None:
        self.card = ModelCard(
            name="filler",
            title="Filler",
            summary="",
            prompts=tuple(prompts),
            modalities=(),
            dimensions=3,
            code_licence="",
            weights_licence=None,
            region_rule=RegionRule(99, 0.0, 99, shared=False),
        )
        self.classes = tuple(classes)
        self.seconds = seconds
        self.asked: list[tuple[Prompt, ...]] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.asked.append(tuple(prompts))
        time.sleep(self.seconds)
        logits = np.full(encoding.region.shape_kji, -1, np.float32)
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        for text in prompts:
            if isinstance(text, Text):
                number = class_numbers([text.phrase], self.classes, "filler")[0]
                logits[2:6, 2:6, 2 + 5 * number : 6 + 5 * number] = 1
        for box in marks.boxes:
            logits[box.slices] = 1
        for k, j, i in marks.foreground_kji:
            logits[k, max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2] = 2
        for k, j, i in marks.background_kji:
            logits[k, j, i] = -2
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


def loaded_case(**extra: object) -> LoadedCase:
    """Two balls-like blocks, the left one with a corner that its box on the middle slice misses."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 2:8, 1:6] = 1
    labels[2, 2:10, 1:6] = 1
    labels[3:7, 4:9, 7:13] = 4
    labels[3:7, 4, 7] = 0
    geometry = Geometry.from_spacing(SHAPE, (0.8, 1.0, 3.0))
    image = Volume(labels.astype(np.float32) + np.arange(SHAPE[2]), geometry)
    return LoadedCase(image, Volume(labels, geometry), False, **extra)  # type: ignore[arg-type]


def task(objects: Sequence[tuple[int, str]] = OBJECTS) -> Task:
    folder = Path("cases")
    case = Case("a case", folder, folder / "i", folder / "l", "CT", tuple(objects))
    return Task(case, "filler", 0)


def of(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row.object == name]


CVPR25 = read_protocol("cvpr25")


# A protocol is data


def test_the_recist_protocol_begins_with_the_line_and_goes_on_with_clicks() -> None:
    model = Filler()
    rows, _ = run_case(task(), loaded_case(), model, read_protocol("recist"), no_progress)
    left = of(rows, "left")
    assert left[0].prompt == "line" and left[0].dsc > 0
    assert all(row.prompt.startswith("click") for row in left[1:])
    assert {row.step for row in left} == set(range(6))


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [(("box",), "line"), (("line",), "line"), (("text",), "text")],
    ids=["box", "line", "text"],
)
def test_a_line_is_for_every_model_that_takes_places(
    prompts: tuple[str, ...], expected: str
) -> None:
    case, protocol = loaded_case(), read_protocol("recist")
    reference = case.label.array_kji == 4
    card = Filler(prompts=prompts, classes=("right",)).card
    prompt, kind = first_prompt(card, "right", 4, reference, case, protocol, 0)
    assert kind == expected and isinstance(prompt, Line) == (expected == "line")


def test_a_protocol_cannot_begin_with_a_line_and_a_mask() -> None:
    with pytest.raises(CasesError, match="begins with a line and with a mask"):
        Protocol(line=True, start="any")


@pytest.mark.parametrize("name", shipped_protocols())
def test_every_protocol_that_is_shipped_is_read_under_its_name(name: str) -> None:
    assert read_protocol(name).name == name
    assert read_protocol(name).sentence().startswith(f"{name}: ")


def test_the_default_protocol_is_what_it_always_was() -> None:
    assert read_protocol("clicks") == Protocol(5, 0.0, True)


def test_the_challenge_has_five_clicks_ninety_seconds_and_a_tolerance_of_two() -> None:
    assert (CVPR25.clicks, CVPR25.seconds_per_object, CVPR25.nsd_tolerance) == (5, 90, 2.0)
    assert CVPR25.together and CVPR25.failures == "zero" and CVPR25.nsd_spacing == "stored"


def test_a_file_holds_what_differs_from_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"clicks": 3, "target_dice": 0.85}')
    mine = read_protocol(str(tmp_path / "mine.json"))
    assert mine == Protocol(clicks=3, target_dice=0.85, name="mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ('{"klicks": 3}', "has the unknown field 'klicks'"),
        ('{"clicks": 2.5}', "clicks is 2.5; give a whole number"),
        ('{"clicks": true}', "clicks is True; give a whole number"),
        ('{"clicks": -1}', "clicks is -1"),
        ('{"jitter": 0.5}', "jitter is 0.5"),
        ('{"jitter": NaN}', "contains NaN"),
        ('{"box": "yes"}', "box is 'yes'; give true or false"),
        ('{"name": " "}', "name is ' '"),
        ('{"box_rule": "round"}', "box_rule is 'round'; give 'around' or 'challenge'"),
        ('{"target_dice": 1.2}', "target_dice is 1.2"),
        ('{"seconds_per_object": 0}', "seconds_per_object is 0"),
        ('{"failures": "skip"}', "failures is 'skip'; give 'zero' or 'omit'"),
        ('{"nsd_tolerance": -1}', "nsd_tolerance is -1"),
        ('{"together": true, "target_dice": 0.9}', "each object has its own last click"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_in_a_sentence(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(CasesError) as refusal:
        read_protocol(str(tmp_path / "p.json"))
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_protocol_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CasesError, match=r"'cvpr26' \(did you mean cvpr25\?\); name clicks, clinical"
    ):
        read_protocol("cvpr26")
    with pytest.raises(CasesError, match="cannot be read"):
        read_protocol(str(tmp_path / "none.json"))


# What a model is begun with


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
        first, *clicks = of(rows, name)
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
        [row.step for row in of(rows, "left")]
        == [0, 1, 2]
        == [row.step for row in of(rows, "right")]
    )
    assert of(rows, "left")[0].dsc > 0.3 and not of(rows, "left")[0].failed
    for row in of(rows, "right"):
        assert row.failed == "The model filler has no class 'right'; its classes are left."
        assert (row.dsc, row.nsd, row.hd95_mm) == (0, 0, np.inf)
        assert not protocol.counts(row) and CVPR25.counts(row)
    assert protocol.complete(of(rows, "right"))


# The challenge's rules


def test_all_classes_get_a_click_in_one_call_for_each_step() -> None:
    model = Filler()
    rows, _ = run_case(task(), loaded_case(), model, CVPR25, no_progress)
    assert of(rows, "left")[0].prompt == "box"
    for step in range(6):
        pair = [row for row in rows if row.step == step]
        placed = [row for row in pair if row.prompt != "none"]
        # The step's time is the user's, whatever the object.
        assert len({row.seconds for row in placed}) <= 1
    assert {len(of(rows, name)) for _, name in OBJECTS} == {6}


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
        clicks = [row.prompt for row in of(rows, name)][1:]
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
    assert [row.prompt for row in of(rows, "right")] == ["box"] + ["none"] * 5
    assert {row.dsc for row in of(rows, "right")} == {1.0}
    assert of(rows, "left")[1].prompt == "click -"


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
        own = of(rows, name)
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


# Clicks until a target


def test_clicks_end_at_the_target_and_tell_how_many_it_took() -> None:
    protocol = Protocol(clicks=10, box=False, target_dice=0.5)
    rows, _ = run_case(task(), loaded_case(), Filler(), protocol, no_progress)
    for _, name in OBJECTS:
        own = of(rows, name)
        assert protocol.complete(own) and not protocol.complete(own[:-1])
        assert own[-1].dsc >= 0.5 and all(row.dsc < 0.5 for row in own[:-1])
        reached = reached_target(own, protocol)
        assert reached.reached and reached.interactions == len(own) > 1
        assert reached.seconds == pytest.approx(sum(row.seconds for row in own))


def test_an_object_that_never_reaches_the_target_has_all_its_clicks() -> None:
    protocol = Protocol(clicks=2, box=False, target_dice=1.0)
    rows, _ = run_case(task(), loaded_case(), Filler(), protocol, no_progress)
    assert len(of(rows, "left")) == 3 and protocol.complete(of(rows, "left"))
    assert reached_target(of(rows, "left"), protocol).reached is False


def test_maps_are_kept_to_the_last_step_where_clicks_end_early(tmp_path: Path) -> None:
    protocol = Protocol(clicks=3, target_dice=0.01, save_segs=True)
    kept = StepLabelMaps(SHAPE, [1, 4], protocol)
    run_case(task(), loaded_case(), Filler(), protocol, no_progress, kept)
    kept.write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as written:
        assert written["segs"].shape == SHAPE and written["all_segs"].shape == (4, *SHAPE)
        assert all(np.array_equal(each, written["segs"]) for each in written["all_segs"])
        assert set(np.unique(written["segs"])) == {0, 1, 4}


# On the command line


@pytest.fixture
def cases_path(tmp_path: Path) -> Path:
    loaded = loaded_case()
    loaded.image.write(tmp_path / "a.nrrd")
    loaded.label.write(tmp_path / "a-label.nrrd")
    case = {"name": "a", "image": "a.nrrd", "label": "a-label.nrrd", "modality": "CT"}
    objects = {str(value): name for value, name in OBJECTS}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [{**case, "objects": objects}]}))
    return tmp_path / "cases.json"


def test_evaluate_follows_the_protocol_that_is_named(cases_path: Path, tmp_path: Path) -> None:
    words = ["--models", "ellipsoid", "--jobs", 1, "--protocol"]
    out = tmp_path / "o"
    assert run("evaluate", cases_path, "--out", out, *words, "cvpr25", "--clicks", 1) == 0
    held = json.loads((out / "protocol.json").read_text(encoding="utf-8"))
    assert held["name"] == "cvpr25" and held["clicks"] == 1 and held["together"] is True
    (segs,) = (out / "segs").iterdir()
    with np.load(segs) as written:
        assert written["all_segs"].shape == (2, *SHAPE) and written["segs"].max() == 4
    assert "cvpr25" in (out / "report.html").read_text(encoding="utf-8")


def test_results_with_the_boxes_before_may_2025_are_continued_under_their_own_name(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = ["--models", "ellipsoid", "--jobs", 1, "--clicks", 0, "--protocol"]
    assert run("evaluate", cases_path, "--out", out, *words, "cvpr25-middle-voxel") == 0
    held = json.loads((out / "protocol.json").read_text(encoding="utf-8"))
    # As version 0.2.0 named rule and protocol.
    del held["rules"]
    old = {**held, "name": "cvpr25", "box_rule": "challenge"}
    (out / "protocol.json").write_text(json.dumps(old), encoding="utf-8")
    capsys.readouterr()
    told = refused(capsys, "evaluate", cases_path, "--out", out, *words, "cvpr25")
    assert "box_rule challenge-middle-voxel there, challenge requested" in told
    assert run("evaluate", cases_path, "--out", out, *words, "cvpr25-middle-voxel") == 0


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


def test_a_protocol_that_is_none_is_refused_before_anything_is_made(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--models", "ellipsoid", "--out", tmp_path / "o", "--protocol", "cvpr26"]
    assert "no protocol 'cvpr26'" in refused(capsys, "evaluate", cases_path, *words)
    assert not (tmp_path / "o").exists()
