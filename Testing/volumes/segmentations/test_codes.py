"""Codes of anatomy: each is well-formed, is that of its source, and stands for one thing."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from MedSegFMLib.system.json_files import load_json
from MedSegFMLib.volumes.segmentations import meanings
from MedSegFMLib.volumes.segmentations.codes import Code, is_snomed_concept, read_code
from MedSegFMLib.volumes.segmentations.meanings import meaning_of

TABLE: dict[str, Any] = load_json(Path(meanings.__file__).with_name("anatomy.json"), dict)
ROWS = list(chain.from_iterable(TABLE["types"].values()))


def test_every_code_of_the_table_is_well_formed() -> None:
    for name, value, category, _, _ in ROWS:
        assert is_snomed_concept(value) and is_snomed_concept(category), name
    for scheme, codes in TABLE["equivalents"].items():
        for value, name in codes.values():
            assert read_code(f"{scheme}^{value}^{name}") == Code(value, name, scheme)


def test_a_name_has_one_code_and_a_code_one_category() -> None:
    names = [name.casefold() for name, *_ in ROWS]
    assert len(set(names)) == len(names)
    kinds = defaultdict(set)
    for _, value, category, is_sided, _ in ROWS:
        kinds[value].add((category, is_sided))
    assert {value for value, found in kinds.items() if len(found) > 1} == set()
    for codes in TABLE["equivalents"].values():
        values = [value for value, _ in codes.values()]
        assert len(set(values)) == len(values) and codes.keys() <= kinds.keys()


def test_codes_of_dicom_have_the_meaning_that_dicom_gives_them() -> None:
    pytest.importorskip("pydicom")
    from pydicom.sr._concepts_dict import concepts

    known = defaultdict(set)
    for spellings in concepts["SCT"].values():
        for value, (meaning, _) in spellings.items():
            known[value].add(meaning)
    (rows,) = (rows for source, rows in TABLE["types"].items() if source.startswith("DICOM"))
    assert [name for name, value, *_ in rows if name not in known[value]] == []


def test_every_name_of_the_table_finds_its_own_code_and_a_colour() -> None:
    for name, value, *_ in ROWS:
        meaning, color = meaning_of(name)
        assert meaning.kind.value == value and color is not None, name


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("10200004", True),
        ("7771000", True),
        ("1078209008", True),
        ("10200005", False),
        # Two digits exchanged.
        ("12000004", False),
        # A description, not a concept.
        ("751689013", False),
        ("", False),
        ("liver", False),
    ],
)
def test_the_check_digit_finds_wrong_codes(value: str, is_right: bool) -> None:
    assert is_snomed_concept(value) is is_right


def test_each_single_wrong_digit_is_found() -> None:
    right = "113205007"
    wrong = {
        right[:n] + digit + right[n + 1 :]
        for n in range(len(right))
        for digit in "0123456789"
        if digit != right[n]
    }
    assert [value for value in wrong if is_snomed_concept(value)] == []
