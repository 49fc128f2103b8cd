"""Whether agreement in training pays more on light networks: SAM across planes beside two of them.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/consistent_learning.py OUT
--cases CASES.json --train NAMES --unlabelled NAMES --held-back NAMES

The volumes are small, of one object each. A small SAM (2 blocks of 64 channels) is trained from
nothing on single slices of `--train`. Then, with each seed: `crossplane` adapts it, without and
with the intersection term; `ensam` and `consistent` train a network of `--cells` cells from
nothing, and `sam3d` and `consistent-sam3d` a decoder on the small SAM's features; the last two
kinds also with the volumes `--unlabelled`, whose labels are not read. Within a kind all else is the
same: the samples, and their order. Scored are the objects of `--held-back`, which no training saw:
after a box (SAM, ENSAM) or by their class (SAM3D), Dice, the agreement of the masks of three
planes, and the paper's term, as Docs/consistency.md defines them. Each row is a process of its own
with one thread; seconds are the processor's, of the whole training with features and scores, and
GiB is the growth of memory. OUT keeps the base and each row; a second call goes on from there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from crossplane_agreement import BASE_FILE, SMALL, chosen_cases, train_base
from kept_rows import KeptRows, apart

from MedSegFMLib import Session, create
from MedSegFMLib.consistency import PlaneViews, measure
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.sam.network.config import PUBLISHED
from MedSegFMLib.prompts.types import Box
from MedSegFMLib.system.memory.peak_memory import peak_bytes, reset_peak
from MedSegFMLib.train.labelled_volumes import LabelledVolume, open_volumes
from MedSegFMLib.train.registry import recipe
from MedSegFMLib.train.run import train
from MedSegFMLib.volumes.masks import bounding_box

RESULTS_FILE = "consistent.csv"
SCORES = ("dice", "agreement", "inconsistency")
MACHINE = {"device": "cpu", "precision": "no", "threads": 1, "validate_samples": 10**9}

SAM = {
    "accumulate": 2,
    "hot_share": 0.0,
    "rank": 16,
    "alpha": 32.0,
    "targets": "all",
    "rate": 1e-3,
    "warmup": 10,
    "cached": False,
    "validation_objects": 32,
}
ENSAM = {
    "recorded_share": 1.0,
    "boxed_share": 1.0,
    "clicks": 1,
    "graded": 1,
    "warmup": 20,
    "average": 0.98,
    "workers": 0,
    "validation_objects": 1,
}
SAM3D = {"patch": 64, "depth": 8, "batch": 1, "variants": 2}

# By name: the recipe, and what differs from the plain training of its kind.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "SAM, each plane by itself": ("crossplane", {"consistency": 0.0}),
    "SAM, across planes": ("crossplane", {"consistency": 4.0}),
    "ENSAM": ("consistent", {"consistency": 0.0}),
    "ENSAM, consistent": ("consistent", {"consistency": 1.0}),
    "ENSAM, consistent, + unlabelled": ("consistent", {"consistency": 1.0, "unlabelled": True}),
    "SAM3D": ("consistent-sam3d", {"consistency": 0.0}),
    "SAM3D, consistent": ("consistent-sam3d", {"consistency": 1.0}),
    "SAM3D, consistent, + unlabelled": (
        "consistent-sam3d",
        {"consistency": 1.0, "unlabelled": True},
    ),
}


def prepare(given: argparse.Namespace) -> None:
    """Write the lists of cases, the pack of ENSAM, the unlabelled images and the small SAM."""
    out, labelled, held = given.out, given.train.split(","), given.held_back.split(",")
    cases = chosen_cases(given.cases, [*labelled, *held], out / "cases.json")
    hidden = chosen_cases(given.cases, given.unlabelled.split(","), out / "hidden.json")
    folder = out / "unlabelled"
    folder.mkdir(exist_ok=True)
    for item in json.loads(hidden.read_text())["cases"]:
        link = folder / f"{item['name']}.nii.gz"
        if not link.exists():
            link.symlink_to(item["image"])
    if not (out / "pack.npz").is_file():
        terms = {"licence": "not to be passed on", "attribution": "a measurement"}
        items = json.loads(cases.read_text())["cases"]
        sources = [
            {"name": i["name"], "image": i["image"], "label": i["label"], **terms}
            for i in items
            if i["name"] in labelled
        ]
        (out / "sources.json").write_text(json.dumps({"sources": sources}))
        command = [sys.executable, "-m", "MedSegFMLib", "pack", str(out / "sources.json")]
        subprocess.run([*command, "--out", str(out / "pack.npz")], check=True)
    if not (out / BASE_FILE).is_file():
        # The base never trains on the last case that it is given.
        first = chosen_cases(given.cases, [*labelled, held[-1]], out / "base.json")
        with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
            train_base(out / BASE_FILE, first, given.base_steps)


def settings_of(name: str, seed: int, given: argparse.Namespace) -> tuple[str, Any]:
    """The recipe of a row and its settings."""
    kind, changes = ROWS[name]
    out = given.out
    held = {"cases": out / "cases.json", "held_back": given.held_back}
    values: dict[str, Any] = {"out": out / f"{name.replace(' ', '-')}-{seed}", "seed": seed}
    values |= MACHINE | changes
    if changes.get("unlabelled"):
        values["unlabelled"] = out / "unlabelled"
    if kind == "crossplane":
        values |= SAM | held | {"base": str(out / BASE_FILE), "steps": given.sam_steps}
    elif kind == "consistent":
        values |= ENSAM | {"pack": out / "pack.npz", "samples": given.ensam_samples}
        values |= {"cells": given.cells, "scene_side": given.cells + 16, "start": given.start}
        values |= {"ramp": given.ensam_samples // 5, "rate": given.ensam_rate}
    else:
        values |= SAM3D | held | {"base": str(out / BASE_FILE), "steps": given.sam3d_steps}
        values |= {"ramp": given.sam3d_steps // 5}
    return kind, recipe(kind).Settings(**values)


def scores_after_box(weights: Path, volumes: Sequence[LabelledVolume]) -> dict[str, float]:
    """ENSAM's scores on the objects of volumes, as `crossplane` scores its own."""
    model = create("ensam", "cpu", weights=weights, refine="no")
    rows = []
    for volume in volumes:
        for label in volume.objects:
            truth = volume.labels_kji == label
            box = bounding_box(truth)
            assert box is not None, "the object is in the volume"
            first, last = [s.start for s in box], [s.stop for s in box]
            prompt = Box.from_ijk(volume.image.geometry, first[::-1], last[::-1])
            session = Session(model, volume.image)
            session.add(prompt)
            (answer,) = PlaneViews(session).predict_all().values()
            found = measure(answer, [prompt])
            mask = answer.mask.array_kji > 0
            price = np.nan if found.intersection is None else found.intersection
            rows.append((dice(truth, mask), (found.agreement or 0.0) * mask.any(), price))
    means = [float(np.nanmean(column)) for column in zip(*rows, strict=True)]
    return dict(zip(SCORES, means, strict=True))


