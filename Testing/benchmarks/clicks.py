"""Seconds from a prompt to the mask on a region of 96 x 96 x 96 voxels, for each model.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/clicks.py [--models randomwalk]
A box of 64 voxels a side around an organ-like object in noise, then simulated clicks at the centre
of the largest error. Everything from the prompt to the mask on the volume's grid is counted. What
cores spend on it, in all threads, hardly depends on what else the computer does.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time

import numpy as np
from scipy.ndimage import gaussian_filter

from MedSegFMLib import Box, Geometry, Point, Session, Volume, create
from MedSegFMLib.metrics import dice
from MedSegFMLib.simulate import box_around, next_click

SIDE = 96


def make_case(seed: int) -> tuple[Volume, np.ndarray]:
    """A wavy object about 64 voxels wide in a noisy background of its own texture."""
    rng = np.random.default_rng(seed)
    waves = gaussian_filter(rng.standard_normal((SIDE, SIDE, SIDE)), 9)
    k, j, i = np.indices((SIDE, SIDE, SIDE)) / (SIDE - 1) * 2 - 1
    mask = k**2 + j**2 + i**2 < (0.6 + 0.08 * waves / waves.std()) ** 2
    texture = gaussian_filter(rng.standard_normal(mask.shape), 4)
    image = 40 * mask + 15 * texture / texture.std() + rng.normal(0, 25, mask.shape)
    geometry = Geometry.from_spacing(mask.shape, (1, 1, 1))
    return Volume(image.astype(np.float32), geometry), mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="randomwalk")
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print(
        "| model | box to mask, median s | click to mask, median s | slowest click, s "
        "| box, s of a core | click, s of a core | Dice |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in arguments.models.split(","):
        segmenter = create(name)
        boxes, clicks, scores = [], [], []
        cores: tuple[list[float], list[float]] = ([], [])
        for seed in range(arguments.cases):
            volume, reference = make_case(seed)
            session = Session(segmenter, volume)
            start, stop = box_around(reference, 0.0, seed)
            session.add(Box.from_ijk(volume.geometry, start[::-1], stop[::-1]))
            for step in range(arguments.clicks + 1):
                begun, spent = time.perf_counter(), time.process_time()
                mask = session.predict().mask.array_kji > 0
                (clicks if step else boxes).append(time.perf_counter() - begun)
                cores[step > 0].append(time.process_time() - spent)
                click = next_click(reference, mask, seed)
                if click is not None and "point" in segmenter.card.prompts:
                    session.add(Point.from_ijk(volume.geometry, click[0][::-1], click[1]))
            scores.append(dice(reference, mask))
        print(
            f"| {name} | {statistics.median(boxes):.2f} | {statistics.median(clicks):.2f} "
            f"| {max(clicks):.2f} | {statistics.median(cores[0]):.2f} "
            f"| {statistics.median(cores[1]):.2f} | {np.mean(scores):.3f} |"
        )


if __name__ == "__main__":
    main()
