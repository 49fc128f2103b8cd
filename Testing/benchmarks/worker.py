"""What the worker costs: its start, a volume on its way, and each request beside the prediction.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/worker.py [--models randomwalk,ensam]
The volume has 512 x 512 x 300 voxels of int16. A request's overhead is the time of a request whose
answer the worker already knows, less that of the same call to a session in this process. A remote
worker gets the volume as it does through a pipe here, and then as fast as the network is.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

from MedSegFMLib import Box, Session, Volume, create
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.synthesis.phantom import abdomen_geometry, make_abdomen
from MedSegFMLib.worker.client import (
    Event,
    Failed,
    LocalLauncher,
    Predicted,
    Progressed,
    Request,
    Started,
    Stopped,
    WorkerClient,
)

SHAPE_KJI = (300, 512, 512)


def large_volume() -> Volume:
    """A phantom in noisy air."""
    phantom = make_abdomen(geometry=abdomen_geometry((1.0, 1.0, 1.5)))
    before = [(n - m) // 2 for n, m in zip(SHAPE_KJI, phantom.image.array_kji.shape, strict=True)]
    shape = phantom.image.array_kji.shape
    after = [n - m - b for n, m, b in zip(SHAPE_KJI, shape, before, strict=True)]
    padded = phantom.image.pad(before, after, value=-1000)
    noise = np.random.default_rng(0).normal(0, 12, SHAPE_KJI).astype(np.int16)
    return padded.with_array(padded.array_kji + noise)


def wait_for(client: WorkerClient, kind: type[Event]) -> Event:
    while True:
        for event in client.poll():
            if isinstance(event, Failed):
                raise SystemExit(str(event.error))
            if isinstance(event, kind):
                return event
        time.sleep(0.0005)


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure_model(name: str, volume: Volume, box: Box, repeats: int) -> dict[str, list[float]]:
    rows: dict[str, list[float]] = {}

    def add(title: str, seconds: float) -> None:
        rows.setdefault(title, []).append(seconds)

    empty = PromptList().with_object()
    prompts = empty.added(1, box)
    session = Session(create(name), volume)
    session.change(prompts)
    add(f"{name}: predict in this process", seconds_of(session.predict_all))
    for _ in range(repeats):
        client = WorkerClient(LocalLauncher())
        begun = time.perf_counter()
        client.set_volume(volume)
        client.request(Request(name, empty))
        wait_for(client, Started)
        add(f"{name}: worker called for to worker there", time.perf_counter() - begun)
        wait_for(client, Predicted)
        add(f"{name}: … to volume there and model loaded", time.perf_counter() - begun)
        client.request(Request(name, prompts))
        wait_for(client, Predicted)
        for _ in range(10):

            def ask(client: WorkerClient = client) -> None:
                client.set_volume(volume)
                client.request(Request(name, prompts))

            begun = time.perf_counter()
            add(f"{name}: main thread, fingerprint and request", seconds_of(ask))
            wait_for(client, Predicted)
            whole = time.perf_counter() - begun
            add(f"{name}: known answer, fingerprint included", whole)
            known = seconds_of(session.predict_all)
            begun = time.perf_counter()
            client.request(Request(name, prompts))
            wait_for(client, Predicted)
            add(f"{name}: overhead of a request", time.perf_counter() - begun - known)
        client.request(Request(name, prompts, clear_cache=True))
        wait_for(client, Progressed)
        client.cancel()
        add(f"{name}: cancel to stopped", seconds_of(lambda c=client: wait_for(c, Stopped)))
        client.close()
    return rows


def measure_transfer(volume: Volume, shares_memory: bool, repeats: int) -> dict[str, list[float]]:
    client = WorkerClient(LocalLauncher(shares_memory=shares_memory))
    way = "shared memory" if shares_memory else "pipe"
    rows: dict[str, list[float]] = {}
    request = Request("randomwalk", PromptList())
    client.set_volume(volume.with_array(volume.array_kji[::-1].copy()))
    client.request(request)
    wait_for(client, Predicted)
    for _ in range(repeats):
        volume.array_kji[0, 0, 0] += 1
        begun = time.perf_counter()
        client.set_volume(volume)
        called = time.perf_counter() - begun
        client.request(request)
        wait_for(client, Predicted)
        whole = time.perf_counter() - begun
        checked = seconds_of(lambda: Session(create("randomwalk"), volume))
        rows.setdefault(f"volume, {way}: main thread", []).append(called)
        rows.setdefault(f"volume, {way}: to worker, less its check there", []).append(
            whole - checked
        )
    client.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="randomwalk,ensam")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    volume = large_volume()
    box = Box.from_ijk(volume.geometry, (206, 206, 120), (306, 306, 180))
    rows: dict[str, list[float]] = {}
    for shares_memory in (True, False):
        rows |= measure_transfer(volume, shares_memory, arguments.repeats)
    for name in arguments.models.split(","):
        try:
            create(name)
        except MedSegFMError as error:
            print(f"{name} is left out: {error}\n")
            continue
        rows |= measure_model(name, volume, box, arguments.repeats)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print("| what | ms (median) | ms (least) | ms (most) |\n|---|---|---|---|")
    for title, held in rows.items():
        numbers = (statistics.median(held), min(held), max(held))
        print(f"| {title} | {' | '.join(f'{1000 * s:.1f}' for s in numbers)} |")


if __name__ == "__main__":
    main()
