"""Reading of .npz and .npy files without numpy's loader: numbers and texts only, no pickles.

The zip archive and the headers of its arrays are parsed strictly here, sizes are compared with the
file and the memory before anything is allocated, and zip's checksums are verified.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MedSegFMError
from .memory.physical_memory import check_fits_memory
from .regular_files import check_regular_file

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_LARGEST_HEADER = 10_000
_MOST_AXES = 32
_MOST_MEMBERS = 100_000
# Deflate cannot compress further than 1032 to 1.
_LARGEST_RATIO = 1040
_BLOCK = 1 << 22
_DESCR = re.compile(r"'descr':\s*'(?P<order>[<>|=])(?P<kind>[a-zA-Z])(?P<size>\d{1,7})'")
_OBJECT = re.compile(r"'descr':\s*'\|O\d{0,2}'")
_FORTRAN = re.compile(r"'fortran_order':\s*(?P<fortran>True|False)")
_SHAPE = re.compile(r"'shape':\s*\((?P<shape>(\s*\d{1,18}L?\s*,)*(\s*\d{1,18}L?)?\s*)\)")
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}
_LONGEST_TEXT = 1 << 26
# What zipfile and zlib raise for damaged or unsupported archives; RuntimeError: a password.
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class NpyFault(ValueError):
    """A fault of an array file, as a clause for the message of the named error."""


@dataclass(frozen=True)
class NpyHeader:
    """The header of an array.

    Attributes:
        dtype: a type of numbers or texts; None for objects, whose bytes are a pickle.
        shape: the length of each axis.
        is_fortran: whether the first axis varies fastest.
        nbytes_header: the position of the first value in the file.
    """

    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    is_fortran: bool
    nbytes_header: int

    @property
    def nbytes(self) -> int:
        """The bytes of all values; 0 for objects."""
        return math.prod(self.shape) * (self.dtype.itemsize if self.dtype else 0)


class NpzArrays:
    """The arrays of an open .npz file, read one at a time.

    Attributes:
        names: the names of the arrays, in the order of the file.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, error: type[MedSegFMError]) -> None:
        self._path = path
        self._archive = archive
        self._error = error
        self._members = _members(archive)
        self.names = tuple(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def header(self, name: str) -> NpyHeader:
        """The header of an array.

        Raises:
            NpyFault: it is damaged, or its type is neither numbers nor texts nor objects.
        """
        with self._archive.open(self._members[name]) as stream:
            return read_npy_header(stream)

    def read(self, name: str) -> NDArray[Any]:
        """An array of numbers or texts.

        Raises:
            NpyFault: it is damaged, or contains objects.
            MedSegFMError: as given to `open_npz`; it does not fit memory.
        """
        member = self._members[name]
        with self._archive.open(member) as stream:
            header = read_npy_header(stream)
            if header.dtype is None:
                raise NpyFault(f"'{name}' contains objects, which are never loaded")
            stated = member.file_size - header.nbytes_header
            if header.nbytes != stated:
                raise NpyFault(f"'{name}' states {header.nbytes} bytes of values and has {stated}")
            check_fits_memory(f"'{name}' of {self._path}", header.nbytes, self._error)
            return _values(stream, header, name)

    def content(self, name: str, limit: int) -> bytes:
        """The bytes of an array's file, header and all, with its checksum verified.

        Raises:
            NpyFault: it is larger than `limit` bytes.
        """
        member = self._members[name]
        if member.file_size > limit:
            raise NpyFault(f"'{name}' is larger than {limit} bytes")
        with self._archive.open(member) as stream:
            content = stream.read(limit + 1)
        if len(content) != member.file_size:
            raise NpyFault(f"'{name}' is not of the size that the archive states")
        return content


@contextmanager
def open_npz(
    path: Path, error: type[MedSegFMError], advice: str, kind: str = "npz"
) -> Iterator[NpzArrays]:
    """Open an .npz file; what goes wrong in the block with it becomes the named error.

    Args:
        path: the file.
        error: the class of the named error.
        advice: the way out in its message, such as "copy or download it again".
        kind: what the file should be, for the message.

    Raises:
        MedSegFMError: as `error`; the file is missing, not a regular file, damaged, or contains
            what is not supported.
    """
    check_regular_file(path, error)
    with _named_errors(path, error, advice, kind), zipfile.ZipFile(path) as archive:
        yield NpzArrays(path, archive, error)


class OpenNpz:
    """An .npz file that stays open, for many reads in any process.

    Args:
        path: the file.
        error, advice, kind: as for `open_npz`, which see for the errors of both methods.
    """

    def __init__(self, path: Path, error: type[MedSegFMError], advice: str, kind: str) -> None:
        self._words = path, error, advice, kind
        self._process = 0
        self._arrays: NpzArrays | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}

    def header(self, name: str) -> NpyHeader:
        """The header of an array."""
        arrays = self._opened()
        with _named_errors(*self._words):
            return arrays.header(name)

    def read(self, name: str) -> NDArray[Any]:
        """An array of numbers or texts."""
        arrays = self._opened()
        with _named_errors(*self._words):
            return arrays.read(name)

    def _opened(self) -> NpzArrays:
        path, error, _, _ = self._words
        # A forked process shares the file's position with its parent, so it opens the file anew.
        if self._arrays is None or self._process != os.getpid():
            check_regular_file(path, error)
            with _named_errors(*self._words):
                self._arrays = NpzArrays(path, zipfile.ZipFile(path), error)
            self._process = os.getpid()
        return self._arrays


