"""Elements of slice pictures: grey values, outlines, prompts, sides, indices, scale, legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..prompts.voxels import VoxelMarks
from ..volumes.patient_planes import Plane
from ..volumes.region import Region, Shape
from ..volumes.volume import Volume
from ..volumes.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#9A9A9A"
_SIDE_COLOUR = "#FFD37F"
_BEHIND_TEXT = {"facecolor": "black", "alpha": 0.5, "pad": 1.0, "linewidth": 0}
_LEGEND_FONT = 9
_MOST_LETTERS = 40
# Inches: the width of a letter and of a handle in the legend, and the height of its lines.
_LETTER, _HANDLE = 0.085, 0.75
LEGEND_LINE = 0.22
_LONGEST_BAR = 0.25


def draw_slice(axes: Axes, plane: Plane, volume: Volume, index: int, window: Window) -> None:
    """Draw a slice in grey, from the lowest value of the window (black) to the highest (white)."""
    # At a border of the image part of a pixel is background.
    axes.set_facecolor("black")
    axes.imshow(
        plane.cut(volume.array_kji, index),
        cmap="gray",
        vmin=window.low,
        vmax=window.high,
        aspect="auto",
        interpolation="nearest",
    )


def draw_outline(
    axes: Axes, cut: NDArray[Any], colour: str, dashed: bool = False, width: float = 1.5
) -> None:
    """Draw the outline of a mask's slice (rows, columns), as returned by `Plane.cut`."""
    from contourpy import contour_generator
    from matplotlib.collections import LineCollection

    # A rim of zeros closes the line at the border of the volume. `axes.contour` draws the same but
    # takes longer.
    padded = np.pad(cut.astype(np.float32), 1)
    outline = LineCollection(
        [np.asarray(line) - 1 for line in contour_generator(z=padded).lines(0.5)],
        colors=[colour],
        linewidths=width,
        linestyles="dashed" if dashed else "solid",
    )
    axes.add_collection(outline, autolim=False)


def draw_marks(axes: Axes, plane: Plane, shape: Shape, marks: VoxelMarks, index: int) -> None:
    """Draw boxes that intersect this slice as rectangles, and marks within one slice as + and x."""
    from matplotlib.patches import Rectangle

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


def crop_axes(axes: Axes, plane: Plane, shape: Shape, shown: Region) -> None:
    """Crop a slice image to `shown`."""
    corners = np.array([shown.start_kji, np.array(shown.stop_kji) - 1], dtype=float)
    columns, rows = plane.position(corners, shape)
    axes.set_xlim(columns.min() - 0.5, columns.max() + 0.5)
    axes.set_ylim(rows.max() + 0.5, rows.min() - 0.5)


def draw_indices(axes: Axes, plane: Plane, shape: Shape, shown: Region) -> None:
    """Draw voxel indices at the sides, in the direction in which they increase."""
    for axis, array_axis, flipped in (
        (axes.xaxis, plane.columns_kji, plane.flip_columns),
        (axes.yaxis, plane.rows_kji, plane.flip_rows),
    ):
        start, stop = shown.start_kji[array_axis], shown.stop_kji[array_axis]
        step = max(1, round((stop - start) / 5, -1 if stop - start > 50 else 0))
        # In a small image the indices of neighbours would touch.
        is_down = axis is axes.yaxis
        room = _height_inches(axes) / 0.15 if is_down else _width_inches(axes) / 0.35
        if (stop - start) / step > room:
            step = max(1, stop - start - 1)
        indices = np.arange(-(-start // step) * step, stop, step)
        axis.set_ticks(shape[array_axis] - 1 - indices if flipped else indices)
        axis.set_ticklabels([str(int(v)) for v in indices])
        axis.set_label_text("kji"[array_axis], color=GREY, fontsize=8)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 1
    axes.tick_params(colors=GREY, labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_sides(axes: Axes, plane: Plane) -> None:
    """Draw the letters of the patient's sides within the image."""
    left, right, top, bottom = plane.edge_letters
    for letter, x, y in (
        (left, 0.02, 0.5),
        (right, 0.98, 0.5),
        (top, 0.5, 0.98),
        (bottom, 0.5, 0.02),
    ):
        axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            color=_SIDE_COLOUR,
            # An outline of the letter itself would take as long to draw as the slice.
            bbox=_BEHIND_TEXT,
            fontsize=9,
            ha="left" if x < 0.1 else "right" if x > 0.9 else "center",
            va="top" if y > 0.9 else "bottom" if y < 0.1 else "center",
        )


def draw_scale(axes: Axes, width_mm: float) -> None:
    """Draw a bar of a round length in millimetres at the bottom left of an image.

    Args:
        axes: the axes of the image.
        width_mm: the width of the image.
    """
    length = scale_mm(width_mm)
    width, height = _width_inches(axes), _height_inches(axes)
    left, bottom = 0.3 / width, 0.07 / height
    right = left + length / width_mm
    for colour, thickness in (("black", 4.0), ("white", 2.0)):
        axes.plot(
            [left, right],
            [bottom, bottom],
            transform=axes.transAxes,
            color=colour,
            linewidth=thickness,
            solid_capstyle="butt",
            zorder=4,
        )
    # In a thin image the letter of the left side is above the bar.
    is_thin = height < 0.7
    axes.text(
        right + 0.06 / width if is_thin else left,
        bottom if is_thin else bottom + 0.04 / height,
        f"{length:g} mm",
        transform=axes.transAxes,
        color="white",
        bbox=_BEHIND_TEXT,
        fontsize=7,
        va="center" if is_thin else "bottom",
        zorder=4,
    )


def scale_mm(width_mm: float) -> float:
    """The largest of 1, 2 or 5 times a power of ten that is at most a quarter of a width."""
    most = _LONGEST_BAR * width_mm
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= most))


def legend_lines(names: Sequence[str], width: float) -> int:
    """The lines of text of a legend in a figure of a width in inches."""
    return -(-len(names) // _legend_columns(names, width))


def draw_legend(figure: Figure, lines: Mapping[str, tuple[str, bool]]) -> None:
    """Draw a legend at the bottom; colour of each line by name, and whether it is dashed."""
    from matplotlib.lines import Line2D

    if not lines:
        return
    legend = figure.legend(
        handles=[
            Line2D([], [], color=colour, linestyle="--" if dashed else "-", label=_label(name))
            for name, (colour, dashed) in lines.items()
        ],
        loc="lower center",
        ncols=_legend_columns(list(lines), figure.get_figwidth()),
        frameon=False,
        fontsize=_LEGEND_FONT,
        labelcolor="white",
        borderaxespad=0.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _label(name: str) -> str:
    """A name in the legend; matplotlib omits one that begins with _, unless a space is before."""
    return f"\u200b{shortened(name)}" if name.startswith("_") else shortened(name)


def shortened(name: str, letters: int = _MOST_LETTERS) -> str:
    """A name with an ellipsis for what is too long."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def _legend_columns(names: Sequence[str], width: float) -> int:
    longest = max((len(shortened(name)) for name in names), default=0)
    return max(1, min(len(names), 6, int((width - 0.2) / (_HANDLE + _LETTER * longest))))


def _width_inches(axes: Axes) -> float:
    return float(axes.get_position().width * figure_of(axes).get_figwidth())


def _height_inches(axes: Axes) -> float:
    return float(axes.get_position().height * figure_of(axes).get_figheight())


def figure_of(axes: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure
