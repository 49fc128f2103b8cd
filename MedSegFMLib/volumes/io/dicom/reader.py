"""Reading of one volume from DICOM files: a stack of a series, proven and with exact values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ....errors import VolumeError
from ...volume import Volume
from ..frames import no_such_frame
from .damage import without_warnings
from .grid import Grid, fit_grid, prove
from .images import Image
from .labels import number_in_stack
from .mosaics import is_mosaic, mosaic_of
from .series import Series, chosen, contents_of, contents_of_files, missing_note
from .stacks import Stack, check_placed, frames_of
from .suv import suv_factor
from .values import read_values

_LOG = logging.getLogger("MedSegFMLib")
# Another stack of this part of the places may be the one that is meant.
_LARGE_PART = 0.5
_MOST_NAMED = 5


def read_dicom(
    path: Path, series: str | int | None = None, frame: int | None = None, suv: bool = False
) -> Volume:
    """Read a file, or a series of a folder and the folders in it; see `Volume.read`."""
    contents = contents_of(path)
    found = chosen(contents, series)
    for file in contents.damaged:
        _LOG.warning("%s is damaged and belongs to no series that was chosen.", file.path)
    if note := missing_note(contents, found):
        _LOG.warning(note)
    with without_warnings():
        return _read(path, found, frame, suv, is_chosen=_is_number(found, series))


def open_dicom_frames(
    path: Path, series: str | int | None = None, suv: bool = False
) -> tuple[int, Callable[[int], Volume]]:
    """The number of the volumes of a series, and a function that reads one by its number, from 0.

    The headers are parsed once. What is set aside is reported with the first volume that is read.

    Raises:
        VolumeError, GeometryError: as `read_dicom`.
    """
    contents = contents_of(path)
    found = chosen(contents, series)
    is_chosen = _is_number(found, series)
    with without_warnings():
        _check_is_divided(found.stacks[0])
        full, _ = _full_frames(found.stacks[0])

    def read(index: int) -> Volume:
        frame = index + 1 if len(full) > 1 else None
        with without_warnings():
            return _read(path, found, frame, suv, is_chosen, of_all=True)

    return len(full), read


def source_grid(path: Path, series: str | int | None = None, frame: int | None = None) -> Grid:
    """The images that `read_dicom` reads the voxels of, in the order of slices.

    Raises:
        VolumeError, GeometryError: as `read_dicom`.
    """
    found = chosen(contents_of(path), series)
    with without_warnings():
        grid, _ = _grid(path, found, frame, is_chosen=_is_number(found, series))
    return grid


def grid_of_files(files: Sequence[Path]) -> Grid:
    """The images of one volume that is in these files alone, in the order of slices.

    Raises:
        VolumeError, GeometryError: as `read_dicom`.
    """
    found = chosen(contents_of_files(files), None)
    with without_warnings():
        grid, _ = _grid(files[0].parent, found, None, is_chosen=False)
    return grid


def _grid(
    path: Path, series: Series, frame: int | None, is_chosen: bool, of_all: bool = False
) -> tuple[Grid, list[tuple[Image, str]]]:
    """The grid of one volume of a series, and the images that do not belong to it, with why.

    With `of_all`, those of other volumes of the series belong to it.
    """
    stack, others = series.stacks[0], series.stacks[1:]
    _check_is_divided(stack)
    if not is_chosen:
        _check_is_largest(path, stack, others)
    check_placed(_of_one_kind(stack, others))
    images, left_out = _chosen_frame(path, stack, frame, of_all)
    odd = [(image, other.oddity) for other in others for image in other.images]
    aside = [(image, "a copy") for image in series.copies] + odd + left_out
    return fit_grid(images, _without(odd)), aside


def _read(
    path: Path,
    series: Series,
    frame: int | None,
    suv: bool,
    is_chosen: bool,
    of_all: bool = False,
) -> Volume:
    grid, aside = _grid(path, series, frame, is_chosen, of_all)
    factor = suv_factor(grid.images) if suv else None
    notes: set[str] = set()
    array = read_values(grid.images, notes, None if factor is None else factor.value)
    prove(grid.geometry, grid.images)
    _report(path, grid, aside)
    for note in sorted(notes):
        _LOG.warning("%s: %s.", path, note)
    if factor is not None:
        _LOG.warning("%s: SUV by body weight from %s.", path, factor.source)
    header = grid.images[0].header
    return Volume(array, grid.geometry, header.text("Modality"), header.prose("SeriesDescription"))


def _is_number(series: Series, choice: str | int | None) -> bool:
    """Whether a stack was chosen by its number, and not a series."""
    return choice is not None and str(choice).strip() != series.uid


def _check_is_divided(stack: Stack) -> None:
    for image in stack.images:
        if image.tile is None and is_mosaic(image.header):
            # Raises the reason for which it was not divided into slices.
            mosaic_of(image.header)


def _check_is_largest(path: Path, stack: Stack, others: Sequence[Stack]) -> None:
    """Check that no other stack of the series may be the one that is meant."""
    count = len(stack.places())
    for other in others:
        is_scout = other.oddity == "a localizer"
        if not is_scout and len(other.places()) > _LARGE_PART * count:
            raise VolumeError(
                f"{path} contains stacks of {count} and {len(other.places())} images in one series "
                f"({other.images[0].header.path.name} has {other.oddity}); choose one by its number"
                " in the list of medsegfm show with --series, or leave the other out."
            )


def _of_one_kind(stack: Stack, others: Sequence[Stack]) -> list[Image]:
    """The images of a stack, and those beside it that only lack a place to belong to it."""
    lacking = [o for o in others if o.oddity.startswith("no ") or o.oddity == "with a place"]
    return [image for part in (stack, *lacking) for image in part.images]


def _full_frames(stack: Stack) -> tuple[list[list[Image]], list[list[Image]]]:
    """The volumes of a stack, and the few images of others."""
    parts, _ = frames_of(stack)
    largest = max(map(len, parts))
    full = [part for part in parts if len(part) > _LARGE_PART * largest]
    return full, [part for part in parts if len(part) <= _LARGE_PART * largest]


def _chosen_frame(
    path: Path, stack: Stack, frame: int | None, of_all: bool
) -> tuple[Sequence[Image], list[tuple[Image, str]]]:
    """The images of one volume of a stack, and the others with their difference."""
    _, name = frames_of(stack)
    full, few = _full_frames(stack)
    largest, count = max(map(len, full)), len(full)
    if frame is None and count > 1:
        places = "1 place" if largest == 1 else f"{largest} places"
        raise VolumeError(
            f"{path} contains {count} images at each of {places} "
            f"(a series of volumes, by {name}); choose one with --frame 1 to {count}."
        )
    if frame is not None and not 1 <= frame <= count:
        raise no_such_frame(str(path), count, frame)
    kept = full[(frame or 1) - 1]
    others = few if of_all else [*(part for part in full if part is not kept), *few]
    rest = [image for part in others for image in part]
    return kept, [(image, f"another {name}") for image in rest]


def _without(odd: Sequence[tuple[Image, str]]) -> str:
    """A clause for errors of a stack that may lack what was set aside."""
    return f", without {_names(odd)}" if odd else ""


def _names(aside: Sequence[tuple[Image, str]]) -> str:
    named = [f"{image.name} ({why})" for image, why in aside[:_MOST_NAMED]]
    more = len(aside) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _report(path: Path, grid: Grid, aside: Sequence[tuple[Image, str]]) -> None:
    if aside:
        _LOG.warning("%s: set aside and not part of the volume: %s.", path, _names(aside))
    _report_missing(path, grid)
    if grid.geometry.is_sheared:
        _LOG.warning("%s: the slices are shifted from one to the next (a tilted gantry).", path)
    if grid.deviation_mm:
        _LOG.warning(
            "%s: places in headers are up to %.2g mm off a regular grid, as rounding makes them; "
            "the line through all of them is used.",
            path,
            grid.deviation_mm,
        )


def _report_missing(path: Path, grid: Grid) -> None:
    """Report slices that the headers count and that are not here, also at the ends of a stack."""
    here = len(grid.images)
    # Of PET and nuclear medicine: the slices of each volume.
    stated = grid.images[0].header.integer("NumberOfSlices") or 0
    # Of multi-frame files.
    stated = max(stated, *(number_in_stack(image.groups) or 0 for image in grid.images))
    if stated > here:
        _LOG.warning(
            "%s: the header states %d slices and %d are here; the others may be missing.",
            path,
            stated,
            here,
        )
