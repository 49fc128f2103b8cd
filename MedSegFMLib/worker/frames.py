r"""Frames: a JSON header and raw arrays, each preceded by its length. Nothing is ever unpickled.

    magic "\x89MSF" | header bytes, uint32 | array bytes, uint64 | header, JSON | arrays, raw

The header contains the frame's kind, its data and each array's name, type and shape. All numbers of
the prefix are little-endian; arrays are in C order, with their byte order in the type.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import WorkerError
from ..system.json_files import parse_json

Array = NDArray[Any]

MAGIC = b"\x89MSF"
_PREFIX = struct.Struct("<4sIQ")
_DTYPE = re.compile(r"[<>|](b1|[iu][1248]|f[248])")
_KIND = re.compile(r"[a-z_]{1,40}")
# numpy's own limit in its earlier versions.
_MOST_AXES = 32
# A damaged length must not cause a wait or an allocation for data that never comes.
MOST_HEADER_BYTES = 1 << 26
MOST_ARRAY_BYTES = 1 << 36
# What a remote shell may print before the worker's first frame.
_MOST_GREETING_BYTES = 1 << 16


class FrameCutOffError(WorkerError):
    """The stream ended within a frame."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A message.

    Attributes:
        kind: its name.
        data: values that JSON can represent.
        arrays: arrays of real numbers by name.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write a frame and flush.

    Raises:
        WorkerError: the type of an array is not supported.
        OSError: the stream has no reader.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in frame.arrays.items()}
    for name, array in arrays.items():
        if not _DTYPE.fullmatch(array.dtype.str):
            raise WorkerError(
                f"The array {name} is of {array.dtype}, which frames do not support; convert it to "
                "integers of up to 8 bytes, float32 or float64."
            )
    header = to_json(
        {
            "kind": frame.kind,
            "data": frame.data,
            "arrays": [[name, a.dtype.str, a.shape] for name, a in arrays.items()],
        }
    ).encode()
    body = sum(array.nbytes for array in arrays.values())
    stream.write(_PREFIX.pack(MAGIC, len(header), body) + header)
    for array in arrays.values():
        if array.size:
            stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read a frame; None if the stream ends before it begins.

    Raises:
        WorkerError: the data is not a frame, exceeds the limits, or ends within a frame.
    """
    start = _read_exactly(stream, _PREFIX.size, may_be_over=True)
    if start is None:
        return None
    magic, header_bytes, body_bytes = _PREFIX.unpack(start)
    if magic != MAGIC:
        raise WorkerError(
            f"{bytes(start)!r} was read where a frame should begin; make sure that nothing else "
            "writes into the stream."
        )
    if header_bytes > MOST_HEADER_BYTES or body_bytes > MOST_ARRAY_BYTES:
        raise WorkerError(
            f"A frame claims to have {header_bytes} and {body_bytes} bytes, more than "
            f"{MOST_HEADER_BYTES} and {MOST_ARRAY_BYTES}; it is damaged."
        )
    header = _read_exactly(stream, header_bytes)
    assert header is not None, "only the first bytes of a frame may be missing"
    kind, data, layout = _parsed(header)
    if sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in layout) != body_bytes:
        raise WorkerError(
            f"The arrays of a frame '{kind}' do not fill its {body_bytes} bytes; it is damaged."
        )
    arrays = {}
    for name, dtype, shape in layout:
        array: Array = np.empty(shape, dtype)
        if array.size:
            _read_into(stream, array.reshape(-1).view(np.uint8).data)
        arrays[name] = array
    return Frame(kind, data, arrays)


def skip_greeting(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Skip data before the first frame, which remote shells may print.

    Returns:
        That data, and a stream that begins with the frame.

    Raises:
        WorkerError: no frame begins within 64 KiB; it contains the end of what was read.
    """
    data = bytearray()
    while not data.endswith(MAGIC):
        byte = stream.read(1)
        if not byte or len(data) > _MOST_GREETING_BYTES:
            if not byte and not data:
                break
            raise WorkerError(
                f"{bytes(data[-200:])!r} was read where a first frame should begin; check that "
                "the command starts a worker of MedSegFM."
            )
        data += byte
    greeting = bytes(data[: -len(MAGIC)])
    return greeting, _Rejoined(bytes(data[-len(MAGIC) :]), stream)  # type: ignore[return-value]


def finite_number(value: Any) -> float:
    """A number in the JSON of a frame.

    Raises:
        TypeError, ValueError: it is not a number, or NaN or infinity.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"the number {number}")
    return number


def to_json(value: Any) -> str:
    """JSON of a value, with paths as text.

    Raises:
        TypeError, ValueError: JSON cannot represent the value.
    """
    return json.dumps(value, default=os.fspath, allow_nan=False)


class _Rejoined:
    """Bytes that were already read, followed by the rest of their stream."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def readinto(self, view: memoryview) -> int:
        """Fill as much of `view` as is available."""
        if not self._first:
            return int(self._rest.readinto(view))  # type: ignore[attr-defined]
        count = min(len(view), len(self._first))
        view[:count] = self._first[:count]
        self._first = self._first[count:]
        return count


def _parsed(header: bytearray) -> tuple[str, dict[str, Any], list[tuple[str, Any, list[int]]]]:
    try:
        document = parse_json(header, dict)
        kind, data = document["kind"], document["data"]
        layout = [(name, text, shape) for name, text, shape in document["arrays"]]
        good = _KIND.fullmatch(kind) is not None and isinstance(data, dict)
        for name, text, shape in layout:
            good = good and isinstance(name, str) and _DTYPE.fullmatch(text) is not None
            good = good and _is_shape(shape)
        good = good and len({name for name, _, _ in layout}) == len(layout)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorkerError(f"The header of a frame is damaged ({error!r}).") from error
    if not good:
        raise WorkerError(f"The header of a frame is damaged: {bytes(header[:200])!r}.")
    return kind, data, [(name, np.dtype(text), shape) for name, text, shape in layout]


def _is_shape(shape: Any) -> bool:
    """Whether numpy can make an array of this shape, which has a limit for empty ones too."""
    if not isinstance(shape, list) or len(shape) > _MOST_AXES:
        return False
    if not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
        return False
    return bool(math.prod(max(n, 1) for n in shape) <= MOST_ARRAY_BYTES)


def _read_exactly(stream: BinaryIO, count: int, may_be_over: bool = False) -> bytearray | None:
    """Read `count` bytes; None if the stream ends before the first and `may_be_over` is set."""
    buffer = bytearray(count)
    read = _read_into(stream, memoryview(buffer), may_be_over)
    return buffer if read or not count else None


def _read_into(stream: BinaryIO, view: memoryview, may_be_over: bool = False) -> int:
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            if may_be_over and not done:
                return 0
            raise FrameCutOffError(f"A frame ended {len(view) - done} bytes before its end.")
        done += count
    return done
