"""Whether training across planes trains: the intersection term against none, on synthetic volumes.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/crossplane_learning.py OUT
No trained SAM can be had here, so a small one (4 blocks of 128 channels, SAM's own prompt encoder
and decoder) is trained first, from nothing, on single slices of synthetic volumes with boxes and
clicks; OUT keeps it and each row, and a second call goes on from there. Then `medsegfm train
crossplane` adapts it, with `--weights` of the intersection term and each of the seeds, everything
else the same: the same volumes, voxels and prompts in the same order. Scored are objects of volumes
that no training saw, segmented as the model `crossplane` segments them, after a box alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from kept_rows import KeptRows

from MedSegFMLib.models.sam import weights as sam_weights
from MedSegFMLib.models.sam.create import REGION_RULE
from MedSegFMLib.models.sam.network.config import PUBLISHED, SamConfig
from MedSegFMLib.models.sam.network.network import Sam
from MedSegFMLib.models.sam.preprocessing import SamPreprocessor
from MedSegFMLib.train.counters import Counters
from MedSegFMLib.train.labelled_volumes import open_volumes
from MedSegFMLib.train.losses import segmentation_loss
from MedSegFMLib.train.recipes.crossplane.plane_views import View
from MedSegFMLib.train.recipes.crossplane.samples import TrainedObject, trained_objects
from MedSegFMLib.train.recipes.crossplane.settings import CrossplaneSettings
from MedSegFMLib.train.recipes.crossplane.task import REPORT_FILE
from MedSegFMLib.train.run import train
from MedSegFMLib.train.schedule import StepSchedule

SMALL = SamConfig("small", dim=128, depth=4, heads=4, global_blocks=(1, 3))
BASE_FILE = "base.safetensors"
RESULTS_FILE = "results.csv"
SIDE = 96
# Volumes that the base learns from; the adapters learn from others.
BASE_VOLUMES, BASE_SEED = 160, 77
OBJECTS_IN_STEP, VIEWS_IN_PASS = 4, 4
BASE_RATE = 1e-3


def answers(sam: Sam, views: Sequence[View]) -> torch.Tensor:
    """The logits (views, rows, columns) of slices of one shape, gradients reaching all weights.

    Their prompts are of one kind: all have a box or none has, and as many clicks.
    """
    preprocessor = SamPreprocessor("native")
    plan = preprocessor.resize_plan((views[0].slice_image.shape[0], views[0].slice_image.shape[1]))
    asked = [plan.prompt(view.prompt) for view in views]
    images = torch.from_numpy(
        preprocessor.images(np.stack([view.slice_image for view in views]), plan)
    )
    features = sam.encoder(images)
    boxes = None if asked[0].box is None else torch.tensor([one.box for one in asked])
    points = torch.tensor([[p[:2] for p in one.points] for one in asked]).reshape(len(views), -1, 2)
    positive = torch.tensor([[p[2] for p in one.points] for one in asked])
    tokens = sam.prompt_tokens(boxes, points, positive, plan.input)
    masks, _ = sam.decoder(features, sam.image_positions(*features.shape[2:]), tokens)
    return preprocessor.resize_logits(masks[:, 0], plan)


def views_of(target: TrainedObject, seed: tuple[int, ...]) -> list[list[View]]:
    """For each plane, views of an object through some of its voxels, prompted in one way."""
    chosen = np.random.default_rng(seed).integers(len(target.surface), size=VIEWS_IN_PASS)
    samples = [
        target.stacks.views(
            target.label, target.region, target.surface[n].tolist(), np.random.default_rng(seed)
        )
        for n in chosen
    ]
    return [list(views) for views in zip(*samples, strict=True)]


def train_base(path: Path, steps: int) -> None:
    """Train the small SAM from nothing on single slices."""
    torch.manual_seed(0)
    sam = Sam(SMALL)
    volumes, _ = open_volumes(None, "", BASE_VOLUMES, SIDE, BASE_SEED)
    objects = trained_objects(volumes, REGION_RULE)
    optimiser = torch.optim.AdamW(sam.parameters(), BASE_RATE, weight_decay=0.01)
    schedule = StepSchedule(steps, 100, "cosine")
    losses: list[float] = []
    for step in range(steps):
        factor = schedule.factor(Counters(steps=step), step / steps)
        for group in optimiser.param_groups:
            group["lr"] = BASE_RATE * factor
        drawn = np.random.default_rng((0, step)).integers(len(objects), size=OBJECTS_IN_STEP)
        passes = [
            views for n, place in enumerate(drawn) for views in views_of(objects[place], (step, n))
        ]
        for views in passes:
            target = torch.stack([view.target for view in views])
            loss = segmentation_loss(answers(sam, views)[:, None, None], target[:, None, None])
            (loss / len(passes)).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step % 100 == 99:
            recent = np.mean(losses[-100 * len(passes) :])
            print(f"base: step {step + 1}, loss {recent:.3f}", flush=True)
        if step % 500 == 499:
            sam_weights.save(sam, path.with_suffix(".partial"))
    sam_weights.save(sam, path)


def adapt(out: Path, weight: float, seed: int, steps: int) -> dict[str, str]:
    """A row of the table."""
    folder = out / f"weight-{weight:g}-seed-{seed}"
    settings = CrossplaneSettings(
        out=folder,
        base=str(out / BASE_FILE),
        synthetic=64,
        side=SIDE,
        steps=steps,
        consistency=weight,
        hot_share=0.0,
        rank=16,
        alpha=32.0,
        targets="all",
        rate=1e-3,
        seed=seed,
        validation_objects=32,
        validate_samples=10**9,
        device="cpu",
        threads=torch.get_num_threads(),
    )
    train("crossplane", settings)
    report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    row = {"weight": f"{weight:g}", "seed": str(seed), "objects": str(report["objects"])}
    for when in ("before", "after"):
        row |= {f"{name} {when}": f"{value:.4f}" for name, value in report[when].items()}
    return row


def place(row: dict[str, str]) -> tuple[int, float]:
    """Where a row stands in the table."""
    return int(row["seed"]), float(row["weight"])


def print_table(rows: list[dict[str, str]]) -> None:
    """The means over seeds, and how they stand to those without the term."""
    weights = list(dict.fromkeys(row["weight"] for row in rows))

    def values(weight: str, name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows if row["weight"] == weight])

    print("\n| weight | Dice | agreement | inconsistency | against 0 | per seed |")
    print("|---|---|---|---|---|---|")
    names = ("dice", "agreement", "inconsistency")
    before = [values(weights[0], f"{name} before").mean() for name in names]
    print(f"| the base | {before[0]:.3f} | {before[1]:.3f} | {before[2]:.3f} | | |")
    none = values("0", "inconsistency after") if "0" in weights else None
    for weight in weights:
        after = [values(weight, f"{name} after").mean() for name in names]
        apart, each = "", ""
        if none is not None and weight != "0":
            ratios = 1 - values(weight, "inconsistency after") / none
            apart = f"−{100 * (1 - after[2] / none.mean()):.0f} %"
            gained = values(weight, "dice after") - values("0", "dice after")
            each = ", ".join(
                f"−{100 * r:.0f} %, Dice {g:+.3f}" for r, g in zip(ratios, gained, strict=True)
            )
        cells = [weight, *(f"{value:.3f}" for value in after), apart, each]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Train the base where it is not there, adapt it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="0,4.5", help="of the intersection term")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--base-steps", type=int, default=1800)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with patch.dict(PUBLISHED, {SMALL.name: SMALL}):
        if not (arguments.out / BASE_FILE).is_file():
            train_base(arguments.out / BASE_FILE, arguments.base_steps)
        rows = KeptRows(arguments.out / RESULTS_FILE, "weight", "seed")
        weights = arguments.weights.split(",")
        rows.fill(
            weights,
            arguments.seeds,
            lambda weight, seed: adapt(arguments.out, float(weight), seed, arguments.steps),
        )
    wanted = [r for r in rows if r["weight"] in weights and int(r["seed"]) < arguments.seeds]
    print_table(sorted(wanted, key=place))


if __name__ == "__main__":
    main()
