"""Dice, surface Dice and HD95 of a 512 x 512 x 300 case with 13 labels.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/case_metrics.py
Each of three scenes is scored so many times, and the table shows the median and all seconds:
"close" moves every label by a voxel and roughens it, as a good model does; "rough" moves it by
7 mm; "specks" is "close" with stray voxels of every label in the corners of the grid.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from MedSegFMLib.metrics import References

SHAPE_KJI = (300, 512, 512)
SPACING_KJI_MM = (1.5, 0.8, 0.8)
TOLERANCE_MM = 2.0
# About what the 13 organs of an abdominal CT measure: half axes in millimetres along k, j and i.
HALF_AXES_MM = [
    (75, 65, 90),
    (50, 35, 30),
    (55, 28, 28),
    (55, 28, 28),
    (45, 40, 50),
    (12, 20, 60),
    (30, 14, 14),
    (160, 12, 12),
    (150, 13, 13),
    (20, 9, 35),
    (14, 6, 12),
    (14, 6, 12),
    (70, 14, 14),
]


def labels_of(shift_mm: float, roughness: float, specks: bool = False) -> NDArray[np.uint8]:
    """Wavy ellipsoids on a grid of places, the later ones over the earlier."""
    labels = np.zeros(SHAPE_KJI, np.uint8)
    extent = np.array(SHAPE_KJI) * SPACING_KJI_MM
    places = [(0.5, y, x) for y in (0.22, 0.5, 0.78) for x in (0.14, 0.32, 0.5, 0.68, 0.86)]
    for value, (half, place) in enumerate(zip(HALF_AXES_MM, places, strict=False), 1):
        centre = np.array(place) * extent + shift_mm
        low = np.maximum((centre - 1.2 * np.array(half)) / SPACING_KJI_MM, 0).astype(int)
        high = np.minimum((centre + 1.2 * np.array(half)) / SPACING_KJI_MM, SHAPE_KJI).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        k, j, i = (
            (axis * mm - at) / size
            for axis, mm, at, size in zip(np.ogrid[box], SPACING_KJI_MM, centre, half, strict=True)
        )
        waves = np.sin(6 * k) * np.cos(5 * j + value) * np.sin(4 * i + 0.3)
        fine = np.sin(40 * k + value) * np.cos(37 * j) * np.sin(43 * i)
        labels[box][k**2 + j**2 + i**2 < (1 + 0.1 * waves + roughness * fine) ** 2] = value
        if specks:
            labels[2 * value, 2, 2] = labels[-2 * value, -3, -3] = value
    return labels


SCENES = {
    "close": lambda: labels_of(0.8, 0.03),
    "rough": lambda: labels_of(7.0, 0.08),
    "specks": lambda: labels_of(0.8, 0.03, specks=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: one per core")
    arguments = parser.parse_args()
    reference = labels_of(0.0, 0.0)
    numbers = range(1, len(HALF_AXES_MM) + 1)
    print("| scene | mean Dice | surface Dice | HD95, mm | median s | all |")
    print("|---|---|---|---|---|---|")
    for name, make in SCENES.items():
        predicted = make()
        seconds = []
        for _ in range(arguments.repeats):
            begun = time.perf_counter()
            references = References(reference, numbers, SPACING_KJI_MM, arguments.threads)
            scores = references.scores(predicted, TOLERANCE_MM)
            seconds.append(time.perf_counter() - begun)
        dsc, nsd, hd95 = np.mean([(s.dsc, s.nsd, s.hd95_mm) for s in scores], axis=0)
        times = " ".join(f"{s:.2f}" for s in seconds)
        print(
            f"| {name} | {dsc:.4f} | {nsd:.4f} | {hd95:.3f} | {statistics.median(seconds):.2f} "
            f"| {times} |"
        )


if __name__ == "__main__":
    main()
