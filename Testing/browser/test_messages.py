"""Values that a page sends are checked before anything uses them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import aiohttp
import numpy as np
import pytest

from MedSegFMLib import Geometry, Line, Segmentation, Volume
from MedSegFMLib.browser import fields
from MedSegFMLib.browser.drawing import box_around, prompt_of
from MedSegFMLib.browser.segment_files import add_segments, segments_on
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


def _files(*sizes: int) -> Any:
    """A request with files of these sizes."""
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="f.nii"\r\n\r\n'
        + b"x" * size
        + b"\r\n"
        for size in sizes
    )
    stream = aiohttp.StreamReader(Mock(), 2**16)
    stream.feed_data(body + b"--b--\r\n")
    stream.feed_eof()
    return aiohttp.MultipartReader({"Content-Type": "multipart/form-data; boundary=b"}, stream)


def test_uploads_are_bounded_each_and_in_sum() -> None:
    async def run() -> None:
        uploads = Uploads(largest_bytes=50, largest_sum_bytes=80)
        try:
            with pytest.raises(PageError, match="larger than 5e-08 GB"):
                await uploads.receive(_files(30, 30))
            first = await uploads.receive(_files(40))
            with pytest.raises(PageError, match="All uploads of this session"):
                await uploads.receive(_files(45))
            assert [path.name for path in uploads.folder.iterdir()] == [first.parent.name]
            # What was removed counts no longer.
            uploads.remove(first)
            assert (await uploads.receive(_files(45))).stat().st_size == 45
        finally:
            uploads.close()

    asyncio.run(run())


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
    with pytest.raises(MaskError, match="300 segments, more than 256"):
        segments_on(Segmentation.from_labelmap(labels), geometry)


def test_segments_are_added_one_by_one_while_the_page_goes_on() -> None:
    geometry = Geometry.from_spacing((2, 2, 2), (1, 1, 1))
    labels = Volume(np.arange(8, dtype=np.uint16).reshape(2, 2, 2), geometry)
    segments = segments_on(Segmentation.from_labelmap(labels), geometry)
    done: list[str] = []
    objects = SimpleNamespace(add_segment=lambda name, _voxels: done.append(name))
    logic: Any = SimpleNamespace(volume_node=1, objects=objects)
    turns: list[int] = []

    async def other() -> None:
        while len(done) < len(segments):
            turns.append(len(done))
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(other(), add_segments(logic, segments))

    asyncio.run(run())
    assert len(done) == 7
    assert turns == list(range(7))


def test_segments_are_not_added_to_a_volume_that_was_chosen_meanwhile() -> None:
    logic: Any = SimpleNamespace(volume_node=1, objects=SimpleNamespace())
    logic.objects.add_segment = lambda _name, _voxels: setattr(logic, "volume_node", 2)
    voxels: Any = None
    with pytest.raises(MaskError, match="after 1 of 2 segments"):
        asyncio.run(add_segments(logic, [("a", voxels), ("b", voxels)]))


def test_a_line_has_the_ends_of_the_drag() -> None:
    geometry = Geometry.from_spacing((9, 9, 9), (1, 1, 1))
    places = [(1.0, 2.0, 3.0), (2.0, 3.0, 3.0), (6.0, 2.0, 3.0)]
    assert prompt_of("line", places, geometry) == Line((places[0], places[2]))
    with pytest.raises(PromptError, match="draw it across the object"):
        prompt_of("line", places[:1], geometry)
