"""Elements of slice figures: grey values, outlines, prompts, a frame and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..volumes.intensities import looks_like_ct, regular_sample
from ..volumes.patient_planes import Plane
from ..volumes.region import Region, Shape
from ..volumes.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND_COLUMNS = 4
_CT_WINDOW = (-160.0, 240.0)


def display_window(voxels: NDArray[Any]) -> tuple[float, float]:
    """The values shown as black and white: soft tissue for CT, else all but the extreme 0.5 %."""
    low, high = (float(v) for v in np.percentile(regular_sample(voxels), (0.5, 99.5)))
    if looks_like_ct(voxels):
        return _CT_WINDOW
    return (low, high) if high > low else (low - 1, high + 1)


def draw_slice(
    axes: Axes, plane: Plane, volume: Volume, index: int, window: tuple[float, float]
) -> None:
    """Draw a slice in grey, from the first value of the window (black) to the second (white)."""
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


def draw_prompts(
    axes: Axes, plane: Plane, volume: Volume, prompts: Sequence[Prompt], index: int
) -> None:
    """Draw boxes that intersect this slice as rectangles, and marks within one slice as + and x."""
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
    """Crop a slice image to `shown` and label its sides.

    Args:
        axes: the axes of the slice.
        plane: the plane of the slice.
        shape: the volume's shape (k, j, i).
        shown: the region to show.
        index: the slice's index.
        indices: whether to draw voxel indices at the sides.
    """
    corners = np.array([shown.start_kji, np.array(shown.stop_kji) - 1], dtype=float)
    columns, rows = plane.position(corners, shape)
    axes.set_xlim(columns.min() - 0.5, columns.max() + 0.5)
    axes.set_ylim(rows.max() + 0.5, rows.min() - 0.5)
    text = f"{plane.name}, {'kji'[plane.axis_kji]} = {index}"
    # Without a height, matplotlib measures all text around the image.
    axes.set_title(text, color="white", fontsize=10, y=1.0)
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
    """Draw voxel indices at the sides, in the direction in which they increase."""
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
        # An outline of the letter itself would take as long to draw as the slice.
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
    """Draw a title, and a legend below the planes.

    Args:
        figure: the figure.
        lines: colour of each line by name, and whether it is dashed.
        title: text above the planes; may be empty.
        place: matplotlib's name of the position; "outside" makes room in a constrained layout.
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
            ncols=min(len(lines), LEGEND_COLUMNS),
            frameon=False,
            fontsize=9,
            labelcolor="white",
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
