"""Values that a page sends are checked before anything uses them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from MedSegFMLib import Geometry, Line, Segmentation, Volume
from MedSegFMLib.browser import fields
from MedSegFMLib.browser.drawing import box_around, prompt_of
from MedSegFMLib.browser.segment_files import add_segments
from MedSegFMLib.browser.uploads import Uploads, safe_name
from MedSegFMLib.errors import MaskError, PageError, PromptError
from MedSegFMLib.prompts.voxels import box_region

BAD_NUMBERS = [None, "1", True, float("nan"), float("inf"), 11, -1, [], {}]


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=lambda value: repr(value))
def test_a_number_out_of_its_range_is_refused(value: Any) -> None:
    with pytest.raises(PageError, match="a number from 0 to 10"):
        fields.number({"x": value}, "x", 0, 10)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(PageError, match="a number from 0 to 10"):
        fields.whole({"x": 10**400}, "x", 0, 10)


@pytest.mark.parametrize("value", ["\ud800", "a\0b", "\x07", "\x85\x9f"], ids=ascii)
def test_characters_that_no_file_takes_are_refused(value: str) -> None:
    with pytest.raises(PageError, match="control characters"):
        fields.text({"name": value}, "name")


def test_texts_of_any_language_are_taken() -> None:
    for value in ("", "Leber, links", "肝臓", "می‌خواهم", "a\tb"):
        assert fields.text({"name": value}, "name") == value


@pytest.mark.parametrize(
    "value",
    [None, [], [[1]], [[1, "2"]], [[1, 2, 3]], "ab", [[0, 0]] * 5001, [[float("nan"), 1]]],
    ids=["none", "empty", "short", "text", "long", "word", "many", "nan"],
)
def test_places_that_are_no_pairs_of_numbers_are_refused(value: Any) -> None:
    with pytest.raises(PageError):
        fields.places({"places": value}, "places")


def test_texts_and_choices_are_bounded() -> None:
    with pytest.raises(PageError, match="at most 5"):
        fields.text({"name": "abcdef"}, "name", 5)
    with pytest.raises(PageError, match="one of a, b"):
        fields.choice({"name": "c"}, "name", ("a", "b"))
    with pytest.raises(PageError, match="whole number"):
        fields.whole({"n": 1.5}, "n")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("ct.nii.gz", "ct.nii.gz"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\x.dcm", "x.dcm"),
        ("/abs/.hidden", "hidden"),
        ("", "file"),
        ("..", "file"),
        ("a b;$(rm).nrrd", "a_b___rm_.nrrd"),
        ("x.-" + 75 * "a" + ".dcm", 75 * "a" + ".dcm"),
    ],
)
def test_a_files_name_leads_to_no_other_folder(given: str, stored: str) -> None:
    assert safe_name(given, []) == stored


def test_two_files_of_one_name_are_both_kept() -> None:
    assert safe_name("A.dcm", ["a.dcm"]) != "A.dcm"
    # Neither is a name that was made so taken again.
    assert safe_name("A.dcm", ["2-a.dcm", "a.dcm"]) == "3-A.dcm"


def test_an_upload_that_cannot_be_stored_is_explained() -> None:
    uploads = Uploads()
    uploads.close()
    reader: Any = None
    with pytest.raises(PageError, match="could not be stored"):
        asyncio.run(uploads.receive(reader))


def test_a_box_in_one_slice_has_whole_voxels_and_a_depth_like_its_sides() -> None:
    geometry = Geometry.from_spacing((20, 30, 40), (1.0, 1.0, 2.0))
    corners = geometry.ras_from_ijk([[10.2, 5.1, 9], [19.8, 12.9, 9]])
    box = box_around([tuple(corner) for corner in corners], geometry)
    region = box_region(box, geometry)
    # Sides of 9.6 and 7.8 mm, so 8.7 mm deep: slices of 2 mm from 6.8 to 11.2, whole ones.
    assert (region.start_kji, region.stop_kji) == ((7, 5, 10), (12, 14, 21))


def test_a_box_ends_with_the_volume_and_outside_it_there_is_none() -> None:
    geometry = Geometry.from_spacing((20, 30, 40), (1.0, 1.0, 1.0))
    corners = geometry.ras_from_ijk([[-50, -50, 2], [10, 10, 2]])
    region = box_region(box_around([tuple(c) for c in corners], geometry), geometry)
    assert region.start_kji == (0, 0, 0)
    outside = geometry.ras_from_ijk(np.array([[-50, -50, 2], [-40, -40, 2]]))
    with pytest.raises(PromptError):
        box_around([tuple(c) for c in outside], geometry)


def test_an_image_that_is_taken_for_segments_is_refused() -> None:
    geometry = Geometry.from_spacing((1, 1, 300), (1, 1, 1))
    labels = Volume(np.arange(1, 301, dtype=np.uint16).reshape(1, 1, 300), geometry)
    logic: Any = SimpleNamespace(require_volume=lambda: labels)
    segmentation = Segmentation.from_labelmap(labels)
    with pytest.raises(MaskError, match="300 segments, more than 256"):
        add_segments(logic, segmentation)


def test_a_line_has_the_ends_of_the_drag() -> None:
    geometry = Geometry.from_spacing((9, 9, 9), (1, 1, 1))
    places = [(1.0, 2.0, 3.0), (2.0, 3.0, 3.0), (6.0, 2.0, 3.0)]
    assert prompt_of("line", places, geometry) == Line((places[0], places[2]))
    with pytest.raises(PromptError, match="draw it across the object"):
        prompt_of("line", places[:1], geometry)
