"""ENSAM's network by torch, OpenVINO and ONNX Runtime on the CPU: seconds and memory.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/runtimes.py [--threads 1]
Each row is a process of its own, with random weights in the shipped configuration; a decoding has
a box and three clicks and the logits of the step before. Peak memory is that of the whole process,
libraries and loading included. `ready` is from the start of Python's imports to the loaded network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

RUNTIMES = ("torch f32", "torch bf16", "openvino f32", "openvino bf16", "onnxruntime f32")


def write_weights(path: Path, cells: int) -> None:
    """Random weights that see so many cells along each axis."""
    from MedSegFMLib.models.ensam import weights as ensam_weights
    from MedSegFMLib.models.ensam.network.export import SHIPPED
    from MedSegFMLib.models.ensam.network.network import Ensam

    ensam_weights.save(Ensam(replace(SHIPPED, cells=cells)), path)


def measure(name: str, weights: Path, repeats: int) -> dict[str, float]:
    """Median seconds of one runtime, with the weights' number of cells."""
    begun = time.perf_counter()
    from MedSegFMLib.models.ensam.runtime import NetworkPrompts, Runtime
    from MedSegFMLib.progress import no_progress

    library, precision = name.split()
    runtime: Runtime
    if library == "torch":
        import torch

        from MedSegFMLib.models.ensam import weights as ensam_weights
        from MedSegFMLib.models.ensam.torch_runtime import TorchRuntime

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16").__enter__()
        runtime = TorchRuntime(ensam_weights.load(weights), torch.device("cpu"))
    elif library == "onnxruntime":
        from MedSegFMLib.models.ensam import onnx_runtime as ensam_onnx

        runtime = ensam_onnx.load(weights)
    else:
        from MedSegFMLib.models.ensam import openvino_runtime as ensam_openvino

        runtime = ensam_openvino.load(weights, precision)
    ready = time.perf_counter() - begun
    cells = runtime.config.cells
    random = np.random.default_rng(0)
    image, previous = (random.random((cells,) * 3, dtype=np.float32) for _ in range(2))
    positions = random.random((5, 3), dtype=np.float32) * cells
    prompts = NetworkPrompts(np.array([0, 1, 2, 3, 2]), positions)
    features = runtime.encode(image, (1, 1, 1), no_progress)
    seconds: dict[str, list[float]] = {"encode": [], "decode": []}
    for turn in range(repeats + 1):
        starts = [time.perf_counter()]
        features = runtime.encode(image, (1, 1, 1), no_progress)
        starts.append(time.perf_counter())
        runtime.decode(features, prompts, previous, no_progress)
        starts.append(time.perf_counter())
        if turn:
            seconds["encode"].append(starts[1] - starts[0])
            seconds["decode"].append(starts[2] - starts[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    medians = {step: statistics.median(held) for step, held in seconds.items()}
    return {**medians, "ready": ready, "peak": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[32, 48, 64, 96])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, weights = arguments.one
        print(json.dumps(measure(name, Path(weights), arguments.repeats)))
        return

    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads\n")
    print("| cells | runtime | encode (s) | decode (s) | torch f32 / it | ready (s) | RSS (MiB) |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for cells in arguments.cells:
            weights = Path(folder) / "random.safetensors"
            # In a process of its own: a child's peak counts what its parent held when it began.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                pool.submit(write_weights, weights, cells).result()
            first: dict[str, float] = {}
            for name in RUNTIMES:
                words = [sys.executable, __file__, "--one", name, str(weights)]
                words += ["--repeats", str(arguments.repeats)]
                done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
                row = json.loads(done.stdout)
                first = first or row
                ratios = [f"{first[step] / row[step]:.1f}" for step in ("encode", "decode")]
                print(
                    f"| {cells} | {name} | {row['encode']:.3f} | {row['decode']:.3f} "
                    f"| {', '.join(ratios)} | {row['ready']:.1f} | {row['peak']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
