"""LoRA against full fine-tuning of SAM3 on equal data: Dice, seconds and memory, some seeds.

Run from the checkout:
PYTHONPATH=.:Testing/support python Testing/benchmarks/medical_sam3_adaptation.py OUT
No trained SAM3 can be had here, so a small one (2 layers of 32 to 64 channels, 112 pixels, text in
letters) is first trained from nothing on phantoms of an abdomen, with four organs by name. Then
`medsegfm train medical-sam3` teaches it phantoms in another contrast (half of it, shading, noise):
in each way, at each rate and from each seed on the same volumes, for as many steps. Scored are
slices of phantoms that no training saw. OUT keeps base and rows; a second call goes on from there.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sam3_phantoms import small_settings, train_base, write_phantoms

from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.recipes.medical_sam3.task import MedicalSam3Task
from MedSegFMLib.train.run import train

RESULTS_FILE = "adaptation.csv"
WAYS: dict[str, dict[str, Any]] = {
    "LoRA, attention": {"mode": "lora", "targets": "attention"},
    "LoRA, all layers": {"mode": "lora", "targets": "all"},
    "all weights": {"mode": "full"},
}


def adapted(
    base: Path, cases: Path, way: str, rate: str, seed: int, given: argparse.Namespace
) -> dict[str, str]:
    """A row of the table."""
    settings = small_settings(
        given.out / f"{way}-{rate}-{seed}",
        cases,
        base=base,
        rate=float(rate),
        steps=given.steps,
        batch=6,
        planes="axial,coronal,sagittal",
        seed=seed,
        **WAYS[way],
    )
    task = MedicalSam3Task(settings, Processes("cpu"))
    learnt = sum(tensor.numel() for tensor in task.state().values())
    bytes_needed = task.predicted_bytes()
    begun = time.process_time()
    scores = train("medical-sam3", settings).scores
    return {
        "way": way,
        "rate": rate,
        "seed": str(seed),
        "trained numbers": str(learnt),
        "MB": f"{bytes_needed / 1e6:.1f}",
        "seconds": f"{time.process_time() - begun:.0f}",
        "dice": f"{scores['dice']:.4f}",
        "found": f"{scores['found']:.4f}",
    }


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """Each way and rate: means over seeds, Dice of each seed."""
    print("\n| way | rate | trained numbers | MB | CPU seconds | Dice | each seed | found |")
    print("|---|---|---|---|---|---|---|---|")
    for way, rate in dict.fromkeys((row["way"], row["rate"]) for row in rows):
        own = [row for row in rows if (row["way"], row["rate"]) == (way, rate)]
        dice = [float(row["dice"]) for row in own]
        seconds = np.mean([float(row["seconds"]) for row in own])
        found = np.mean([float(row["found"]) for row in own])
        each = ", ".join(f"{value:.3f}" for value in dice)
        print(
            f"| {way} | {rate} | {int(own[0]['trained numbers']):,} | {own[0]['MB']} | "
            f"{seconds:.0f} | {np.mean(dice):.3f} | {each} | {found:.2f} |"
        )


def main() -> None:
    """Train the base, adapt it in each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rates", default="2e-3")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--base-steps", type=int, default=600)
    parser.add_argument("--volumes", type=int, default=2, help="to learn from")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = train_base(given.out, given.base_steps)
    cases = given.out / "other" / "cases.json"
    if not cases.is_file():
        write_phantoms(cases.parent, given.volumes, 4, other_contrast=True)
    path = given.out / RESULTS_FILE
    rows: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    known = {(row["way"], row["rate"], row["seed"]) for row in rows}
    before = MedicalSam3Task(
        small_settings(given.out / "before", cases, base=base), Processes("cpu")
    ).validate(lambda *_: None)
    print(f"before: {before}", flush=True)
    for seed in range(given.seeds):
        for way in WAYS:
            for rate in given.rates.split(","):
                if (way, rate, str(seed)) in known:
                    continue
                rows.append(adapted(base, cases, way, rate, seed, given))
                print(rows[-1], flush=True)
                with path.open("w", newline="") as file:
                    table = csv.DictWriter(file, rows[0])
                    table.writeheader()
                    table.writerows(rows)
    print_table(rows)


if __name__ == "__main__":
    main()
