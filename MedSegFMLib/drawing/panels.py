"""The slices of a picture: through a voxel, where each object is largest, or every n-th."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..volumes.geometry import Geometry
from ..volumes.intensities import is_ct
from ..volumes.patient_planes import Plane, planes
from ..volumes.region import Region, shape_triple
from ..volumes.volume import Volume
from .display_window import display_window, display_windows
from .outlines import Outline
from .picture import Panel, Scene
from .places import voxel_of

# A plane whose image is thinner than this part of its length shows nothing.
_THINNEST = 0.15
# A spacing that is this much larger than the others is that of slices.
_ANISOTROPIC = 1.1
# With more objects, each has one slice instead of three; beyond the second number none.
_MOST_ROWS = 4
MOST_OBJECTS = 24
_COLUMNS = 4
_MONTAGE_PANELS, _MOST_MONTAGE_PANELS, _MONTAGE_COLUMNS = 20, 120, 5
# The margin around what is shown: a part of its longest side, and voxels at least.
_MARGIN, _LEAST_MARGIN_VOXELS = 0.6, 16

Rows = list[list[Panel]]


def panels_through(scene: Scene, at_kji: Sequence[int] | None = None) -> Rows:
    """Each plane through a voxel, or through the middle of what there is to see.

    It is one row; CT with lungs and without objects is shown in two windows.

    Args:
        scene: what is drawn.
        at_kji: the voxel; None for the middle of the first outline that is not empty, else of the
            prompts, else of the volume.
    """
    shown = shown_region(scene, at_kji=at_kji)
    centre = _middle(scene) if at_kji is None else np.asarray(at_kji)
    focus = next((outline for outline in scene.outlines if outline.region), None)
    wide = shown_planes(scene.volume.geometry, shown)
    rows = [
        [Panel(plane, int(centre[plane.axis_kji]), shown, window) for plane in wide]
        for window in display_windows(scene.volume, shown, focus, scene.window)
    ]
    return rows if len(wide) > 1 else [[panel for row in rows for panel in row]]


def panels_of_objects(scene: Scene, objects: Sequence[Outline] | None = None) -> Rows:
    """The slices in which each object is largest: a row of planes each, or one slice for many.

    Args:
        scene: what is drawn; without an object that has voxels the result is `panels_through`.
        objects: the outlines that slices are chosen for; None for all. Of more than `MOST_OBJECTS`
            the largest are shown.
    """
    chosen = [o for o in (scene.outlines if objects is None else objects) if o.region is not None]
    if not chosen:
        return panels_through(scene)
    if len(chosen) <= _MOST_ROWS:
        rows = [_panels_of(scene, outline, planes(scene.volume.geometry)) for outline in chosen]
        # Each object of a stack of few slices has one.
        is_thin = all(len(row) == 1 for row in rows)
        return _in_rows([row[0] for row in rows], _COLUMNS) if is_thin else rows
    if len(chosen) > MOST_OBJECTS:
        sizes = {id(outline): np.count_nonzero(outline.mask_kji) for outline in chosen}
        least = sorted(sizes.values())[-MOST_OBJECTS]
        chosen = [outline for outline in chosen if sizes[id(outline)] >= least][:MOST_OBJECTS]
    plane = slice_plane(scene.volume.geometry)
    panels = [panel for o in chosen for panel in _panels_of(scene, o, [plane])]
    return _in_rows(panels, _COLUMNS)


def panels_of_places(scene: Scene) -> Rows:
    """Slices through the places of a scene: a row of planes for each of the likeliest."""
    geometry, whole = scene.volume.geometry, Region.whole(scene.volume.geometry.shape_kji)
    window = display_window(scene.volume, whole, None, scene.window)
    rows = []
    for place in scene.places[:_MOST_ROWS]:
        voxel = voxel_of(place, geometry)
        wide = shown_planes(geometry, whole)
        rows.append([Panel(plane, voxel[plane.axis_kji], whole, window) for plane in wide])
    return rows


def panels_of_montage(
    scene: Scene, every: int | None = None, objects: Sequence[Outline] | None = None
) -> Rows:
    """Every n-th slice in the plane in which the volume was acquired.

    Args:
        scene: what is drawn; with outlines, the slices that contain any of them.
        every: n, from 1; None for the smallest that gives at most 20 slices.
        objects: the outlines whose slices are shown; None for all.

    Raises:
        OutputError: there would be more than 120 slices.
    """
    plane = slice_plane(scene.volume.geometry)
    axis = plane.axis_kji
    chosen = scene.outlines if objects is None else objects
    regions = [outline.region for outline in chosen if outline.region]
    extent = Region.enclosing(regions) if regions else Region.whole(scene.volume.array_kji.shape)
    first, stop = extent.start_kji[axis], extent.stop_kji[axis]
    step = every or -(-(stop - first) // _MONTAGE_PANELS)
    indices = range(first, stop, step)
    if len(indices) > _MOST_MONTAGE_PANELS:
        least = -(-(stop - first) // _MOST_MONTAGE_PANELS)
        raise OutputError(
            f"Every {step} of {stop - first} slices are {len(indices)} images, and a montage has "
            f"at most {_MOST_MONTAGE_PANELS}; use --every {least} or more."
        )
    # Centred, so that as much is left out before the first slice as after the last.
    offset = (stop - 1 - indices[-1]) // 2
    shown = shown_region(replace(scene, outlines=chosen))
    focus = next(o for o in chosen if o.region) if len(regions) == 1 else None
    window = None
    if focus is not None or scene.window is not None or not is_ct(scene.volume):
        window = display_window(scene.volume, shown, focus, scene.window)

    def panel(index: int) -> Panel:
        # CT from the neck to the hip has no window that fits all slices.
        fitting = window or display_window(scene.volume, _slice_of(shown, axis, index))
        return Panel(plane, index, shown, fitting)

    return _in_rows([panel(index + offset) for index in indices], _MONTAGE_COLUMNS)


def _slice_of(region: Region, axis_kji: int, index: int) -> Region:
    """The part of a region in one slice."""
    start, stop = list(region.start_kji), list(region.stop_kji)
    start[axis_kji], stop[axis_kji] = index, index + 1
    return Region(shape_triple(start), shape_triple(stop))


def slice_plane(geometry: Geometry) -> Plane:
    """The plane in which a volume was acquired: across its largest spacing; else the axial one."""
    wide = shown_planes(geometry, Region.whole(geometry.shape_kji))
    *_, second, largest = sorted(geometry.spacing_kji_mm)
    if largest < _ANISOTROPIC * second:
        return wide[0]
    return max(wide, key=lambda plane: geometry.spacing_kji_mm[plane.axis_kji])


def shown_planes(
    geometry: Geometry, shown: Region, among: Sequence[Plane] | None = None
) -> list[Plane]:
    """The planes that are not too thin to show anything; at least the one of the largest area."""
    candidates = planes(geometry) if among is None else among
    sides = {
        plane.name: [
            shown.shape_kji[axis] * geometry.spacing_kji_mm[axis]
            for axis in (plane.rows_kji, plane.columns_kji)
        ]
        for plane in candidates
    }
    wide = [p for p in candidates if min(sides[p.name]) >= _THINNEST * max(sides[p.name])]
    return wide or [max(candidates, key=lambda plane: float(np.prod(sides[plane.name])))]


def shown_region(
    scene: Scene, outline: Outline | None = None, at_kji: Sequence[int] | None = None
) -> Region:
    """The surroundings of what is drawn over a volume; without anything, all of it.

    Args:
        scene: what is drawn.
        outline: the object whose surroundings are shown; None for all objects and prompts.
        at_kji: a voxel that is included.
    """
    if outline is not None and outline.region is not None:
        regions = [outline.region]
    else:
        prompted = _prompted_region(scene.volume.geometry, scene.prompts)
        regions = [o.region for o in scene.outlines if o.region is not None]
        regions += [] if prompted is None else [prompted]
    if not regions:
        return Region.whole(scene.volume.geometry.shape_kji)
    if at_kji is not None:
        regions.append(Region.at(at_kji, (1, 1, 1)))
    return with_margin(scene.volume, regions)


def with_margin(volume: Volume, regions: Sequence[Region]) -> Region:
    """The region around some others with a margin that shows where they are."""
    whole = Region.enclosing(regions)
    spacing = volume.geometry.spacing_kji_mm
    widest_mm = max(n * mm for n, mm in zip(whole.shape_kji, spacing, strict=True))
    margin_mm = max(_MARGIN * widest_mm, _LEAST_MARGIN_VOXELS * min(spacing))
    return whole.grown([int(np.ceil(margin_mm / mm)) for mm in spacing], volume.geometry.shape_kji)


def _panels_of(scene: Scene, outline: Outline, among: Sequence[Plane]) -> list[Panel]:
    """The slices of some planes in which an object is largest."""
    shown = shown_region(scene, outline)
    window = display_window(scene.volume, shown, outline, scene.window)
    panels = []
    for plane in shown_planes(scene.volume.geometry, shown, among):
        index = outline.largest_slice(plane.axis_kji)
        if index is not None:
            panels.append(Panel(plane, index, shown, window, outline))
    return panels


def _in_rows(panels: Sequence[Panel], columns: int) -> Rows:
    return [list(panels[n : n + columns]) for n in range(0, len(panels), columns)]


def _middle(scene: Scene) -> NDArray[np.int64]:
    """(3,) (k, j, i): the voxel of the first object nearest to its centroid; else the middle."""
    for outline in scene.outlines:
        if outline.region is not None:
            middle = middle_voxel(outline.mask_kji)
            assert middle is not None
            return np.add(middle, outline.region.start_kji)
    prompted = _prompted_region(scene.volume.geometry, scene.prompts)
    region = prompted or Region.whole(scene.volume.geometry.shape_kji)
    return np.add(region.start_kji, region.stop_kji) // 2


def middle_voxel(mask_kji: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """(3,) (k, j, i): the voxel of a mask nearest to its centroid; None if the mask is empty."""
    inside = np.argwhere(mask_kji)
    if not len(inside):
        return None
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return np.asarray(inside[nearest])


def _prompted_region(geometry: Geometry, prompts: Sequence[Prompt]) -> Region | None:
    if not prompts:
        return None
    marks = to_voxels(prompts, geometry)
    voxels = marks.voxels_kji
    regions = [*marks.boxes, *([] if marks.start is None else [marks.start.region])]
    if len(voxels):
        regions.append(Region.around(voxels))
    return Region.enclosing(regions) if regions else None
