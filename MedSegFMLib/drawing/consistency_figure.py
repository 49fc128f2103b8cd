"""A figure of the disagreement between the planes of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..consistency.hot_spots import HotSpot
from ..consistency.measure import Consistency
from ..consistency.views import MIRRORED
from ..segmenter import Prediction
from ..volumes.geometry import Geometry
from ..volumes.masks import bounding_box
from ..volumes.patient_planes import SLICE_SIDES, Plane, slice_positions_mm
from ..volumes.region import Region
from ..volumes.volume import Volume
from ..volumes.windows import Window
from .display_window import display_window
from .outlines import COLOURS, Outline, cut_of_region
from .panels import middle_voxel, shown_planes, with_margin
from .picture import Panel, draw_image
from .sheet import make_sheet
from .slices import GREY, crop_axes, draw_outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

PLANE_COLOURS = {
    "axial": COLOURS[1],
    "coronal": COLOURS[2],
    "sagittal": COLOURS[3],
    MIRRORED: COLOURS[4],
}
_ANSWER_COLOUR = "#FFFFFF"
# Inches: the height of the graphs, and the room for the colour bar.
_GRAPH, _BAR = 1.3, 1.0

# Disagreement below the first value is not drawn over the image, and from the second on it has full
# opacity: faint colour would darken the image although the planes almost agree.
_LEAST_SHOWN, _FULLY_SHOWN = 0.05, 0.3
_OPACITY = 0.7


def draw_consistency(
    volume: Volume,
    prediction: Prediction,
    consistency: Consistency,
    title: str = "",
    window: Window | None = None,
) -> Figure:
    """Draw where the planes of a prediction disagree, and their agreement in each slice.

    The planes that are wide enough go through the most doubtful voxel, or, without one, through the
    object's middle. The image is overlaid by the disagreement in colour, the outline of the object
    in each plane, and the prediction's in white dashes. The graph below a plane shows the mean Dice
    over pairs of planes for each of its slices, by the slice's position in the patient in
    millimetres.

    Args:
        volume: the volume of `prediction`.
        prediction: the prediction, with its planes.
        consistency: the result of `measure` for that prediction.
        title: text before the summary, may be empty.
        window: the window that the user chose; None for the one that fits the object.
    """
    region, spot = consistency.region, consistency.suggestion
    answer = prediction.logits_kji > 0
    centre = _centre(answer, region, spot)
    shown = _shown(volume, answer, consistency)
    outline = Outline("answer", region, answer, _ANSWER_COLOUR)
    window = display_window(volume, shown, outline if answer.any() else None, window)
    panels = [
        Panel(plane, int(centre[plane.axis_kji]), shown, window)
        for plane in shown_planes(volume.geometry, shown)
    ]
    lines = {
        "mirror image" if name == MIRRORED else f"{name} plane": (PLANE_COLOURS[name], False)
        for name in consistency.masks
    }
    lines |= {"answer": (_ANSWER_COLOUR, True)}
    heading = ": ".join(part for part in (title, _sentence(consistency)) if part)
    sheet = make_sheet(
        [[panel.ratio for panel in panels]], lines, heading, True, graph_height=_GRAPH, right=_BAR
    )
    colours = _heat_colours()
    for axes, graph, panel in zip(sheet.rows[0], sheet.graphs, panels, strict=True):
        draw_image(axes, volume, panel, indices=True)
        cuts = _Cuts(panel, region, volume.geometry)
        painted = axes.imshow(
            cuts.cut(consistency.disagreement_kji),
            cmap=colours,
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
        )
        crop_axes(axes, panel.plane, volume.geometry.shape_kji, shown)
        for name, mask in consistency.masks.items():
            _outline(axes, cuts.cut(mask), PLANE_COLOURS[name])
        # Thin, so that an identical outline of a plane is visible beneath.
        _outline(axes, cuts.cut(answer), _ANSWER_COLOUR, dashed=True, width=0.8)
        if spot is not None:
            _draw_click(axes, panel.plane, spot, volume.geometry)
        _draw_slices(graph, panel.plane, volume.geometry, consistency, panel.index)
    _draw_bar(sheet.figure, sheet.rows[0], painted)
    return sheet.figure


def _draw_bar(figure: Figure, images: Sequence[Axes], painted: AxesImage) -> None:
    """Draw the colours of the disagreement in the room at the right."""
    place = max((axes.get_position() for axes in images), key=lambda box: box.height)
    left = 1 - (_BAR - 0.15) / figure.get_figwidth()
    axes = figure.add_axes((left, place.y0, 0.15 / figure.get_figwidth(), place.height))
    bar = figure.colorbar(painted, cax=axes)
    bar.set_label("disagreement between planes\n(probability, 0 to 1)", color=GREY, fontsize=8)
    axes.set_facecolor("black")
    axes.tick_params(colors=GREY, labelsize=7)


def _heat_colours() -> ListedColormap:
    """Inferno without its darkest quarter, with an opacity that increases with the value."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    values = np.linspace(0, 1, 256)
    colours = colormaps["inferno"](0.25 + 0.75 * values)
    colours[:, 3] = _OPACITY * np.interp(values, (_LEAST_SHOWN, _FULLY_SHOWN), (0, 1))
    return ListedColormap(colours)


