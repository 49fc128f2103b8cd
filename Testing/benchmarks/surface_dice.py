"""Surface Dice of MedSegFM beside MONAI's, on a pair of 512 x 512 x 300 masks.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/surface_dice.py
Each implementation has a process of its own, which reads the same two files and warms up on a
corner of them; the two take turns, so that a busy machine slows both. Memory is the growth of the
process's peak over masks and imports, as Linux tells it in /proc.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHAPE_KJI = (300, 512, 512)
SPACING_KJI_MM = (1.5, 0.8, 0.8)
TOLERANCE_MM = 2.0

Score = Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]


class Turn(NamedTuple):
    seconds: float
    peak_mib: float
    value: float


def blob(center_kji: tuple[int, int, int], phase: float) -> NDArray[np.bool_]:
    """A wavy ball about 150 voxels across."""
    axes = np.ogrid[tuple(slice(size) for size in SHAPE_KJI)]
    k, j, i = ((axis - at) / 75 for axis, at in zip(axes, center_kji, strict=True))
    waves = np.sin(6 * k + phase) * np.cos(5 * j) * np.sin(4 * i + 0.3)
    return np.asarray(k**2 + j**2 + i**2 < (1 + 0.12 * waves) ** 2)


def medsegfm() -> Score:
    from MedSegFMLib.metrics import surface_dice

    return lambda reference, prediction: surface_dice(
        reference, prediction, SPACING_KJI_MM, TOLERANCE_MM
    )


def monai() -> Score:
    import torch
    from monai.metrics.surface_dice import compute_surface_dice

    def score(reference: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> float:
        value = compute_surface_dice(
            torch.from_numpy(prediction)[None, None],
            torch.from_numpy(reference)[None, None],
            class_thresholds=[TOLERANCE_MM],
            include_background=True,
            spacing=list(SPACING_KJI_MM),
            use_subvoxels=True,
        )
        return float(value.item())

    return score


IMPLEMENTATIONS = {"MedSegFM": medsegfm, "MONAI": monai}


def peak_mib() -> float:
    # Not getrusage: its peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


class Worker:
    """What one process keeps between its turns."""

    score: Score
    reference: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    idle_mib: float


def prepare(name: str, folder: str) -> None:
    warnings.simplefilter("ignore")  # MONAI warns about its own deprecated arguments
    Worker.score = staticmethod(IMPLEMENTATIONS[name]())
    Worker.reference, Worker.prediction = (
        np.load(Path(folder, f"{mask}.npy")) for mask in ("reference", "prediction")
    )
    corner = np.s_[120:150, 180:210, 180:210]
    Worker.score(Worker.reference[corner].copy(), Worker.prediction[corner].copy())
    Worker.idle_mib = peak_mib()


def take_turn() -> Turn:
    start = time.perf_counter()
    value = Worker.score(Worker.reference, Worker.prediction)
    return Turn(time.perf_counter() - start, peak_mib() - Worker.idle_mib, value)


def measure(repeats: int) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in IMPLEMENTATIONS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
        np.save(Path(folder, "reference.npy"), blob((150, 250, 260), phase=0.0))
        np.save(Path(folder, "prediction.npy"), blob((152, 253, 258), phase=0.5))
        workers = {
            name: processes.enter_context(
                ProcessPoolExecutor(1, get_context("spawn"), prepare, (name, folder))
            )
            for name in IMPLEMENTATIONS
        }
        for worker in workers.values():
            worker.submit(peak_mib).result()  # waits until it is prepared
        for _ in range(repeats):
            for name, worker in workers.items():
                turns[name].append(worker.submit(take_turn).result())
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description="Surface Dice of MedSegFM beside MONAI's.")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each, default 5")
    repeats = parser.parse_args().repeats
    turns = measure(repeats)
    print(f"Masks of {' x '.join(map(str, SHAPE_KJI))} voxels (K, J, I), {platform.machine()} CPU;")
    print(f"median of {repeats} turns; peak memory beside the masks.\n")
    print("| surface Dice by | seconds | peak memory, MiB | value |")
    print("|---|---|---|---|")
    for name, those in turns.items():
        seconds = statistics.median(turn.seconds for turn in those)
        print(f"| {name} | {seconds:.2f} | {those[-1].peak_mib:.0f} | {those[-1].value:.7f} |")
    pairs = list(zip(turns["MedSegFM"], turns["MONAI"], strict=True))
    faster = statistics.median(monai.seconds / ours.seconds for ours, monai in pairs)
    difference = max(abs(monai.value - ours.value) for ours, monai in pairs)
    print(f"\nMONAI takes {faster:.1f} times as long; absolute difference {difference:.1e}.")


if __name__ == "__main__":
    main()
