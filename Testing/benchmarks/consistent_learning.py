"""Whether agreement between turned views helps a light 3D network: with equal budgets, some seeds.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/consistent_learning.py OUT
[--start WEIGHTS] [--unlabelled FOLDER]

ENSAM is trained, from nothing or from weights, on synthetic scenes by `medsegfm train consistent`,
with each of `--weights` and each seed, everything else the same: the samples, and the scenes in the
same order. Scored are objects that no training saw: Dice after the box and after the clicks, the
agreement of masks of turned views, and their inconsistency. OUT keeps each row, and a second call
goes on from there.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from MedSegFMLib.system.memory.peak_memory import peak_bytes, reset_peak
from MedSegFMLib.train.recipes.consistent.settings import ConsistentSettings
from MedSegFMLib.train.run import train

RESULTS_FILE = "consistent.csv"


def trained(out: Path, weight: str, seed: int, given: argparse.Namespace) -> dict[str, str]:
    """A row of the table."""
    settings = ConsistentSettings(
        out=out / f"weight-{weight}-seed-{seed}",
        samples=given.samples,
        start=given.start,
        rate=given.rate,
        consistency=float(weight),
        ramp=given.samples // 5,
        unlabelled=given.unlabelled if float(weight) else None,
        cells=given.cells,
        scene_side=given.cells + 8,
        clicks=2,
        graded=1,
        boxed_share=1.0,
        warmup=20,
        average=0.98,
        seed=seed,
        precision="no",
        device="cpu",
        threads=torch.get_num_threads(),
        workers=0,
        validation_objects=given.objects,
        validate_samples=10**9,
    )
    reset_peak()
    begun = time.perf_counter()
    scores = train("consistent", settings).scores
    row = {"weight": weight, "seed": str(seed)}
    row |= {name: f"{value:.4f}" for name, value in scores.items()}
    row["seconds"] = f"{time.perf_counter() - begun:.0f}"
    row["GiB"] = f"{peak_bytes() / 2**30:.2f}"
    return row


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """The means over seeds."""
    names = [name for name in rows[0] if name not in ("weight", "seed")]
    print(f"\n| weight | {' | '.join(names)} |")
    print(f"|---{'|---' * len(names)}|")
    for weight in dict.fromkeys(row["weight"] for row in rows):
        own = [row for row in rows if row["weight"] == weight]
        means = [np.mean([float(row[name]) for row in own]) for name in names]
        print(f"| {weight} | {' | '.join(f'{mean:.3f}' for mean in means)} |")


def main() -> None:
    """Train with each weight and seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="0,1", help="of the agreement")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--cells", type=int, default=16)
    parser.add_argument("--objects", type=int, default=48)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--start", type=Path, help="weights to begin from; none: from nothing")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / RESULTS_FILE
    rows: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    for seed in range(given.seeds):
        for weight in given.weights.split(","):
            if (weight, str(seed)) in {(row["weight"], row["seed"]) for row in rows}:
                continue
            rows.append(trained(given.out, weight, seed, given))
            print(rows[-1], flush=True)
            with path.open("w", newline="") as file:
                table = csv.DictWriter(file, rows[0])
                table.writeheader()
                table.writerows(rows)
    print_table(rows)


if __name__ == "__main__":
    main()
