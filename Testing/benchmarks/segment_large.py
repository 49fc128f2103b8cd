"""`medsegfm segment` on a 512 x 512 x 300 volume, from the command's start to the file written.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/segment_large.py
The volume is a CT-like phantom of int16 in a compressed NIfTI file; the box has 100 x 100 x 60
voxels. Time and peak memory are those of the whole process, as the system accounts for it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from MedSegFMLib.synthesis.phantom import abdomen_geometry, make_abdomen
from MedSegFMLib.volumes.masks import bounding_box

SHAPE_KJI = (300, 512, 512)
BOX_IJK = (100, 100, 60)


def write_volume(folder: Path) -> tuple[Path, list[str]]:
    """A large volume and the bounds of a box around its left kidney."""
    fine = abdomen_geometry((0.9, 0.9, 1.2))
    phantom = make_abdomen(geometry=fine)
    kidney = phantom.labels.array_kji == phantom.label("kidney L")
    around = bounding_box(kidney)
    assert around is not None
    before = [(n - m) // 2 for n, m in zip(SHAPE_KJI, fine.shape_kji, strict=True)]
    after = [n - m - b for n, m, b in zip(SHAPE_KJI, fine.shape_kji, before, strict=True)]
    padded = phantom.image.pad(before, after, value=-1000)
    # Air in a scan is noisy too, which is what makes its file slow to unpack.
    noise = np.random.default_rng(0).normal(0, 12, padded.array_kji.shape).astype(np.int16)
    volume = padded.with_array(padded.array_kji + noise)
    middle = [(s.start + s.stop) // 2 + b for s, b in zip(around, before, strict=True)][::-1]
    start = [m - n // 2 for m, n in zip(middle, BOX_IJK, strict=True)]
    path = folder / "volume.nii.gz"
    volume.write(path)
    return path, [str(v) for v in (*start, *(a + n for a, n in zip(start, BOX_IJK, strict=True)))]


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident MiB of one run of a command."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="randomwalk")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own: a child's peak counts what its parent held when it began.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            volume, box = pool.submit(write_volume, Path(name)).result()
        base = [sys.executable, "-m", "MedSegFMLib", "segment", str(volume)]
        box_words = ["--box", *box, "--model", arguments.model]
        rows = {
            "segment, .nii.gz out": [*base, "--out", f"{name}/out.nii.gz", *box_words],
            "segment, .nrrd out and preview": [
                *base,
                "--out",
                f"{name}/out.nrrd",
                "--preview",
                f"{name}/p.png",
                *box_words,
            ],
        }
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
        print("| command | seconds (median) | peak RSS (MiB) |\n|---|---|---|")
        for title, command in rows.items():
            runs = [measure(command) for _ in range(arguments.repeats)]
            seconds = statistics.median(run[0] for run in runs)
            print(f"| {title} | {seconds:.1f} | {max(run[1] for run in runs):.0f} |")


if __name__ == "__main__":
    main()
