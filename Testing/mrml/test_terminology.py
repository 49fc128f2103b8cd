"""Segments know what they are by their names."""

from __future__ import annotations

from typing import Any

import pytest

from MedSegFMLib.mrml.segments.terminology import TISSUE, meaning_of


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("liver", "SCT^10200004^Liver"),
        ("Left_Kidney 2", "SCT^64033007^Kidney~SCT^7771000^Left"),
        ("right lung", "SCT^39607008^Lung~SCT^24028007^Right"),
        ("Tumour", "SCT^4147007^Mass"),
    ],
)
def test_a_name_gives_its_codes_and_colour(slicer_app: Any, name: str, codes: str) -> None:
    meaning = meaning_of(name, slicer_app.terminologies_logic)
    assert codes in meaning.entry and meaning.color_rgb is not None


@pytest.mark.parametrize("name", ["Segment_1", "", "7", "what is this"])
def test_an_unknown_name_is_tissue(slicer_app: Any, name: str) -> None:
    meaning = meaning_of(name, slicer_app.terminologies_logic)
    assert meaning.entry == TISSUE and meaning.color_rgb is None


def test_without_slicers_lists_everything_is_tissue() -> None:
    assert meaning_of("liver", None).entry == TISSUE
