"""A preview of a segmentation: three planes with the outlines of objects and the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..system.atomic_files import write_bytes
from ..volumes.masks import bounding_box
from ..volumes.patient_planes import planes
from ..volumes.region import Region, shape_triple
from ..volumes.volume import Volume
from .slices import (
    LEGEND_COLUMNS,
    display_window,
    draw_frame,
    draw_legend,
    draw_outline,
    draw_prompts,
    draw_slice,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can distinguish.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
# Size of the figure in inches.
_WIDTH, _HEIGHT, _LEGEND_LINE = 12.0, 4.6, 0.22


@dataclass(frozen=True)
class Outline:
    """A mask and the style of its outline.

    Attributes:
        name: its text in the legend.
        mask_kji: bool or 0 and 1, on the volume's grid.
        colour: the line's colour.
        dashed: whether the line is dashed.
    """

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
    """Draw the axial, coronal and sagittal plane through the first outline that is not empty.

    The figure is cropped to the surroundings of the outlines, keeps the proportions of the voxels,
    and has voxel indices at its sides and a legend of the colours. Without any outline it shows the
    centre of the boxes, or of the volume.

    Args:
        volume: the volume.
        outlines: masks to outline.
        prompts: prompts to draw.
        title: text above the planes.
        at_ijk: a voxel that the planes go through instead.
        indices: whether to draw the voxel indices, which takes long.
        figure: a `blank_figure`, or an earlier result to draw over: a new figure for each of many
            previews takes long too.
    """
    if at_ijk is None:
        centre = _centre(volume, outlines, prompts)
    else:
        centre = np.round(at_ijk).astype(np.int64)[::-1]
    boxes = [bounding_box(outline.mask_kji) for outline in outlines]
    regions = [Region.from_slices(box) for box in boxes if box is not None]
    shown = shown_region(volume, regions, prompts)
    window = display_window(volume.crop(shown).array_kji)
    # Outlines of the same name, such as the references of several objects, share a legend entry.
    lines = {o.name: (o.colour, o.dashed) for o in outlines}
    figure = blank_figure() if figure is None else _wiped(figure)
    # A computed layout takes as long as drawing; fixed margins are used instead.
    legend = _LEGEND_LINE * -(-len(lines) // LEGEND_COLUMNS)
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
    """An empty figure for `draw_preview`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="black")
    figure.subplots(1, 3)
    return figure


def _wiped(figure: Figure) -> Figure:
    """Remove the artists of an earlier `draw_preview` that the next one does not replace."""
    for axes in figure.axes:
        axes.set_axis_on()
        for artist in (*axes.images, *axes.collections, *axes.patches, *axes.texts):
            artist.remove()
    for legend in list(figure.legends):
        legend.remove()
    figure.suptitle("")
    return figure


def check_picture_ending(path: Path) -> None:
    """Raise OutputError if no supported image format has this ending."""
    if path.suffix.lower() not in (".png", ".jpg"):
        raise OutputError(f"{path} has an unsupported ending; use .png or .jpg.")


def write_preview(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG or JPEG, in the format of the ending, whole or not at all."""
    picture = BytesIO()
    ending = Path(path).suffix.lower().removeprefix(".")
    figure.savefig(picture, dpi=110, facecolor=figure.get_facecolor(), format=ending)
    write_bytes(path, picture.getvalue())


def _centre(
    volume: Volume, outlines: Sequence[Outline], prompts: Sequence[Prompt]
) -> NDArray[np.int64]:
    """The voxel that the planes go through: that of the first object nearest to its centroid."""
    for outline in outlines:
        middle = middle_voxel(outline.mask_kji)
        if middle is not None:
            return middle
    region = _prompted_region(volume, prompts) or Region.whole(volume.geometry.shape_kji)
    return np.add(region.start_kji, region.stop_kji) // 2


def middle_voxel(mask_kji: NDArray[Any]) -> NDArray[np.int64] | None:
    """(3,) (k, j, i): the voxel of a mask nearest to its centroid; None if the mask is empty."""
    box = bounding_box(mask_kji)
    if box is None:
        return None
    inside = np.argwhere(mask_kji[box])
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return np.asarray(inside[nearest] + [s.start for s in box])


def shown_region(volume: Volume, regions: Sequence[Region], prompts: Sequence[Prompt]) -> Region:
    """The regions and prompts with a margin relative to their size; else the whole volume."""
    prompted = _prompted_region(volume, prompts)
    around = [*regions, *([] if prompted is None else [prompted])]
    if not around:
        return Region.whole(volume.geometry.shape_kji)
    whole = Region.enclosing(around)
    widest_mm = max(
        n * mm for n, mm in zip(whole.shape_kji, volume.geometry.spacing_kji_mm, strict=True)
    )
    margin = [int(np.ceil(0.6 * widest_mm / mm)) for mm in volume.geometry.spacing_kji_mm]
    return whole.grown(margin, volume.geometry.shape_kji)


def _prompted_region(volume: Volume, prompts: Sequence[Prompt]) -> Region | None:
    marks = to_voxels(prompts, volume.geometry)
    voxels = marks.voxels_kji
    regions = [*marks.boxes, *([] if marks.start is None else [marks.start.region])]
    if len(voxels):
        low, high = voxels.min(axis=0).tolist(), (voxels.max(axis=0) + 1).tolist()
        regions.append(Region(shape_triple(low), shape_triple(high)))
    return Region.enclosing(regions) if regions else None
