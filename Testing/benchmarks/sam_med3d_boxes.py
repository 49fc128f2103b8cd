"""Which clicks stand for a box: how often they are what they say, on labelled volumes.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/sam_med3d_boxes.py CASES.json

SAM-Med3D takes clicks alone. Each object's own bounding box is replaced by clicks in several ways,
and for each way the share of objects is printed with which all clicks are right: those for the
object on it, those for the background beside it. A network trained on clicks into its errors is
misled by a wrong one, and by one that is right not at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case

Clicks = list[tuple[NDArray[np.float64], bool]]


def centre(low: NDArray[np.float64], high: NDArray[np.float64]) -> Clicks:
    return [((low + high) / 2, True)]


def halfway(low: NDArray[np.float64], high: NDArray[np.float64]) -> Clicks:
    """The middle, and halfway from it to each face."""
    middle, quarter = (low + high) / 2, (high - low) / 4
    sides = [middle + sign * quarter * axis for axis in np.eye(3) for sign in (-1, 1)]
    return [(place, True) for place in (middle, *sides)]


def corners(low: NDArray[np.float64], high: NDArray[np.float64]) -> Clicks:
    """The middle, and the background at the eight corners."""
    return centre(low, high) + [
        (np.where(choice, high, low), False) for choice in product((0, 1), repeat=3)
    ]


WAYS: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Clicks]] = {
    "the middle": centre,
    "the middle and six halfway to the faces": halfway,
    "the middle and the corners as background": corners,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    arguments = parser.parse_args()
    right: dict[str, list[bool]] = {name: [] for name in WAYS}
    singles: dict[str, list[bool]] = {name: [] for name in WAYS}
    for case in read_cases(arguments.cases):
        loaded = load_case(case)
        for value, _ in case.objects:
            inside = loaded.label.array_kji == value
            if not inside.any():
                continue
            voxels = np.argwhere(inside)
            low, high = voxels.min(axis=0).astype(float), voxels.max(axis=0).astype(float)
            for name, way in WAYS.items():
                clicks = way(low, high)
                hits = [
                    bool(inside[tuple(np.rint(place).astype(int))]) == positive
                    for place, positive in clicks
                ]
                right[name].append(all(hits))
                singles[name] += hits
    print("| a box as | all clicks right | clicks right | objects |")
    print("|---|---|---|---|")
    for name in WAYS:
        print(
            f"| {name} | {np.mean(right[name]):.2f} | {np.mean(singles[name]):.2f} | "
            f"{len(right[name])} |"
        )


if __name__ == "__main__":
    main()
