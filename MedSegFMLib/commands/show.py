"""`medsegfm show`: what a volume is, so that boxes and clicks can be typed for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..drawing.preview import check_picture_ending, draw_preview, write_preview
from ..prompts.types import Point
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .check_outputs import check_outputs

SUMMARY = "tell a volume's size, grid and values, and draw three planes of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help="NIfTI, NRRD or MetaImage file, or a folder of DICOM slices")
    parser.add_argument("--preview", metavar="P.png", help="a picture of three planes to write")
    parser.add_argument(
        "--at",
        nargs=3,
        type=int,
        metavar=("I", "J", "K"),
        help="the voxel that the planes go through (default: the middle)",
    )
    parser.add_argument("--series", metavar="UID", help="the series, where a folder has several")


def run(arguments: argparse.Namespace) -> None:
    """Print what the volume is, and draw it where asked to."""
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
        print(f"{arguments.preview} written.")


def _facts(volume: Volume) -> dict[str, str]:
    geometry, array = volume.geometry, volume.array_kji
    return {
        "size": f"{' x '.join(map(str, array.shape[::-1]))} voxels (i x j x k)",
        "spacing": f"{' x '.join(f'{mm:.4g}' for mm in geometry.spacing_ijk_mm)} mm",
        "orientation": f"{geometry.axis_codes} (where i, j and k grow to)",
        "bounds": _bounds(geometry),
        "voxel type": array.dtype.name,
        "grey values": f"{array.min():g} to {array.max():g}",
    }


def _bounds(geometry: Geometry) -> str:
    """The volume's extent to the outer faces of its voxels along each axis of RAS."""
    corners = geometry.ras_from_ijk(geometry.corners_ijk(0.5))
    sides = zip("RAS", corners.min(axis=0), corners.max(axis=0), strict=True)
    return ", ".join(f"{letter} {low:.1f} to {high:.1f}" for letter, low, high in sides) + " mm"
