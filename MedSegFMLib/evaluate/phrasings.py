"""One object in many words: synonyms, other orders, attributes, compositions and typing errors.

A protocol with `phrasings` asks for each object in each of them, by itself, so that the report can
say how much the words alone move the score. Templates are in `phrasings.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..datasets.cases import Case
from ..system.json_files import load_json
from ..volumes.segmentations.vocabulary import readings, variants, with_side

AS_NAMED = "as named"
_TEMPLATES = Path(__file__).with_name("phrasings.json")
_SIDES = ("left", "right")
# Shorter words with an error are other words.
_LEAST_LETTERS = 4


def phrasings(name: str) -> dict[str, str]:
    """The kind of each phrase for an object, the name itself first; no phrase occurs twice."""
    found = {name: AS_NAMED}
    for kind, phrase in _phrases(name):
        if phrase.casefold() not in {said.casefold() for said in found}:
            found[phrase] = kind
    return found


def with_phrasings(case: Case) -> Case:
    """A case that asks for each of its objects in all ways; it has them already if it says so.

    A phrase of several objects stands for the one that is named so, or for the first.
    """
    if case.phrasings:
        return case
    named = {name for _, name in case.objects}
    asked: dict[str, tuple[int, str, str]] = {}
    for value, name in case.objects:
        for phrase, kind in phrasings(name).items():
            if phrase not in asked and (kind == AS_NAMED or phrase not in named):
                asked[phrase] = (value, kind, name)
    return replace(
        case,
        objects=tuple((value, phrase) for phrase, (value, _, _) in asked.items()),
        phrasings=tuple((kind, name) for _, kind, name in asked.values()),
    )


def _phrases(name: str) -> Iterator[tuple[str, str]]:
    words = name.replace("_", " ").split()
    plain = " ".join(words)
    for side, phrase in variants(name):
        said = with_side(side, phrase)
        if sorted(said.casefold().split()) != sorted(plain.casefold().split()):
            yield "synonym", said
    if len(words) > 1:
        yield "word order", " ".join([*words[1:], words[0]])
        yield "word order", " ".join(reversed(words))
    sides = {reading.side for reading in readings(name)} - {""}
    for kind, templates in _templates().items():
        for template in templates:
            first = template.split()[0]
            is_said = first in plain.casefold().split() or (sides and first in _SIDES)
            if not is_said:
                yield kind, template.replace("{}", plain)
    longest = max(words, key=len, default="")
    if len(longest) >= _LEAST_LETTERS:
        at = len(longest) // 2
        swapped = longest[: at - 1] + longest[at] + longest[at - 1] + longest[at + 1 :]
        for wrong in (swapped, longest[:at] + longest[at + 1 :]):
            yield "typing error", plain.replace(longest, wrong, 1)


@cache
def _templates() -> dict[str, list[str]]:
    table = load_json(_TEMPLATES, dict)
    return {kind: templates for kind, templates in table.items() if kind != "source"}
