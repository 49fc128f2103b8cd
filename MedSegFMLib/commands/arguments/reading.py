"""The arguments that choose what is read of a volume, and the reading."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...volumes.volume import Volume

VOLUME_HELP = (
    "NIfTI, NRRD, MetaImage, FreeSurfer, TIFF, OME-Zarr or DICOM file, or a folder of DICOM"
)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose what is read of a volume."""
    add_source_arguments(parser)
    parser.add_argument(
        "--frame",
        type=int,
        metavar="N",
        help="volume to read, from 1, if there are several on one grid (time points, echoes)",
    )
    parser.add_argument(
        "--suv",
        action="store_true",
        help="convert the values of a PET series to SUV by body weight",
    )


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose an image of a source, and its spacing."""
    parser.add_argument(
        "--series",
        metavar="N",
        help="DICOM series to read if the folder has several: its number in the list of medsegfm "
        "show, or its UID",
    )
    parser.add_argument(
        "--spacing",
        nargs=3,
        type=float,
        metavar=("I", "J", "K"),
        help="distance between columns, rows and slices of a TIFF file, or of OME-Zarr without "
        "units, in millimetres",
    )
    parser.add_argument(
        "--level", type=int, metavar="N", help="level of an OME-Zarr pyramid (default: 0)"
    )
    parser.add_argument(
        "--channel", metavar="NAME", help="channel of an OME-Zarr image: its name, or number from 1"
    )


def read_volume(arguments: argparse.Namespace, path: str | None = None) -> Volume:
    """Read a volume with the choices of a command line; by default the one it names."""
    return Volume.read(
        Path(path or arguments.volume),
        arguments.series,
        frame=arguments.frame,
        suv=arguments.suv,
        spacing_ijk_mm=arguments.spacing,
        level=arguments.level,
        channel=arguments.channel,
    )
