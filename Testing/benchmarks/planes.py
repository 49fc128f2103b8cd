"""SAM in three planes: strided and contiguous slices, first look, further click, memory.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/planes.py [--threads 2]
Random ViT-B weights; a volume of 128 voxels a side. A `walk` goes through every slice of the box in
three planes, decoder alone, nothing remembered, on random features; a `further click` is what a
click adds to that in a network whose masks stay as they were: three slices. The encoder sees
`--looks` slices; the first answer is their median for every slice, and a walk. Each row is a
process of its own; peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

VOLUME_SIDE = 128
STRIDED_SIDE = 512
ROWS = (("native", 30), ("native", 112), ("224", 30), ("224", 112), ("1024", 30))


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def write_weights(path: Path) -> None:
    """Random ViT-B in SAM's published layout."""
    import torch

    from MedSegFMLib.models.sam.network.config import PUBLISHED
    from MedSegFMLib.models.sam.network.network import Sam

    torch.manual_seed(0)
    torch.save(Sam(PUBLISHED["vit_b"]).state_dict(), path)


def print_strided() -> None:
    """What a slice costs, cut from the array and taken from its stack."""
    from MedSegFMLib import Geometry
    from MedSegFMLib.models.planar.stacks import stack_planes

    geometry = Geometry.from_spacing((STRIDED_SIDE,) * 3)
    array = np.random.default_rng(0).random(geometry.shape_kji, dtype=np.float32)
    indices = range(10, STRIDED_SIDE, 25)
    print(f"\n{STRIDED_SIDE}³ float32, one slice in a picture of its own, median ms:\n")
    print("| plane | from the array | from its stack | ratio | making the stack (s) |")
    print("|---|---|---|---|---|")
    for plane in stack_planes(geometry).values():
        view = array.transpose(plane.axes_kji)
        making = seconds(lambda plane=plane: plane.stack(array))
        stack = plane.stack(array).copy()
        times = [
            statistics.median(
                seconds(lambda source=source, n=n: source[n].copy(order="C")) for n in indices
            )
            for source in (view, stack)
        ]
        print(
            f"| {plane.name} | {times[0] * 1e3:.3f} | {times[1] * 1e3:.3f} "
            f"| {times[0] / times[1]:.0f} | {making:.2f} |",
            flush=True,
        )


def measure(size: str, side: int, weights: Path, looks: int) -> dict[str, float]:
    """One row: `side` slices in each plane."""
    import torch

    from MedSegFMLib import Box, Geometry, Volume, create
    from MedSegFMLib.models.sam.segmenter import PlanarSegmenter
    from MedSegFMLib.progress import no_progress
    from MedSegFMLib.session.region_of_interest import prompt_region

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    geometry = Geometry.from_spacing((VOLUME_SIDE,) * 3)
    random = np.random.default_rng(0)
    volume = Volume(random.integers(0, 1000, geometry.shape_kji).astype(np.int16), geometry)
    low = (VOLUME_SIDE - side) // 2
    box = Box.from_ijk(geometry, [low] * 3, [low + side] * 3)
    model = create("sam", device="cpu", weights=weights, size=size)
    assert isinstance(model, PlanarSegmenter)
    region = prompt_region([box], geometry, model.card.region_rule)
    cutting = seconds(lambda: model.encode(volume, region, no_progress))
    encoding = model.encode(volume, region, no_progress)
    plan = model._preprocessor.resize_plan(
        next(iter(encoding.stacks.values())).slice_images.shape[1:]
    )
    images = np.zeros((1, 3, *plan.input), np.float32)
    model._runtime.encode(images, no_progress)

    slices = 3 * side
    per_slice = statistics.median(
        seconds(lambda: model._runtime.encode(images, no_progress)) for _ in range(looks)
    )
    features = random.normal(size=(256, plan.input[0] // 16, plan.input[1] // 16))
    features = features.astype(np.float32)
    model._runtime.encode = lambda images, progress: [features] * len(images)  # type: ignore[method-assign]
    model.predict(encoding, [box], None, no_progress)
    walks = []
    for _ in range(3):
        fresh = model.encode(volume, region, no_progress)
        walks.append(seconds(lambda f=fresh: model.predict(f, [box], None, no_progress)))
    again = seconds(lambda: model.predict(fresh, [box], None, no_progress))
    walk = statistics.median(walks)
    held = model._features._cache
    return {
        "input": plan.input[0],
        "slices": slices,
        "cutting": cutting,
        "per_slice": per_slice,
        "first": cutting + per_slice * slices + walk,
        "walk": walk,
        "click": again + 3 * (walk - again) / slices,
        "cache": sum(item.nbytes for item in held._items.values()) / 2**20,
        "budget": model._features._cache_bytes / 2**20,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        size, side, weights = arguments.one
        print(json.dumps(measure(size, int(side), Path(weights), arguments.looks)))
        return
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    print(f"{arguments.threads} threads, ViT-B, a volume of {VOLUME_SIDE}³\n")
    print(
        "| size | box | input | slices | look at one (s) | first answer, extrapolated (s) "
        "| walk (s) | further click (s) | features (MiB) of budget | peak RSS (MiB) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        write_weights(weights)
        for size, side in ROWS:
            words = [sys.executable, __file__, "--one", size, str(side), str(weights)]
            words += ["--looks", str(arguments.looks)]
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {size} | {side}³ | {row['input']}² | {row['slices']} | {row['per_slice']:.2f} "
                f"| {row['first']:.1f} | {row['walk']:.2f} | {row['click']:.2f} "
                f"| {row['cache']:.0f} of {row['budget']:.0f} | {row['peak']:.0f} |",
                flush=True,
            )
    print_strided()


if __name__ == "__main__":
    main()
