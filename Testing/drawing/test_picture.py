from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.drawing.outlines import Outline, object_colour
from MedSegFMLib.drawing.panels import (
    Rows,
    panels_of_montage,
    panels_of_objects,
    panels_through,
)
from MedSegFMLib.drawing.picture import Scene, draw_panels, write_picture
from MedSegFMLib.drawing.slices import scale_mm
from MedSegFMLib.errors import OutputError
from MedSegFMLib.synthesis.phantom import ORGANS, make_abdomen
from MedSegFMLib.volumes.patient_planes import planes
from MedSegFMLib.volumes.windows import named_window

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


def draw(scene: Scene, rows: Rows, path: Path, title: str = "") -> np.ndarray:
    """Write a picture; its pixels (rows, columns, 3), 0 to 255."""
    write_picture(draw_panels(scene, rows, title), path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def of_colour(pixels: np.ndarray, colour: str, tolerance: int = 40) -> np.ndarray:
    """Which pixels have a colour such as "#E69F00"."""
    rgb = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return np.asarray((np.abs(pixels - rgb) <= tolerance).all(axis=-1))


def place_of(axes: Axes, pixels: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of an image within a picture."""
    height, width = pixels.shape[:2]
    box = axes.get_position()
    return (
        slice(round((1 - box.y1) * height), round((1 - box.y0) * height)),
        slice(round(box.x0 * width), round(box.x1 * width)),
    )


def test_a_picture_is_drawn_whatever_there_is_to_show(
    blob: tuple[Volume, np.ndarray], tmp_path: Path
) -> None:
    volume, mask = blob
    prompts = [
        Box.from_ijk(volume.geometry, (1, 2, 1), (9, 12, 8)),
        Point.from_ijk(volume.geometry, (5, 6, 4), positive=False),
    ]
    empty = Outline.from_mask("nothing", np.zeros_like(mask), "#ffffff")
    ball = Outline.from_mask("ball", mask, "#E69F00")
    for n, (outlines, shown) in enumerate([([ball], prompts), ([empty], prompts[1:]), ([], [])]):
        scene = Scene(volume, outlines, shown)
        for rows in (panels_through(scene), panels_of_objects(scene), panels_of_montage(scene)):
            draw(scene, rows, tmp_path / f"{n}.png", "a title")
            assert (tmp_path / f"{n}.png").stat().st_size > 10_000


def test_the_colour_of_each_object_is_where_the_object_is(
    geometry: Geometry, tmp_path: Path
) -> None:
    low, high = (np.zeros(geometry.shape_kji, bool) for _ in range(2))
    low[1:4, 2:7, 2:5], high[5:8, 8:12, 6:9] = True, True
    volume = Volume(np.full(geometry.shape_kji, 5.0), geometry)
    outlines = [
        Outline.from_mask(name, mask, object_colour(n))
        for n, (name, mask) in enumerate({"low": low, "high": high}.items())
    ]
    scene = Scene(volume, outlines)
    rows = panels_of_objects(scene)
    pixels = draw(scene, rows, tmp_path / "p.png")
    figure = draw_panels(scene, rows)
    axes = iter(figure.axes)
    for outline, mask, row in zip(outlines, (low, high), rows, strict=True):
        assert len(row) == 3
        for panel in row:
            image = pixels[place_of(next(axes), pixels)]
            cut = panel.plane.cut(mask, panel.index)
            assert cut.sum() == max(
                panel.plane.cut(mask, n).sum() for n in range(mask.shape[panel.plane.axis_kji])
            )
            found = np.argwhere(of_colour(image, outline.colour))
            columns, lines = panel.plane.position(
                np.array([panel.shown.start_kji, np.subtract(panel.shown.stop_kji, 1)], float),
                geometry.shape_kji,
            )
            # Voxels extend by a half around their centres.
            left, top = columns.min(), lines.min()
            size = np.ptp(lines) + 1, np.ptp(columns) + 1
            inside = np.argwhere(cut) - (top, left)
            for axis in range(2):
                scale = image.shape[axis] / size[axis]
                expected = (inside[:, axis].min() * scale, (inside[:, axis].max() + 1) * scale)
                drawn = found[:, axis].min(), found[:, axis].max()
                assert np.abs(np.subtract(drawn, expected)).max() < 6, "within the line's width"


def test_every_one_of_twenty_objects_is_visible_in_its_colour_and_named(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((6, 60, 60), (1, 1, 4))
    outlines = []
    for n in range(20):
        mask = np.zeros(geometry.shape_kji, bool)
        row, column = divmod(n, 5)
        mask[n % 6, 4 + 14 * row : 12 + 14 * row, 2 + 11 * column : 10 + 11 * column] = True
        outlines.append(Outline.from_mask(f"organ {n}", mask, object_colour(n)))
    assert len({outline.colour for outline in outlines}) == 20
    scene = Scene(Volume(np.zeros(geometry.shape_kji), geometry), outlines)
    rows = panels_of_objects(scene)
    assert [panel.of for row in rows for panel in row] == outlines
    assert all(panel.index == n % 6 for n, panel in enumerate(p for row in rows for p in row))
    figure = draw_panels(scene, rows)
    pixels = draw(scene, rows, tmp_path / "p.png")
    for axes, outline in zip(figure.axes, outlines, strict=True):
        image = pixels[place_of(axes, pixels)]
        assert of_colour(image, outline.colour).sum() > 100, outline.name
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [f"organ {n}" for n in range(20)]


def test_nothing_in_a_picture_overlaps(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((12, 60, 60), (1, 1, 0.6))
    mask = np.zeros(geometry.shape_kji, bool)
    mask[3:9, 10:50, 10:50] = True
    outline = Outline.from_mask(
        "an object with a name that is far too long to fit", mask, "#E69F00"
    )
    scene = Scene(Volume(np.zeros(geometry.shape_kji), geometry), [outline])
    for rows in (panels_through(scene), panels_of_objects(scene), panels_of_montage(scene)):
        figure = draw_panels(scene, rows, "a title " * 40)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = [text for axes in figure.axes for text in axes.texts]
        texts = [text for text in [*drawn, *figure.texts] if text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        for n, box in enumerate(boxes):
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            for m, other in enumerate(boxes[:n]):
                assert not box.overlaps(other), (texts[n].get_text(), texts[m].get_text())


def test_each_picture_says_its_plane_its_slice_and_its_window() -> None:
    geometry = Geometry.from_spacing((9, 14, 11))
    volume = Volume(np.linspace(0, 200, 9 * 14 * 11).reshape(9, 14, 11), geometry)
    scene = Scene(volume, window=named_window("bone"))
    figure = draw_panels(scene, panels_through(scene, (4, 3, 2)))
    captions = [[t.get_text() for t in axes.texts] for axes in figure.axes]
    for texts, place in zip(
        captions, ("axial, k = 4", "coronal, j = 3", "sagittal, i = 2"), strict=True
    ):
        assert place in texts and "bone: level 400, width 1800" in texts
        assert any(text.endswith(" mm") for text in texts)
    assert [axes.images[0].get_clim() for axes in figure.axes] == [(-500, 1300)] * 3


@pytest.mark.parametrize(("width_mm", "bar"), [(100, 20), (9, 2), (8, 2), (0.3, 0.05), (430, 100)])
def test_the_scale_is_a_round_length_of_at_most_a_quarter(width_mm: float, bar: float) -> None:
    assert scale_mm(width_mm) == pytest.approx(bar)


def test_the_scale_bar_has_the_length_it_says() -> None:
    geometry = Geometry.from_spacing((9, 40, 80), (0.5, 0.5, 2))
    scene = Scene(Volume(np.zeros(geometry.shape_kji), geometry))
    axes = draw_panels(scene, panels_through(scene)).axes[0]
    left, right = axes.lines[-1].get_xdata()
    assert (right - left) * 80 * 0.5 == pytest.approx(10)
    assert "10 mm" in [text.get_text() for text in axes.texts]


def test_an_outline_runs_between_the_mask_and_what_is_around_it() -> None:
    mask = np.zeros((8, 9, 10), bool)
    mask[2:5, 0:4, 3:7] = True
    volume = Volume(mask.astype(np.float32), Geometry.from_spacing(mask.shape))
    scene = Scene(volume, [Outline.from_mask("block", mask, "#E69F00")])
    figure = draw_panels(scene, panels_through(scene, (3, 2, 4)))
    for axes, plane in zip(figure.axes, planes(volume.geometry), strict=True):
        ((line,),) = [collection.get_segments() for collection in axes.collections]
        rows, columns = np.nonzero(plane.cut(mask, (3, 2, 4)[plane.axis_kji]))
        assert np.array_equal(line[0], line[-1]), "it is closed, also at the volume's border"
        assert line.min(axis=0).tolist() == [columns.min() - 0.5, rows.min() - 0.5]
        assert line.max(axis=0).tolist() == [columns.max() + 0.5, rows.max() + 0.5]


def test_planes_that_are_too_thin_to_show_anything_are_left_out(tmp_path: Path) -> None:
    volume = Volume(np.eye(30)[None], Geometry.from_spacing((1, 30, 30), (1, 1, 1)))
    scene = Scene(volume, [Outline.from_mask("line", volume.array_kji > 0, "#E69F00")])
    for rows in (panels_through(scene), panels_of_objects(scene), panels_of_montage(scene)):
        assert [[panel.plane.name for panel in row] for row in rows] == [["axial"]]
    draw(scene, rows, tmp_path / "p.jpg")
    assert (tmp_path / "p.jpg").read_bytes().startswith(b"\xff\xd8")
    line = Volume(np.zeros((1, 1, 5)), Geometry.from_spacing((1, 1, 5)))
    assert panels_through(Scene(line))


def test_a_montage_has_every_nth_slice_of_the_plane_of_the_scan() -> None:
    geometry = Geometry.from_spacing((90, 40, 14), (3, 1, 1))
    scene = Scene(Volume(np.zeros(geometry.shape_kji), geometry))
    panels = [panel for row in panels_of_montage(scene, 4) for panel in row]
    assert {panel.plane.name for panel in panels} == {"sagittal"}
    assert [panel.index for panel in panels] == [0, 4, 8, 12]
    thick = Geometry.from_spacing((90, 11, 14), (1, 1, 3))
    scene = Scene(Volume(np.zeros(thick.shape_kji), thick))
    assert len([panel for row in panels_of_montage(scene) for panel in row]) == 18
    mask = np.zeros(thick.shape_kji, bool)
    mask[40:43] = True
    masked = Scene(scene.volume, [Outline.from_mask("slab", mask, "#E69F00")])
    panels = [panel for row in panels_of_montage(masked) for panel in row]
    assert [panel.index for panel in panels] == [40, 41, 42]
    long = Geometry.from_spacing((500, 11, 14), (1, 1, 3))
    with pytest.raises(OutputError, match="--every 5 or more"):
        panels_of_montage(Scene(Volume(np.zeros(long.shape_kji), long)), 1)


def test_a_picture_that_cannot_be_written_says_so(
    blob: tuple[Volume, np.ndarray], tmp_path: Path
) -> None:
    scene = Scene(blob[0])
    with pytest.raises(OutputError, match="does not exist"):
        write_picture(draw_panels(scene, panels_through(scene)), tmp_path / "nowhere" / "p.png")


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
