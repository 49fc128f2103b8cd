"""`medsegfm view`: a picture of a volume with its segments and prompts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..drawing.outlines import Outline
from ..drawing.panels import (
    MOST_OBJECTS,
    Rows,
    panels_of_montage,
    panels_of_objects,
    panels_through,
)
from ..drawing.picture import Scene, check_picture_ending, draw_panels, write_picture
from ..errors import OutputError, PromptError
from ..prompts.json_format import read_prompts
from ..prompts.types import Point
from ..volumes.right_angles import StraightGrid
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from .arguments.outputs import check_outputs
from .arguments.picture import (
    add_window_argument,
    chosen_window,
    outlines_of,
    read_objects,
    title_of,
)
from .arguments.reading import VOLUME_HELP, add_reading_arguments, read_volume

SUMMARY = "draw a volume with segments and prompts: where each object is largest, or a montage"
EXAMPLES = """\
examples:
  medsegfm view ct.nii.gz --out look.png --window lung
  medsegfm view ct.nii.gz --mask seg.nii.gz --object liver --out look.png
  medsegfm view ct.nii.gz --mask seg.nii.gz --montage --every 4 --out look.png"""
_MOST_LISTED = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help=VOLUME_HELP)
    parser.add_argument("--out", required=True, metavar="LOOK.png", help="picture to write")
    parser.add_argument("--mask", metavar="SEG", help="label map, .seg.nrrd or DICOM SEG to draw")
    parser.add_argument("--prompts", metavar="FILE.json", help="prompts of --prompts-out to draw")
    parser.add_argument(
        "--at",
        nargs=3,
        type=int,
        metavar=("I", "J", "K"),
        help="voxel (i, j, k) that the planes go through (default: where each object is largest)",
    )
    parser.add_argument(
        "--object",
        action="append",
        default=[],
        metavar="NAME|LABEL",
        help="object of --mask whose slices are shown; can be repeated",
    )
    parser.add_argument(
        "--montage", action="store_true", help="many slices instead of three planes"
    )
    parser.add_argument(
        "--every",
        type=int,
        metavar="N",
        help="every N-th slice in a montage (default: at most 20 slices)",
    )
    add_window_argument(parser)
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Draw the picture, and print what is in it."""
    path, out = Path(arguments.volume), Path(arguments.out)
    check_outputs([out], path, [Path(p) for p in (arguments.mask, arguments.prompts) if p])
    check_picture_ending(out)
    _check_choice(arguments)
    window = chosen_window(arguments)
    volume = read_volume(arguments)
    if arguments.at:
        Point.from_ijk(volume.geometry, arguments.at)
    segmentation = read_objects(Path(arguments.mask), volume) if arguments.mask else None
    title = title_of(path, volume)
    at_ras = volume.geometry.ras_from_ijk(arguments.at) if arguments.at else None
    if volume.geometry.is_sheared:
        title += ", resampled to axes at right angles"
        volume, segmentation = _straightened(volume, segmentation)
    outlines = [] if segmentation is None else outlines_of(segmentation)
    prompts = read_prompts(arguments.prompts) if arguments.prompts else None
    drawn = [] if prompts is None else [prompt for _, prompt in prompts.entries]
    scene = Scene(volume, outlines, drawn, window)
    chosen = _chosen(segmentation, outlines, arguments.object)
    if at_ras is not None:
        i, j, k = np.rint(volume.geometry.ijk_from_ras(at_ras)).astype(int).tolist()
        rows = panels_through(scene, (k, j, i))
    elif arguments.montage or arguments.every is not None:
        rows = panels_of_montage(scene, arguments.every, chosen)
    else:
        rows = panels_of_objects(scene, chosen)
    title += _notes(volume, rows, outlines, chosen)
    write_picture(draw_panels(scene, rows, title), out)
    _report(rows, outlines)
    print(f"Wrote {out}.")


def _check_choice(arguments: argparse.Namespace) -> None:
    is_montage = arguments.montage or arguments.every is not None
    if arguments.at and (arguments.object or is_montage):
        raise OutputError("--at chooses the slices alone; leave out --object, --montage, --every.")
    if arguments.object and not arguments.mask:
        raise PromptError("--object chooses among the objects of a mask; give it with --mask SEG.")
    if arguments.every is not None and arguments.every < 1:
        raise OutputError(f"--every is {arguments.every}; give 1 or more.")


def _straightened(
    volume: Volume, segmentation: Segmentation | None
) -> tuple[Volume, Segmentation | None]:
    """A sheared volume and its segments on axes at right angles."""
    straight = StraightGrid.of(volume.geometry)
    moved = None if segmentation is None else segmentation.mapped(straight.labels)
    return straight.volume(volume), moved


def _chosen(
    segmentation: Segmentation | None, outlines: Sequence[Outline], names: Sequence[str]
) -> list[Outline] | None:
    """The outlines of the objects that the user named; None if there are no names.

    Raises:
        MaskError: there is no such object; the message lists them.
        PromptError: it has no voxels.
    """
    if not names or segmentation is None:
        return None
    labels = [segment.label for segment in segmentation.segments]
    chosen = [outlines[labels.index(segmentation.segment(name).label)] for name in names]
    for outline in chosen:
        if outline.region is None:
            raise PromptError(f"The object '{outline.name}' has no voxels; choose another.")
    return chosen


def _notes(
    volume: Volume,
    rows: Rows,
    outlines: Sequence[Outline],
    chosen: Sequence[Outline] | None,
) -> str:
    """Text that a title adds about objects that are not pictured, and about the volume's axes."""
    filled = [outline for outline in outlines if outline.region is not None]
    notes = ""
    pictured = {id(panel.of) for row in rows for panel in row if panel.of is not None}
    if chosen is None and len(pictured) == MOST_OBJECTS < len(filled):
        notes += f", the largest {MOST_OBJECTS} of {len(filled)} objects"
    angle = volume.geometry.oblique_degrees
    if angle >= 1:
        notes += f", {angle:.0f}° oblique"
    return notes


def _report(rows: Rows, outlines: Sequence[Outline]) -> None:
    """Print the slices, and the objects without voxels."""
    panels = [panel for row in rows for panel in row]
    for panel in panels[:_MOST_LISTED]:
        name = "" if panel.of is None else f"{panel.of.name}: "
        print(f"{name}{panel.caption}; {panel.window.text}")
    if len(panels) > _MOST_LISTED:
        print(f"and {len(panels) - _MOST_LISTED} slices more")
    empty = [outline.name for outline in outlines if outline.region is None]
    if empty:
        print(f"Without voxels: {', '.join(empty)}.")
