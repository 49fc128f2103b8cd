"""The picture of where the planes disagree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from consistency_fakes import answer_of, noisy_answer, smooth_noise
from matplotlib.colors import to_hex

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.consistency import Consistency, measure
from MedSegFMLib.consistency.measure import plane_axes
from MedSegFMLib.drawing.consistency_figure import PLANE_COLOURS, draw_consistency
from MedSegFMLib.drawing.picture import write_picture
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.volumes.patient_planes import planes, slice_positions_mm

COLUMN_OF = {"sagittal": 0, "coronal": 1, "axial": 2}


def volume_on(geometry: Geometry) -> Volume:
    return Volume(100 * smooth_noise(geometry.shape_kji, 7), geometry)


def measured(geometry: Geometry, count: int = 3) -> tuple[Prediction, Consistency]:
    answer = noisy_answer(geometry, count)
    return answer, measure(answer, [])


def test_slices_have_their_place_in_the_patient(geometry: Geometry) -> None:
    directions = geometry.directions
    straight = np.array_equal(np.abs(directions), np.round(np.abs(directions)))
    for plane in planes(geometry):
        positions = slice_positions_mm(geometry, plane)
        ijk = np.zeros((len(positions), 3))
        ijk[:, 2 - plane.axis_kji] = np.arange(len(positions))
        across = geometry.ras_from_ijk(ijk)[:, COLUMN_OF[plane.name]]
        steps, moved = np.diff(positions), np.diff(across)
        assert np.allclose(np.abs(steps), geometry.spacing_kji_mm[plane.axis_kji])
        assert (np.sign(steps) == np.sign(moved)).all(), "grows toward superior, anterior, right"
        if straight:
            assert np.allclose(positions, across)


def test_the_planes_go_through_the_suggestion_and_the_heat_lies_where_it_belongs(
    geometry: Geometry,
) -> None:
    answer, found = measured(geometry)
    assert found.suggestion is not None
    figure = draw_consistency(volume_on(geometry), answer, found, "some object")
    whole = np.zeros(geometry.shape_kji, dtype=np.float32)
    whole[found.region.slices] = found.disagreement_kji
    for axes, plane in zip(figure.axes[:3], planes(geometry), strict=True):
        index = found.suggestion.click_kji[plane.axis_kji]
        caption = f"{plane.name}, {'kji'[plane.axis_kji]} = {index}"
        assert caption in [text.get_text() for text in axes.texts]
        heat = np.asarray(axes.images[1].get_array())
        assert np.array_equal(heat, plane.cut(whole, index))
        columns, rows = plane.position(
            np.array(found.suggestion.click_kji, dtype=float), geometry.shape_kji
        )
        assert np.allclose(axes.collections[-1].get_offsets(), [[columns, rows]])
    assert axes.images[1].get_clim() == (0, 1)


def test_the_outlines_are_those_of_the_planes_and_of_the_answer(geometry: Geometry) -> None:
    answer, found = measured(geometry)
    figure = draw_consistency(volume_on(geometry), answer, found)
    index = found.suggestion.click_kji  # type: ignore[union-attr]
    local = np.subtract(index, found.region.start_kji)
    expected = {PLANE_COLOURS[name].lower(): mask for name, mask in found.masks.items()}
    expected["#ffffff"] = answer.logits_kji > 0
    for axes, plane in zip(figure.axes[:3], planes(geometry), strict=True):
        drawn = {to_hex(c.get_edgecolor()[0]) for c in axes.collections[:-2]}
        cut = {
            colour
            for colour, mask in expected.items()
            if mask.take(local[plane.axis_kji], plane.axis_kji).any()
        }
        assert drawn == cut
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["axial plane", "coronal plane", "sagittal plane", "answer"]


def test_below_each_plane_stands_the_agreement_of_its_slices_in_millimetres(
    geometry: Geometry,
) -> None:
    answer, found = measured(geometry)
    figure = draw_consistency(volume_on(geometry), answer, found)
    axes_of = plane_axes(geometry)
    for graph, plane in zip(figure.axes[3:6], planes(geometry), strict=True):
        line = graph.lines[0]
        start = found.region.start_kji[axes_of[plane.name]]
        scores = found.slices[plane.name]
        positions = slice_positions_mm(geometry, plane)[start : start + len(scores)]
        assert np.allclose(line.get_xdata(), positions)
        heights = [np.nan if score is None else score for score in scores]
        assert np.allclose(line.get_ydata(), heights, equal_nan=True)
        assert "(mm)" in graph.get_xlabel() and line.get_color() == PLANE_COLOURS[plane.name]


def test_the_title_says_how_far_the_planes_agree_and_what_to_click() -> None:
    geometry = Geometry.from_spacing((9, 14, 11))
    answer, found = measured(geometry)
    title = draw_consistency(volume_on(geometry), answer, found, "liver").get_suptitle()
    assert found.suggestion is not None
    k, j, i = found.suggestion.click_kji
    assert title == (
        f"liver: agreement between planes {found.agreement:.2f}, expected Dice "
        f"{found.expected_dice:.2f}, does voxel {i} {j} {k} belong to it?"
    )


@pytest.mark.parametrize("kind", ["three planes", "one plane", "empty", "single slice"])
def test_a_picture_is_drawn_whatever_there_is_to_show(kind: str, tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((1 if kind == "single slice" else 9, 14, 11), (1, 1, 3))
    answer, found = measured(geometry, 1 if kind == "one plane" else 3)
    if kind == "empty":
        nothing = np.zeros((3, 4, 5), dtype=np.float32)
        answer = answer_of(geometry, dict.fromkeys(("axial", "coronal"), nothing), (2, 3, 4))
        found = measure(answer, [])
    figure = draw_consistency(volume_on(geometry), answer, found, "$a_b$")
    write_picture(figure, tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 20_000
    words = {"one plane": "no comparison", "empty": "nothing was found, no part"}
    assert words.get(kind, "agreement between planes") in " ".join(figure.get_suptitle().split())
