from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedSegFMLib import Box, Geometry, Lasso, Point, Prompt, Region, Scribble, Text
from MedSegFMLib.errors import GeometryError, PromptError
from MedSegFMLib.prompts.json_format import (
    prompts_from_json,
    prompts_to_json,
    read_prompts,
    write_prompts,
)
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import as_background
from MedSegFMLib.prompts.voxels import box_region, mark_voxels, to_voxels


def outline(geometry: Geometry, corners_ijk: list[tuple[float, float, float]]) -> Lasso:
    return Lasso(tuple(map(tuple, geometry.ras_from_ijk(corners_ijk).tolist())))


def test_a_box_of_voxels_gives_those_voxels_again(geometry: Geometry) -> None:
    box = Box.from_ijk(geometry, (2, 3, 1), (9, 10, 6))
    assert box_region(box, geometry) == Region((1, 3, 2), (6, 10, 9))


def test_a_box_means_the_same_place_in_any_resampling(geometry: Geometry) -> None:
    box = Box.from_ijk(geometry, (2, 3, 1), (9, 10, 6))
    doubled = geometry.resampled([mm / 2 for mm in geometry.spacing_ijk_mm])
    assert box_region(box, doubled) == Region((2, 6, 4), (12, 20, 18))
    assert box_region(box, geometry.flip(2)) == Region((1, 3, 2), (6, 10, 9))


def test_a_click_marks_the_voxel_it_is_in(geometry: Geometry) -> None:
    place = geometry.ras_from_ijk((4.4, 6.6, 2.0))
    assert mark_voxels(Point(tuple(place)), geometry).tolist() == [[2, 7, 4]]
    assert mark_voxels(Point.from_ijk(geometry, (4, 7, 2)), geometry).tolist() == [[2, 7, 4]]


def test_an_oblique_box_gives_the_region_around_it() -> None:
    geometry = Geometry.from_spacing((20, 20, 20))
    half = 4 * np.sqrt(2)
    box = Box((10, 10, 10), ((half, half, 0), (-half, half, 0), (0, 0, 5)))
    region = box_region(box, geometry)
    # A square of side 8 turned by 45 degrees is 11.3 wide.
    assert region == Region((8, 5, 5), (13, 16, 16))


def test_a_box_that_overlaps_the_volume_is_clipped_to_it(geometry: Geometry) -> None:
    faces = geometry.ras_from_ijk(geometry.corners_ijk(edge=3))
    box = Box.from_ras(faces.min(axis=0), faces.max(axis=0))
    assert box_region(box, geometry) == Region.whole(geometry.shape_kji)


def test_a_box_thinner_than_a_voxel_means_the_voxel_it_is_in(geometry: Geometry) -> None:
    edges = geometry.ijk_to_ras[:3, :3].T * 0.2
    box = Box(tuple(geometry.ras_from_ijk((3.3, 4.4, 5.3))), tuple(map(tuple, edges)))
    assert box_region(box, geometry) == Region((5, 4, 3), (6, 5, 4))


def test_a_stroke_leaves_no_gap(geometry: Geometry) -> None:
    ends = geometry.ras_from_ijk([(0, 0, 0), (10, 13, 8)])
    voxels = mark_voxels(Scribble(tuple(map(tuple, ends))), geometry)
    steps = np.abs(np.diff(voxels, axis=0)).max(axis=1)
    assert voxels[0].tolist() == [0, 0, 0] and voxels[-1].tolist() == [8, 13, 10]
    assert steps.max() == 1 and steps.min() == 1


def test_a_lasso_fills_its_slice_and_no_other(geometry: Geometry) -> None:
    lasso = outline(geometry, [(1.5, 2.5, 4), (7.5, 2.5, 4), (7.5, 9.5, 4), (1.5, 9.5, 4)])
    voxels = mark_voxels(lasso, geometry)
    assert {tuple(v) for v in voxels.tolist()} == {
        (4, j, i) for j in range(3, 10) for i in range(2, 8)
    }


def test_a_lasso_follows_its_hollows() -> None:
    geometry = Geometry.from_spacing((3, 20, 20))
    # A U: the notch between its arms is outside.
    u = [(2, 2), (17, 2), (17, 17), (12, 17), (12, 7), (7, 7), (7, 17), (2, 17)]
    voxels = mark_voxels(outline(geometry, [(x + 0.5, y + 0.5, 1) for x, y in u]), geometry)
    marked = {tuple(v) for v in voxels.tolist()}
    assert (1, 12, 5) in marked and (1, 12, 15) in marked and (1, 5, 10) in marked
    assert (1, 12, 10) not in marked


