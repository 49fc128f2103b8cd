"""Frames of a hostile worker or client: bytes that are not a frame, and headers that lie."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from escapes import escape_of
from fake_connection import FakeConnection, NoLauncher
from worker_helpers import one_box, small_volume

from MedSegFMLib.errors import WorkerError
from MedSegFMLib.worker.client import Failed, Request, WorkerClient
from MedSegFMLib.worker.frames import MAGIC, read_frame
from MedSegFMLib.worker.messages import message_number, parse_request
from MedSegFMLib.worker.volume_frame import parse_volume

NAME = "worker frames"

Payload = bytes

_NUMBERS = [
    "1", "0", "-1", "2", "1e999", "-1e999", "NaN", "Infinity", "1e400", "9" * 400, "0.5", "true",
    "null", '"1"', "[]", "{}", '"\\ud800"', "9223372036854775808", '"\\u0000"', "[1]",
]  # fmt: skip
_SHAPES = [
    "[1,1,1]", "[]", "[0]", "[-1]", "[1e999]", str([1] * 65), str([0] * 65), "{}", '""', "null",
    "[0,1099511627775,1099511627775]", "[true]", "[2,2,2]", "[1,1]",
]  # fmt: skip
_DTYPES = ['"|u1"', '"<f4"', '"<f8"', '"|O"', '"|b1"', '"<i2"', '"V8"', "1", '"<f2"', '"<U1"']
_FIELDS: dict[str, list[str]] = {
    "started": ["version", "protocol"],
    "opened": ["number", "model", "prompts", "classes"],
    "progress": ["number", "fraction", "phrase"],
    "noted": ["number", "sentence"],
    "stopped": ["number"],
    "failed": ["number", "class", "sentence"],
    "predicted": ["number", "extents_kji", "cost", "consistency"],
    "volume_unreachable": ["number"],
    "alive": [],
    "request": ["number", "volume", "model", "prompts", "device", "options", "consistency"],
    "volume": ["number", "dtypes", "names", "primary", "shape_kji", "ijk_to_ras", "shared"],
    "surprise": ["number"],
}
_SPECIAL: dict[str, list[str]] = {
    "number": ["1"],
    "protocol": ["8"],
    "prompts": ['["box"]', '["x"]', '"box"', '[{"a":1}]', '"{}"', '"' + "[" * 3000 + '"'],
    "extents_kji": [
        *(f'{{"{label}":[{offset},{shape}]}}' for label, offset, shape in (
            (1, "[0,0,0]", "[1,1,1]"), (1, "[0,0,0]", "[2,2,2]"), (1, "[-9,0,0]", "[1,1,1]"),
            (1, "[7,9,11]", "[1,1,1]"), (1, "[1e999,0,0]", "[1,1,1]"), (2, "[0,0,0]", "[1,1,1]"),
            ("x", "[0,0,0]", "[1,1,1]"), (1, "[1099511627776,0,0]", "[1,1,1]"),
            (1, "[0.5,0,0]", "[1,1,1]"), (1, '"123"', "[1,1,1]"), (1, "[0,0,0]", "[0,0,0]"),
            (1, "[0,0,0]", "[-1,-1,1]"), (1, "[0,0,0]", "[1099511627776,1,1]"),
            (1, "[0,0,0]", "[1,0,1]"), (1, "[0,0,0]", "[8,10,12]"), (1, "[0,0,0]", "[1e999,1,1]"),
            (1, "[0,0,0]", '"111"'), (1, "[0,0,0]", "{}"),
        )),
        "{}", '{"1":[0,0,0]}', '{"1":[[0,0,0]]}', '{"1":"123"}', '{"1":null}',
    ],
    "cost": ["null", '{"seconds":1e400,"loading_seconds":0,"peak_bytes":0,"on_gpu":true}',
             '{"seconds":"x","loading_seconds":[],"peak_bytes":{},"on_gpu":1}', '{"a":1}'],
    "consistency": ["{}", '{"1":{}}', '{"1":null}', "true",
                    '{"1":{"start_kji":[0,0,0],"stop_kji":[0,0,0],"planes":[],"slices":{}}}'],
    "class": ['"Cancelled"', '"WorkerError"', '"__doc__"', '"MedSegFMError"', '"Iterable"'],
    "shape_kji": _SHAPES,
    "ijk_to_ras": ["[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]", "[[1]]", "[[1,2],[3]]", "[]"],
    "shared": ["null", '{"path":"/dev/zero"}', '{"path":"/no\\u0000"}', '{"path":[]}'],
    "dtype": _DTYPES,
    "options": ['{"device":"x"}', "{}", '{"weights":[[[]]]}'],
}  # fmt: skip


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endlessly many streams of one to three frames."""
    while True:
        yield b"".join(_frame(rng) for _ in range(rng.randint(1, 3)))


