from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from MedSegFMLib.drawing.preview import Outline, draw_preview, write_preview

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.errors import OutputError
from MedSegFMLib.synthesis.phantom import ORGANS, make_abdomen
from MedSegFMLib.volumes.patient_planes import planes

# Which RAS coordinate rises or falls along the columns and down the rows of each picture.
EXPECTED = {
    "axial": ((0, -1), (1, -1)),
    "coronal": ((0, -1), (2, -1)),
    "sagittal": ((1, -1), (2, -1)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_plane_is_shown_as_a_radiologist_expects_it(name: str, geometry: Geometry) -> None:
    (column, column_sign), (row, row_sign) = EXPECTED[name]
    plane = next(p for p in planes(geometry) if p.name == name)
    indices = np.argwhere(np.ones(geometry.shape_kji, bool))
    ras = geometry.ras_from_ijk(indices[:, ::-1]).reshape(*geometry.shape_kji, 3)
    shown = np.stack([plane.cut(ras[..., world], 3) for world in range(3)])
    across = np.diff(shown[column], axis=1) * column_sign
    down = np.diff(shown[row], axis=0) * row_sign
    assert (across > 0).all() and (down > 0).all()
    assert plane.aspect == pytest.approx(
        np.linalg.norm(np.diff(shown, axis=1)[:, 0, 0])
        / np.linalg.norm(np.diff(shown, axis=2)[:, 0, 0])
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mark_is_drawn_on_the_voxel_it_marks(name: str, geometry: Geometry) -> None:
    plane = next(p for p in planes(geometry) if p.name == name)
    array = np.zeros(geometry.shape_kji)
    array[4, 9, 2] = 1
    columns, rows = plane.position(np.array([[4.0, 9.0, 2.0]]), geometry.shape_kji)
    picture = plane.cut(array, (4, 9, 2)[plane.axis_kji])
    assert picture[int(rows[0]), int(columns[0])] == 1 and picture.sum() == 1


def test_a_picture_is_drawn_whatever_there_is_to_show(
    blob: tuple[Volume, np.ndarray], tmp_path: Path
) -> None:
    volume, mask = blob
    prompts = [
        Box.from_ijk(volume.geometry, (1, 2, 1), (9, 12, 8)),
        Point.from_ijk(volume.geometry, (5, 6, 4), positive=False),
    ]
    empty = Outline("nothing", np.zeros_like(mask), "#ffffff")
    for n, (outlines, shown) in enumerate(
        [([Outline("ball", mask, "#E69F00")], prompts), ([empty], prompts[1:]), ([], [])]
    ):
        write_preview(draw_preview(volume, outlines, shown, "a title"), tmp_path / f"{n}.png")
        assert (tmp_path / f"{n}.png").stat().st_size > 10_000


@pytest.mark.parametrize("indices", [True, False])
def test_a_figure_drawn_on_again_shows_what_a_new_one_does(
    blob: tuple[Volume, np.ndarray], tmp_path: Path, indices: bool
) -> None:
    volume, mask = blob
    ball, rest = Outline("ball", mask, "#E69F00"), Outline("rest", ~mask, "#56B4E9", dashed=True)
    prompts = [Box.from_ijk(volume.geometry, (1, 2, 1), (9, 12, 8))]
    used = None
    for before in (indices, not indices):
        used = draw_preview(volume, [ball, rest], prompts, "a title", indices=before, figure=used)
    for again in (used, None):
        figure = draw_preview(volume, [ball], at_ijk=(5, 6, 4), indices=indices, figure=again)
        write_preview(figure, tmp_path / f"{again is None}.png")
    assert (tmp_path / "True.png").read_bytes() == (tmp_path / "False.png").read_bytes()


def test_an_outline_runs_between_the_mask_and_what_is_around_it() -> None:
    mask = np.zeros((8, 9, 10), bool)
    mask[2:5, 0:4, 3:7] = True
    volume = Volume(mask.astype(np.float32), Geometry.from_spacing(mask.shape))
    figure = draw_preview(volume, [Outline("block", mask, "#E69F00")], at_ijk=(4, 2, 3))
    for axes, plane in zip(figure.axes, planes(volume.geometry), strict=True):
        ((line,),) = [collection.get_segments() for collection in axes.collections]
        rows, columns = np.nonzero(plane.cut(mask, (3, 2, 4)[plane.axis_kji]))
        assert np.array_equal(line[0], line[-1]), "it is closed, also at the volume's border"
        assert line.min(axis=0).tolist() == [columns.min() - 0.5, rows.min() - 0.5]
        assert line.max(axis=0).tolist() == [columns.max() + 0.5, rows.max() + 0.5]


def test_a_single_slice_can_be_shown(tmp_path: Path) -> None:
    volume = Volume(np.eye(30)[None], Geometry.from_spacing((1, 30, 30), (1, 1, 5)))
    figure = draw_preview(volume, [Outline("line", volume.array_kji > 0, "#E69F00")])
    write_preview(figure, tmp_path / "p.jpg")
    assert (tmp_path / "p.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_picture_that_cannot_be_written_says_so(
    blob: tuple[Volume, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write_preview(draw_preview(blob[0], []), tmp_path / "nowhere" / "p.png")


def test_the_phantom_is_an_oblique_anisotropic_abdomen_and_always_the_same() -> None:
    phantom, again = make_abdomen(), make_abdomen()
    assert np.array_equal(phantom.image.array_kji, again.image.array_kji)
    assert not np.array_equal(make_abdomen(seed=1).image.array_kji, phantom.image.array_kji)
    assert set(np.unique(phantom.labels.array_kji)) == set(range(len(ORGANS) + 1))
    directions = phantom.image.geometry.directions
    assert np.abs(np.abs(directions) - np.round(np.abs(directions))).max() > 0.02
    assert phantom.image.geometry.spacing_kji_mm[0] > 2 * phantom.image.geometry.spacing_kji_mm[2]
    liver = phantom.image.array_kji[phantom.labels.array_kji == phantom.label("liver")]
    assert abs(np.median(liver) - 112) < 6
