"""Help begins with examples that parse; mistakes are answered with the name that was meant."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.commands.line import COMMANDS, parser_of


def examples_of(command: str) -> list[list[str]]:
    """The words after `medsegfm` of each example of a command."""
    text = getattr(importlib.import_module(f"MedSegFMLib.commands.{command}"), "EXAMPLES", "")
    lines = text.replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|[|] *)\s*medsegfm ([^|>]*)", line) for line in lines]
    return [shlex.split(each[1]) for each in found if each is not None and line_is_example(each)]


def line_is_example(match: re.Match[str]) -> bool:
    return match.string.startswith("  ")


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from actions_of(each)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_command_are_its_command_lines(command: str) -> None:
    for words in examples_of(command):
        assert words[0] == command
        assert parser_of(words).parse_args(words, argparse.Namespace(words=words))


def test_the_help_of_segment_begins_with_three_examples_and_the_order_of_voxels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run("segment", "--help") == 0
    text = capsys.readouterr().out
    before, _, _ = text.partition("usage:")
    assert before.startswith("examples:") and len(examples_of("segment")) == 3
    assert "(i, j, k) = (column, row, slice)" in before and "half-open" in before
    assert max(map(len, text.splitlines())) <= 80


def test_every_default_that_an_option_has_is_shown_with_it() -> None:
    for command in COMMANDS:
        parser = parser_of([command])
        formatter = parser._get_formatter()
        for action in actions_of(parser):
            says_something = action.default not in (None, False, 0, "", argparse.SUPPRESS)
            if action.option_strings and says_something and not isinstance(action.default, list):
                text = formatter._expand_help(action)
                assert "default:" in text, (command, action.option_strings)


def test_every_option_with_numbers_says_their_unit_or_what_they_count() -> None:
    units = "voxel|voxels|millimetres|mm|ml|number|slices|fraction|Dice|threads|level|LEVEL|level"
    units += "|prompt|clicks|lines|seconds|from 1|slice|grey values"
    for command in COMMANDS:
        for action in actions_of(parser_of([command])):
            if action.type in (int, float):
                text = action.help or ""
                assert re.search(rf"\b({units})\b", text), (command, action.option_strings)


def test_no_help_is_wider_than_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in COMMANDS:
        assert run(command, "--help") == 0
        wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]
        assert wide == [], command


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("segmnt v.nii", "segment"),
        ("segment v.nii --out s.nii.gz --bx 1 2 3 4 5 6", "--box"),
        ("segment v.nii --ot s.nii.gz", "--out"),
        ("demo --model enam", "ensam"),
        ("demo --model medsm", "medsam"),
        ("view v.nii --out l.png --window lungs", "lung"),
        ("train crosplane out=x", "crossplane"),
        ("train crossplane out=x bse=sam", "base"),
        ("train crossplane out=x base=sma", "sam"),
        ("train crossplane out=x size=nativ", "native"),
        ("weights ftech sam", "fetch"),
        ("weights fetch sma", "sam"),
        ("evaluate c.json --models ensam --protocol clincal --out r", "clinical"),
        ("convert c --out r --spacing-order xzy", "xyz|zyx"),
    ],
)
def test_the_name_that_was_meant_is_suggested(
    words: str,
    meant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.json").write_text('{"cases": []}', encoding="utf-8")
    make_volume(Path("v.nii"))
    assert re.search(rf"\(did you mean ({meant})\?\)", refused(capsys, *words.split()))


def test_a_name_that_is_like_no_other_gets_no_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "did you mean" not in refused(capsys, "demo", "--model", "qqqqq")


@pytest.mark.parametrize(
    "typed",
    [
        "--box 4,4,3,20,18,15 --point 5,-5,5 --scribble 1,2,3,4,5,6 --move 1,2,3,4",
        "--box 4, 4, 3, 20, 18, 15 --point 5, -5, 5 --scribble 1,2,3 4,5,6 --move 1 2,3,4",
        "--box=4,4,3,20,18,15 --point=5,-5,5 --scribble=1,2,3,4,5,6 --move=1,2,3,4",
    ],
)
def test_numbers_may_have_commas(typed: str) -> None:
    plain = "--box 4 4 3 20 18 15 --point 5 -5 5 --scribble 1 2 3 4 5 6 --move 1 2 3 4"
    parsed = []
    for options in (plain, typed):
        words = ["segment", "v.nii", "--out", "s.nii", *options.split(), "--window", "lung"]
        parsed.append(parser_of(words).parse_args(words))
    assert parsed[0] == parsed[1]


def test_a_window_may_have_a_comma() -> None:
    words = ["view", "v.nii", "--out", "l.png", "--window", "40,400"]
    assert parser_of(words).parse_args(words).window == ["40", "400"]


def test_commas_between_words_are_left_alone() -> None:
    words = ["evaluate", "c.json", "--models", "ensam,sam", "--seed", "0,1", "--out", "r"]
    parsed = parser_of(words).parse_args(words)
    assert parsed.models == "ensam,sam" and parsed.seed == "0,1"


@pytest.mark.parametrize(
    "words",
    [
        ["segment", "v.nii", "--out", ""],
        ["segment", "v.nii", "--out="],
        ["segment", "v.nii", "--out", "s.nii", "--prompts", ""],
        ["show", ""],
        ["view", "v.nii", "--mask", "", "--out", "l.png"],
        ["measure", "s.nii", ""],
        ["replay", ""],
        ["evaluate", "c.json", "--models", "ensam", "--out", ""],
        ["weights", "import", "ensam", ""],
        ["demo", "--out", ""],
    ],
)
def test_an_empty_value_is_refused_and_is_not_the_current_folder(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_volume(Path("v.nii"))
    assert "the value is empty" in refused(capsys, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["v.nii"]


def make_volume(path: Path) -> Path:
    voxels = np.zeros((18, 22, 24), np.float32)
    voxels[4:14, 5:17, 5:19] = 100
    Volume(voxels, Geometry.from_spacing(voxels.shape, (1, 1, 2))).write(path)
    return path
