"""The arguments that choose what is read of a volume, and the reading."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..volumes.volume import Volume

VOLUME_HELP = "NIfTI, NRRD, MetaImage, FreeSurfer, TIFF or DICOM file, or a folder of DICOM"


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a series, a frame and the values."""
    parser.add_argument(
        "--series",
        metavar="N",
        help="DICOM series to read if the folder has several: its number in the list of medsegfm "
        "show, or its UID",
    )
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
    parser.add_argument(
        "--spacing",
        nargs=3,
        type=float,
        metavar=("I", "J", "K"),
        help="distance between columns, rows and slices of a TIFF file in millimetres",
    )


def read_volume(arguments: argparse.Namespace) -> Volume:
    """Read the volume of a command line."""
    return Volume.read(
        Path(arguments.volume),
        arguments.series,
        frame=arguments.frame,
        suv=arguments.suv,
        spacing_ijk_mm=arguments.spacing,
    )