def test_a_lasso_smaller_than_a_voxel_marks_the_voxel_it_is_in(geometry: Geometry) -> None:
    lasso = outline(geometry, [(3.1, 4.1, 2), (3.3, 4.1, 2), (3.2, 4.3, 2)])
    assert mark_voxels(lasso, geometry).tolist() == [[2, 4, 3]]


def test_the_later_of_two_marks_wins_a_voxel(geometry: Geometry) -> None:
    on, off = (Point.from_ijk(geometry, (3, 4, 5), positive) for positive in (True, False))
    assert to_voxels([on, off], geometry).foreground_kji.tolist() == []
    assert to_voxels([off, on], geometry).background_kji.tolist() == []


def test_marks_within_a_region_are_counted_from_it(geometry: Geometry) -> None:
    prompts: list[Prompt] = [
        Box.from_ijk(geometry, (2, 3, 1), (9, 10, 6)),
        Point.from_ijk(geometry, (4, 5, 3)),
        Point.from_ijk(geometry, (0, 0, 0), positive=False),
    ]
    inner = to_voxels(prompts, geometry).within(Region((2, 4, 3), (5, 9, 8)))
    assert inner.boxes == (Region((0, 0, 0), (3, 5, 5)),)
    assert inner.foreground_kji.tolist() == [[1, 1, 1]]
    assert inner.background_kji.tolist() == []


@pytest.mark.parametrize("voxel", [(-1, 4, 4), (4, 14, 4), (4, 4, 99), (-0.51, 0, 0)])
def test_a_point_outside_the_volume_is_refused(
    voxel: tuple[float, ...], geometry: Geometry
) -> None:
    with pytest.raises(PromptError, match="outside the volume"):
        Point.from_ijk(geometry, voxel)
    with pytest.raises(PromptError, match="outside the volume"):
        to_voxels([Point(tuple(geometry.ras_from_ijk(voxel)))], geometry)


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        ((5, 5, 5), (5, 9, 8), "inverted or empty"),
        ((5, 5, 5), (4, 9, 8), "inverted or empty"),
        ((-1, 0, 0), (4, 4, 4), "extends outside the volume"),
        ((0, 0, 0), (4, 4, 10), "extends outside the volume"),
        ((0, 0, np.nan), (4, 4, 4), "finite"),
        ((0, 0, 0), (4, 4, np.inf), "finite"),
        ((0, 0), (4, 4), "three"),
    ],
)
def test_a_box_that_encloses_nothing_or_leaves_the_volume_is_refused(
    start: tuple[float, ...], stop: tuple[float, ...], said: str, geometry: Geometry
) -> None:
    with pytest.raises(PromptError, match=said):
        Box.from_ijk(geometry, start, stop)


def test_a_box_beside_the_volume_is_refused(geometry: Geometry) -> None:
    with pytest.raises(PromptError, match="outside the volume"):
        to_voxels([Box.from_ras((500, 500, 500), (510, 510, 510))], geometry)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Point((1, 2, float("nan"))),
        lambda: Point((1, 2)),  # type: ignore[arg-type]
        lambda: Point("abc"),  # type: ignore[arg-type]
        lambda: Box((0, 0, 0), ((1, 0, 0), (2, 0, 0), (0, 0, 1))),
        lambda: Box((0, 0, 0), ((1, 0, 0), (0, 0, 0), (0, 0, 1))),
        lambda: Box((0, 0, 0), ((1, 0, 0), (0, 1, 0))),  # type: ignore[arg-type]
        lambda: Scribble(()),
        lambda: Lasso(((0, 0, 0), (1, 1, 1))),
        lambda: Lasso(((0, 0, 0), (1, 1, 1), (2, 2, 2))),
        lambda: Lasso(((0, 0, 0), (9, 0, 0), (9, 9, 9), (0, 9, 0))),
        lambda: Text("  "),
    ],
)
def test_a_prompt_that_means_nothing_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PromptError):
        make()


