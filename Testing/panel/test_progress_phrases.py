"""The panel translates every progress phrase that a prediction can report."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[2] / "MedSegFMLib"
# What the worker runs; the phrases of commands and of training go to other places.
FOLDERS = ("consistency", "models", "session", "worker")


def reported() -> Iterator[tuple[str, str]]:
    """The literal phrases that are passed to progress callbacks, with their files."""
    for folder in FOLDERS:
        for path in (LIBRARY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func).split(".")[-1]
                if name not in ("progress", "Progressed", "report"):
                    continue
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value, str(path.relative_to(LIBRARY))


def test_every_phrase_of_a_prediction_can_be_translated(module: Any) -> None:
    from MedSegFMLib.mrml.words.progress_phrases import PHRASES

    phrases = dict(reported())
    assert len(phrases) > 10
    missing = {phrase: file for phrase, file in phrases.items() if phrase not in PHRASES}
    assert missing == {}


def test_a_phrase_of_an_unknown_worker_is_shown_as_it_is(module: Any) -> None:
    from MedSegFMLib.mrml.words.progress_phrases import translated

    assert translated("Counting sheep") == "Counting sheep"
