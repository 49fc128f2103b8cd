"""Time that Slicer's held lock adds to answers and to downloads, beside a process that is free.

Run from the checkout: PYTHONPATH=.:Testing/support python Testing/benchmarks/held_lock.py
Slicer's event loop keeps Python's lock while it waits (`Testing/support/held_gil.py`), so that
threads run in the ticks of the panel's timer alone. Both loops tick every 50 ms, as the panel does;
"free" sleeps without the lock between them. What is added to a click is the time from its request
to its answer, less the model's own time in the worker; half a tick of it is due to the timer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from held_gil import TICK_SECONDS, hold

from MedSegFMLib import Box, Geometry, Volume
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.weights import catalogue, store
from MedSegFMLib.weights.download import Download
from MedSegFMLib.worker.client import Failed, LocalLauncher, Predicted, Request, WorkerClient

SHAPES_KJI = ((64, 128, 128), (160, 320, 320), (300, 512, 512))
WAITS: dict[str, Callable[[float], object]] = {"free": time.sleep, "held": hold}

Row = dict[str, list[float]]


def ball(shape_kji: tuple[int, int, int]) -> Volume:
    """A bright ball of a third of the shortest side, in a darker surrounding."""
    grid = np.indices(shape_kji, sparse=True)
    squares = [(axis - size / 2) ** 2 for axis, size in zip(grid, shape_kji, strict=True)]
    inside = sum(squares) < (min(shape_kji) / 3) ** 2
    return Volume((40 + 260 * inside).astype(np.int16), Geometry.from_spacing(shape_kji))


def answer(client: WorkerClient, wait: Callable[[float], object]) -> Predicted:
    """The answer to the present request, in a loop that ticks as the panel's timer does."""
    while True:
        for event in client.poll():
            if isinstance(event, Failed):
                raise SystemExit(str(event.error))
            if isinstance(event, Predicted):
                return event
        wait(TICK_SECONDS)


def measure_clicks(model: str, volume: Volume, shares: bool, wait: Any, clicks: int) -> Row:
    """Milliseconds that are added to each click, of the model, and of another volume."""
    row: Row = {"added": [], "model": [], "volume": []}
    client = WorkerClient(LocalLauncher(shares_memory=shares))
    client.set_volume(volume)
    client.request(Request(model, PromptList(), "cpu"))
    answer(client, wait)
    center = np.array(volume.geometry.shape_kji)[::-1] / 2
    radius = min(volume.geometry.shape_kji) / 3
    for n in range(clicks):
        box = Box.from_ijk(
            volume.geometry,
            (center - radius - 2 - n).astype(int),
            (center + radius + 3).astype(int),
        )
        prompts = PromptList().with_object().added(1, box)
        # The click itself comes at any time between two ticks.
        wait(TICK_SECONDS * (n % 5) / 5)
        begun = time.perf_counter()
        client.set_volume(volume)
        client.request(Request(model, prompts, "cpu"))
        wait(TICK_SECONDS * (1 - n % 5 / 5))
        event = answer(client, wait)
        assert event.cost is not None, "workers of this version report it"
        row["added"].append(1000 * (time.perf_counter() - begun - event.cost.seconds))
        row["model"].append(1000 * event.cost.seconds)
    for n in range(3):
        changed = volume.with_array(volume.array_kji + n + 1)
        begun = time.perf_counter()
        client.set_volume(changed)
        client.request(Request(model, PromptList(), "cpu"))
        answer(client, wait)
        row["volume"].append(1000 * (time.perf_counter() - begun))
    client.close()
    return row


def serve(folder: str, ports: Any) -> None:
    """A server in a process of its own, as one elsewhere is."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    ports.put(server.server_port)
    server.serve_forever()


def measure_downloads(megabytes: int, repeats: int) -> Row:
    """Megabytes per second of a download and its check, held and free."""
    size = megabytes * 1_000_000
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "medsegfm.ensam"}, "w": tensor}).encode()
    content = len(header).to_bytes(8, "little") + header + np.random.default_rng(0).bytes(size)
    rows: Row = {name: [] for name in WAITS}
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        served.mkdir()
        (served / "ensam.safetensors").write_bytes(content)
        ports = get_context("spawn").Queue()
        server = get_context("spawn").Process(target=serve, args=(str(served), ports), daemon=True)
        server.start()
        item = replace(
            catalogue.entry("ensam"),
            url=f"http://127.0.0.1:{ports.get()}/ensam.safetensors",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
        )
        for module in (catalogue, store):
            module.entries = lambda: {"ensam": item}  # type: ignore[assignment]
        for n in range(repeats):
            for name, wait in WAITS.items():
                os.environ["MEDSEGFM_WEIGHTS"] = f"{folder}/{name}{n}"
                begun = time.perf_counter()
                download = Download("ensam", accept_licence=True)
                while not download.done:
                    wait(TICK_SECONDS)
                if download.error is not None:
                    raise SystemExit(str(download.error))
                rows[name].append(len(content) / 1e6 / (time.perf_counter() - begun))
        server.kill()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="ellipsoid")
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--megabytes", type=int, default=300)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print("| model, volume, way | model's own time | free: added | held: added | most | ratio |")
    print("|---|---|---|---|---|---|")
    for model in arguments.models.split(","):
        for shape_kji in SHAPES_KJI:
            volume = ball(shape_kji)
            for shares, way in ((True, "shared"), (False, "pipe")):
                rows = {
                    name: measure_clicks(model, volume, shares, wait, arguments.clicks)
                    for name, wait in WAITS.items()
                }
                title = f"{model}, {' x '.join(map(str, shape_kji))}, {way}"
                print_row(f"{title}: click, ms", rows, "added", rows["free"]["model"])
                print_row(f"{title}: another volume, ms", rows, "volume", [])
    rates = measure_downloads(arguments.megabytes, 3)
    print_row(
        f"download of {arguments.megabytes} MB, MB/s",
        {n: {"": r} for n, r in rates.items()},
        "",
        [],
    )


def print_row(title: str, rows: dict[str, Row], column: str, own: list[float]) -> None:
    free, held = (statistics.median(rows[name][column]) for name in ("free", "held"))
    most = max(rows["held"][column])
    model = f"{statistics.median(own):.0f}" if own else ""
    print(
        f"| {title} | {model} | {free:.0f} | {held:.0f} | {most:.0f} | {held / free:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
