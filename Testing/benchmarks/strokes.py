"""Strokes without a box: seen as a whole, and in parts if ENSAM is surer of them.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/strokes.py VALIDATION.json [--made]

Each object gets one stroke: the path through the largest part of it, away from its surface, between
two deep voxels near the ends of its longest axis. With --made, a branching vessel with a stroke
along its stem, a rod and a ball are measured first. The table is that of Docs/results.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import route_through_array

from MedSegFMLib import Geometry, Scribble, Segmenter, Session, Volume, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.metrics import dice
from MedSegFMLib.session import looks

Mask = NDArray[np.bool_]
# The tenth of an object at each end in which a stroke begins and ends.
_ENDS = ((0.0, 0.1), (0.9, 1.0))


def stroke_through(mask: Mask) -> NDArray[np.int64]:
    """(n, 3) voxels (k, j, i) of a stroke through the largest part of an object."""
    parts, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, parts, range(1, count + 1))
    part = parts == 1 + int(np.argmax(sizes))
    voxels, depth = np.argwhere(part), ndimage.distance_transform_edt(part)
    longest = np.linalg.svd(voxels - voxels.mean(axis=0), full_matrices=False)[2][0]
    along = voxels @ longest
    ends = []
    for first, last in _ENDS:
        low, high = np.quantile(along, (first, last))
        near = voxels[(along >= low) & (along <= high)]
        ends.append(near[np.argmax(depth[tuple(near.T)])])
    cost = np.where(part, 1 / (depth + 0.1) ** 2, 1e6)
    path, _ = route_through_array(cost, *ends, fully_connected=True, geometric=True)
    return np.array(path)


def made_objects() -> Iterator[tuple[str, Volume, Mask, NDArray[np.int64]]]:
    """A branching vessel, a rod and a ball, bright in noise, with a stroke through each."""
    t = np.linspace(0, 1, 400)
    stem = np.stack([20 + 60 * t, 60 + 25 * np.sin(3 * t), 30 + 50 * t], axis=1)
    twig = np.stack([50 + 10 * t, 85 + 20 * t, 55 + 35 * t], axis=1)
    vessel = np.ones((100, 120, 120), dtype=bool)
    vessel[tuple(np.vstack([stem, twig]).round().astype(int).T)] = False
    vessel = ndimage.distance_transform_edt(vessel) <= 2.2
    k, j, i = np.indices((200, 64, 64))
    rod = ((j - 32) ** 2 + (i - 32) ** 2 <= 9**2) & (abs(k - 100) <= 80)
    ball = (k - 100) ** 2 + (j - 32) ** 2 + (i - 32) ** 2 <= 20**2
    for name, mask in (("vessel", vessel), ("rod", rod), ("ball", ball)):
        noise = np.random.default_rng(0).normal(0, 15, mask.shape)
        image = ndimage.gaussian_filter(np.where(mask, 220.0, 40.0), 0.7) + noise
        geometry = Geometry.from_spacing(mask.shape, (1, 1, 1))
        path = stem[::4].round().astype(np.int64) if name == "vessel" else stroke_through(mask)
        yield name, Volume(image.astype(np.int16), geometry), mask, path


def case_objects(path: Path) -> Iterator[tuple[str, Volume, Mask, NDArray[np.int64]]]:
    """The objects of a list of cases, with a stroke through each."""
    for case in read_cases(path):
        loaded = load_case(case)
        for value, name in case.objects:
            mask = loaded.label.array_kji == value
            yield f"{case.name}, {name}", loaded.image, mask, stroke_through(mask)


def answer(model: Segmenter, volume: Volume, stroke: Scribble) -> tuple[Mask, float]:
    """The mask after a stroke, and the seconds of the processor."""
    session = Session(model, volume)
    session.add(stroke)
    begun = process_time()
    mask = session.predict().mask.array_kji > 0
    return mask, process_time() - begun


def main() -> None:
    """Print the Dice of each object, seen both ways, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--made", action="store_true", help="made objects first")
    given = parser.parse_args()
    model = create("ensam", "cpu")
    rows: dict[str, list[tuple[float, float]]] = {}
    print("| object | as a whole | the surer | s | s |\n|---|---|---|---|---|")
    objects = [*(made_objects() if given.made else ()), *case_objects(given.cases)]
    for name, volume, mask, path in objects:
        positions = volume.geometry.ras_from_ijk(path[:, ::-1].astype(float))
        stroke = Scribble(tuple(map(tuple, positions.tolist())))
        with patch.object(looks, "_MOST_STRETCHES", 0):
            whole, whole_seconds = answer(model, volume, stroke)
        surer, seconds = answer(model, volume, stroke)
        both = dice(mask, whole), dice(mask, surer)
        rows.setdefault(name.partition(", ")[0], []).append(both)
        print(f"| {name} | {both[0]:.3f} | {both[1]:.3f} | {whole_seconds:.1f} | {seconds:.1f} |")
    cases = [np.mean(row, axis=0) for row in rows.values()]
    print(f"| mean over {len(cases)} | {' | '.join(f'{m:.3f}' for m in np.mean(cases, axis=0))} |")


if __name__ == "__main__":
    main()
