"""One rule says which prompt begins another object, for the panel, the library and the command."""

from __future__ import annotations

import argparse

import pytest

from MedSegFMLib import Box, Geometry, Point, Prompt, Scribble, Text
from MedSegFMLib.commands.arguments.prompts import add_prompt_arguments, parse_prompts
from MedSegFMLib.prompts.edits import begins_object, with_prompt
from MedSegFMLib.prompts.prompt_list import PromptList

BOX, OTHER_BOX = Box.from_ras((0, 0, 0), (2, 2, 2)), Box.from_ras((4, 4, 4), (6, 6, 6))
CLICK = Point((1, 1, 1))
STROKE = Scribble(((0, 0, 0), (1, 1, 1)))


@pytest.mark.parametrize(
    ("given", "prompt", "per_box", "begins"),
    [
        ((), CLICK, False, True),
        ((), BOX, True, True),
        ((CLICK,), CLICK, True, False),
        ((BOX,), STROKE, True, False),
        ((BOX,), OTHER_BOX, False, False),
        ((BOX,), OTHER_BOX, True, True),
        ((CLICK,), BOX, True, False),
        ((Text("liver"),), Text("spleen"), False, True),
        ((BOX,), Text("spleen"), False, False),
    ],
)
def test_the_rule(given: tuple[Prompt, ...], prompt: Prompt, per_box: bool, begins: bool) -> None:
    prompts = PromptList()
    if given:
        prompts = prompts.with_object()
        for earlier in given:
            prompts = prompts.added(1, earlier)
    assert begins_object(prompts, prompt, 1, per_box) == begins
    after, label = with_prompt(prompts, prompt, 1, per_box)
    assert label == (len(prompts.objects) + 1 if begins else 1)
    assert after.entries[-1] == (label, prompt)


def test_an_object_that_a_text_begins_is_named_after_it() -> None:
    prompts, label = with_prompt(PromptList(), Text("liver"), 1)
    assert prompts.name(label) == "liver"


def test_each_further_box_of_the_command_line_is_another_object() -> None:
    parser = argparse.ArgumentParser()
    add_prompt_arguments(parser)
    line = "--box 0 0 0 2 2 2 --point 1 1 1 --box 4 4 4 6 6 6 --negative 5 5 5"
    prompts = parse_prompts(
        parser.parse_args(line.split()), Geometry.from_spacing((8, 8, 8)), ("box", "point")
    )
    assert [label for label, _ in prompts.entries] == [1, 1, 2, 2]
