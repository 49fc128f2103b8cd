"""`medsegfm segment --text` and the shell ask where an object is; an option or a click decides."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import words_model
from command_line import refused, run
from words_model import two_balls

from MedSegFMLib import Volume, registry
from MedSegFMLib.commands.interactive import answerer
from MedSegFMLib.results.ledger import sidecar_of

BALLS = two_balls().array_kji > 50
# The large ball is place 1, the small one place 2.
SIDES = {1: (slice(None), slice(None), slice(0, 20)), 2: (slice(None), slice(None), slice(20, 40))}


@pytest.fixture
def balls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A volume with two balls; `guess` takes one of them for either side, `know` does not."""
    for name, guesses in (("guess", True), ("know", False)):
        monkeypatch.setitem(registry.MODELS, name, "")  # type: ignore[arg-type]
        words_model.register(guesses, name)
    (tmp_path / "in").mkdir()
    two_balls().write(tmp_path / "in" / "balls.nrrd")
    return tmp_path / "in" / "balls.nrrd"


def segment(balls: Path, out: Path, *words: object, model: str = "guess") -> int:
    text = () if "--prompts" in words else ("--text", "left ball")
    return run("segment", balls, "--model", model, *text, "--out", out, *words)


def mask_of(path: Path) -> np.ndarray:
    return Volume.read(path).array_kji > 0


def test_a_question_is_printed_with_its_places_and_no_mask_is_made(
    balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seg.nii.gz"
    assert segment(balls, out) == 3
    printed = capsys.readouterr().out
    assert not mask_of(out).any()
    assert "Where is 'left ball'? The looks at it agree by 0.00" in printed
    assert re.search(r"^ *1 .*-9\.0 -11\.0 9\.0 .* 9 11 9 .* 9 .* 0\.50", printed, re.MULTILINE)
    assert re.search(r"^ *2 .*-31\.0 -12\.0 11\.0 .* 31 12 11 .* 11 ", printed, re.MULTILINE)
    assert "Add --place N, or --point at one, to decide" in printed


@pytest.mark.parametrize("number", [1, 2])
def test_the_number_of_a_place_decides_as_a_click_at_it_does(
    number: int, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, clicked, saved = (tmp_path / n for n in ("a.nii.gz", "b.nii.gz", "p.json"))
    assert segment(balls, chosen, "--place", number, "--prompts-out", saved) == 0
    assert "Where is" not in capsys.readouterr().out
    wanted = np.zeros_like(BALLS)
    wanted[SIDES[number]] = BALLS[SIDES[number]]
    assert np.array_equal(mask_of(chosen), wanted)
    at = {1: (9, 11, 9), 2: (31, 12, 11)}[number]
    assert segment(balls, clicked, "--point", *at) == 0
    assert np.array_equal(mask_of(clicked), wanted)
    # The decision is a prompt as any other: saved ones, and a replay, give the same.
    again = tmp_path / "c.nii.gz"
    assert segment(balls, again, "--prompts", saved) == 0
    assert np.array_equal(mask_of(again), wanted)
    assert run("replay", chosen, balls) == 0


def test_a_place_that_is_ruled_out_leaves_the_others(
    balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(balls, tmp_path / "seg.nii.gz", "--negative", 9, 11, 9) == 3
    printed = capsys.readouterr().out
    assert "31 12 11" in printed and not re.search(r"^ *1 .* 9 11 9", printed, re.MULTILINE)


def test_a_question_is_replayed_as_a_question(balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "seg.nii.gz"
    segment(balls, out)
    assert run("replay", out, balls) == 0
    assert json.loads(sidecar_of(out).read_text())["asked_with"] == []
    # A model without words has no question to replay.
    box = ("--box", 1, 1, 1, 20, 20, 18)
    assert run("segment", balls, "--model", "randomwalk", *box, "--out", out) == 0
    assert json.loads(sidecar_of(out).read_text())["asked_with"] is None


def test_the_picture_of_a_question_has_its_numbers(
    balls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    drawn: list[str] = []
    text = Axes.text
    monkeypatch.setattr(
        Axes, "text", lambda self, x, y, s, **o: drawn.append(s) or text(self, x, y, s, **o)
    )
    picture = tmp_path / "places.png"
    assert segment(balls, tmp_path / "seg.nii.gz", "--preview", picture) == 3
    assert picture.read_bytes()[:4] == b"\x89PNG"
    # Three planes through each of the two places, in some of which is the other one, too.
    assert drawn.count("1") >= 3 and drawn.count("2") >= 3 and "3" not in drawn


def test_a_model_that_understands_is_not_asked(
    balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seg.nii.gz"
    assert segment(balls, out, model="know") == 0
    assert mask_of(out)[SIDES[2]].any() and not mask_of(out)[SIDES[1]].any()
    assert "Where is" not in capsys.readouterr().out
    # Unless another model says otherwise.
    assert segment(balls, out, "--also-ask", "guess", model="know") == 3
    assert json.loads(sidecar_of(out).read_text())["asked_with"] == ["guess"]
    assert run("replay", out, balls) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--place", 7), "'left ball' has no place '7'; its places are 1, 2"),
        (("--place", "x"), "'left ball' has no place 'x'"),
        (("--place", "spleen:1"), "There is no object 'spleen'"),
        (("--text", "right ball", "--place", 1), "Place 1 could be of any of left ball, right"),
        (("--point", 20, 2, 1), "finds nothing at the click on voxel 20 2 1"),
        (("--also-ask", "ensam"), "--also-ask compares models that take any words, and ensam does"),
        (("--also-ask", "nothing"), "There is no model 'nothing'"),
    ],
)
def test_answers_to_no_question_are_refused(
    words: tuple[object, ...],
    message: str,
    balls: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "seg.nii.gz"
    typed = ("segment", balls, "--model", "guess", "--text", "left ball", "--out", out)
    assert message in refused(capsys, *typed, *words)
    assert not out.exists()


def test_several_objects_are_answered_by_name(balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "seg.nii.gz"
    places = ("--place", "left ball:2", "--place", "right ball:1")
    assert segment(balls, out, "--text", "right ball", *places) == 0
    labels = Volume.read(out).array_kji
    assert set(np.unique(labels[SIDES[1]])) == {0, 2} and set(np.unique(labels[SIDES[2]])) == {0, 1}


def test_many_volumes_and_evaluations_are_not_asked(balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "many"
    assert segment(balls.parent, out) == 0
    (made,) = out.rglob("*.nii.gz")
    assert mask_of(made).any()


def test_the_shell_asks_in_its_worker_and_a_number_decides(
    balls: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(registry.MODELS, words_model.STAND_IN, "")  # type: ignore[arg-type]
    words_model.register()
    monkeypatch.setattr(answerer, "LocalLauncher", words_model.WordsLauncher)
    first, second = tmp_path / "first.nrrd", tmp_path / "second.nrrd"
    lines = f"text left ball\nsave {first}\nplace 3\nplace 2\nsave {second}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert run("shell", balls, "--model", words_model.STAND_IN, "--keep-going") == 1
    captured = capsys.readouterr()
    assert captured.out.count("Where is 'left ball'?") == 1
    assert "Type place N to decide" in captured.out
    assert "'left ball' has no place '3'; its places are 1, 2" in captured.err
    assert not mask_of(first).any()
    assert np.array_equal(mask_of(second)[SIDES[2]], BALLS[SIDES[2]])
    assert not mask_of(second)[SIDES[1]].any()
    assert run("replay", second, balls) == 0 and run("replay", first, balls) == 0
