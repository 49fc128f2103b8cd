"""Connections to a server of weights, which end even if the server sends a byte now and then."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ..errors import WeightsError

_LONGEST_TEXT = 200


class Watchdog:
    """Shuts down the connections of a download that does not advance in time.

    A timeout of a socket starts again with each byte; this one starts again at `extend` only.

    Attributes:
        expired: whether the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="download watchdog", daemon=True).start()

    def extend(self) -> None:
        """Start the time again."""
        self._deadline = time.monotonic() + self._seconds

    def watch(self, connection: socket.socket) -> None:
        """Add a connection.

        Raises:
            TimeoutError: the time is over.
        """
        self._sockets.append(connection)
        if self.expired:
            raise TimeoutError

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(max(0.0, self._deadline - time.monotonic())):
            if time.monotonic() >= self._deadline:
                self.expired = True
                for connection in self._sockets:
                    # Not the method of TLS, which would interfere with the thread that reads.
                    with suppress(OSError):
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)
                return


def opener(watchdog: Watchdog) -> urllib.request.OpenerDirector:
    """An opener whose connections the watchdog watches and whose redirects are checked."""

    class Http(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watchdog.watch(self.sock)

    class Https(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watchdog.watch(self.sock)

    class HttpHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Http, req)

    class HttpsHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Https, req)

    return urllib.request.build_opener(_SafeRedirects, HttpHandler, HttpsHandler)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not away from https."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        before, after = urlsplit(arguments[0].full_url), urlsplit(arguments[-1])
        if before.scheme == "https" != after.scheme:
            raise _not_https(arguments[-1])
        check_address(arguments[-1])
        return super().redirect_request(*arguments)


def check_address(url: str) -> None:
    """Require https, except on this computer, which needs no encryption.

    Raises:
        WeightsError: the address is another.
    """
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme not in ("https", "file") and not (parts.scheme == "http" and is_local):
        raise _not_https(url)


def plain(text: str) -> str:
    """A server's text for a message: printable and of limited length."""
    return "".join(filter(str.isprintable, text))[:_LONGEST_TEXT]


def _not_https(url: str) -> WeightsError:
    return WeightsError(f"{plain(url)} is not an https address; import a file instead.")
