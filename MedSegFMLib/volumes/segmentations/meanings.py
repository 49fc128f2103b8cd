"""The meaning of a segment by its name: codes of SNOMED CT, as in DICOM and Slicer, and colours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...system.json_files import load_json
from .vocabulary import variants

Rgb = tuple[float, float, float]

_TABLE = Path(__file__).with_name("anatomy.json")
_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"
_SIDES = {
    "left": ("7771000", "Left"),
    "right": ("24028007", "Right"),
    "both": ("51440002", "Right and left"),
}
# What people say, and the list calls otherwise.
_OTHER_WORDS = {
    "tumor": "mass",
    "tumour": "mass",
    "lesion": "mass",
    "haemorrhage": "hemorrhage",
    "oesophagus": "esophagus",
    "oedema": "edema",
}
_ENTRY = re.compile(r"[^~]*~([^~]*)~([^~]*)~([^~]*)~[^~]*~[^~]*~[^~]*", re.DOTALL)
# Colours of segments without one of their own (Okabe and Ito, distinct also for the colour-blind).
_PALETTE: tuple[Rgb, ...] = (
    (0.902, 0.624, 0.0),
    (0.337, 0.706, 0.914),
    (0.0, 0.62, 0.451),
    (0.941, 0.894, 0.259),
    (0.0, 0.447, 0.698),
    (0.835, 0.369, 0.0),
    (0.8, 0.475, 0.655),
)


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Attributes:
        value: its code, for instance "10200004".
        meaning: its name for people, for instance "Liver".
        scheme: the system of codes; SNOMED CT is "SCT".
    """

    value: str
    meaning: str
    scheme: str = "SCT"

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


@dataclass(frozen=True)
class Meaning:
    """The kind of thing that a segment is.

    Attributes:
        category: the kind of thing, for instance an anatomical structure.
        kind: what it is, for instance a kidney.
        side: left or right; None if it has none.
    """

    category: Code
    kind: Code
    side: Code | None = None

    @property
    def entry(self) -> str:
        """The meaning as Slicer writes it in .seg.nrrd files."""
        return f"{_CONTEXT}~{self.category}~{self.kind}~{self.side or '^^'}~{_REGIONS}~^^~^^"


TISSUE = Meaning(Code("85756007", "Tissue"), Code("85756007", "Tissue"))
"""The meaning of a segment whose name says nothing."""


def meaning_of(name: str) -> tuple[Meaning, Rgb | None]:
    """The meaning of a segment's name, and its usual colour, red, green and blue from 0 to 1.

    Case, underscores and a number at the end are ignored: "Left_Kidney 2" is a left kidney, as is
    "kidney left", and as `vocabulary` knows it, "Kidney (L)". A name that is not in the list is
    tissue without a colour.
    """
    for words in _ways_to_say(name):
        found = _listed(words)
        if found is not None:
            return found
    return TISSUE, None


def _ways_to_say(name: str) -> Iterator[list[str]]:
    """The words of a name in lower case, then those of its synonyms."""
    words = [w for w in re.split(r"[\s_]+", name.casefold()) if w]
    while words and words[-1].isdigit():
        words.pop()
    yield [_OTHER_WORDS.get(word, word) for word in words]
    for side, phrase in variants(name):
        yield [*([side] if side else []), *phrase.casefold().split()]


def _listed(words: Sequence[str]) -> tuple[Meaning, Rgb | None] | None:
    """The entry of the list with these words; None if there is none."""
    sides = [word for word in words if word in _SIDES]
    plain = " ".join(word for word in words if word not in _SIDES)
    found = _types().get(" ".join(words))
    if found is not None:
        return found[0], found[1]
    found = _types().get(plain)
    if found is None or len(sides) != 1 or not found[2]:
        return None
    side = Code(*_SIDES[sides[0]])
    return Meaning(found[0].category, found[0].kind, side), found[1]


def meaning_of_entry(entry: str) -> Meaning | None:
    """The meaning that Slicer wrote; None if the text is none."""
    match = _ENTRY.fullmatch(entry)
    parts = [part.split("^") for part in match.groups()] if match else []
    codes = [Code(p[1], p[2], p[0]) if len(p) == 3 and p[1] else None for p in parts]
    if len(codes) != 3 or codes[0] is None or codes[1] is None:
        return None
    return Meaning(codes[0], codes[1], codes[2])


def distinct_color(number: int) -> Rgb:
    """The colour of the segment `number`, from 0; they repeat after seven."""
    return _PALETTE[number % len(_PALETTE)]


@cache
def _types() -> dict[str, tuple[Meaning, Rgb | None, bool]]:
    """By name in lower case: the meaning, its colour, and whether there is a left and a right."""
    table = load_json(_TABLE, dict)
    found: dict[str, tuple[Meaning, Rgb | None, bool]] = {}
    for name, value, category, is_sided, rgb in table["types"]:
        meaning = Meaning(Code(category, table["categories"][category]), Code(value, name))
        color = None if rgb is None else (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)
        found[name.casefold()] = (meaning, color, is_sided)
    return found