def escape(payload: Payload, folder: Path) -> str | None:
    """What a client or a worker that reads these bytes did that it should not."""
    return escape_of(lambda: _client_reads(payload)) or escape_of(lambda: _worker_reads(payload))


def _frame(rng: random.Random) -> bytes:
    if rng.random() < 0.05:
        return rng.randbytes(rng.randint(1, 60))
    kind = rng.choice(list(_FIELDS))
    fields = [f'"{name}":{_value(rng, name)}' for name in _FIELDS[kind] if rng.random() < 0.95]
    shape = rng.choice(_SHAPES) if rng.random() < 0.5 else "[1,1,1]"
    dtype = rng.choice(_DTYPES) if rng.random() < 0.3 else '"|u1"'
    name = rng.choice(["1 mask", "image 0", "1 masks", "1 disagreement"])
    array = f'["{name}",{dtype},{shape}]'
    arrays = rng.choice(["[]", f"[{array}]", f"[{array},{array}]", "{}", f"[{array}]"])
    header = f'{{"kind":"{kind}","data":{{{",".join(fields)}}},"arrays":{arrays}}}'.encode()
    if rng.random() < 0.1:
        cut = rng.randrange(len(header))
        header = header[:cut] + rng.randbytes(1) + header[cut + 1 :]
    if rng.random() < 0.03:
        header = b'{"kind":"noted","arrays":[],"data":' + b"[" * 200_000
    body = bytes(rng.choice([0, 1, 1, 1, 8, 2]))
    if rng.random() < 0.5:
        body = bytes(_claimed(arrays))
    length = len(body) if rng.random() < 0.95 else rng.choice([1 << 50, 1 << 36, 3, (1 << 64) - 1])
    return struct.pack("<4sIQ", MAGIC, len(header), length) + header + body


def _claimed(arrays: str) -> int:
    """The bytes that a layout claims, if they are few."""
    sizes = {"u1": 1, "b1": 1, "i2": 2, "f2": 2, "f4": 4, "f8": 8}
    total = 0
    for item in json.loads(arrays) or []:
        size = sizes.get(str(item[1])[1:], 0)
        for n in item[2] if isinstance(item[2], list) else []:
            size = size * n if isinstance(n, int) and size * n < 1000 else 0
        total += max(size, 0)
    return total


def _value(rng: random.Random, name: str) -> str:
    return rng.choice(_SPECIAL[name] if name in _SPECIAL and rng.random() < 0.8 else _NUMBERS)


def _client_reads(payload: bytes) -> None:
    """Every request ends, whatever the worker writes; nothing raises."""
    connections: list[FakeConnection] = []

    def connect(_launcher: object) -> Any:
        connections.append(FakeConnection(lambda: 0.0))
        return connections[-1]

    volume = small_volume()
    client = WorkerClient(NoLauncher(), connect=connect)
    client.set_volume(volume)
    number = client.request(Request("ellipsoid", one_box(volume)))
    events = []
    for _ in range(3):
        connections[-1].start()
        events += client.poll()
        connections[-1].feed(payload)
        events += client.poll()
        connections[-1].kill()
        events += client.poll()
    finals = [e for e in events if getattr(e, "number", None) == number and _is_final(e)]
    assert len(finals) == 1, f"the request ended {len(finals)} times: {events}"
    for event in events:
        repr(event).encode()
        if isinstance(event, Failed):
            str(event.error).encode()
    client.close()


def _is_final(event: object) -> bool:
    return type(event).__name__ in ("Predicted", "Failed", "Stopped")


def _worker_reads(payload: bytes) -> None:
    """A worker's reading thread and its main thread meet named errors only."""
    stream = io.BytesIO(payload)
    try:
        while frame := read_frame(stream):
            message_number(frame)
            if frame.kind == "request":
                parse_request(frame)
            elif frame.kind == "volume":
                parse_volume(frame)
    except WorkerError:
        return
