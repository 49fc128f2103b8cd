"""Milliseconds to make a random labelled volume, and how many a second that is, by its side.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/synthesis.py [--device cuda]
One thread on a CPU; on a GPU the clock stops when the device has finished.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch

from MedSegFMLib.synthesis.random.source import RandomSource
from MedSegFMLib.synthesis.scene import RandomGenerators


def seconds_per_scene(side: int, count: int, device: torch.device) -> list[float]:
    """The time of each of some scenes, after a few that fill the caches."""
    source = RandomSource()
    taken = []
    for seed in range(-5, count):
        generators = RandomGenerators.seeded(abs(seed), device)
        begun = time.perf_counter()
        source.scene((side, side, side), generators)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if seed >= 0:
            taken.append(time.perf_counter() - begun)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 48, 64, 96])
    parser.add_argument("--scenes", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    print(f"{name or platform.machine()}, torch {torch.__version__}\n")
    print("| side | mean ms | median ms | slowest ms | scenes / s |\n|---|---|---|---|---|")
    for side in arguments.sides:
        taken = [1000 * s for s in seconds_per_scene(side, arguments.scenes, device)]
        mean = statistics.mean(taken)
        print(
            f"| {side} | {mean:.1f} | {statistics.median(taken):.1f} | {max(taken):.1f} "
            f"| {1000 / mean:.0f} |"
        )


if __name__ == "__main__":
    main()