@contextmanager
def _named_errors(path: Path, error: type[MedSegFMError], advice: str, kind: str) -> Iterator[None]:
    try:
        yield
    except MedSegFMError:
        # Several of these are ValueError or OSError too.
        raise
    except _DAMAGE as failure:
        raise error(f"{path} cannot be read as {kind} ({failure}); {advice}.") from failure


def read_npy_header(stream: IO[bytes]) -> NpyHeader:
    """Read the header at the start of an .npy file.

    Raises:
        NpyFault: it is damaged, too long, or of a type other than numbers, texts and objects.
    """
    start = stream.read(8)
    length_bytes = _LENGTH_BYTES.get(start[6]) if len(start) == 8 else None
    if start[:6] != _MAGIC or length_bytes is None or start[7] != 0:
        raise NpyFault("it does not begin with an npy header")
    length = int.from_bytes(stream.read(length_bytes), "little")
    if length > _LARGEST_HEADER:
        raise NpyFault(f"its npy header has {length} bytes")
    raw = stream.read(length)
    text = raw.decode("latin-1").strip()
    fields = text.removeprefix("{").removesuffix("}")
    matches = {p: p.search(fields) for p in (_FORTRAN, _SHAPE)}
    descr = _DESCR.search(fields) or _OBJECT.search(fields)
    fortran, sizes = matches[_FORTRAN], matches[_SHAPE]
    if len(raw) != length or descr is None or fortran is None or sizes is None:
        raise NpyFault(f"its npy header is {text[:120]!a}")
    rest = fields
    for match in (descr, fortran, sizes):
        rest = rest.replace(match.group(0), "", 1)
    if rest.strip(" ,\n") or not text.startswith("{") or not text.endswith("}"):
        raise NpyFault(f"its npy header is {text[:120]!a}")
    shape = tuple(int(n.strip().rstrip("L")) for n in sizes["shape"].split(",") if n.strip())
    if len(shape) > _MOST_AXES:
        raise NpyFault(f"it has {len(shape)} axes")
    is_fortran = fortran["fortran"] == "True"
    nbytes_header = len(start) + length_bytes + length
    return NpyHeader(_dtype(descr), shape, is_fortran, nbytes_header)


def _dtype(descr: re.Match[str]) -> np.dtype[Any] | None:
    if descr.re is _OBJECT:
        return None
    order, kind, size = descr["order"], descr["kind"], int(descr["size"])
    if kind == "U" and size <= _LONGEST_TEXT:
        return np.dtype(f"{order}U{size}")
    if size not in _SIZES.get(kind, ()):
        raise NpyFault(f"its values are of the type {order}{kind}{size}")
    return np.dtype(f"{order}{kind}{size}")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise NpyFault(f"it has {len(infos)} files")
    for info in infos:
        name = info.filename
        parts = name.split("/")
        if not all(parts) or ".." in parts or any(c in name for c in "\\:\0"):
            raise NpyFault(f"it has a file with the name {name[:60]!a}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpyFault(f"{name[:60]!a} has an unsupported compression method")
        if info.file_size > info.compress_size * _LARGEST_RATIO:
            raise NpyFault(f"{name[:60]!a} cannot have the size that the archive states")
        if not name.endswith(".npy"):
            continue
        if name.removesuffix(".npy") in members:
            raise NpyFault(f"it has two files with the name {name[:60]!a}")
        members[name.removesuffix(".npy")] = info
    return members


def _values(stream: IO[bytes], header: NpyHeader, name: str) -> NDArray[Any]:
    assert header.dtype is not None
    values = np.empty(math.prod(header.shape), header.dtype)
    if values.nbytes:
        view = values.view(np.uint8)
        position = 0
        while position < len(view):
            block = stream.read(min(_BLOCK, len(view) - position))
            if not block:
                raise NpyFault(f"'{name}' ends too early")
            view[position : position + len(block)] = np.frombuffer(block, np.uint8)
            position += len(block)
    # zipfile compares the checksum at the end.
    if stream.read(1):
        raise NpyFault(f"'{name}' is larger than the archive states")
    if header.dtype.kind == "U" and values.nbytes:
        points = values.view(np.uint32)
        _check_points(points if header.dtype.isnative else points.byteswap(), name)
    if header.dtype.kind == "b" and values.nbytes and values.view(np.uint8).max() > 1:
        raise NpyFault(f"'{name}' contains truth values other than 0 and 1")
    return values.reshape(header.shape, order="F" if header.is_fortran else "C")


def _check_points(points: NDArray[np.uint32], name: str) -> None:
    """Check that each is a character that can be written as UTF-8."""
    if ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any():
        raise NpyFault(f"'{name}' contains what is not text")
