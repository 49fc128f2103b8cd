"""Surface Dice of MedSegFM beside MONAI's, on a pair of 512 x 512 x 300 masks.

Run from an environment that holds MedSegFM and MONAI: python Testing/benchmarks/surface_dice.py
Each implementation runs in a process of its own, fed the same two files; memory is the growth of
that process's peak over the masks and the imports, and both are warmed up on a corner of the pair.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHAPE_KJI = (300, 512, 512)
SPACING_KJI_MM = (1.5, 0.8, 0.8)
TOLERANCE_MM = 2.0

Score = Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]


class Measurement(NamedTuple):
    seconds: float
    peak_mib: float
    value: float


def blob(center_kji: tuple[int, int, int], phase: float) -> NDArray[np.bool_]:
    """A wavy ball about 150 voxels across."""
    axes = np.ogrid[tuple(slice(size) for size in SHAPE_KJI)]
    k, j, i = ((axis - at) / 75 for axis, at in zip(axes, center_kji, strict=True))
    waves = np.sin(6 * k + phase) * np.cos(5 * j) * np.sin(4 * i + 0.3)
    return np.asarray(k**2 + j**2 + i**2 < (1 + 0.12 * waves) ** 2)


def ours() -> Score:
    from MedSegFMLib.metrics import surface_dice

    return lambda reference, prediction: surface_dice(
        reference, prediction, SPACING_KJI_MM, TOLERANCE_MM
    )


def monai() -> Score:
    import torch
    from monai.metrics import compute_surface_dice

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


IMPLEMENTATIONS = {"MedSegFM": ours, "MONAI": monai}


def peak_mib() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def measure(name: str, folder: str, repeats: int) -> Measurement:
    warnings.simplefilter("ignore")  # MONAI warns about its own deprecated arguments
    reference, prediction = (np.load(Path(folder, f"{mask}.npy")) for mask in ("a", "b"))
    score = IMPLEMENTATIONS[name]()
    corner = np.s_[120:150, 180:210, 180:210]
    score(reference[corner].copy(), prediction[corner].copy())
    before_mib = peak_mib()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = score(reference, prediction)
        seconds.append(time.perf_counter() - start)
    return Measurement(statistics.median(seconds), peak_mib() - before_mib, value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, default 3")
    repeats = parser.parse_args().repeats
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "a.npy"), blob((150, 250, 260), phase=0.0))
        np.save(Path(folder, "b.npy"), blob((152, 253, 258), phase=0.5))
        for name in IMPLEMENTATIONS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                results[name] = process.submit(measure, name, folder, repeats).result()

    print(f"Masks of {' x '.join(map(str, SHAPE_KJI))} voxels, {platform.machine()} CPU,")
    print(f"median of {repeats} runs, peak memory beside the masks.\n")
    print("| surface Dice by | seconds | peak memory, MiB | value |")
    print("|---|---|---|---|")
    for name, result in results.items():
        print(f"| {name} | {result.seconds:.2f} | {result.peak_mib:.0f} | {result.value:.7f} |")
    mine, theirs = results["MedSegFM"], results["MONAI"]
    print(f"\n{theirs.seconds / mine.seconds:.1f} times as fast as MONAI, ", end="")
    print(f"{theirs.peak_mib / mine.peak_mib:.0f} times less memory, ", end="")
    print(f"absolute difference {abs(mine.value - theirs.value):.1e}")


if __name__ == "__main__":
    main()
