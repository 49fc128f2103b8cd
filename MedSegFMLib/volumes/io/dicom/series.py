"""The series of a folder, and the choice of one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ....errors import GeometryError, MedSegFMError, VolumeError
from .damage import without_warnings
from .files import image_headers
from .grid import fit_grid
from .header import Header
from .images import Image, images_of
from .stacks import Stack, frames_of, stacks_of, without_copies

_MOST_LISTED = 8


@dataclass(frozen=True, eq=False)
class Series:
    """The images of a series.

    Attributes:
        uid: its SeriesInstanceUID.
        stacks: its images in stacks, the one with the most places first.
        copies: images that are in copies of other files.
    """

    uid: str
    stacks: Sequence[Stack]
    copies: Sequence[Image]


@dataclass(frozen=True)
class SeriesRow:
    """A stack of images in the list of a folder's series.

    Attributes:
        number: its number in the list, from 1.
        uid: the SeriesInstanceUID.
        modality, description: as its header states them; both may be empty.
        slices: the number of places.
        frames: the number of volumes, for instance time points.
        size: columns and rows.
        spacing_ijk_mm: None if the slices are not a regular stack.
        folder: the folder of its first file.
    """

    number: int
    uid: str
    modality: str
    description: str
    slices: int
    frames: int
    size: tuple[int, int]
    spacing_ijk_mm: tuple[float, float, float] | None
    folder: Path


def series_in(folder: Path) -> list[Series]:
    """The image series of a folder and the folders in it, by series number and path.

    Raises:
        VolumeError: a file was cut short or is damaged.
        OSError: a file cannot be read.
    """
    by_uid: dict[str, list[Header]] = defaultdict(list)
    with without_warnings():
        for header in image_headers(folder):
            by_uid[header.text("SeriesInstanceUID")].append(header)
        found = [(_place(headers), _series(uid, headers)) for uid, headers in by_uid.items()]
    return [series for _, series in sorted(found, key=lambda pair: pair[0]) if series.stacks]


def list_series(folder: Path) -> list[SeriesRow]:
    """A row for each stack of each series, with the numbers that choose them.

    Raises:
        VolumeError: a file was cut short or is damaged.
        OSError: a file cannot be read.
    """
    pairs = [(series, stack) for series in series_in(folder) for stack in series.stacks]
    return [_row(n, series.uid, stack) for n, (series, stack) in enumerate(pairs, start=1)]


def chosen(folder: Path, all_series: Sequence[Series], choice: str | int | None) -> Series:
    """The series that was chosen, or the only one.

    Args:
        folder: the folder, for messages.
        all_series: its series.
        choice: a UID or a number of the list; None if there is one series only.

    Raises:
        VolumeError: there is no series, several and no choice, or not the one chosen.
    """
    if not all_series:
        raise VolumeError(f"The folder {folder} contains no DICOM image series.")
    if choice is None:
        if len(all_series) > 1:
            raise _several(folder, all_series)
        return all_series[0]
    text = str(choice).strip()
    for series in all_series:
        if series.uid == text:
            return series
    pairs = [(series, stack) for series in all_series for stack in series.stacks]
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(pairs):
        series, stack = pairs[int(text) - 1]
        rest = [other for other in series.stacks if other is not stack]
        return Series(series.uid, [stack, *rest], series.copies)
    raise VolumeError(
        f"The folder {folder} contains no DICOM series {text}; choose one of 1 to {len(pairs)} as "
        "medsegfm show lists them, or a UID."
    )


def _series(uid: str, headers: Sequence[Header]) -> Series:
    images = [image for header in headers for image in images_of(header)]
    kept, copies = without_copies(images)
    return Series(uid, stacks_of(kept) if kept else [], copies)


def _place(headers: Sequence[Header]) -> tuple[float, str]:
    try:
        number = headers[0].decimal("SeriesNumber")
    except VolumeError:
        number = None
    return (number or 0.0, str(headers[0].path))


def _row(number: int, uid: str, stack: Stack) -> SeriesRow:
    first = stack.images[0]
    places = stack.places()
    rows, columns = first.shape
    return SeriesRow(
        number=number,
        uid=uid,
        modality=first.header.text("Modality"),
        description=first.header.prose("SeriesDescription"),
        slices=len(places),
        frames=max(map(len, places)),
        size=(columns, rows),
        spacing_ijk_mm=_spacing(stack),
        folder=first.header.path.parent,
    )


def _spacing(stack: Stack) -> tuple[float, float, float] | None:
    if not stack.is_placed:
        return None
    try:
        return fit_grid(frames_of(stack)[0][0]).geometry.spacing_ijk_mm
    except (GeometryError, MedSegFMError):
        return None


def _several(folder: Path, all_series: Sequence[Series]) -> VolumeError:
    listed = []
    for series in all_series[:_MOST_LISTED]:
        stack = series.stacks[0]
        header = stack.images[0].header
        modality, description = header.text("Modality"), header.prose("SeriesDescription")
        listed.append(
            f"{modality} '{description}', {len(stack.places())} slices: --series {series.uid}"
        )
    more = len(all_series) - len(listed)
    rest = f", and {more} more, which medsegfm show lists with their numbers" if more else ""
    return VolumeError(
        f"The folder {folder} contains {len(all_series)} DICOM series; choose one: "
        f"{', '.join(listed)}{rest}."
    )
