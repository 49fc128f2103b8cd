"""Whether planes can agree by sure masks: ways to compare them, on small real volumes.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/crossplane_agreement.py OUT
--cases CASES.json --base NAMES --train NAMES --held-back NAMES

A small SAM (2 blocks of 64 channels, SAM's own prompt encoder and decoder) is trained from nothing
on single slices of the volumes `--base`, with boxes and clicks. Then `medsegfm train crossplane`
adapts it to the volumes `--train`, once with each way of comparing planes and each seed, everything
else the same: the steps, and the voxels and prompts in the same order. Scored are the objects of
`--held-back`, after a box alone. OUT keeps the base and each row, and a second call goes on from
there. The goal on every seed: inconsistency at most half of that without the term, agreement of the
planes' masks and Dice not below it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from crossplane_learning import answers, views_of
from kept_rows import KeptRows

from MedSegFMLib.models.sam import weights as sam_weights
from MedSegFMLib.models.sam.create import REGION_RULE
from MedSegFMLib.models.sam.network.config import PUBLISHED, SamConfig
from MedSegFMLib.models.sam.network.network import Sam
from MedSegFMLib.train.labelled_volumes import open_volumes
from MedSegFMLib.train.losses import segmentation_loss
from MedSegFMLib.train.recipes.crossplane.samples import trained_objects
from MedSegFMLib.train.recipes.crossplane.settings import CrossplaneSettings
from MedSegFMLib.train.recipes.crossplane.task import REPORT_FILE
from MedSegFMLib.train.run import train

SMALL = SamConfig("small", dim=64, depth=2, heads=2, global_blocks=(1,))
BASE_FILE, RESULTS_FILE = "base.safetensors", "agreement.csv"
BASE_RATE = 1e-3
SCORES = ("dice", "agreement", "inconsistency")

# By name, what differs from the training of each plane by itself.
VARIANTS: dict[str, dict[str, Any]] = {
    "no term": {"consistency": 0.0},
    "probabilities (the paper)": {"consistency": 4.0},
    "masks, straight through": {"consistency": 1.0, "compared": "masks"},
    "sharpened": {"consistency": 1.0, "sharpness": 4.0},
    "margin": {"consistency": 4.0, "margin": 0.25},
    "entropy": {"consistency": 4.0, "certainty": 0.3},
    "sharpened, entropy": {"consistency": 1.0, "sharpness": 4.0, "certainty": 0.3},
}


def chosen_cases(path: Path, names: Sequence[str], out: Path) -> Path:
    """A CASES.json with some of the cases of another."""
    held = json.loads(path.read_text(encoding="utf-8"))["cases"]
    items = [item for item in held if item["name"] in names]
    assert len(items) == len(names), f"{path} lacks one of {', '.join(names)}"
    for item in items:
        for key in ("image", "label"):
            item[key] = str((path.parent / item[key]).resolve())
    out.write_text(json.dumps({"cases": items}), encoding="utf-8")
    return out


def train_base(path: Path, cases: Path, steps: int) -> None:
    """Train the small SAM from nothing on single slices of all cases but the last."""
    torch.manual_seed(0)
    sam = Sam(SMALL)
    volumes, _ = open_volumes(cases, "", 0, 0, 0)
    objects = trained_objects(volumes, REGION_RULE)
    optimiser = torch.optim.AdamW(sam.parameters(), BASE_RATE, weight_decay=0.01)
    losses: list[float] = []
    for step in range(steps):
        place = int(np.random.default_rng((0, step)).integers(len(objects)))
        for views in views_of(objects[place], (step, 0)):
            target = torch.stack([view.target for view in views])
            loss = segmentation_loss(answers(sam, views)[:, None, None], target[:, None, None])
            (loss / 3).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step % 50 == 49:
            print(f"base: step {step + 1}, loss {np.mean(losses[-150:]):.3f}", flush=True)
    sam_weights.save(sam, path)


def adapt(
    out: Path, cases: Path, held_back: str, name: str, seed: int, steps: int
) -> dict[str, str]:
    """A row of the table."""
    folder = out / f"{name.replace(' ', '-')}-seed-{seed}"
    begun = time.perf_counter()
    settings = CrossplaneSettings(
        out=folder,
        base=str(out / BASE_FILE),
        cases=cases,
        held_back=held_back,
        steps=steps,
        accumulate=2,
        hot_share=0.0,
        rank=16,
        alpha=32.0,
        targets="all",
        rate=1e-3,
        warmup=10,
        seed=seed,
        cached=False,
        validation_objects=32,
        validate_samples=10**9,
        device="cpu",
        threads=torch.get_num_threads(),
        **VARIANTS[name],
    )
    train("crossplane", settings)
    report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    row = {"variant": name, "seed": str(seed), "seconds": f"{time.perf_counter() - begun:.0f}"}
    for when in ("before", "after"):
        row |= {f"{key} {when}": f"{report[when][key]:.4f}" for key in SCORES}
    return row


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """The means over seeds, and per seed how they stand to those without the term."""
    print("\n| compared | Dice | agreement | inconsistency | to no term, per seed | goal met |")
    print("|---|---|---|---|---|---|")
    before = [np.mean([float(row[f"{key} before"]) for row in rows]) for key in SCORES]
    print(f"| the base | {before[0]:.3f} | {before[1]:.3f} | {before[2]:.2f} | | |")
    plain = {row["seed"]: row for row in rows if row["variant"] == "no term"}
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        means = [np.mean([float(row[f"{key} after"]) for row in own]) for key in SCORES]
        each, met = [], []
        for row in own if name != "no term" else []:
            none = plain[row["seed"]]
            dice, agreement = (
                float(row[f"{key} after"]) - float(none[f"{key} after"]) for key in SCORES[:2]
            )
            less = 1 - float(row["inconsistency after"]) / float(none["inconsistency after"])
            each.append(f"−{100 * less:.0f} %, agreement {agreement:+.3f}, Dice {dice:+.3f}")
            met.append(less >= 0.5 and agreement >= 0 and dice >= 0)
        goal = "" if not met else "yes" if all(met) else "no"
        cells = [name, f"{means[0]:.3f}", f"{means[1]:.3f}", f"{means[2]:.2f}"]
        print(f"| {' | '.join([*cells, '; '.join(each), goal])} |")


def main() -> None:
    """Train the base where it is not there, adapt it in each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--base", required=True, help="names of cases, with commas")
    parser.add_argument("--train", required=True, help="names of cases, with commas")
    parser.add_argument("--held-back", required=True, help="names of cases, with commas")
    parser.add_argument("--variants", default=",".join(str(n) for n in range(len(VARIANTS))))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--base-steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    held = given.held_back.split(",")
    first = chosen_cases(given.cases, [*given.base.split(","), held[-1]], given.out / "base.json")
    cases = chosen_cases(given.cases, [*given.train.split(","), *held], given.out / "cases.json")
    names = [list(VARIANTS)[int(number)] for number in given.variants.split(",")]
    with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
        if not (given.out / BASE_FILE).is_file():
            train_base(given.out / BASE_FILE, first, given.base_steps)
        rows = KeptRows(given.out / RESULTS_FILE, "variant", "seed")
        rows.fill(
            names,
            given.seeds,
            lambda name, seed: adapt(given.out, cases, given.held_back, name, seed, given.steps),
        )
    print_table(rows)


if __name__ == "__main__":
    main()
