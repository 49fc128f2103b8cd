"""Lines: the longest diameter on one slice, what models get for it, and its place in a list."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bright_model import Bright

from MedSegFMLib import Box, Geometry, Line, Point, Session, Volume
from MedSegFMLib.errors import PromptError
from MedSegFMLib.prompts.edits import carrier, with_prompt
from MedSegFMLib.prompts.json_format import prompts_from_json, prompts_to_json
from MedSegFMLib.prompts.line_marks import line_box, without_lines
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.references import prompt_text
from MedSegFMLib.prompts.types import as_background
from MedSegFMLib.prompts.voxels import box_region, to_voxels
from MedSegFMLib.prompts.words import prompt_of

EVEN = Geometry.from_spacing((40, 40, 40), (1, 1, 1))


def across(geometry: Geometry) -> Line:
    return Line.from_ijk(geometry, (2, 6, 4), (8, 6, 4))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (((0, 0, 0),), "has 1 ends; give two"),
        (((0, 0, 0), (1, 0, 0), (2, 0, 0)), "has 3 ends; give two"),
        (((1, 2, 3), (1, 2, 3)), "Both ends of the line are at"),
        (((1, 2, 3), (1, 2, math.nan)), "must be finite"),
    ],
    ids=["one", "three", "same", "nan"],
)
def test_a_line_that_is_none_is_refused(ends: tuple, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        Line(ends)


def test_a_line_outside_the_volume_is_refused_with_its_end(geometry: Geometry) -> None:
    with pytest.raises(PromptError, match=r"line's end \(99, 6, 4\)"):
        Line.from_ijk(geometry, (2, 6, 4), (99, 6, 4))
    beyond = np.add(across(geometry).positions_ras, (500, 0, 0))
    with pytest.raises(PromptError, match="The line at"):
        to_voxels([Line(tuple(map(tuple, beyond.tolist())))], geometry)


def test_the_box_of_a_line_reaches_from_end_to_end_and_across_it_in_depth() -> None:
    line = Line.from_ijk(EVEN, (9.5, 20, 20), (29.5, 20, 20))
    region = box_region(line_box(line, EVEN), EVEN)
    assert (region.start_kji[2], region.stop_kji[2]) == (10, 30)
    k, j, _ = region.shape_kji
    assert 10 <= j <= 20 and 10 <= k <= 30
    # Around the line on both sides alike.
    assert region.start_kji[0] + region.stop_kji[0] - 1 == 40
    assert region.start_kji[1] + region.stop_kji[1] - 1 == 40


def test_the_box_of_a_diagonal_line_is_that_of_its_ellipse_not_of_its_ends() -> None:
    half = 15 / math.sqrt(2)
    line = Line.from_ijk(EVEN, (20 - half, 20 - half, 20), (20 + half, 20 + half, 20))
    straight = Line.from_ijk(EVEN, (5, 20, 20), (35, 20, 20))
    _, j, i = box_region(line_box(line, EVEN), EVEN).shape_kji
    _, width, length = box_region(line_box(straight, EVEN), EVEN).shape_kji
    assert j == i and width < i < length


def test_a_line_means_the_same_box_in_any_orientation_and_order_of_axes(
    geometry: Geometry,
) -> None:
    line = across(geometry)
    region = box_region(line_box(line, geometry), geometry)
    plain = Geometry.from_spacing(geometry.shape_kji, geometry.spacing_ijk_mm)
    assert region == box_region(line_box(across(plain), plain), plain)
    flipped = geometry.flip(2)
    size_i = geometry.shape_kji[2]
    mirrored = box_region(line_box(line, flipped), flipped)
    assert mirrored.start_kji[2] == size_i - region.stop_kji[2]


def test_the_box_is_a_voxel_thick_at_least() -> None:
    thick = Geometry.from_spacing((5, 40, 40), (0.5, 0.5, 30))
    line = Line.from_ijk(thick, (10, 20, 2), (20, 20, 2))
    region = box_region(line_box(line, thick), thick)
    assert (region.start_kji[0], region.stop_kji[0]) == (2, 3)


def test_a_model_gets_of_a_line_what_it_takes(geometry: Geometry) -> None:
    line, click = across(geometry), Point.from_ijk(geometry, (1, 1, 1), positive=False)
    middle, box = Point(line.center_ras), line_box(line, geometry)
    prompts = [line, click]
    assert without_lines(prompts, ("box", "point"), geometry) == (box, click)
    assert without_lines(prompts, ("box",), geometry) == (box, click)
    assert without_lines(prompts, ("point",), geometry) == (middle, click)
    assert without_lines(prompts, ("point", "line"), geometry) == (line, click)


@pytest.mark.parametrize("kinds", [("box", "point"), ("line", "point")])
def test_a_session_gives_its_model_lines_as_the_card_says(kinds: tuple[str, ...]) -> None:
    array = np.zeros(EVEN.shape_kji, np.float32)
    array[15:26, 15:26, 10:31] = 100
    model = Bright(prompts=kinds)
    session = Session(model, Volume(array, EVEN))
    session.add(Line.from_ijk(EVEN, (10, 20, 20), (30, 20, 20)))
    mask = session.predict().mask.array_kji
    assert mask[20, 20, 10:31].all() and not mask[:, :, 0].any()
    (given, _), *_ = model.given
    assert {type(prompt) for prompt in given} == ({Line} if "line" in kinds else {Box})


def test_a_model_of_words_alone_refuses_a_line(geometry: Geometry) -> None:
    card = Bright(prompts=("text",)).card
    assert card.accepted == ("text",)
    with pytest.raises(PromptError, match="does not support line prompts"):
        card.check_takes([across(geometry)])
    assert Bright(prompts=("box",)).card.accepted == ("box", "line")
    assert Bright(prompts=("line",)).card.accepted == ("line",)


def test_a_line_comes_back_from_json_and_is_shown_as_it_is_typed(geometry: Geometry) -> None:
    line = across(geometry)
    prompts = PromptList().with_object("lesion").added(1, line)
    assert prompts_from_json(prompts_to_json(prompts)) == prompts
    assert prompt_text(line, geometry) == "line 2 6 4 8 6 4"
    assert prompt_of("line", (2, 6, 4, 8, 6, 4), geometry) == line
    (start, stop) = line.positions_ras
    assert prompt_of("line-ras", (*start, *stop), geometry) == line
    with pytest.raises(PromptError, match="line has 3 numbers; give 6"):
        prompt_of("line", (2, 6, 4), geometry)


def test_a_line_is_moved_by_its_middle_and_carried_with_the_patient(geometry: Geometry) -> None:
    line = across(geometry)
    prompts = PromptList().with_object("lesion").added(1, line)
    ((_, moved),) = prompts.moved(0, np.add(line.center_ras, (1, 2, 3))).entries
    assert isinstance(moved, Line)
    assert np.allclose(moved.positions_ras, np.add(line.positions_ras, (1, 2, 3)))
    matrix = np.diag((-1.0, -1.0, 1.0, 1.0))
    ((_, carried),) = carrier(matrix)(prompts).entries
    assert isinstance(carried, Line)
    assert np.allclose(carried.positions_ras, np.array(line.positions_ras) * (-1, -1, 1))


def test_each_line_is_a_lesion_of_its_own_where_boxes_are(geometry: Geometry) -> None:
    line = across(geometry)
    prompts, label = with_prompt(PromptList(), line, 1)
    assert with_prompt(prompts, line, label)[1] == label
    assert with_prompt(prompts, line, label, new_object_per_box=True)[1] == label + 1


def test_a_line_says_nothing_about_other_objects(geometry: Geometry) -> None:
    assert as_background(across(geometry)) is None
