"""Checks that the voxels of an image file are all there and undamaged, in a stream of small blocks.

ITK reads a truncated file as zeros and does not verify most checksums, so that a changed bit in a
compressed file changes any number of voxels. Here a compressed payload is inflated whole, its
checksum (adler32 of zlib, crc32 of gzip) compared by zlib, and its size counted, before ITK opens
the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ...errors import VolumeError
from ...system.memory.physical_memory import check_fits_memory
from ...system.regular_files import check_regular_file
from .header_values import Payload, damaged, is_number, truncated

_BLOCK = 1 << 20
# Deflate cannot compress further than 1032 to 1.
_LARGEST_RATIO = 1040
# The longest number in a text file.
_LONGEST_WORD = 400
_GZIP_ONLY, _ZLIB_OR_GZIP = 31, 47


def check_payload(payload: Payload) -> None:
    """Check that the payload has the size that its header states, and that its checksums hold.

    Raises:
        VolumeError: it is truncated, has surplus bytes, is damaged, or does not fit memory.
        OSError: the file cannot be read.
    """
    stored = check_regular_file(payload.file, VolumeError).st_size - payload.start
    check_fits_memory(str(payload.volume), payload.nbytes, VolumeError)
    if payload.encoding == "raw":
        if stored < payload.nbytes:
            raise truncated(payload.volume)
        if stored > payload.nbytes:
            raise surplus(payload.volume, stored - payload.nbytes)
        return
    with payload.file.open("rb") as stream:
        stream.seek(payload.start)
        if payload.encoding == "text":
            _check_text(payload, stream)
            return
        if stored * _LARGEST_RATIO < payload.nbytes:
            raise truncated(payload.volume)
        _check_inflated(payload, stream)


def surplus(path: Path, nbytes: int) -> VolumeError:
    """The error for a file that is larger than its header states."""
    return VolumeError(
        f"{path} has {nbytes} bytes more than its header states; its header or its end is wrong, "
        "so copy or convert it again."
    )


@contextmanager
def unzipping_errors(path: Path) -> Iterator[None]:
    """Convert zlib's errors to named ones."""
    try:
        yield
    except EOFError as error:
        raise truncated(path) from error
    except zlib.error as error:
        raise VolumeError(
            f"{path} cannot be unzipped ({error}); copy or download it again."
        ) from error


def first_inflated(path: Path, count: int) -> bytes:
    """The first `count` bytes of a gzip file's content; fewer if it has fewer.

    Raises:
        VolumeError: it is damaged.
    """
    with path.open("rb") as stream, unzipping_errors(path):
        inflater = zlib.decompressobj(_GZIP_ONLY)
        content = b""
        while len(content) < count and not inflater.eof:
            block = stream.read(1 << 16)
            if not block:
                raise EOFError
            content += inflater.decompress(block, count - len(content))
            while inflater.unconsumed_tail and len(content) < count:
                content += inflater.decompress(inflater.unconsumed_tail, count - len(content))
        return content


def _check_inflated(payload: Payload, stream: BinaryIO) -> None:
    """Inflate and count the whole stream; zlib raises at a wrong checksum or length."""
    path, expected = payload.volume, payload.skipped + payload.nbytes
    wbits = _ZLIB_OR_GZIP if payload.encoding == "zlib" else _GZIP_ONLY
    inflater, size, pending, is_full = zlib.decompressobj(wbits), 0, b"", False
    with unzipping_errors(path):
        while True:
            pending = pending or stream.read(_BLOCK)
            # The inflater may hold output for which the last block had no room.
            if not pending and not is_full:
                raise EOFError
            inflated = len(inflater.decompress(pending, _BLOCK))
            size, is_full = size + inflated, inflated == _BLOCK
            if size > expected:
                raise surplus(path, size - expected)
            pending = inflater.unconsumed_tail
            if not inflater.eof:
                continue
            rest = _beyond_padding(inflater.unused_data, stream)
            if not rest:
                break
            if payload.encoding != "gzip":
                raise surplus(path, len(rest))
            inflater, pending = zlib.decompressobj(wbits), rest
    if size < expected:
        raise truncated(path)


def _beyond_padding(rest: bytes, stream: BinaryIO) -> bytes:
    """The bytes after a compressed stream and the zeros behind it, which gzip allows."""
    rest = rest.lstrip(b"\0")
    while not rest:
        block = stream.read(_BLOCK)
        if not block:
            return b""
        rest = block.lstrip(b"\0")
    return rest


def _check_text(payload: Payload, stream: BinaryIO) -> None:
    count, tail = 0, b""
    while True:
        block = stream.read(_BLOCK)
        words = (tail + block).split()
        is_cut = bool(block) and not block[-1:].isspace()
        tail = words.pop() if is_cut and words else b""
        count += len(words)
        if len(tail) > _LONGEST_WORD or not all(map(is_number, words)):
            raise damaged(payload.volume, "its voxels should be numbers in text")
        if count > payload.values:
            raise surplus(payload.volume, count - payload.values)
        if not block:
            break
    if count < payload.values:
        raise truncated(payload.volume)
