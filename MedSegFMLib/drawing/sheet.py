"""The layout of a picture: rows of slice images in true proportions, captions, title, legend."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .slices import LEGEND_LINE, draw_legend, figure_of, legend_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches: the width of a cell by the number of columns, and of what is around the images.
_CELL_WIDTHS = {1: 6.5, 2: 5.4, 3: 4.0, 4: 3.1}
_NARROWEST_CELL = 2.5
_CAPTION, _BESIDE, _GAP = 0.42, 0.1, 0.08
_INDICES_LEFT, _INDICES_BELOW = 0.52, 0.36
_TITLE_LINE, _TITLE_LETTER = 0.2, 0.088
# The height of an image relative to the width that is there for it.
_TALLEST = 1.3


@dataclass(frozen=True)
class Sheet:
    """A figure with axes for images.

    Attributes:
        figure: the figure.
        rows: the axes of each row of images.
        graphs: axes below the images of the last row, if there is room for them.
    """

    figure: Figure
    rows: list[list[Axes]]
    graphs: list[Axes]


def make_sheet(
    ratios: Sequence[Sequence[float]],
    lines: Mapping[str, tuple[str, bool]],
    title: str,
    indices: bool,
    graph_height: float = 0.0,
    right: float = 0.0,
) -> Sheet:
    """Lay out a figure; nothing in it overlaps.

    Args:
        ratios: height divided by width of each image, by row.
        lines: the entries of the legend, as `draw_legend` takes them.
        title: text above the images; may be empty.
        indices: whether there is room for voxel indices beside and below each image.
        graph_height: the height of a graph below each column in inches; 0 for none.
        right: room at the right of the figure in inches.
    """
    from matplotlib.figure import Figure

    columns = max(map(len, ratios))
    cell = _CELL_WIDTHS.get(columns, _NARROWEST_CELL)
    beside = _INDICES_LEFT if indices else _BESIDE
    below = _INDICES_BELOW if indices else _GAP
    room = cell - beside - _BESIDE
    width = columns * cell + right
    heights = [max(min(room * ratio, room * _TALLEST) for ratio in row) for row in ratios]
    titles = _title_lines(title, width)
    top = 0.08 + _TITLE_LINE * len(titles)
    bottom = LEGEND_LINE * legend_lines(list(lines), width) + 0.06 if lines else 0.0
    graphs_height = graph_height + 0.45 if graph_height else 0.0
    height = top + sum(_CAPTION + h + below for h in heights) + graphs_height + bottom
    figure = Figure(figsize=(width, height), facecolor="black")

    def add(left: float, from_top: float, wide: float, tall: float) -> Axes:
        return figure.add_axes(
            (left / width, 1 - (from_top + tall) / height, wide / width, tall / height)
        )

    rows = []
    y = top
    for row, image_height in zip(ratios, heights, strict=True):
        axes_row = []
        for column, ratio in enumerate(row):
            wide = min(room, image_height / ratio)
            left = column * cell + beside + (room - wide) / 2
            axes_row.append(add(left, y + _CAPTION, wide, wide * ratio))
        rows.append(axes_row)
        y += _CAPTION + image_height + below
    graphs = []
    for column in range(len(ratios[-1]) if graph_height else 0):
        graphs.append(add(column * cell + 0.55, y + 0.05, cell - 0.7, graph_height))
    if titles:
        y_title = 1 - 0.05 / height
        figure.suptitle(
            "\n".join(titles), color="white", fontsize=11, y=y_title, va="top", parse_math=False
        )
    draw_legend(figure, lines)
    return Sheet(figure, rows, graphs)


def draw_caption(axes: Axes, first: str, second: str, colour: str = "white") -> None:
    """Write two lines above an image."""
    from matplotlib.transforms import ScaledTranslation

    figure = figure_of(axes)
    for text, shade, size, inches in ((first, colour, 9, 0.19), (second, "#B8B8B8", 7.5, 0.045)):
        moved = axes.transAxes + ScaledTranslation(0, inches, figure.dpi_scale_trans)
        axes.text(
            0.5,
            1.0,
            text,
            transform=moved,
            color=shade,
            fontsize=size,
            ha="center",
            va="bottom",
            parse_math=False,
        )


def _title_lines(title: str, width: float) -> list[str]:
    """A title in lines that fit a figure of a width in inches."""
    return textwrap.wrap(title, max(20, int((width - 0.3) / _TITLE_LETTER)))
