"""`medsegfm show`: print the properties of a volume, as needed for typing boxes and clicks."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..drawing.preview import check_picture_ending, draw_preview, write_preview
from ..prompts.types import Point
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .check_outputs import check_outputs

SUMMARY = "print a volume's size, grid and intensities, and draw three planes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help="NIfTI, NRRD or MetaImage file, or a folder of DICOM slices")
    parser.add_argument("--preview", metavar="P.png", help="write an image of three planes")
    parser.add_argument(
        "--at",
        nargs=3,
        type=int,
        metavar=("I", "J", "K"),
        help="voxel that the planes go through (default: the centre)",
    )
    parser.add_argument(
        "--series", metavar="UID", help="DICOM series to read if the folder has several"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the properties of the volume, and draw it if requested."""
    path = Path(arguments.volume)
    if arguments.preview:
        check_outputs([Path(arguments.preview)], path)
        check_picture_ending(Path(arguments.preview))
    volume = Volume.read(path, arguments.series)
    if arguments.at:
        Point.from_ijk(volume.geometry, arguments.at)
    for name, value in _facts(volume).items():
        print(f"{name:<12} {value}")
    if arguments.preview:
        figure = draw_preview(volume, [], title=path.name, at_ijk=arguments.at)
        write_preview(figure, arguments.preview)
        print(f"Wrote {arguments.preview}.")


def _facts(volume: Volume) -> dict[str, str]:
    geometry, array = volume.geometry, volume.array_kji
    return {
        "size": f"{' x '.join(map(str, array.shape[::-1]))} voxels (i x j x k)",
        "spacing": f"{' x '.join(f'{mm:.4g}' for mm in geometry.spacing_ijk_mm)} mm",
        "orientation": f"{geometry.axis_codes} (directions of i, j and k)",
        "bounds": _bounds(geometry),
        "voxel type": array.dtype.name,
        "grey values": f"{array.min():g} to {array.max():g}",
    }


def _bounds(geometry: Geometry) -> str:
    """The volume's extent along each axis of RAS, including the outer faces of its voxels."""
    corners = geometry.ras_from_ijk(geometry.corners_ijk(0.5))
    sides = zip("RAS", corners.min(axis=0), corners.max(axis=0), strict=True)
    return ", ".join(f"{letter} {low:.1f} to {high:.1f}" for letter, low, high in sides) + " mm"
