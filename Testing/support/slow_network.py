"""A connection that is slow in both directions: a proxy for the server of the page."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 4096


@contextmanager
def slow_network(bytes_a_second: int) -> Iterator[SlowNetwork]:
    """A proxy on a port of its own; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        network = SlowNetwork(listening, bytes_a_second)
        threading.Thread(target=network.accept, daemon=True).start()
        yield network


class SlowNetwork:
    """Passes what it gets on to `target`, in both directions, as fast as it may.

    port: Where it listens. target: The port of the server.
    """

    def __init__(self, listening: socket.socket, bytes_a_second: int) -> None:
        self._listening, self._rate = listening, bytes_a_second
        self.port: int = listening.getsockname()[1]
        self.target = 0

    def accept(self) -> None:
        """Accept connections until the socket is closed."""
        with suppress(OSError):
            while True:
                near, _address = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                # A small window, as of a slow line: the server notices what does not get through.
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _CHUNK)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=ends, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                time.sleep(len(data) / self._rate)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
