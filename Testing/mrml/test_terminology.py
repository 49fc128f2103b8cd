"""Segments know what they are by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from MedSegFMLib.mrml.segments.terminology import meaning_of
from MedSegFMLib.volumes.segmentations.meanings import TISSUE


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("liver", "SCT^10200004^Liver"),
        ("Left_Kidney 2", "SCT^64033007^Kidney~SCT^7771000^Left"),
        ("right lung", "SCT^39607008^Lung~SCT^24028007^Right"),
        ("Tumour", "SCT^4147007^Mass"),
        ("upper lobe of the left lung", "SCT^45653009^Upper lobe of lung~SCT^7771000^Left"),
        # Not in Slicer's list.
        ("vertebrae_L1", "SCT^66794005^L1 vertebra"),
        ("rib_left_3", "SCT^25888004^Third rib~SCT^7771000^Left"),
    ],
)
def test_a_name_gives_its_codes_and_colour(slicer_app: Any, name: str, codes: str) -> None:
    meaning = meaning_of(name, slicer_app.terminologies_logic)
    assert codes in meaning.entry and meaning.color_rgb is not None


@pytest.mark.parametrize("name", ["Segment_1", "", "7", "what is this"])
def test_an_unknown_name_is_tissue(slicer_app: Any, name: str) -> None:
    meaning = meaning_of(name, slicer_app.terminologies_logic)
    assert meaning.entry == TISSUE.entry and meaning.color_rgb is None


def test_without_slicers_lists_the_librarys_codes_are_taken() -> None:
    assert "SCT^64033007^Kidney~SCT^7771000^Left" in meaning_of("left kidney", None).entry


def test_codes_of_the_users_vocabulary_come_first(
    slicer_app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"codes": {"liver": ["99MINE^17^Our liver"]}}')
    monkeypatch.setenv("MEDSEGFM_VOCABULARY", str(own))
    meaning = meaning_of("Liver", slicer_app.terminologies_logic)
    assert "~99MINE^17^Our liver~" in meaning.entry and meaning.color_rgb is not None
