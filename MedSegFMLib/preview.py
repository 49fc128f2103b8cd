"""A picture of a segmentation: three planes with the outlines of objects and the prompts drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .atomic import atomic_path
from .errors import OutputError
from .intensities import looks_like_ct, regular_sample
from .masks import bounding_box
from .planes import Plane, planes
from .prompt_voxels import to_voxels
from .prompts import Prompt
from .region import Region, Shape, shape_triple
from .volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers as well.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
# Of a picture, in inches.
_WIDTH, _HEIGHT, _LEGEND_LINE = 12.0, 4.6, 0.22
_LEGEND_COLUMNS = 4
_CT_WINDOW = (-160.0, 240.0)


@dataclass(frozen=True)
class Outline:
    """A mask (bool or 0 and 1) on the volume's grid, and how its edge is drawn."""

    name: str
    mask_kji: NDArray[Any]
    colour: str
    dashed: bool = False


def draw_preview(
    volume: Volume,
    outlines: Sequence[Outline],
    prompts: Sequence[Prompt] = (),
    title: str = "",
    at_ijk: Sequence[float] | None = None,
    indices: bool = True,
    figure: Figure | None = None,
) -> Figure:
    """The axial, coronal and sagittal plane through the first outline that is not empty.

    The picture is cut to the surroundings of the outlines, keeps the voxels' true proportions, has
    voxel indices at its sides and shows in words what each colour is. Without any outline it shows
    the middle of the boxes, or of the volume.

    at_ijk: planes through this voxel instead. indices: False leaves those at the sides out, which
    take half of the time. figure: a `blank_figure` to draw on, or on what was drawn there before;
    a new one takes a quarter of the time.
    """
    if at_ijk is None:
        centre = _centre(volume, outlines, prompts)
    else:
        centre = np.round(at_ijk).astype(np.int64)[::-1]
    boxes = [bounding_box(outline.mask_kji) for outline in outlines]
    regions = [Region.from_slices(box) for box in boxes if box is not None]
    shown = shown_region(volume, regions, prompts)
    window = display_window(volume.crop(shown).array_kji)
    # Outlines of one name, such as the references of several objects, are explained once.
    lines = {o.name: (o.colour, o.dashed) for o in outlines}
    figure = blank_figure() if figure is None else _wiped(figure)
    # Measured layouts take as long as drawing; here the same room is left everywhere.
    legend = _LEGEND_LINE * -(-len(lines) // _LEGEND_COLUMNS)
    bottom, top = (0.45 + legend) / _HEIGHT, 1 - (0.65 if title else 0.35) / _HEIGHT
    figure.subplots_adjust(left=0.04, right=0.99, bottom=bottom, top=top, wspace=0.12)
    for axes, plane in zip(figure.axes, planes(volume.geometry), strict=True):
        index = int(centre[plane.axis_kji])
        draw_slice(axes, plane, volume, index, window)
        for outline in outlines:
            cut = plane.cut(outline.mask_kji, index)
            if cut.any():
                draw_outline(axes, cut, outline.colour, outline.dashed)
        draw_prompts(axes, plane, volume, prompts, index)
        draw_frame(axes, plane, volume.geometry.shape_kji, shown, index, indices)
    draw_legend(figure, lines, title, "lower center")
    return figure


def blank_figure() -> Figure:
    """What `draw_preview` draws on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="black")
    figure.subplots(1, 3)
    return figure


def _wiped(figure: Figure) -> Figure:
    """Take away what `draw_preview` drew, but for what it draws anew in its place."""
    for axes in figure.axes:
        axes.set_axis_on()
        for artist in (*axes.images, *axes.collections, *axes.patches, *axes.texts):
            artist.remove()
    for legend in list(figure.legends):
        legend.remove()
    figure.suptitle("")
    return figure


def check_picture_ending(path: Path) -> None:
    """Raise OutputError where no picture is written under this name."""
    if path.suffix.lower() not in (".png", ".jpg"):
        raise OutputError(f"{path} is no picture's name; let it end in .png or .jpg.")


def write_preview(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG or JPEG, by the ending, whole or not at all."""
    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=110, facecolor=figure.get_facecolor())


