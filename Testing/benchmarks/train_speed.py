"""Samples a second of the recipe `ensam` for some settings, and how busy the GPU is meanwhile.

Run from the checkout:
    PYTHONPATH=. python Testing/benchmarks/train_speed.py [--seconds 60] [key=value …]
Settings are those of `medsegfm train ensam`; the clock starts when the first steps are done.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import torch

from MedSegFMLib.system.device import choose_device
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.recipes.ensam.task import EnsamTask
from MedSegFMLib.train.run import set_threads
from MedSegFMLib.train.settings_text import parse_settings
from MedSegFMLib.train.step import step

_WARM_STEPS = 3


class BusyGpu:
    """Asks nvidia-smi, where there is one, how busy the GPU is, once a second."""

    def __init__(self) -> None:
        self.percents: list[float] = []
        self._ended = threading.Event()
        self._asking = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> BusyGpu:
        if shutil.which("nvidia-smi"):
            self._asking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _ask(self) -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._ended.wait(1.0):
            answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
            words = answer.split()
            if words and words[0].isdigit():
                self.percents.append(float(words[0]))


def measure(settings: EnsamSettings, seconds: float) -> dict[str, str]:
    """A row of the table."""
    processes = Processes(settings.device)
    set_threads(settings.threads)
    device = processes.device
    task = EnsamTask(settings, processes)
    batches = task.batches(0, 1)
    waited = 0.0

    def one(number: int) -> None:
        nonlocal waited
        first = number * settings.accumulate
        waited += step(task, batches, processes, settings.accumulate, first, 1.0).waited_seconds

    for number in range(_WARM_STEPS):
        one(number)
    _finish(device)
    waited, steps, begun = 0.0, 0, time.perf_counter()
    with BusyGpu() as busy:
        while time.perf_counter() - begun < seconds:
            one(_WARM_STEPS + steps)
            steps += 1
        _finish(device)
        elapsed = time.perf_counter() - begun
    samples = steps * settings.accumulate * settings.batch
    row = {
        "samples / s": f"{samples / elapsed:.1f}",
        "ms / step": f"{1000 * elapsed / steps:.0f}",
        "waiting": f"{100 * waited / elapsed:.0f} %",
    }
    if busy.percents:
        row["GPU busy"] = f"{statistics.mean(busy.percents):.0f} %"
    if device.type == "cuda":
        row["most memory"] = f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB"
    return row


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Neither folder nor budget is used.
        settings = parse_settings(
            EnsamSettings, [*arguments.words, f"out={Path(folder)}", "samples=1"]
        )
    device = choose_device(settings.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    row = measure(settings, arguments.seconds)
    print(f"{name}, torch {torch.__version__}, {' '.join(arguments.words) or 'defaults'}\n")
    print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}\n| {' | '.join(row.values())} |")


if __name__ == "__main__":
    main()
