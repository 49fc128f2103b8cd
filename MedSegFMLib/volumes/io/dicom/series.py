"""The series of a folder, and the choice of one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ....errors import GeometryError, MedSegFMError, VolumeError
from .damage import without_warnings
from .files import Damaged, file_header, image_headers, missing_files
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


@dataclass(frozen=True, eq=False)
class Contents:
    """The DICOM images of a file, or of a folder and the folders in it.

    Attributes:
        path: the file or folder.
        series: the image series, by series number and path.
        damaged: files that cannot be read.
        placeless: multi-frame files that state no place for each frame.
        missing: files that a DICOMDIR lists and that are not there.
    """

    path: Path
    series: Sequence[Series]
    damaged: Sequence[Damaged]
    placeless: Sequence[Path]
    missing: Sequence[Path] = ()

    @property
    def pairs(self) -> list[tuple[Series, Stack]]:
        """Every stack and its series, in the order of the numbers that choose them."""
        return [(series, stack) for series in self.series for stack in series.stacks]


def contents_of(path: Path) -> Contents:
    """Parse the headers of a file or folder.

    Raises:
        VolumeError: the file was cut short, is damaged or not an image.
        OSError: a file cannot be read.
    """
    with without_warnings():
        headers, damaged = image_headers(path) if path.is_dir() else ([file_header(path)], [])
    contents = _contents(path, headers, damaged)
    return replace(contents, missing=missing_files(path)) if path.is_dir() else contents


def missing_note(contents: Contents, series: Series | None = None) -> str:
    """A sentence on files that a DICOMDIR lists and that are not there; empty if there are none.

    Args:
        contents: the images of a folder.
        series: count only what is missing in the folders of its files.
    """
    missing = contents.missing
    if series is not None:
        folders = {image.header.path.parent for stack in series.stacks for image in stack.images}
        missing = [path for path in missing if path.parent in folders]
    if not missing:
        return ""
    files = "a file that is" if len(missing) == 1 else f"{len(missing)} files that are"
    return (
        f"The DICOMDIR of {contents.path} lists {files} not there, such as {missing[0]}; slices "
        "may be missing, so copy the medium again."
    )


def contents_of_files(files: Sequence[Path]) -> Contents:
    """Parse the headers of these files alone; raises as `contents_of`."""
    with without_warnings():
        headers = [file_header(path) for path in files]
    return _contents(files[0].parent, headers, [])


def _contents(path: Path, headers: Sequence[Header], damaged: list[Damaged]) -> Contents:
    with without_warnings():
        by_uid: dict[str, list[Image]] = defaultdict(list)
        placeless = []
        for header in headers:
            try:
                images = images_of(header)
            except VolumeError as error:
                damaged.append(Damaged(header.path, error))
                continue
            by_uid[header.text("SeriesInstanceUID")].extend(images)
            if not images:
                placeless.append(header.path)
        found = [_series(uid, images) for uid, images in by_uid.items() if images]
    return Contents(path, sorted(found, key=_place), damaged, placeless)


def list_series(contents: Contents) -> list[SeriesRow]:
    """A row for each stack of each series, with the numbers that choose them."""
    with without_warnings():
        return [
            _row(number, series.uid, stack)
            for number, (series, stack) in enumerate(contents.pairs, start=1)
        ]


def chosen(contents: Contents, choice: str | int | None) -> Series:
    """The series that was chosen, or the only one; its first stack is the one that is meant.

    Args:
        contents: the images of a file or folder.
        choice: a UID or a number of the list; None if there is one series only.

    Raises:
        VolumeError: there is no series, several and no choice, or not the one chosen; or a damaged
            file may belong to it.
    """
    path, all_series, pairs = contents.path, contents.series, contents.pairs
    if choice is None and contents.damaged:
        raise contents.damaged[0].error
    if not all_series:
        raise _no_series(contents)
    if choice is None:
        if len(all_series) > 1:
            raise _several(path, all_series)
        return all_series[0]
    text = str(choice).strip()
    series = next((series for series in all_series if series.uid == text), None)
    if series is None and text.isascii() and text.isdecimal() and 1 <= int(text) <= len(pairs):
        series, stack = pairs[int(text) - 1]
        rest = [other for other in series.stacks if other is not stack]
        series = Series(series.uid, [stack, *rest], series.copies)
    if series is None:
        way = "leave --series out, as there is one"
        if len(pairs) > 1:
            way = f"choose one of 1 to {len(pairs)} as medsegfm show lists them, or a UID"
        raise VolumeError(f"{path} contains no DICOM series {text}; {way}.")
    folders = {image.header.path.parent for stack in series.stacks for image in stack.images}
    for file in contents.damaged:
        if file.path.parent in folders:
            raise file.error
    return series


def _no_series(contents: Contents) -> VolumeError:
    if contents.placeless:
        return VolumeError(
            f"{contents.placeless[0]} has several frames without a place for each "
            "(PerFrameFunctionalGroupsSequence); convert it to NIfTI with a program that knows its "
            "spacing."
        )
    return VolumeError(f"The folder {contents.path} contains no DICOM image series.")


def _series(uid: str, images: Sequence[Image]) -> Series:
    kept, copies = without_copies(images)
    return Series(uid, stacks_of(kept), copies)


def _place(series: Series) -> tuple[float, str]:
    header = series.stacks[0].images[0].header
    try:
        number = header.decimal("SeriesNumber")
    except VolumeError:
        number = None
    return (number or 0.0, str(header.path))


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
