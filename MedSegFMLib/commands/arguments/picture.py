"""The options of commands that draw pictures: the window, the title, and the outlines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...drawing.outlines import Outline, object_colour
from ...errors import MaskError, numbers_text
from ...results.replay import read_named
from ...volumes.geometry import Geometry
from ...volumes.grids import extent_text, have_same_voxels, may_overlap
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume
from ...volumes.windows import AUTO, Window, parse_window, window_names

_OPTION = "--window"
# Names that many files and folders share, so that they say nothing in a title.
_COMMON_NAMES = ("dicom", "image", "images", "img", "volume", "data", "series", "scan")


def add_window_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option for the window."""
    parser.add_argument(
        _OPTION,
        nargs="+",
        default=[AUTO],
        metavar=("NAME | LEVEL", "WIDTH"),
        help=f"values from black to white: {', '.join(window_names())}, or level and width "
        "(default: auto, which fits what is in the picture)",
    )


def chosen_window(arguments: argparse.Namespace) -> Window | None:
    """The window of a command line; None for the one that fits.

    Raises:
        VolumeError: it is not a window.
    """
    return parse_window(arguments.window)


def with_joined_window(words: Sequence[str]) -> list[str]:
    """The words of a command line with "--window NAME" as one word.

    The option takes one or two words, and would otherwise take the argument after a name, too.
    """
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == _OPTION and word.casefold() in window_names():
            joined[-1] = f"{_OPTION}={word}"
        else:
            joined.append(word)
    return joined


def title_of(path: Path, volume: Volume) -> str:
    """The title of a picture: the modality and description of a series, or the file's name."""
    if volume.description:
        return " ".join(part for part in (volume.modality, volume.description) if part)
    names = [name for name in path.absolute().parts if name != ".."]
    if path.is_dir():
        special = [name for name in names[1:] if not _is_common(name)]
        folder = special[-1] if special else names[-1]
        return " ".join(part for part in (volume.modality, folder) if part)
    shown = names[-1:]
    while len(shown) < len(names) - 1 and _is_common(shown[0]):
        shown.insert(0, names[-1 - len(shown)])
    return " ".join(part for part in (volume.modality, "/".join(shown)) if part)


def _is_common(name: str) -> bool:
    return name.split(".")[0].casefold() in _COMMON_NAMES


def read_objects(path: Path, volume: Volume) -> Segmentation:
    """The segments of a file on the volume's grid, with the names that the file or its ledger has.

    Raises:
        MaskError: the file is no segmentation, its voxels are not those of the volume, or it is
            beside the volume.
    """
    segmentation = read_named(path)
    geometry = volume.geometry
    if segmentation.geometry == geometry:
        return segmentation
    # The voxels may be stored in another order, or for a part of the volume only.
    if not (
        have_same_voxels(segmentation.geometry, geometry)
        and have_same_voxels(geometry, segmentation.geometry)
        and may_overlap(segmentation.geometry, geometry)
    ):
        raise MaskError(
            f"{path} is on another grid ({_grid_text(segmentation.geometry)}) than the volume "
            f"({_grid_text(geometry)}); use the mask of this volume."
        )
    return segmentation.mapped(lambda labels: labels.resample(geometry, order=0))


def outlines_of(segmentation: Segmentation) -> list[Outline]:
    """An outline for each segment, in a colour of its own; those without voxels have no region."""
    return [
        Outline(s.name, s.region if s.voxels else None, s.mask_kji, object_colour(number))
        for number, s in enumerate(segmentation.segments)
    ]


def _grid_text(geometry: Geometry) -> str:
    size = " x ".join(map(str, geometry.shape_kji[::-1]))
    return f"{size} voxels of {numbers_text(geometry.spacing_ijk_mm)} mm {extent_text(geometry)}"
