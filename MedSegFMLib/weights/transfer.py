"""A resumable download of one file. Needs the standard library only.

Proxies are those of the environment (HTTPS_PROXY, NO_PROXY), as in urllib.
"""

from __future__ import annotations

import errno
import os
import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from ..errors import MedSegFMError, OutputError, WeightsError
from ..progress import Progress
from .connection import Watchdog, check_address, opener, plain

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 15
# A server must answer, and then send then this number of bytes each time, within these seconds.
_SLOW_SECONDS = 60.0
_LEAST_BYTES = 1 << 16
# Of a file whose size neither the catalogue nor the server states.
_LARGEST_BYTES = 20_000_000_000
# Of a length that the server states.
_MOST_DIGITS = 18
_TOO_SLOW = "the server sends too slowly"
_AGAIN = "try again to resume it, or import a file"


def receive(url: str, part: Path, size: int | None, progress: Progress) -> None:
    """Download a file into `part`, resuming at its current end if the server supports that.

    After a failure, received data are kept in `part` unless it cannot be of the right size.

    Args:
        url: https, file, or http on this computer.
        part: the file to write.
        size: the size of the whole file in bytes, None if unknown.
        progress: called with the completed fraction and a phrase.

    Raises:
        WeightsError: the address is not allowed, does not answer, breaks off or has a file of
            another size.
        OutputError: `part` cannot be written.
        Cancelled: `progress` raised it.
    """
    check_address(url)
    have = _kept(part)
    if have and have == size:
        return
    if size is not None and have > size:
        # It is not the beginning of the file.
        have = _discarded(part)
    watchdog = Watchdog(_SLOW_SECONDS)
    try:
        response, start = _request(url, have, watchdog)
        with response:
            total = _total(response, start)
            if None not in (size, total) and total != size:
                part.unlink(missing_ok=True)
                raise WeightsError(
                    f"{url} has {total} bytes, but the weights have {size}; check the address, or "
                    "import a file."
                )
            total = total or size
            have = _save(response, part, start, total, watchdog, progress)
    except MedSegFMError:
        # Some of these are OSErrors too.
        raise
    except (OSError, HTTPException, ValueError) as error:
        # ValueErrors are about the server's numbers and addresses.
        reason = _TOO_SLOW if watchdog.expired else _reason(error)
        raise WeightsError(f"{url} cannot be downloaded ({reason}); {_AGAIN}.") from error
    finally:
        watchdog.close()

    largest = _LARGEST_BYTES if total is None else total
    if have > largest:
        part.unlink(missing_ok=True)
        raise WeightsError(
            f"{url} sends more than the {largest} bytes of the weights; check the address, or "
            "import a file."
        )
    if watchdog.expired and have != total:
        raise WeightsError(f"{url} cannot be downloaded ({_TOO_SLOW}); {_AGAIN}.")
    if total is not None and have < total:
        raise WeightsError(
            f"The download of {url} broke off after {have} of {total} bytes; {_AGAIN}."
        )


def _request(url: str, have: int, watchdog: Watchdog) -> tuple[Any, int]:
    """The response, and the byte at which it begins: 0 if the server cannot resume."""
    if have:
        response = _open_url(url, have, watchdog)
        if response is not None:
            return response, have if response.status == HTTPStatus.PARTIAL_CONTENT else 0
    response = _open_url(url, 0, watchdog)
    if response is None:
        raise WeightsError(f"{url} answers with another part of the file than asked; {_AGAIN}.")
    return response, 0


def _open_url(url: str, start: int, watchdog: Watchdog) -> Any | None:
    """The response to a request from a byte on; None if it begins at another byte."""
    request = urllib.request.Request(url, headers={"User-Agent": "medsegfm"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = opener(watchdog).open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise
    is_part = response.status == HTTPStatus.PARTIAL_CONTENT
    content_range = response.headers.get("Content-Range", "")
    if is_part and not (start and content_range.startswith(f"bytes {start}-")):
        response.close()
        return None
    if response.headers.get_content_type() == "text/html":
        response.close()
        raise WeightsError(
            f"{url} answers with a web page instead of the weights; check the address and whether "
            "this network requires a login, or import a file."
        )
    return response


def _total(response: Any, start: int) -> int | None:
    """The size of the whole file in bytes as stated by the server; None if it is not stated."""
    length = response.headers.get("Content-Length", "")
    is_number = length.isdecimal() and len(length) <= _MOST_DIGITS
    return start + int(length) if is_number else None


def _save(
    response: Any,
    part: Path,
    start: int,
    total: int | None,
    watchdog: Watchdog,
    progress: Progress,
) -> int:
    """Write the response to its end or until it is too long; return the size of `part`."""
    have = extended_at = start
    largest = _LARGEST_BYTES if total is None else total
    with _open(part, start) as file:
        _check_room(part, (total or start) - start)
        # read1, not read: a slow connection must not delay cancellation.
        while chunk := response.read1(_CHUNK_BYTES):
            have += len(chunk)
            if have > largest:
                break
            _write(file, chunk, part)
            if have - extended_at >= _LEAST_BYTES:
                extended_at = have
                watchdog.extend()
            progress(have / total if total else 0.0, f"Downloading, {have / 1e6:.1f} MB")
        _flush(file, part)
    return have


def _kept(part: Path) -> int:
    """The number of bytes left by an earlier download."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unwritable(part, error) from error


def _discarded(part: Path) -> int:
    """Remove an invalid download; return the number of bytes left, which is 0."""
    try:
        part.unlink()
    except OSError as error:
        raise _unwritable(part, error) from error
    return 0


def _open(part: Path, start: int) -> IO[bytes]:
    # Unbuffered, so that a full disk raises at a write and not again when the file is closed.
    try:
        return part.open("ab" if start else "wb", buffering=0)
    except OSError as error:
        raise _unwritable(part, error) from error


def _write(file: IO[bytes], chunk: bytes, part: Path) -> None:
    remaining = memoryview(chunk)
    try:
        while remaining:
            remaining = remaining[file.write(remaining) :]
    except OSError as error:
        raise _unwritable(part, error) from error


def _flush(file: IO[bytes], part: Path) -> None:
    try:
        os.fsync(file.fileno())
    except OSError as error:
        # Devices and some network file systems cannot.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise _unwritable(part, error) from error


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OutputError(
            f"{part.parent} has {free / 1e6:.0f} MB free, but {needed / 1e6:.0f} MB are needed; "
            "free some space or name another folder in MEDSEGFM_WEIGHTS."
        )


def _unwritable(part: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{part} cannot be written ({error.strerror or error}), received data are kept; free some "
        "space or name another folder in MEDSEGFM_WEIGHTS."
    )


def _reason(error: OSError | HTTPException | ValueError) -> str:
    """The reason of a failure: the server's response, or the system's network error."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {plain(str(error.reason))}"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "the server does not answer"
    if isinstance(inner, OSError) and inner.strerror:
        return plain(inner.strerror)
    return plain(str(inner)) or type(inner).__name__
