"""The volumes of a batch: the rows of a CSV file, or the volumes of a folder."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..errors import CasesError, VolumeError
from ..system.csv_cells import unescaped
from ..system.json_files import load_bytes
from ..system.names import name_fault
from ..volumes.io.dicom.files import is_dicom_file
from ..volumes.io.several import parse_images
from ..volumes.io.zarr_files import is_zarr

# The columns of a list and what their cells say; all but the first may be missing or empty.
COLUMNS = {
    "volume": "file or folder",
    "images": "NAME=FILE of several images in place of volume, separated by ;",
    "primary": "name of the image that is segmented by a model of one",
    "prompts": "file of prompts",
    "text": "names of objects, separated by ;",
    "mask": "FILE[:NAME or LABEL] to start from",
    "avoid": "FILE[:NAME or LABEL,...] that no object may overlap",
    "case": "name in tables and of the output",
    "output": "file to write, in the folder of --out",
    "model": "name of the model",
    "weights": "file or folder of weights",
    "options": "NAME=VALUE of the model, separated by spaces",
    "series": "DICOM series",
    "frame": "volume of several on one grid, from 1",
}
ENDINGS: tuple[str, ...] = (
    ".nii.gz",
    ".nii",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".mgz",
    ".mgh",
    ".hdr",
)
ENDINGS += (".tif", ".tiff")
_ZARR_ENDINGS = (".ome.zarr.zip", ".zarr.zip", ".ozx", ".ome.zarr", ".zarr")
_NOT_VOLUMES = (".seg.nrrd",)
# Between the images of a row.
IMAGE_SEPARATOR = ";"
_PATHS = ("volume", "prompts", "mask", "avoid", "weights")
_MOST_BYTES = 64_000_000
_MOST_LOOKED_AT = 20
_NOT_IN_NAMES = '/\\:*?"<>|'


@dataclass(frozen=True)
class Entry:
    """A volume of the list.

    Attributes:
        name: the name of the case.
        volume: the file or folder.
        cells: the other columns that are not empty; relative paths begin at the list's folder.
        is_named: whether the user chose the name.
    """

    name: str
    volume: Path
    cells: dict[str, str] = field(default_factory=dict)
    is_named: bool = False


def is_list(path: Path) -> bool:
    """Whether a path names a list of volumes."""
    return path.suffix.lower() == ".csv"


def stem_of(path: Path) -> str:
    """The name of a volume without its ending; of a folder with DICOM, all of it."""
    lower = path.name.lower()
    endings = _ZARR_ENDINGS if path.is_dir() else (*ENDINGS, *_ZARR_ENDINGS, ".dcm")
    ending = next((e for e in endings if lower.endswith(e)), "")
    return path.name[: len(path.name) - len(ending)]


def read_list(path: Path) -> list[Entry]:
    """Read a CSV file of volumes, separated by commas, semicolons or tabs, with a header.

    Raises:
        CasesError: it cannot be read, lacks the columns `volume` and `images` or has another than
            `COLUMNS`, a row lacks a volume or has more cells than the header, or two cases have one
            name.
    """
    header, rows = _table(path)
    unknown = [name for name in header if name not in COLUMNS]
    lacks = not {"volume", "images"} & set(header)
    if lacks or unknown:
        lacking = "lacks the column volume" if lacks else ""
        other = f"has the column {unknown[0][:40]!a}" if unknown else ""
        raise CasesError(
            f"{path} {' and '.join(filter(None, (lacking, other)))}; its columns are volume and, if"
            f" needed, {', '.join(list(COLUMNS)[1:])}."
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise CasesError(f"{path} has the column {twice[0]} twice; leave one out.")
    entries = [_entry(path, number, dict(zip(header, row, strict=True))) for number, row in rows]
    if not entries:
        raise CasesError(f"{path} lists no volumes; add a row for each.")
    _check_names(path, entries)
    return entries


def volumes_in(folder: Path, out: Path, prompts: Path | None, paired: bool) -> list[Entry]:
    """The volumes of a folder: its image files, OME-Zarr images and folders with DICOM.

    Args:
        folder: the folder.
        out: the folder of the results, which holds no volumes.
        prompts: the folder of the prompt files; None for the same.
        paired: whether each volume has prompts of its own: NAME.json for NAME.nii.gz.

    Raises:
        CasesError: there are none, two have one name, or the results would be among them.
    """
    if folder.resolve() == out.resolve():
        raise CasesError(
            f"{folder} holds the volumes, among which results would count as volumes too; choose "
            "another folder with --out."
        )
    beside = prompts or folder
    entries = []
    for path in sorted(folder.iterdir()):
        own = beside / f"{stem_of(path)}.json"
        is_hidden = path.name.startswith(".") or path.resolve() == out.resolve()
        if not is_hidden and _is_volume(path, own):
            cells = {"prompts": str(own)} if paired else {}
            entries.append(Entry(stem_of(path), path, cells))
    if not entries:
        raise CasesError(
            f"{folder} contains no volumes ({', '.join(ENDINGS)}, .zarr, or folders with DICOM); "
            "for one DICOM series, give a file as --out."
        )
    _check_names(folder, entries)
    return entries


def _is_volume(path: Path, prompts: Path) -> bool:
    if is_zarr(path):
        return True
    if path.is_dir():
        files = (p for p in path.rglob("*") if p.is_file())
        return any(map(is_dicom_file, islice(files, _MOST_LOOKED_AT)))
    lower = path.name.lower()
    if lower.endswith(".dcm"):
        # Other files of DICOM are the slices of one volume.
        return prompts.is_file()
    return lower.endswith(ENDINGS) and not lower.endswith(_NOT_VOLUMES)


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and each row that is not empty with its line."""
    try:
        text = load_bytes(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CasesError(f"{path} is not UTF-8 text; save it as CSV UTF-8.") from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [(reader.line_num, [unescaped(cell.strip()) for cell in row]) for row in reader]
    except csv.Error as error:
        raise CasesError(f"{path} is not a CSV file ({error}); save it as CSV UTF-8.") from error
    if not lines:
        raise CasesError(f"{path} is empty; its first line names the columns, such as volume.")
    header = [name.lower() for name in lines[0][1]]
    rows = []
    for number, row in lines[1:]:
        if len(row) > len(header):
            raise CasesError(
                f"{path}, line {number}: {len(row)} cells for {len(header)} columns; put cells with"
                f" {separator!a} in quotation marks."
            )
        if any(row):
            rows.append((number, row + [""] * (len(header) - len(row))))
    return header, rows


def _entry(path: Path, number: int, cells: dict[str, str]) -> Entry:
    given = {name: text for name, text in cells.items() if text}
    if "images" in given:
        _settle_images(given, path, number)
    if "volume" not in given:
        raise CasesError(f"{path}, line {number}: the volume is missing; name a file or folder.")
    for column in _PATHS:
        if column in given:
            given[column] = str(path.parent / Path(given[column]).expanduser())
    volume = Path(given.pop("volume"))
    name = given.pop("case", "")
    fault = name_fault(name or stem_of(volume))
    if fault is not None:
        raise CasesError(f"{path}, line {number}: the case's name {fault}; correct it.")
    return Entry(name or stem_of(volume), volume, given, bool(name))


def _settle_images(given: dict[str, str], path: Path, number: int) -> None:
    """Make the primary image the volume, and the paths of images begin at the list's folder."""
    place = f"{path}, line {number}"
    excess = next((name for name in ("volume", "series", "frame") if name in given), None)
    if excess is not None:
        raise CasesError(
            f"{place}: it has images and {excess}; leave {excess} empty, and choose a volume or "
            "series of an image as NAME=FILE:N."
        )
    texts = [text for text in given["images"].split(IMAGE_SEPARATOR) if text.strip()]
    try:
        files = parse_images(texts, given.get("primary"))
    except VolumeError as error:
        raise CasesError(f"{place}: {error}") from error
    begun = [f"{name}={path.parent / place}" for name, place in files.places.items()]
    given["images"] = IMAGE_SEPARATOR.join(begun)
    given["primary"] = files.primary
    given["volume"] = str(files.main)


def _check_names(path: Path, entries: Sequence[Entry]) -> None:
    """Check that names are those of files, and of one case each."""
    for entry in entries:
        bad = next((c for c in entry.name if c in _NOT_IN_NAMES), None)
        if bad is not None or entry.name.startswith("."):
            raise CasesError(
                f"{path}: the case '{entry.name}' cannot be the name of a file; choose one without "
                f"{bad or 'a dot before it'} in the column case."
            )
    # Names of files that differ in capitals alone are one on some systems.
    seen: dict[str, Entry] = {}
    for entry in entries:
        other = seen.setdefault(entry.name.casefold(), entry)
        if other is not entry:
            raise CasesError(
                f"{path} has two cases '{entry.name}' ({other.volume.name} and "
                f"{entry.volume.name}); give each a name of its own, in a CSV file by its column "
                "case."
            )