def trained(name: str, seed: int, given: argparse.Namespace) -> dict[str, str]:
    """A row of the table."""
    with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
        kind, settings = settings_of(name, seed, given)
        reset_peak()
        before, begun = peak_bytes(), time.process_time()
        result = train(kind, settings)
        seconds, grown = time.process_time() - begun, peak_bytes() - before
    scores: Mapping[str, float] = result.scores
    if kind == "consistent":
        _, held = open_volumes(given.out / "cases.json", given.held_back, 0, 0, 0)
        scores = scores_after_box(result.path, held)
    row = {"network": name, "seed": str(seed)}
    row |= {key: f"{scores[key]:.4f}" for key in SCORES}
    return row | {"seconds": f"{seconds:.0f}", "GiB": f"{grown / 2**30:.2f}"}


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """The means over seeds, and Dice and inconsistency of each seed beside the plain training."""
    names = (*SCORES, "seconds", "GiB")
    print(f"\n| network | seeds | {' | '.join(names)} | to plain, per seed |")
    print(f"|---{'|---' * (len(names) + 2)}|")
    plain: dict[str, Mapping[str, str]] = {}
    for name, (_, changes) in ROWS.items():
        own = {row["seed"]: row for row in rows if row["network"] == name}
        if not own:
            continue
        plain = plain if changes["consistency"] else own
        each = []
        for seed in sorted(own.keys() & plain.keys()) if own is not plain else ():
            gained = float(own[seed]["dice"]) - float(plain[seed]["dice"])
            less = float(own[seed]["inconsistency"]) / float(plain[seed]["inconsistency"]) - 1
            each.append(f"Dice {gained:+.3f}, inconsistency {100 * less:+.0f} %")
        means = [np.mean([float(row[key]) for row in own.values()]) for key in names]
        cells = [f"{mean:.3f}" for mean in means[:3]] + [f"{means[3]:.0f}", f"{means[4]:.2f}"]
        print(f"| {' | '.join([name, str(len(own)), *cells, '; '.join(each)])} |")


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--train", required=True, help="names of cases, with commas")
    parser.add_argument("--unlabelled", required=True, help="names of cases, with commas")
    parser.add_argument("--held-back", required=True, help="names of cases, with commas")
    parser.add_argument("--rows", default=",".join(str(n) for n in range(len(ROWS))))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--base-steps", type=int, default=400)
    parser.add_argument("--sam-steps", type=int, default=60)
    parser.add_argument("--ensam-samples", type=int, default=160)
    parser.add_argument("--ensam-rate", type=float, default=2e-3)
    parser.add_argument("--cells", type=int, default=16)
    parser.add_argument("--start", type=Path, help="weights that ENSAM begins from")
    parser.add_argument("--sam3d-steps", type=int, default=24)
    return parser.parse_args()


def main() -> None:
    """Prepare what is not there, train each row with each seed, and print the table."""
    given = parsed()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    apart(prepare, given)
    rows = KeptRows(given.out / RESULTS_FILE, "network", "seed")
    names = [list(ROWS)[int(number)] for number in given.rows.split(",")]
    rows.fill(names, given.seeds, lambda name, seed: apart(trained, name, seed, given))
    print_table(rows)


if __name__ == "__main__":
    main()