def test_marks_for_one_object_are_background_for_others() -> None:
    assert as_background(Point((1, 2, 3))) == Point((1, 2, 3), positive=False)
    assert as_background(Point((1, 2, 3), positive=False)) is None
    assert as_background(Text("liver")) is None


def every_prompt(geometry: Geometry) -> PromptList:
    lasso = outline(geometry, [(1, 2, 4), (7, 2, 4), (7, 9, 4)])
    prompts = PromptList().with_object("liver").with_object('"quoted" ∅')
    for label, prompt in [
        (1, Box.from_ijk(geometry, (2, 3, 1), (9, 10, 6))),
        (2, Point((0.1 + 0.2, -1e-17, 3e5), positive=False)),
        (1, Scribble(((1, 2, 3), (4, 5, 6)))),
        (2, lasso),
        (1, Text("left kidney")),
    ]:
        prompts = prompts.added(label, prompt)
    return prompts


def test_a_prompt_file_gives_back_the_very_prompts(geometry: Geometry, tmp_path: Path) -> None:
    prompts = every_prompt(geometry)
    write_prompts(prompts, tmp_path / "p.json")
    assert read_prompts(tmp_path / "p.json") == prompts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "lack"),
        ({"objects": []}, "not objects"),
        ({"prompts": [{"object": 1, "type": "spiral"}]}, "spiral"),
        ({"prompts": [{"object": 1, "type": "point"}]}, "incomplete"),
        ({"prompts": 5}, "incomplete"),
        (
            {"prompts": [{"object": 1, "type": "point", "position_ras": [1, 2], "positive": 1}]},
            "three",
        ),
    ],
)
def test_a_damaged_prompt_file_says_what_is_wrong(
    change: dict[str, object], said: str, geometry: Geometry
) -> None:
    document = {**json.loads(prompts_to_json(every_prompt(geometry))), **change}
    with pytest.raises(PromptError, match=said):
        prompts_from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_what_is_no_prompt_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(PromptError, match=r"p\.json"):
        read_prompts(tmp_path / "p.json")
    with pytest.raises(PromptError, match="cannot be read"):
        read_prompts(tmp_path / "none.json")


numbers = st.floats(allow_nan=True, allow_infinity=True)
positions = st.tuples(numbers, numbers, numbers)
shapes = st.tuples(*[st.integers(-1, 6)] * 3)


@settings(max_examples=300, deadline=None)
@given(
    shape=shapes,
    matrix=st.lists(numbers | st.integers(-3, 3), min_size=12, max_size=12),
    first=positions,
    second=positions,
)
def test_no_grid_and_prompt_raise_anything_but_the_named_errors(
    shape: tuple[int, int, int],
    matrix: list[float],
    first: tuple[float, float, float],
    second: tuple[float, float, float],
) -> None:
    with np.errstate(all="ignore"):
        try:
            geometry = Geometry(shape, np.vstack([np.reshape(matrix, (3, 4)), [0, 0, 0, 1]]))
        except GeometryError:
            geometry = Geometry.from_spacing((5, 6, 7))
        for make in (
            lambda: Box.from_ijk(geometry, first, second),
            lambda: Box.from_ras(first, second),
            lambda: Point.from_ijk(geometry, first),
            lambda: Point(second),
            lambda: Scribble((first, second)),
            lambda: Lasso((first, second, (1, 2, 3))),
        ):
            try:
                marks = to_voxels([make()], geometry)
            except PromptError:
                continue
            for box in marks.boxes:
                assert Region.whole(geometry.shape_kji).contains(box)
            assert (marks.foreground_kji < geometry.shape_kji).all()


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.05, 20)] * 3),
    origin=st.tuples(*[st.floats(-2000, 2000)] * 3),
)
def test_from_voxels_to_prompts_and_back_is_stable(
    data: st.DataObject,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
) -> None:
    from sample_volumes import rotation

    shape = data.draw(st.tuples(*[st.integers(1, 600)] * 3))
    geometry = Geometry.from_spacing(shape, spacing, rotation(*angles), origin)
    start = [data.draw(st.integers(0, n - 1)) for n in shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True)]
    region = Region(tuple(start), tuple(stop))  # type: ignore[arg-type]
    box = Box.from_ijk(geometry, start[::-1], stop[::-1])
    assert box_region(box, geometry) == region
    assert mark_voxels(Point.from_ijk(geometry, start[::-1]), geometry).tolist() == [start]
