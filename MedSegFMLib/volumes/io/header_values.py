"""Values in the headers of image files, parsed strictly, and the errors for those that are wrong.

Python's own `int` and `float` accept more than headers may contain (`1_000`, digits of other
scripts); C libraries accept less or something else, and the two must not differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import GeometryError, VolumeError
from ..geometry import LARGEST_POSITION_MM, LARGEST_SPACING_MM, SMALLEST_SPACING_MM

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.IGNORECASE | re.ASCII)
# A name of a file beside the header. A leading dot or space, a colon (Windows drives and streams)
# and separators of either system are not in it; "%" and LIST make ITK read many files.
_FILE_NAME = re.compile(r"[^\s./\\:%\x00-\x1f][^/\\:%\x00-\x1f]{0,200}")
_LARGEST_AXIS = 2**31 - 1


# What a header without them says of spacing and place.
NO_SPACING = "states no distance between voxels, which are taken as 1 mm apart"
NO_POSITION = "states no orientation in the patient; its axes are taken as those of DICOM"


@dataclass(frozen=True)
class Payload:
    """The place and the size of the voxels that a header states.

    Attributes:
        volume: the path that the user gave, for messages.
        file: the file of the voxels.
        start: the byte in `file` at which they begin, before unzipping.
        encoding: "raw", "text", "gzip" (several members allowed), "gzip-one" (one member) or
            "zlib" (a zlib or gzip stream).
        values: the number of values.
        value_bytes: the bytes of one value.
        skipped: bytes before the voxels inside the unzipped stream.
        notes: clauses on what a user should know.
    """

    volume: Path
    file: Path
    start: int
    encoding: str
    values: int
    value_bytes: int
    skipped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """The bytes of all values in memory."""
        return self.values * self.value_bytes


def damaged(path: Path, fault: str) -> VolumeError:
    """The error for a header with `fault`, a clause such as "NDims is 73"."""
    return VolumeError(f"The header of {path} is damaged ({fault}); copy or download it again.")


def truncated(path: Path) -> VolumeError:
    """The error for a file without its end."""
    return VolumeError(f"{path} ends too early: it was cut short; copy or download it again.")


def not_one_volume(name: str, size: Sequence[int]) -> VolumeError:
    """The error for an image that does not have three axes."""
    return VolumeError(
        f"{name} has {len(size)} axes {tuple(size)}; one 3D volume is needed; extract one volume "
        "of a series, or stack 2D slices."
    )


def integers(path: Path, key: str, text: str, count: int | None = None) -> list[int]:
    """The whole numbers of a field, `count` of them unless None.

    Raises:
        VolumeError: there is anything else, or another count.
    """
    words = text.split()
    if not words or not all(_INTEGER.fullmatch(word) for word in words):
        raise damaged(path, f"{key} is {shortened(text)}")
    if count is not None and len(words) != count:
        raise damaged(path, f"{key} has {len(words)} numbers instead of {count}")
    return [int(word) for word in words]


def numbers(path: Path, key: str, text: str, count: int | None = None) -> list[float]:
    """The numbers of a field, NaN and infinity among them, `count` of them unless None.

    Raises:
        VolumeError: there is anything else, or another count.
    """
    words = text.split()
    if not words or not all(_NUMBER.fullmatch(w) or _NOT_FINITE.fullmatch(w) for w in words):
        raise damaged(path, f"{key} is {shortened(text)}")
    if count is not None and len(words) != count:
        raise damaged(path, f"{key} has {len(words)} numbers instead of {count}")
    return [float(word) for word in words]


def is_number(word: bytes) -> bool:
    """Whether a word of a text file is a number."""
    text = word.decode("latin-1")
    return bool(_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text))


def axis_sizes(path: Path, key: str, sizes: Sequence[int]) -> list[int]:
    """The voxels along each axis.

    Raises:
        VolumeError: one is below 1 or above what ITK can index.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > _LARGEST_AXIS:
        raise damaged(path, f"{key} {' '.join(map(str, sizes))}")
    return list(sizes)


def file_beside(path: Path, key: str, name: str) -> Path:
    """The file that a header names for its voxels, which must be in the header's folder.

    Raises:
        VolumeError: the name is not the plain name of one file.
    """
    if not _FILE_NAME.fullmatch(name) or name.startswith("LIST"):
        raise damaged(path, f"{key} {shortened(name)} is not the name of one file beside it")
    return path.parent / name


def check_spacing(path: Path, spacing_mm: Sequence[float]) -> None:
    """Check the spacing of a header; negative ones, which some writers use, are allowed.

    Raises:
        GeometryError: it is not finite, or outside the range of `Geometry`.
    """
    if not all(
        math.isfinite(v) and SMALLEST_SPACING_MM <= abs(v) <= LARGEST_SPACING_MM for v in spacing_mm
    ):
        raise GeometryError(
            f"The spacing of {path} is {tuple(spacing_mm)} mm and must be finite, not 0 and from "
            f"{SMALLEST_SPACING_MM:g} to {LARGEST_SPACING_MM:g} mm; repair its header."
        )


def check_position(path: Path, key: str, values: Sequence[float]) -> None:
    """Check the origin or the axes of a header.

    Raises:
        GeometryError: a value is not finite, or beyond the range of `Geometry`.
    """
    if not all(abs(v) <= LARGEST_POSITION_MM for v in values):
        raise GeometryError(
            f"{key} of {path} is {tuple(values)}, NaN, infinite or beyond "
            f"{LARGEST_POSITION_MM:g} mm; repair its header."
        )


def shortened(text: str) -> str:
    """A text in quotation marks for a message, printable and of bounded length."""
    return ascii(text if len(text) <= 60 else text[:60] + "…")
