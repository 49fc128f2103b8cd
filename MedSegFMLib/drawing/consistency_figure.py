"""A figure of the disagreement between the planes of a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..consistency.hot_spots import HotSpot
from ..consistency.measure import Consistency
from ..segmenter import Prediction
from ..volumes.geometry import Geometry
from ..volumes.masks import bounding_box
from ..volumes.patient_planes import SLICE_SIDES, Plane, planes, slice_positions_mm
from ..volumes.region import Region
from ..volumes.volume import Volume
from .preview import COLOURS, middle_voxel, shown_region
from .slices import display_window, draw_frame, draw_legend, draw_outline, draw_slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

PLANE_COLOURS = {"axial": COLOURS[1], "coronal": COLOURS[2], "sagittal": COLOURS[3]}
_ANSWER_COLOUR = "#FFFFFF"
_GREY = "#9A9A9A"

# Disagreement below the first value is not drawn over the image, and from the second on it has full
# opacity: faint colour would darken the image although the planes almost agree.
_LEAST_SHOWN, _FULLY_SHOWN = 0.05, 0.3
_OPACITY = 0.7


def draw_consistency(
    volume: Volume, prediction: Prediction, consistency: Consistency, title: str = ""
) -> Figure:
    """Draw where the planes of a prediction disagree, and their agreement in each slice.

    The planes go through the most doubtful voxel, or, without one, through the object's middle.
    The image is overlaid by the disagreement in colour, the outline of the object in each plane,
    and the prediction's in white dashes. The graph below a plane shows the mean Dice over pairs of
    planes for each of its slices, by the slice's position in the patient in millimetres.

    Args:
        volume: the volume of `prediction`.
        prediction: the prediction, with its planes.
        consistency: the result of `measure` for that prediction.
        title: text before the summary, may be empty.
    """
    from matplotlib.figure import Figure

    region, spot = consistency.region, consistency.suggestion
    answer = prediction.logits_kji > 0
    centre = _centre(answer, region, spot)
    shown = _shown(volume, answer, consistency)
    window = display_window(volume.crop(shown).array_kji)
    figure = Figure(figsize=(12, 6.8), layout="constrained", facecolor="black")
    colours = _heat_colours()
    rows = figure.subplots(2, 3, height_ratios=(3, 1))
    for axes, graph, plane in zip(*rows, planes(volume.geometry), strict=True):
        index = int(centre[plane.axis_kji])
        draw_slice(axes, plane, volume, index, window)
        cuts = _Cuts(plane, region, volume.geometry.shape_kji, index)
        heat = cuts.cut(consistency.disagreement_kji)
        painted = axes.imshow(
            heat,
            cmap=colours,
            vmin=0,
            vmax=1,
            aspect=plane.aspect,
            interpolation="nearest",
        )
        for name, mask in consistency.masks.items():
            _outline(axes, cuts.cut(mask), PLANE_COLOURS[name])
        # Thin, so that an identical outline of a plane is visible beneath.
        _outline(axes, cuts.cut(answer), _ANSWER_COLOUR, dashed=True, width=0.8)
        if spot is not None:
            _draw_click(axes, plane, spot, volume.geometry)
        draw_frame(axes, plane, volume.geometry.shape_kji, shown, index)
        _draw_slices(graph, plane, volume.geometry, consistency, index)
    bar = figure.colorbar(painted, ax=list(rows[0]), shrink=0.8, pad=0.01)
    bar.set_label("disagreement between planes\n(probability, 0 to 1)", color=_GREY, fontsize=8)
    bar.ax.set_facecolor("black")
    bar.ax.tick_params(colors=_GREY, labelsize=7)
    lines = {f"{name} plane": (PLANE_COLOURS[name], False) for name in consistency.masks}
    heading = ": ".join(part for part in (title, _sentence(consistency)) if part)
    draw_legend(figure, lines | {"answer": (_ANSWER_COLOUR, True)}, heading)
    return figure


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

    def __init__(self, plane: Plane, region: Region, shape_kji: tuple[int, ...], index: int):
        self._plane, self._region = plane, region
        axis = plane.axis_kji
        self._shape = [1 if n == axis else count for n, count in enumerate(shape_kji)]
        self._depth = index - region.start_kji[axis]

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        axis = self._plane.axis_kji
        whole = np.zeros(self._shape, dtype=array.dtype)
        if 0 <= self._depth < array.shape[axis]:
            place = list(self._region.slices)
            place[axis] = slice(0, 1)
            whole[tuple(place)] = array.take([self._depth], axis)
        return self._plane.cut(whole, 0)


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
    return shown_region(volume, regions or [consistency.region], [])


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
    axes.axvline(positions[index], color=_GREY, linewidth=0.8, linestyle="dotted")
    margin = max(1.0, 0.02 * float(np.ptp(place)))
    axes.set_xlim(place.min() - margin, place.max() + margin)
    axes.set_ylim(-0.03, 1.03)
    axes.set_facecolor("black")
    axes.set_xlabel(
        f"position of {plane.name} slices, {SLICE_SIDES[plane.name]} (mm)", color=_GREY, fontsize=8
    )
    axes.set_ylabel("agreement (Dice)", color=_GREY, fontsize=8)
    axes.tick_params(colors=_GREY, labelsize=7, length=2)
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
