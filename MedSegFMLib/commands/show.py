"""`medsegfm show`: print the properties of a volume, as needed for typing boxes and clicks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing.panels import panels_through
from ..drawing.picture import Scene, check_picture_ending, draw_panels, write_picture
from ..prompts.types import Point
from ..volumes.geometry import Geometry
from ..volumes.intensities import looks_like_ct
from ..volumes.volume import Volume
from .arguments.outputs import check_outputs
from .arguments.picture import add_window_argument, chosen_window, title_of
from .arguments.reading import VOLUME_HELP, add_reading_arguments, read_volume
from .console import print_table

if TYPE_CHECKING:
    from ..volumes.io.dicom.series import SeriesRow

# An angle that is shown as 0.0 is none.
_LEAST_DEGREES = 0.05

SUMMARY = "print a volume's size, grid and intensities, and draw three planes of it"
EXAMPLES = """\
examples:
  medsegfm show ct.nii.gz --preview look.png
  medsegfm show DICOM --series 2 --preview look.png --at 120 90 30"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help=VOLUME_HELP)
    parser.add_argument(
        "--preview", metavar="P.png", help="write an image of three planes, with voxel indices"
    )
    parser.add_argument(
        "--at",
        nargs=3,
        type=int,
        metavar=("I", "J", "K"),
        help="voxel (i, j, k) that the planes go through (default: the centre)",
    )
    add_window_argument(parser)
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the properties of the volume, and draw it if requested."""
    path = Path(arguments.volume)
    if arguments.preview:
        check_outputs([Path(arguments.preview)], path)
        check_picture_ending(Path(arguments.preview))
    window = chosen_window(arguments)
    if arguments.series is None and not arguments.preview and _print_series(path):
        return
    volume = read_volume(arguments)
    if arguments.at:
        Point.from_ijk(volume.geometry, arguments.at)
    if arguments.preview:
        scene = Scene(volume, window=window)
        rows = panels_through(scene, arguments.at[::-1] if arguments.at else None)
        write_picture(draw_panels(scene, rows, title_of(path, volume)), arguments.preview)
    for name, value in _facts(volume).items():
        print(f"{name:<12} {value}")
    if arguments.preview:
        print(f"Wrote {arguments.preview}.")


def _print_series(path: Path) -> bool:
    """Print a table of the DICOM series of a folder or file if it has several; whether it did."""
    from ..volumes.io.dicom.files import folder_of, is_dicom_file
    from ..volumes.io.dicom.series import contents_of, list_series, missing_note

    source = folder_of(path) or (path if is_dicom_file(path) else None)
    if source is None:
        return False
    contents = contents_of(source)
    rows = list_series(contents)
    if len(rows) < 2:
        return False
    folder = source if source.is_dir() else source.parent
    print_table(
        ["number", "modality", "description", "slices", "spacing (mm)", "folder", "UID"],
        [_series_texts(row, folder) for row in rows],
    )
    print(f"{path} contains {len(rows)} stacks of images; choose one with --series NUMBER.")
    if note := missing_note(contents):
        print(note, file=sys.stderr)
    for file in contents.damaged:
        print(f"Not listed: {file.error}", file=sys.stderr)
    return True


def _series_texts(row: SeriesRow, path: Path) -> list[str]:
    spacing = row.spacing_ijk_mm
    return [
        str(row.number),
        row.modality,
        row.description,
        f"{row.slices} x {row.frames} volumes" if row.frames > 1 else str(row.slices),
        " x ".join(f"{mm:.3g}" for mm in spacing) if spacing else "not regular",
        str(row.folder.relative_to(path)),
        row.uid,
    ]


def _facts(volume: Volume) -> dict[str, str]:
    geometry, array = volume.geometry, volume.array_kji
    stated = {"modality": volume.modality, "series": volume.description}
    if not volume.modality and looks_like_ct(array):
        stated["modality"] = "CT by its values; the file states none"
    return {name: text for name, text in stated.items() if text} | {
        "size": f"{' x '.join(map(str, array.shape[::-1]))} voxels (i x j x k)",
        "spacing": f"{' x '.join(f'{mm:.4g}' for mm in geometry.spacing_ijk_mm)} mm",
        "orientation": f"{geometry.axis_codes} (directions of i, j and k)",
        "oblique": _obliqueness(geometry),
        **({"axes": _axes(geometry)} if geometry.is_sheared else {}),
        "bounds": _bounds(geometry),
        "voxel type": array.dtype.name,
        "grey values": f"{array.min():g} to {array.max():g}",
    }


def _obliqueness(geometry: Geometry) -> str:
    """The largest angle between the volume's axes and the patient's."""
    angle = geometry.oblique_degrees
    return f"{angle:.1f} degrees" if angle >= _LEAST_DEGREES else "no"


def _axes(geometry: Geometry) -> str:
    """How far the axes of a sheared volume are off right angles."""
    cosines = np.abs(geometry.directions.T @ geometry.directions - np.eye(3)).max()
    return (
        f"{np.rad2deg(np.arcsin(cosines)):.2g} degrees off right angles, as with a tilted gantry; "
        "models work on a grid with right angles"
    )


def _bounds(geometry: Geometry) -> str:
    """The volume's extent along each axis of RAS, including the outer faces of its voxels."""
    corners = geometry.ras_from_ijk(geometry.corners_ijk(0.5))
    sides = zip("RAS", corners.min(axis=0), corners.max(axis=0), strict=True)
    return ", ".join(f"{letter} {low:.1f} to {high:.1f}" for letter, low, high in sides) + " mm"
