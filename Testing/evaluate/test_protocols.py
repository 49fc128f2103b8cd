"""Protocols are data: those that are shipped, files, and the names on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from protocol_cases import CVPR25, OBJECTS, SHAPE, Filler, loaded_case

from MedSegFMLib import Line
from MedSegFMLib.errors import CasesError
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.protocols import read_protocol, shipped_protocols
from MedSegFMLib.evaluate.run.simulated_prompts import first_prompt


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


def test_a_protocol_that_is_none_is_refused_before_anything_is_made(
    cases_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--models", "ellipsoid", "--out", tmp_path / "o", "--protocol", "cvpr26"]
    assert "no protocol 'cvpr26'" in refused(capsys, "evaluate", cases_path, *words)
    assert not (tmp_path / "o").exists()