def display_window(voxels: NDArray[Any]) -> tuple[float, float]:
    """The values shown as black and white: soft tissue for CT, else all but the extreme 0.5 %."""
    low, high = (float(v) for v in np.percentile(regular_sample(voxels), (0.5, 99.5)))
    if looks_like_ct(voxels):
        return _CT_WINDOW
    return (low, high) if high > low else (low - 1, high + 1)


def _centre(
    volume: Volume, outlines: Sequence[Outline], prompts: Sequence[Prompt]
) -> NDArray[np.int64]:
    """The voxel the planes go through: of the first object, the one nearest its middle."""
    for outline in outlines:
        middle = middle_voxel(outline.mask_kji)
        if middle is not None:
            return middle
    region = _prompted_region(volume, prompts) or Region.whole(volume.geometry.shape_kji)
    return np.add(region.start_kji, region.stop_kji) // 2


def middle_voxel(mask_kji: NDArray[Any]) -> NDArray[np.int64] | None:
    """(3,) (k, j, i): the voxel of a mask nearest to its middle; None where it is empty."""
    box = bounding_box(mask_kji)
    if box is None:
        return None
    inside = np.argwhere(mask_kji[box])
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return np.asarray(inside[nearest] + [s.start for s in box])


def shown_region(volume: Volume, regions: Sequence[Region], prompts: Sequence[Prompt]) -> Region:
    """The regions and prompts and as much around them as they are wide; without any, all."""
    prompted = _prompted_region(volume, prompts)
    around = [*regions, *([] if prompted is None else [prompted])]
    if not around:
        return Region.whole(volume.geometry.shape_kji)
    whole = Region.around(around)
    widest_mm = max(
        n * mm for n, mm in zip(whole.shape_kji, volume.geometry.spacing_kji_mm, strict=True)
    )
    margin = [int(np.ceil(0.6 * widest_mm / mm)) for mm in volume.geometry.spacing_kji_mm]
    return whole.grown(margin, volume.geometry.shape_kji)


def _prompted_region(volume: Volume, prompts: Sequence[Prompt]) -> Region | None:
    marks = to_voxels(prompts, volume.geometry)
    voxels = marks.voxels_kji
    regions = list(marks.boxes)
    if len(voxels):
        low, high = voxels.min(axis=0).tolist(), (voxels.max(axis=0) + 1).tolist()
        regions.append(Region(shape_triple(low), shape_triple(high)))
    return Region.around(regions) if regions else None


def draw_slice(
    axes: Axes, plane: Plane, volume: Volume, index: int, window: tuple[float, float]
) -> None:
    """A slice in grey, from the first value of the window, black, to the second, white."""
    axes.imshow(
        plane.cut(volume.array_kji, index),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        aspect=plane.aspect,
        interpolation="nearest",
    )


def draw_outline(
    axes: Axes, cut: NDArray[Any], colour: str, dashed: bool = False, width: float = 1.5
) -> None:
    """The edge of a mask's picture (rows, columns), as `Plane.cut` gives it."""
    from contourpy import contour_generator
    from matplotlib.collections import LineCollection

    # A rim of zeros closes the line at the border of the volume. `axes.contour` draws the same, and
    # takes four times as long.
    padded = np.pad(cut.astype(np.float32), 1)
    drawn = LineCollection(
        [np.asarray(line) - 1 for line in contour_generator(z=padded).lines(0.5)],
        colors=[colour],
        linewidths=width,
        linestyles="dashed" if dashed else "solid",
    )
    axes.add_collection(drawn, autolim=False)


def draw_prompts(
    axes: Axes, plane: Plane, volume: Volume, prompts: Sequence[Prompt], index: int
) -> None:
    """Boxes of this slice as rectangles, marks of this slice or the next as + and x."""
    from matplotlib.patches import Rectangle

    if not prompts:
        return
    shape = volume.geometry.shape_kji
    marks = to_voxels(prompts, volume.geometry)
    for box in marks.boxes:
        if not box.start_kji[plane.axis_kji] <= index < box.stop_kji[plane.axis_kji]:
            continue
        corners = np.array([box.start_kji, box.stop_kji], dtype=float) - 0.5
        columns, rows = plane.position(corners, shape)
        axes.add_patch(
            Rectangle(
                (columns.min(), rows.min()),
                float(np.ptp(columns)),
                float(np.ptp(rows)),
                fill=False,
                edgecolor="white",
                linewidth=1,
                linestyle="dotted",
            )
        )
    for voxels, marker, colour in (
        (marks.foreground_kji, "P", "#5CFF5C"),
        (marks.background_kji, "X", "#FF5C5C"),
    ):
        near = voxels[np.abs(voxels[:, plane.axis_kji] - index) <= 1]
        columns, rows = plane.position(near.astype(float), shape)
        axes.scatter(
            columns,
            rows,
            marker=marker,
            s=42,
            c=colour,
            edgecolors="black",
            linewidths=0.6,
            zorder=3,
        )


