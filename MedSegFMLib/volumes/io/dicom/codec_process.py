"""Decoders of compressed voxels in a process of their own: damaged bytes can crash or hang them.

The process reads requests from stdin and ends with it. A request is a head (the decoder's name, the
type of the stored numbers, and two lengths) and the bytes of a frame; the answer is a head (the
type and shape, or none on failure) and the numbers.
"""

from __future__ import annotations

import atexit
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ....system.library_program import library_environment, program

_REQUEST = struct.Struct("<16s8sQQ")
_ANSWER = struct.Struct("<8sQQ")
# A frame takes milliseconds.
_MOST_SECONDS = 120.0


class DecodingFailed(ValueError):
    """The bytes cannot be decoded."""


class CodecProcess:
    """A process that decodes frames, started when it is first needed and again after a crash.

    Args:
        command: the command that runs `main` of this module.
        seconds: the time for a frame.
    """

    def __init__(self, command: Sequence[str], seconds: float = _MOST_SECONDS) -> None:
        self._command = list(command)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, name: str, dtype: str, encoded: bytes, most_bytes: int) -> NDArray[Any]:
        """Decode one frame.

        Args:
            name: the name of the decoder in imagecodecs, without "_decode".
            dtype: the type of the stored numbers, such as "<u2", for decoders that need it.
            encoded: the frame.
            most_bytes: the largest size of the result.

        Returns:
            The rows and columns, as the decoder returns them.

        Raises:
            DecodingFailed: the bytes are damaged, too many result, or the decoder crashes or hangs.
        """
        head = _REQUEST.pack(name.encode(), dtype.encode(), most_bytes, len(encoded))
        with self._lock:
            process = self._running()
            timer = threading.Timer(self._seconds, process.kill)
            timer.daemon = True
            timer.start()
            try:
                return _exchange(process, head + encoded)
            except DecodingFailed:
                raise
            except (OSError, ValueError, EOFError) as error:
                self._end()
                raise DecodingFailed("the decoder ended") from error
            except BaseException:
                # Half an answer is on the way.
                self._end()
                raise
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=library_environment(),
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    # It has lost its reader.
                    continue
        process.wait()


def codec_process() -> CodecProcess:
    """The decoders of this process; a forked child has its own."""
    return _process_of(os.getpid())


@cache
def _process_of(_pid: int) -> CodecProcess:
    process = CodecProcess(program(__name__))
    atexit.register(process.close)
    return process


def main() -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(_REQUEST.size):
        name, dtype, most_bytes, length = _REQUEST.unpack(head)
        encoded = _read(source, length)
        try:
            decoded = _decoded(name.rstrip(b"\0").decode(), dtype.rstrip(b"\0").decode(), encoded)
            is_right = decoded.dtype.kind in "iu" and decoded.ndim == 2
        except Exception:  # noqa: BLE001 - decoders raise classes of their own
            is_right = False
        if not is_right or decoded.nbytes > most_bytes:
            sink.write(_ANSWER.pack(b"", 0, 0))
        else:
            sink.write(_ANSWER.pack(decoded.dtype.str.encode(), *decoded.shape))
            sink.write(np.ascontiguousarray(decoded).data.cast("B"))
        sink.flush()


def _decoded(name: str, dtype: str, encoded: bytes) -> NDArray[Any]:
    import imagecodecs

    decode = getattr(imagecodecs, f"{name}_decode")
    if name == "dicomrle":
        return np.frombuffer(decode(encoded, dtype), dtype)[None]
    return np.asarray(decode(encoded))


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> NDArray[Any]:
    assert process.stdin and process.stdout, "both are pipes"
    process.stdin.write(request)
    process.stdin.flush()
    dtype, rows, columns = _ANSWER.unpack(_read(process.stdout, _ANSWER.size))
    if not dtype.rstrip(b"\0"):
        raise DecodingFailed("the bytes are damaged")
    array = np.empty((rows, columns), dtype.rstrip(b"\0").decode())
    view = array.data.cast("B") if array.size else memoryview(b"")
    filled = 0
    while filled < len(view):
        count = process.stdout.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        filled += count
    return array


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


if __name__ == "__main__":
    main()