class _Cuts:
    """Slice images of the volume from arrays that cover a region of it; 0 elsewhere."""

    def __init__(self, panel: Panel, region: Region, geometry: Geometry) -> None:
        self._panel, self._region, self._geometry = panel, region, geometry

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        shape = self._geometry.shape_kji
        plane = self._panel.plane
        cut = cut_of_region(array, self._region, plane, shape, self._panel.index)
        return np.zeros((shape[plane.rows_kji], shape[plane.columns_kji])) if cut is None else cut


def _centre(answer: NDArray[np.bool_], region: Region, spot: HotSpot | None) -> NDArray[np.int64]:
    if spot is not None:
        return np.array(spot.click_kji)
    middle = middle_voxel(answer)
    return np.add(
        region.start_kji, np.floor_divide(region.shape_kji, 2) if middle is None else middle
    )


def _shown(volume: Volume, answer: NDArray[np.bool_], consistency: Consistency) -> Region:
    """The region of prediction, planes and suggestion with a margin; else the predicted region."""
    boxes = [bounding_box(mask) for mask in (answer, *consistency.masks.values())]
    start = consistency.region.start_kji
    regions = [Region.from_slices(box).shifted(start) for box in boxes if box is not None]
    regions += [spot.region for spot in consistency.hot_spots[:1]]
    return with_margin(volume, regions or [consistency.region])


def _outline(
    axes: Axes, cut: NDArray[Any], colour: str, dashed: bool = False, width: float = 1.5
) -> None:
    if cut.any():
        draw_outline(axes, cut, colour, dashed, width)


def _draw_click(axes: Axes, plane: Plane, spot: HotSpot, geometry: Geometry) -> None:
    """Draw a disc with a question mark, unlike the marks that the user placed."""
    columns, rows = plane.position(np.array([spot.click_kji], dtype=float), geometry.shape_kji)
    axes.scatter(columns, rows, marker="o", s=130, c="black", edgecolors="white", zorder=3)
    axes.scatter(columns, rows, marker="$?$", s=45, c="white", linewidths=0.5, zorder=4)


def _draw_slices(
    axes: Axes, plane: Plane, geometry: Geometry, consistency: Consistency, index: int
) -> None:
    """Plot the agreement of each slice of a plane, with gaps at slices without the object."""
    scores = consistency.slices[plane.name]
    start = consistency.region.start_kji[plane.axis_kji]
    positions = slice_positions_mm(geometry, plane)
    place = positions[start : start + len(scores)]
    heights = [np.nan if score is None else score for score in scores]
    # With points, since a slice between two without the object would not give a line.
    axes.plot(place, heights, ".-", color=PLANE_COLOURS[plane.name], linewidth=1, markersize=4)
    axes.axvline(positions[index], color=GREY, linewidth=0.8, linestyle="dotted")
    margin = max(1.0, 0.02 * float(np.ptp(place)))
    axes.set_xlim(place.min() - margin, place.max() + margin)
    axes.set_ylim(-0.03, 1.03)
    axes.set_facecolor("black")
    axes.set_xlabel(
        f"position of {plane.name} slices, {SLICE_SIDES[plane.name]} (mm)", color=GREY, fontsize=8
    )
    axes.set_ylabel("agreement (Dice)", color=GREY, fontsize=8)
    axes.tick_params(colors=GREY, labelsize=7, length=2)
    axes.grid(color="#333333", linewidth=0.5)
    for spine in axes.spines.values():
        spine.set_color("#555555")


def _sentence(consistency: Consistency) -> str:
    agreement, expected = consistency.agreement, consistency.expected_dice
    parts = [
        "only one plane, no comparison"
        if agreement is None
        else f"agreement between planes {agreement:.2f}",
        "nothing was found" if expected is None else f"expected Dice {expected:.2f}",
    ]
    spot = consistency.suggestion
    if spot is None:
        parts.append("no part is in doubt")
    else:
        k, j, i = spot.click_kji
        parts.append(f"does voxel {i} {j} {k} belong to it?")
    return ", ".join(parts)
