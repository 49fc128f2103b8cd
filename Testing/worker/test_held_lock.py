"""With Python's lock held between two ticks, as in Slicer, work is done in a few ticks.

The ticks are counted; each is long, so that a busy machine gets the other processes' work done.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fake_connection import FakeConnection, NoLauncher
from held_gil import HeldLoop
from worker_helpers import one_box, small_volume

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.system.thread_time import GRANTED_SECONDS
from MedSegFMLib.weights import catalogue, installing, store
from MedSegFMLib.weights.download import Download, Installing
from MedSegFMLib.worker.client import (
    Event,
    LocalLauncher,
    Predicted,
    Request,
    Started,
    WorkerClient,
)

_PERIOD_SECONDS = 0.2
# Each needs about 3; a piece of a pipe or of a file in each tick would take hundreds.
_MOST_TICKS = 25

# Noise, which no packing makes shorter than a bit for each voxel.
_NOISY_WORKER = """
import sys
import numpy as np
from MedSegFMLib.consistency import Consistency
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.worker.events import Answer, Predicted, Started
from MedSegFMLib.worker.frames import read_frame, write_frame
from MedSegFMLib.worker.messages import event_frame, message_number
write_frame(sys.stdout.buffer, event_frame(Started(0.0, "1")))
rng = np.random.default_rng(0)
while frame := read_frame(sys.stdin.buffer):
    if frame.kind == "request":
        mask = rng.integers(0, 2, (100, 400, 400), np.uint8)
        consistency = None
        if frame.data["consistency"]:
            region = Region((0, 0, 0), (20, 400, 400))
            disagreement = rng.random(region.shape_kji, np.float32)
            consistency = Consistency(region, disagreement, {}, None, None, None, {}, ())
        answer = Answer((0, 0, 0), mask, consistency)
        event = Predicted(message_number(frame), {1: answer})
        write_frame(sys.stdout.buffer, event_frame(event))
"""


@dataclass(frozen=True)
class NoisyLauncher(LocalLauncher):
    def arguments(self) -> list[str]:
        return [sys.executable, "-c", _NOISY_WORKER]


@pytest.mark.parametrize("shares_memory", [True, False])
@pytest.mark.parametrize("consistency", [False, True])
def test_an_answer_of_megabytes_is_there_in_a_few_ticks(
    shares_memory: bool, consistency: bool
) -> None:
    client = WorkerClient(NoisyLauncher(shares_memory=shares_memory))
    events: list[Event] = []
    loop = HeldLoop(lambda: events.extend(client.poll()), _PERIOD_SECONDS)

    def has(kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in events)

    try:
        shape_kji = (100, 400, 400)
        volume = Volume(np.zeros(shape_kji, np.int16), Geometry.from_spacing(shape_kji))
        client.set_volume(volume)
        loop.run_until(lambda: has(Started), describe=lambda: client.log)
        for _ in range(2):
            client.request(Request("m", one_box(small_volume()), consistency=consistency))
            ticks = loop.run_until(lambda: has(Predicted), describe=lambda: client.log)
            assert ticks <= _MOST_TICKS
            events.clear()
    finally:
        client.close()


@pytest.mark.parametrize("kind", ["download", "import"])
def test_weights_are_installed_in_a_few_ticks(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 50_000_000
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "medsegfm.ensam"}, "w": tensor}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(size)
    source = tmp_path / "source"
    source.write_bytes(content)
    item = replace(
        catalogue.entry("ensam"),
        url=source.as_uri(),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setattr(store, "_PACKAGE", tmp_path)
    for module in (catalogue, store):
        monkeypatch.setattr(module, "entries", lambda: {"ensam": item})
    work = (
        Download("ensam")
        if kind == "download"
        else Installing("ensam", lambda _p: installing.import_file("ensam", source), "import")
    )
    done: list[bool] = []
    loop = HeldLoop(lambda: done.append(work.done), _PERIOD_SECONDS)
    ticks = loop.run_until(lambda: done[-1])
    assert work.error is None and work.path == tmp_path / "store" / item.file
    assert ticks <= _MOST_TICKS


def test_polling_waits_only_while_an_answer_or_a_start_is_due() -> None:
    waits: list[float] = []

    class Watched(FakeConnection):
        def receive(self, seconds: float = 0.0) -> object:
            waits.append(seconds)
            return super().receive(seconds)

    worker = Watched(lambda: 0.0)
    client = WorkerClient(NoLauncher(), connect=lambda _: worker)  # type: ignore[arg-type, return-value]

    def waited() -> bool:
        waits.clear()
        client.poll()
        assert all(0 <= seconds <= GRANTED_SECONDS for seconds in waits)
        return waits[0] > 0

    client.set_volume(small_volume())
    assert waited(), "the worker starts"
    worker.start()
    client.poll()
    worker.work()
    assert not waited()
    client.request(Request("ellipsoid", one_box(small_volume())))
    assert waited()
    while worker.work():
        pass
    client.poll()
    assert not client.busy and not waited()
