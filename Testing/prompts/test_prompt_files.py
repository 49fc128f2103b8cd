"""Prompt files that others wrote or that were damaged: each is refused in a plain sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from MedSegFMLib.errors import PromptError
from MedSegFMLib.prompts.json_format import (
    prompts_from_json,
    prompts_to_json,
    read_prompts,
)
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Point

PROMPTS = PromptList().with_object("liver").added(1, Point((1, 2, 3)))


def changed(**values: object) -> str:
    return json.dumps({**json.loads(prompts_to_json(PROMPTS)), **values})


def point(**values: object) -> list[dict[str, object]]:
    usual = {"object": 1, "type": "point", "position_ras": [1, 2, 3], "positive": True}
    return [{**usual, **values}]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(prompts_to_json(PROMPTS), encoding="utf-8-sig")
    assert read_prompts(tmp_path / "p.json") == PROMPTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(space="LPS"), "'LPS'"),
        (changed(space=None), "convert them to"),
        (changed(unit="cm"), "'cm'"),
        (changed(prompts=point(positive=1)), "use true or false"),
        (changed(prompts=point(positive="no")), "use true or false"),
        (changed(prompts=point(object="1")), "label '1'"),
        (changed(prompts=point(object=1.0)), r"label 1\.0"),
        (changed(prompts=point(object=float("inf"))), "Infinity"),
        (changed(prompts=point(position_ras=[10**400, 0, 0])), "401 digits"),
        (changed(prompts=point(position_ras=[float("inf"), 0, 0])), "Infinity"),
        (changed(objects=[{"label": True, "name": "x"}]), "label True"),
        (changed(objects=[{"label": 0, "name": "x"}]), "from 1 to 65535"),
        (changed(objects=[{"label": 65536, "name": "x"}]), "from 1 to 65535"),
        ("9" * 5000, "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_a_prompt_file_may_not_say_is_refused_with_its_name(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(PromptError, match=said):
        prompts_from_json(text)
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(PromptError, match=rf"p\.json.*{said}"):
        read_prompts(tmp_path / "p.json")


def test_a_file_that_is_no_text_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(PromptError, match=r"p\.json is not UTF-8 text"):
        read_prompts(tmp_path / "p.json")
    with pytest.raises(PromptError, match="cannot be read"):
        read_prompts(tmp_path)
