"""Servers of weights that lie, drip, loop or stop: a download ends in time with a named error.

An escape is another exception, more than a few seconds, a file that passes for the whole but is
not, or an incomplete file that is longer than the whole.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from unittest import mock

from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.weights import transfer

NAME = "downloads"
CONTENT = bytes(range(256)) * 600

_TIMES = {"_TIMEOUT_SECONDS": 0.3, "_SLOW_SECONDS": 0.6, "_LARGEST_BYTES": 1_000_000}
# Ten times what those allow, because tests share their cores.
_SECONDS = 15.0

Pieces = Iterator[bytes | float]
"""What a server sends, and the seconds that it waits between."""


@dataclass(frozen=True)
class Payload:
    """The kinds of the answers, the last of which is repeated; what is known and there before."""

    answers: tuple[str, ...]
    is_size_known: bool
    have: int


def inputs(rng: Random) -> Iterator[Payload]:
    """Endless sequences of one to three answers."""
    while True:
        answers = tuple(rng.choices(list(ANSWERS), k=rng.randint(1, 3)))
        have = rng.choice([0, rng.randrange(1, len(CONTENT)), len(CONTENT) + 5])
        yield Payload(answers, rng.random() < 0.7, have)


def escape(payload: Payload, folder: Path) -> str | None:
    """Download from such a server and judge the outcome."""
    part = folder / "weights.part"
    part.write_bytes((CONTENT + bytes(9))[: payload.have])
    size = len(CONTENT) if payload.is_size_known else None
    environment = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
    begun = time.monotonic()
    with serve(payload.answers) as url, environment, mock.patch.multiple(transfer, **_TIMES):
        try:
            transfer.receive(url, part, size, no_progress)
            error = None
        except MedSegFMError as caught:
            error = str(caught)
        except Exception as caught:  # noqa: BLE001 - any other is an escape
            return f"{payload}: {caught!r}"
    seconds = time.monotonic() - begun
    there = part.stat().st_size if part.exists() else 0
    part.unlink(missing_ok=True)
    if seconds > _SECONDS:
        return f"{payload}: {seconds:.1f} s"
    if error is not None and not error.isprintable():
        return f"{payload}: {error!r}"
    if size is not None and (there > size or (error is None and there != size)):
        return f"{payload}: {there} of {size} bytes and {error}"
    return None


@contextmanager
def serve(answers: tuple[str, ...]) -> Iterator[str]:
    """A server that gives the answers, one for each connection."""
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/w"

        def accept() -> None:
            count = 0
            while not closed.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    kind = answers[min(count, len(answers) - 1)]
                    count += 1
                    arguments = (connection, kind, url, closed)
                    threading.Thread(target=_answer, args=arguments, daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            closed.set()
            thread.join()


def _answer(connection: socket.socket, kind: str, url: str, closed: threading.Event) -> None:
    with connection, suppress(OSError):
        asked = connection.recv(65536).partition(b"Range: bytes=")[2].partition(b"-")[0]
        for piece in ANSWERS[kind](int(asked or 0), url):
            if closed.is_set():
                return
            if isinstance(piece, float):
                closed.wait(piece)
            else:
                connection.sendall(piece)


def _head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def _body(start: int, sent: int | None = None, length: object = None) -> Pieces:
    rest = CONTENT[start:]
    ranged = [f"Content-Range: bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"] if start else []
    stated = len(rest) if length is None else length
    yield _head("206 Part" if start else "200 OK", f"Content-Length: {stated}", *ranged)
    yield rest[:sent]


def _part(content_range: str) -> Pieces:
    yield _head("206 Part", f"Content-Range: {content_range}", "Content-Length: 10") + bytes(10)


def _chunked(*chunks: bytes) -> Pieces:
    yield _head("200 OK", "Transfer-Encoding: chunked")
    yield from chunks


def _forever(piece: bytes, seconds: float = 0.0, head: bytes = b"") -> Pieces:
    yield head
    while True:
        yield piece
        if seconds:
            yield seconds


def _redirect(address: str) -> Pieces:
    yield _head("302 Found", f"Location: {address}", "Content-Length: 0")


def _once(*pieces: bytes | float) -> Pieces:
    yield from pieces


# By kind: from the first byte that is asked for and the server's address.
ANSWERS: dict[str, Callable[[int, str], Pieces]] = {
    "whole": lambda start, url: _body(start),
    "cut": lambda start, url: _body(start, 5000),
    "ignores the range": lambda start, url: _body(0),
    "another range": lambda start, url: _part("bytes 7-16/17"),
    "damaged range": lambda start, url: _part("lines \u00b2-/*"),
    "part without a range": lambda start, url: _once(_head("206 P", "Content-Length: 3"), b"abc"),
    "416": lambda start, url: _once(_head("416 No", "Content-Length: 0")),
    "404 with escapes": lambda start, url: _once(_head("404 \x1b[31m\x07No", "Content-Length: 0")),
    "redirects to itself": lambda start, url: _redirect(url),
    "redirects on and on": lambda start, url: _redirect(f"{url}{time.monotonic_ns()}"),
    "redirects to a file": lambda start, url: _redirect("file:///etc/hostname"),
    "redirects to nothing": lambda start, url: _redirect("http://[::1\x1b/"),
    "redirects away": lambda start, url: _redirect("http://example.org/"),
    "drips its head": lambda start, url: _forever(b"x", 0.1, b"HTTP/1.1 200 OK\r\nA: "),
    "drips its body": lambda start, url: _forever(b"x", 0.1, _head("200 OK")),
    "drips a chunk": lambda start, url: _forever(b"0", 0.1, next(_chunked())),
    "continues": lambda start, url: _forever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "endless": lambda start, url: _forever(bytes(65536), 0.0, _head("200 OK")),
    "endless head": lambda start, url: _forever(b"A: b\r\n" * 99, 0.0, b"HTTP/1.1 200 OK\r\n"),
    "shorter than stated": lambda start, url: _body(start, 9, 10),
    "longer than stated": lambda start, url: _body(start, None, 10),
    "negative length": lambda start, url: _body(start, None, -5),
    "huge length": lambda start, url: _body(start, None, 10**30),
    "length that is no number": lambda start, url: _body(start, None, "9" * 5000),
    "chunk that is no number": lambda start, url: _chunked(b"zz\r\n", bytes(99)),
    "negative chunk": lambda start, url: _chunked(b"-9\r\n", bytes(99)),
    "chunk cut off": lambda start, url: _chunked(b"ffff\r\n", bytes(99)),
    "web page": lambda start, url: _once(_head("200 OK", "Content-Type: text/html"), b"<html>"),
    "no http": lambda start, url: _once(b"SSH-2.0\r\n\r\n"),
    "silence": lambda start, url: _once(20.0),
    "nothing": lambda start, url: _once(),
}
