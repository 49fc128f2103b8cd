"""A resumable download of one file. Needs the standard library only.

Proxies are those of the environment (HTTPS_PROXY, NO_PROXY), as in urllib.
"""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ..errors import MedSegFMError, OutputError, WeightsError
from ..progress import Progress

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 15
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
    _check_address(url)
    have = _kept(part)
    if have and have == size:
        return
    try:
        response, start = _request(url, have if size is None or have < size else 0)
        with response:
            total = _total(response, start)
            if None not in (size, total) and total != size:
                part.unlink(missing_ok=True)
                raise WeightsError(
                    f"{url} has {total} bytes, but the weights have {size}; check the address, or "
                    "import a file."
                )
            total = total or size
            have = _save(response, part, start, total, progress)
    except MedSegFMError:
        # Some of these are OSErrors too.
        raise
    except (OSError, HTTPException) as error:
        raise WeightsError(f"{url} cannot be downloaded ({_reason(error)}); {_AGAIN}.") from error

    if total is not None and have > total:
        part.unlink(missing_ok=True)
        raise WeightsError(
            f"{url} sends more than the {total} bytes of the weights; check the address, or import "
            "a file."
        )
    if total is not None and have < total:
        raise WeightsError(
            f"The download of {url} broke off after {have} of {total} bytes; {_AGAIN}."
        )


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not away from https."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        _check_address(arguments[-1])
        return super().redirect_request(*arguments)


def _check_address(url: str) -> None:
    """Require https, except on this computer, which needs no encryption."""
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme not in ("https", "file") and not (parts.scheme == "http" and is_local):
        raise WeightsError(f"{url} is not an https address; import a file instead.")


def _request(url: str, have: int) -> tuple[Any, int]:
    """The response, and the byte at which it begins: 0 if the server cannot resume."""
    request = urllib.request.Request(url, headers={"User-Agent": "medsegfm"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.build_opener(_SafeRedirects).open(
            request, timeout=_TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _request(url, 0)
        raise
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return response, 0
    content_range = response.headers.get("Content-Range")
    if content_range is not None and not content_range.startswith(f"bytes {have}-"):
        response.close()
        return _request(url, 0)
    return response, have


def _total(response: Any, start: int) -> int | None:
    """The size of the whole file in bytes as stated by the server; None if it is not stated."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _save(response: Any, part: Path, start: int, total: int | None, progress: Progress) -> int:
    """Write the response to its end or until it is too long; return the size of `part`."""
    have = start
    with _open(part, start) as file:
        _check_room(part, (total or start) - start)
        # read1, not read: a slow connection must not delay cancellation.
        while chunk := response.read1(_CHUNK_BYTES):
            have += len(chunk)
            if total is not None and have > total:
                break
            _write(file, chunk, part)
            progress(have / total if total else 0.0, f"Downloading, {have / 1e6:.1f} MB")
    return have


def _kept(part: Path) -> int:
    """The number of bytes left by an earlier download."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unwritable(part, error) from error


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


def _reason(error: OSError | HTTPException) -> str:
    """The reason of a failure: the server's response, or the system's network error."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "the server does not answer"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner) or type(inner).__name__
