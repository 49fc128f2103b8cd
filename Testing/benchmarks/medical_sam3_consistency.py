"""SAM3 trained on crossed slices with and without the intersection term, on equal data.

Run from the checkout:
PYTHONPATH=.:Testing/support python Testing/benchmarks/medical_sam3_consistency.py OUT
The small SAM3 and the phantoms in another contrast are those of medical_sam3_adaptation.py, whose
OUT can be given. All weights are trained by `medsegfm train medical-sam3 crossed=true` with each of
`--terms` (a weight of the term, and what is compared) from each seed: the same volumes and voxels
in the same order. Scored are slices of phantoms that no training saw: Dice, the Dice of both masks
on the lines in which slices meet, and the paper's inconsistency there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from kept_rows import KeptRows
from sam3_phantoms import small_settings, train_base, write_phantoms

from MedSegFMLib.train.run import train

RESULTS_FILE = "consistency.csv"
SCORES = ("dice", "found", "agreement", "inconsistency")


def trained(
    base: Path, cases: Path, term: str, seed: int, given: argparse.Namespace
) -> dict[str, str]:
    """A row of the table."""
    weight, _, compared = term.partition(" ")
    settings = small_settings(
        given.out / f"{term}-{seed}",
        cases,
        base=base,
        mode="full",
        rate=given.rate,
        steps=given.steps,
        batch=2,
        crossed=True,
        consistency=float(weight),
        compared=compared or "probabilities",
        validate_slices=96,
        seed=seed,
    )
    begun = time.process_time()
    scores = train("medical-sam3", settings).scores
    row = {"term": term, "seed": str(seed), "seconds": f"{time.process_time() - begun:.0f}"}
    return row | {name: f"{scores[name]:.4f}" for name in SCORES}


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """Means over seeds, and the change of each seed against no term."""
    print(f"\n| term | CPU seconds | {' | '.join(SCORES)} | per seed: Dice, inconsistency |")
    print(f"|---|---{'|---' * len(SCORES)}|---|")
    none = {row["seed"]: row for row in rows if float(row["term"].split()[0]) == 0}
    for term in dict.fromkeys(row["term"] for row in rows):
        own = [row for row in rows if row["term"] == term]
        cells = [f"{np.mean([float(row[name]) for row in own]):.3f}" for name in SCORES]
        seconds = np.mean([float(row["seconds"]) for row in own])
        changes = [_change(row, none[row["seed"]]) for row in own if row["seed"] in none]
        each = "" if float(term.split()[0]) == 0 else ", ".join(changes)
        print(f"| {term} | {seconds:.0f} | {' | '.join(cells)} | {each} |")


def _change(row: dict[str, str], none: dict[str, str]) -> str:
    dice = float(row["dice"]) - float(none["dice"])
    ratio = float(row["inconsistency"]) / float(none["inconsistency"])
    return f"{dice:+.3f} ({100 * (ratio - 1):+.0f} %)"


def main() -> None:
    """Train the base if it is not there, then with each term, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--terms", default="0,1,4 masks", help="weights, and what is compared")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--base-steps", type=int, default=600)
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = train_base(given.out, given.base_steps)
    cases = given.out / "other" / "cases.json"
    if not cases.is_file():
        write_phantoms(cases.parent, 2, 4, other_contrast=True)
    rows = KeptRows(given.out / RESULTS_FILE, "term", "seed")
    terms = given.terms.split(",")
    rows.fill(terms, given.seeds, lambda term, seed: trained(base, cases, term, seed, given))
    print_table(rows)


if __name__ == "__main__":
    main()
