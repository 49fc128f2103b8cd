"""The paper's ablation: SAM3D's decoder with and without the skip connections in its blocks.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/sam3d_shortcuts.py OUT
--cases CASES.json --train NAMES --held-back NAMES

The volumes are small. A small SAM (2 blocks of 64 channels) is trained from nothing on single
slices of `--train`. On its features `medsegfm train sam3d` trains a decoder from nothing with each
seed, with skip connections and without; all else is the same, the patches and their order too.
Scored is the Dice of the classes in the volumes `--held-back`, which neither training saw. Each row
is a process of its own with one thread; seconds are the processor's, with features and scores. OUT
keeps the small SAM and each row; a second call goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from crossplane_agreement import BASE_FILE, SMALL, chosen_cases, train_base
from kept_rows import KeptRows, apart

from MedSegFMLib.models.sam.network.config import PUBLISHED
from MedSegFMLib.models.sam3d import weights as sam3d_weights
from MedSegFMLib.train.recipes.sam3d.settings import Sam3dSettings
from MedSegFMLib.train.run import train

RESULTS_FILE = "shortcuts.csv"
ROWS = {"with skip connections": True, "without": False}
WITH, WITHOUT = ROWS


def prepare(given: argparse.Namespace) -> None:
    """Write the list of cases and the small SAM."""
    labelled, held = given.train.split(","), given.held_back.split(",")
    chosen_cases(given.cases, [*labelled, *held], given.out / "cases.json")
    if not (given.out / BASE_FILE).is_file():
        # The base never trains on the last case that it is given.
        first = chosen_cases(given.cases, [*labelled, held[-1]], given.out / "base.json")
        items = json.loads(first.read_text(encoding="utf-8"))["cases"]
        items.sort(key=lambda item: item["name"] == held[-1])
        first.write_text(json.dumps({"cases": items}), encoding="utf-8")
        with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
            train_base(given.out / BASE_FILE, first, given.base_steps)


def trained(name: str, seed: int, given: argparse.Namespace) -> dict[str, str]:
    """A row of the results."""
    settings = Sam3dSettings(
        out=given.out / f"{name.replace(' ', '-')}-{seed}",
        base=str(given.out / BASE_FILE),
        cases=given.out / "cases.json",
        held_back=given.held_back,
        patch=given.patch,
        depth=given.depth,
        batch=1,
        shortcuts=ROWS[name],
        steps=given.steps,
        seed=seed,
        device="cpu",
        precision="no",
        threads=1,
        save_minutes=1e6,
        validate_samples=10**9,
    )
    with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
        begun = time.process_time()
        result = train("sam3d", settings)
        seconds = time.process_time() - begun
    decoder = sam3d_weights.load(result.path)
    assert decoder.config.shortcuts == ROWS[name], "the network that was asked for"
    return {
        "decoder": name,
        "seed": str(seed),
        "parameters": str(sum(weight.numel() for weight in decoder.parameters())),
        "dice": f"{result.scores['dice']:.4f}",
        "seconds": f"{seconds:.0f}",
    }


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """Dice of both decoders, mean and range over seeds, and the difference of each seed."""
    print("\n| decoder | parameters | seeds | Dice | to the residual one, per seed | s |")
    print("|---|---|---|---|---|---|")
    own = {name: {row["seed"]: row for row in rows if row["decoder"] == name} for name in ROWS}
    for name, by_seed in own.items():
        if not by_seed:
            continue
        found = [float(row["dice"]) for row in by_seed.values()]
        less = [
            f"{float(row['dice']) - float(own[WITH][seed]['dice']):+.3f}"
            for seed, row in by_seed.items()
            if name == WITHOUT and seed in own[WITH]
        ]
        seconds = np.mean([float(row["seconds"]) for row in by_seed.values()])
        parameters = f"{int(next(iter(by_seed.values()))['parameters']):,}"
        dice = f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})"
        cells = [name, parameters, str(len(found)), dice, "; ".join(less), f"{seconds:.0f}"]
        print(f"| {' | '.join(cells)} |")


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--train", required=True, help="names of cases, with commas")
    parser.add_argument("--held-back", required=True, help="names of cases, with commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--base-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--depth", type=int, default=8)
    return parser.parse_args()


def main() -> None:
    """Train the small SAM if it is not there, both decoders with each seed, and print the table."""
    given = parsed()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    apart(prepare, given)
    rows = KeptRows(given.out / RESULTS_FILE, "decoder", "seed")
    rows.fill(list(ROWS), given.seeds, lambda name, seed: apart(trained, name, seed, given))
    print_table(rows)


if __name__ == "__main__":
    main()
