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
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_rows import KeptRows, apart
from sam3_phantoms import small_settings, train_base, write_phantoms

from MedSegFMLib.system.memory.peak_memory import peak_bytes, reset_peak
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
    del task
    reset_peak()
    before, begun = peak_bytes(), time.process_time()
    scores = train("medical-sam3", settings).scores
    grown = peak_bytes() - before
    return {
        "way": way,
        "rate": rate,
        "seed": str(seed),
        "trained numbers": str(learnt),
        "predicted MB": f"{bytes_needed / 1e6:.1f}",
        "measured MB": f"{grown / 1e6:.1f}",
        "seconds": f"{time.process_time() - begun:.0f}",
        "dice": f"{scores['dice']:.4f}",
        "found": f"{scores['found']:.4f}",
    }


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """Each way and rate: means over seeds, Dice of each seed."""
    print(
        "\n| way | rate | trained numbers | predicted MB | measured MB | CPU seconds | Dice | "
        "each seed | found |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for way, rate in dict.fromkeys((row["way"], row["rate"]) for row in rows):
        own = [row for row in rows if (row["way"], row["rate"]) == (way, rate)]
        dice = [float(row["dice"]) for row in own]
        seconds = np.mean([float(row["seconds"]) for row in own])
        measured = np.mean([float(row["measured MB"]) for row in own])
        found = np.mean([float(row["found"]) for row in own])
        each = ", ".join(f"{value:.3f}" for value in dice)
        print(
            f"| {way} | {rate} | {int(own[0]['trained numbers']):,} | {own[0]['predicted MB']} | "
            f"{measured:.0f} | {seconds:.0f} | {np.mean(dice):.3f} | {each} | {found:.2f} |"
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
    rows = KeptRows(given.out / RESULTS_FILE, "way", "rate", "seed")
    before = MedicalSam3Task(
        small_settings(given.out / "before", cases, base=base), Processes("cpu")
    ).validate(lambda *_: None)
    print(f"before: {before}", flush=True)
    for seed in range(given.seeds):
        for way in WAYS:
            for rate in given.rates.split(","):
                if not rows.has(way, rate, str(seed)):
                    rows.add(apart(adapted, base, cases, way, rate, seed, given))
    print_table(rows)


if __name__ == "__main__":
    main()
