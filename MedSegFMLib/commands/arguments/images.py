"""The arguments for a volume of several images, in place of VOLUME."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import VolumeError
from ...volumes.io.several import ImageFiles, parse_images

# Each image is read from a place of its own.
_NOT_OF_SEVERAL = ("series", "frame", "spacing", "level", "channel")


def add_image_arguments(parser: argparse.ArgumentParser, volume_help: str) -> None:
    """Add VOLUME, and the arguments for several images in its place."""
    parser.add_argument("volume", nargs="?", metavar="VOLUME", help=volume_help)
    group = parser.add_argument_group(
        "several images",
        "Images of one patient on one grid, such as the sequences of an MR or PET and CT, in place "
        "of VOLUME. A model that takes several gets those that it names; any other gets the "
        "primary one.",
    )
    group.add_argument(
        "--image",
        dest="images",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="an image and its name; can be repeated. FILE:N is volume N of a 4D file, from 1, or "
        "series N of a DICOM folder",
    )
    group.add_argument(
        "--primary",
        metavar="NAME",
        help="the image that defines the grid and the result (default: the first)",
    )
    group.add_argument(
        "--resample-images",
        action="store_true",
        help="resample images on another grid to that of the primary one, instead of refusing them",
    )


def settle_images(arguments: argparse.Namespace) -> None:
    """Make the primary image the `volume` of a command line of several.

    Raises:
        VolumeError: neither VOLUME nor an image is given, or both are, or an argument is for one
            image.
    """
    files = image_files(arguments)
    if files is None:
        if not arguments.volume:
            raise VolumeError("There is no volume; give VOLUME, or images with --image NAME=FILE.")
        return
    if arguments.volume:
        raise VolumeError(
            f"{arguments.volume} and --image are both given; give the volume itself as --image "
            f"NAME={arguments.volume} too, or leave out --image."
        )
    given = [name for name in _NOT_OF_SEVERAL if getattr(arguments, name, None)]
    if given:
        raise VolumeError(
            f"--{given[0]} is for one image; choose a volume or series of each image as --image "
            "NAME=FILE:N."
        )
    arguments.volume = str(files.main)


def check_one_image(arguments: argparse.Namespace) -> None:
    """Check that a command line of one image has no argument for several.

    Raises:
        VolumeError: it has.
    """
    extra = [name for name in ("primary", "resample_images") if getattr(arguments, name)]
    if extra and not arguments.images:
        raise VolumeError(
            f"--{extra[0].replace('_', '-')} is for several images; give them with --image "
            "NAME=FILE, or leave it out."
        )


def image_files(arguments: argparse.Namespace) -> ImageFiles | None:
    """The images of a command line; None if it names one volume, or has no such arguments."""
    texts = getattr(arguments, "images", None)
    return parse_images(texts, arguments.primary, arguments.resample_images) if texts else None


def other_images(arguments: argparse.Namespace) -> list[Path]:
    """The files of the images beside the primary one."""
    files = image_files(arguments)
    if files is None:
        return []
    return [path for name, path in files.paths.items() if name != files.primary]
