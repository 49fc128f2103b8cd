"""The arguments that choose what is read of a volume, and the reading."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...datasets.challenge_npz import (
    DEFAULT_SPACING_ORDER,
    SPACING_ORDERS,
    is_challenge_file,
    read_image,
)
from ...errors import VolumeError
from ...volumes.volume import Volume
from .images import image_files

# What an npz file does not have.
_NOT_OF_NPZ = ("series", "frame", "suv", "spacing", "level", "channel")
VOLUME_HELP = (
    "NIfTI, NRRD, MetaImage, FreeSurfer, TIFF, OME-Zarr, DICOM or the challenge's npz file, or a "
    "folder of DICOM"
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
    add_spacing_order_argument(parser)


def add_spacing_order_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the spacing of an npz file."""
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        default=DEFAULT_SPACING_ORDER,
        help="axis order of the spacing in an npz file (default: %(default)s)",
    )


def read_volume(arguments: argparse.Namespace, path: str | None = None) -> Volume:
    """Read a volume with the choices of a command line; by default the one it names.

    Raises:
        VolumeError: it cannot be read, or an argument does not apply to it.
    """
    images = image_files(arguments) if path is None else None
    if images is not None:
        return images.read(arguments.suv)
    source = Path(path or arguments.volume)
    if is_challenge_file(source):
        given = [name for name in _NOT_OF_NPZ if getattr(arguments, name)]
        if given:
            raise VolumeError(f"{source} is an npz file, which has no --{given[0]}; leave it out.")
        return read_image(source, arguments.spacing_order)
    return Volume.read(
        source,
        arguments.series,
        frame=arguments.frame,
        suv=arguments.suv,
        spacing_ijk_mm=arguments.spacing,
        level=arguments.level,
        channel=arguments.channel,
    )