def draw_frame(
    axes: Axes, plane: Plane, shape: Shape, shown: Region, index: int, indices: bool = True
) -> None:
    """Cut a slice's picture to `shown` of a volume of `shape` voxels (k, j, i); name its sides."""
    corners = np.array([shown.start_kji, np.array(shown.stop_kji) - 1], dtype=float)
    columns, rows = plane.position(corners, shape)
    axes.set_xlim(columns.min() - 0.5, columns.max() + 0.5)
    axes.set_ylim(rows.max() + 0.5, rows.min() - 0.5)
    words = f"{plane.name}, {'kji'[plane.axis_kji]} = {index}"
    # Where no height is given, all that stands around the picture is measured.
    axes.set_title(words, color="white", fontsize=10, y=1.0)
    if indices:
        _draw_indices(axes, plane, shape, shown)
    else:
        axes.set_axis_off()
    left, right, top, bottom = plane.edge_letters
    for letter, (x, y) in {left: (0.02, 0.5), right: (0.98, 0.5)}.items():
        _letter(axes, letter, x, y)
    for letter, (x, y) in {top: (0.5, 0.98), bottom: (0.5, 0.02)}.items():
        _letter(axes, letter, x, y)


def _draw_indices(axes: Axes, plane: Plane, shape: Shape, shown: Region) -> None:
    """Voxel indices at the sides, whichever way they run in the picture."""
    for axis, array_axis, flipped in (
        (axes.xaxis, plane.columns_kji, plane.flip_columns),
        (axes.yaxis, plane.rows_kji, plane.flip_rows),
    ):
        start, stop = shown.start_kji[array_axis], shown.stop_kji[array_axis]
        step = max(1, round((stop - start) / 5, -1 if stop - start > 50 else 0))
        indices = np.arange(-(-start // step) * step, stop, step)
        axis.set_ticks(shape[array_axis] - 1 - indices if flipped else indices)
        axis.set_ticklabels([str(int(v)) for v in indices])
        axis.set_label_text("kji"[array_axis], color="#9A9A9A", fontsize=8)
    axes.tick_params(colors="#9A9A9A", labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _letter(axes: Axes, letter: str, x: float, y: float) -> None:
    axes.text(
        x,
        y,
        letter,
        transform=axes.transAxes,
        color="#FFD37F",
        # A rim around the letter itself would take as long as the slice.
        bbox={"facecolor": "black", "alpha": 0.5, "pad": 1.0, "linewidth": 0},
        fontsize=9,
        ha="left" if x < 0.1 else "right" if x > 0.9 else "center",
        va="top" if y > 0.9 else "bottom" if y < 0.1 else "center",
    )


def draw_legend(
    figure: Figure,
    lines: Mapping[str, tuple[str, bool]],
    title: str,
    place: Literal["lower center", "outside lower center"] = "outside lower center",
) -> None:
    """A title, and below the pictures what the lines are: by name their colour, and if dashed.

    place: as matplotlib calls it; "outside" makes room for itself where the layout is constrained.
    """
    from matplotlib.lines import Line2D

    if title:
        figure.suptitle(title, color="white", fontsize=11, parse_math=False)
    if lines:
        legend = figure.legend(
            handles=[
                Line2D([], [], color=colour, linestyle="--" if dashed else "-", label=name)
                for name, (colour, dashed) in lines.items()
            ],
            loc=place,
            ncols=min(len(lines), _LEGEND_COLUMNS),
            frameon=False,
            fontsize=9,
            labelcolor="white",
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
