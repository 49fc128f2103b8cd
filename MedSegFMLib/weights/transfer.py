"""One file from one address, resumed where it broke off. Needs the standard library alone.

Proxies are those of the environment (HTTPS_PROXY, NO_PROXY), as urllib reads them.
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
_AGAIN = "try again, it goes on where it stopped, or import a file"


def receive(url: str, part: Path, size: int | None, progress: Progress) -> None:
    """Fill `part` to its end, from where it ends now where the server can do that.

    url: https, file, or http on this computer. size: the bytes of the whole, None where unknown.
    What was received stays in `part` when this fails, unless it cannot be of the right size.
    Raises WeightsError where the address is refused, does not answer, breaks off or has another
    size, OutputError where `part` cannot be written, Cancelled where `progress` raises it.
    """
    _check_address(url)
    have = _kept(part)
    if have and have == size:
        return
    try:
        answer, start = _ask(url, have if size is None or have < size else 0)
        with answer:
            total = _total(answer, start)
            if None not in (size, total) and total != size:
                part.unlink(missing_ok=True)
                raise WeightsError(
                    f"{url} answers with {total} bytes where the weights have {size}; check what "
                    "is there, or import a file."
                )
            total = total or size
            have = _save(answer, part, start, total, progress)
    except MedSegFMError:
        # Some of these are errors of the system as well.
        raise
    except (OSError, HTTPException) as error:
        raise WeightsError(f"{url} cannot be downloaded ({_reason(error)}); {_AGAIN}.") from error

    if total is not None and have > total:
        part.unlink(missing_ok=True)
        raise WeightsError(
            f"{url} sends more than the {total} bytes that the weights have; check what is there, "
            "or import a file."
        )
    if total is not None and have < total:
        raise WeightsError(f"{url} broke off after {have} of {total} bytes; {_AGAIN}.")


class _StaySafe(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not away from https."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        _check_address(arguments[-1])
        return super().redirect_request(*arguments)


def _check_address(url: str) -> None:
    """Weights come by https; what stays on this computer needs no encryption."""
    parts = urlsplit(url)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme not in ("https", "file") and not (parts.scheme == "http" and here):
        raise WeightsError(f"{url} is no https address; import a file instead.")


def _ask(url: str, have: int) -> tuple[Any, int]:
    """The answer, and which byte of the file it begins with: 0 where the server cannot go on."""
    request = urllib.request.Request(url, headers={"User-Agent": "medsegfm"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.build_opener(_StaySafe).open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _ask(url, 0)
        raise
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return answer, 0
    said = answer.headers.get("Content-Range")
    if said is not None and not said.startswith(f"bytes {have}-"):
        answer.close()
        return _ask(url, 0)
    return answer, have


def _total(answer: Any, start: int) -> int | None:
    """The bytes of the whole file, as the server says; None where it does not."""
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _save(answer: Any, part: Path, start: int, total: int | None, progress: Progress) -> int:
    """Write what comes, to the end or until it is too much; returns the bytes of `part` then."""
    have = start
    with _open(part, start) as file:
        _check_room(part, (total or start) - start)
        # read1, not read: a slow line must not keep a wish to stop waiting.
        while chunk := answer.read1(_CHUNK_BYTES):
            have += len(chunk)
            if total is not None and have > total:
                break
            _write(file, chunk, part)
            progress(have / total if total else 0.0, f"Downloading, {have / 1e6:.1f} MB")
    return have


def _kept(part: Path) -> int:
    """The bytes that an earlier download left."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unwritable(part, error) from error


def _open(part: Path, start: int) -> IO[bytes]:
    # Unbuffered, so that a full disk is met at a write and not again when the file closes.
    try:
        return part.open("ab" if start else "wb", buffering=0)
    except OSError as error:
        raise _unwritable(part, error) from error


def _write(file: IO[bytes], chunk: bytes, part: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _unwritable(part, error) from error


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OutputError(
            f"{part.parent} has {free / 1e6:.0f} MB free where {needed / 1e6:.0f} MB are needed; "
            "make room or name another folder in MEDSEGFM_WEIGHTS."
        )


def _unwritable(part: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{part} cannot be written ({error.strerror or error}); make room or name another folder "
        "in MEDSEGFM_WEIGHTS, what was received is kept."
    )


def _reason(error: OSError | HTTPException) -> str:
    """Why, in words: the server's answer, or what the system says of the network."""
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
