"""The arguments that choose what is read of a volume, and the reading."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..datasets.challenge_npz import (
    DEFAULT_SPACING_ORDER,
    SPACING_ORDERS,
    is_challenge_file,
    read_image,
)
from ..errors import VolumeError
from ..volumes.volume import Volume

VOLUME_HELP = (
    "NIfTI, NRRD, MetaImage, FreeSurfer, TIFF, DICOM or the challenge's npz file, or a folder of "
    "DICOM"
)


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
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        default=DEFAULT_SPACING_ORDER,
        help="axis order of the spacing in an npz file (default: %(default)s)",
    )


def read_volume(arguments: argparse.Namespace) -> Volume:
    """Read the volume of a command line.

    Raises:
        VolumeError: it cannot be read, or an argument does not apply to it.
    """
    path = Path(arguments.volume)
    if is_challenge_file(path):
        given = [name for name in ("series", "frame", "suv", "spacing") if getattr(arguments, name)]
        if given:
            raise VolumeError(f"{path} is an npz file, which has no --{given[0]}; leave it out.")
        return read_image(path, arguments.spacing_order)
    return Volume.read(
        Path(arguments.volume),
        arguments.series,
        frame=arguments.frame,
        suv=arguments.suv,
        spacing_ijk_mm=arguments.spacing,
    )
