"""The meaning of a segment by its name: codes of SNOMED CT, as in DICOM and Slicer, and colours.

`anatomy.json` names the source of each code, and has the codes of the FMA that mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

from ...system.json_files import load_json
from .codes import Code
from .vocabulary import codes_beside, own_codes, variants

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
_FILLERS = {"a", "an", "of", "the"}
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
# The category of the user's codes of names that the list does not have.
_UNLISTED = Meaning(Code("123037004", "Anatomical Structure"), TISSUE.kind)


def meaning_of(name: str) -> tuple[Meaning, Rgb | None]:
    """The meaning of a segment's name, and its usual colour, red, green and blue from 0 to 1.

    Case, underscores, the order of words and a number at the end are ignored: "Left_Kidney 2" is a
    left kidney, as is "kidney left", and as `vocabulary` knows it, "Kidney (L)". Codes that the
    user's vocabulary gives come first. A name that is not in the list is tissue without a colour.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    found = next(filter(None, map(listed, ways_to_say(name))), None)
    codes, side = own_codes(without_number(name))
    if not codes:
        return found or (TISSUE, None)
    usual, color = found or (_UNLISTED, None)
    return Meaning(usual.category, codes[0], Code(*_SIDES[side]) if side else None), color


def equivalents_of(kind: Code) -> tuple[Code, ...]:
    """The codes of other systems that mean the same: the user's own, then those of the FMA.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    own = codes_beside(kind)
    usual = (_equivalents().get(code.value, ()) for code in (kind, *own) if code.scheme == "SCT")
    return tuple(dict.fromkeys((*own, *chain.from_iterable(usual))))


def ways_to_say(name: str) -> Iterator[list[str]]:
    """The words of a name in lower case, then those of its synonyms; last, without a number.

    "Rib 3" is the third rib, and "Liver 3" a liver.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    for said in dict.fromkeys((name, without_number(name))):
        yield [_OTHER_WORDS.get(word, word) for word in _words(said)]
        for side, phrase in variants(said):
            yield [*([side] if side else []), *_words(phrase)]


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s_]+", name.casefold()) if word]


def _key(words: Sequence[str]) -> tuple[str, ...]:
    """Words as the list is searched for them: in any order, without "of the"."""
    return tuple(sorted(word for word in words if word not in _FILLERS))


def without_number(name: str) -> str:
    """A name without the numbers at its end."""
    return re.sub(r"([\s_]+\d+)+\s*$", "", name)


def listed(words: Sequence[str]) -> tuple[Meaning, Rgb] | None:
    """The entry of the list with these words in any order; None if there is none."""
    found = _types().get(_key(words))
    if found is not None:
        return found[0], found[1]
    sides = [word for word in words if word in _SIDES]
    found = _types().get(_key([word for word in words if word not in _SIDES]))
    if found is None or len(sides) != 1 or not found[2]:
        return None
    return replace(found[0], side=Code(*_SIDES[sides[0]])), found[1]


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
def _types() -> dict[tuple[str, ...], tuple[Meaning, Rgb, bool]]:
    """By sorted words: the meaning, its colour, and whether there is a left and a right."""
    table = load_json(_TABLE, dict)
    found: dict[tuple[str, ...], tuple[Meaning, Rgb, bool]] = {}
    for name, value, category, is_sided, rgb in chain.from_iterable(table["types"].values()):
        categories = Code(category, table["categories"][category])
        meaning = Meaning(categories, Code(value, name))
        color = (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)
        found[_key(_words(name))] = (meaning, color, is_sided)
    return found


@cache
def _equivalents() -> dict[str, tuple[Code, ...]]:
    """By code of SNOMED CT: those of other systems."""
    found: dict[str, tuple[Code, ...]] = {}
    for scheme, codes in load_json(_TABLE, dict)["equivalents"].items():
        for kind, (value, name) in codes.items():
            found[kind] = (*found.get(kind, ()), Code(value, name, scheme))
    return found
