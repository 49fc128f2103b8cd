"""Codes of concepts: of SNOMED CT ("SCT"), the Foundational Model of Anatomy ("FMA") and others."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One line each, without the characters that Slicer and DICOM divide entries with.
_TEXT = re.compile(r"([^\^~\\\r\n]{1,16})\^([^\^~\\\r\n]{1,16})\^([^\^~\\\r\n]{1,64})")
_SCT_CONCEPT = re.compile(r"[1-9]\d{2,14}[01]0\d")
_FMA = re.compile(r"[1-9]\d*")
# Verhoeff's permutation of the digits.
_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Attributes:
        value: its code, for instance "10200004".
        meaning: its name for people, for instance "Liver".
        scheme: the system of codes, as DICOM calls it; SNOMED CT is "SCT".
    """

    value: str
    meaning: str
    scheme: str = "SCT"

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


def read_code(text: str) -> Code:
    """The code of a text such as "SCT^10200004^Liver".

    Raises:
        ValueError: it has other parts, or the code cannot be one of its scheme.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!a} is no code; write SCHEME^CODE^NAME")
    scheme, value, meaning = match.groups()
    if scheme == "SCT" and not is_snomed_concept(value):
        raise ValueError(f"{value!a} is no concept of SNOMED CT; compare its digits")
    if scheme == "FMA" and not _FMA.fullmatch(value):
        raise ValueError(f"{value!a} is no identifier of the FMA; write its number alone")
    return Code(value, meaning, scheme)


def is_snomed_concept(value: str) -> bool:
    """Whether a text is an identifier of a concept of SNOMED CT: 6 to 18 digits that fit.

    The last digit checks the others (Verhoeff, "Error detecting decimal codes", 1969), and the two
    before it are 00 or 10 for concepts.
    """
    if not _SCT_CONCEPT.fullmatch(value):
        return False
    check = 0
    for place, digit in enumerate(reversed(value)):
        number = int(digit)
        for _ in range(place % 8):
            number = _PERMUTED[number]
        check = _product(check, number)
    return check == 0


def _product(a: int, b: int) -> int:
    """The product of two of the ten symmetries of a pentagon: 0 to 4 turn it, 5 to 9 mirror it."""
    mirrored = 5 if (a < 5) != (b < 5) else 0
    return mirrored + (a + b if a < 5 else a - b) % 5
