"""What each choice of ENSAM's network and training is worth: short runs of equal length.

The first four repeat the paper's ablation (positions, optimiser), then millimetres and drawn
prompts are added to the best of them; the others change one thing of the network with drawn
prompts: attention, activation, width, depth, the click rule, and objects that touch and are trained
together. Every run sees the same number of objects; runs without groups of objects see the same
scenes in the same order.

Run from the checkout:
PYTHONPATH=. python Testing/benchmarks/ensam_ablation.py OUT [--pack PACK.npz] [--rows 5,6,7]
It goes on where it was stopped, and writes OUT/curves.csv and OUT/curves.png.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.recipes.ensam.batches import Batches, validation_batches
from MedSegFMLib.train.recipes.ensam.recipe import RESULT
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.recipes.ensam.simulated_interaction import Interaction
from MedSegFMLib.train.recipes.ensam.validation import validate
from MedSegFMLib.train.run import train

PAPER = {"dense_prompts": False, "skip": "concat"}
BEST = {**PAPER, "positions": "rope", "optimiser": "muon"}
DRAWN = {**BEST, "dense_prompts": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "absolute + Adam": {**PAPER, "positions": "absolute", "optimiser": "adam"},
    "LieRE + Adam": {**PAPER, "positions": "liere", "optimiser": "adam"},
    "LieRE + Muon": {**PAPER, "positions": "liere", "optimiser": "muon"},
    "RoPE + Muon": BEST,
    "RoPE + Muon, millimetres": {**BEST, "millimetres": True},
    "RoPE + Muon, drawn prompts": DRAWN,
    "… standard attention": {**DRAWN, "attention": "standard"},
    "… ReLU, alpha as nGPT": {**DRAWN, "activation": "relu", "alpha": "ngpt"},
    "… half the width": {**DRAWN, "width": 8},
    "… depth 1": {**DRAWN, "depth": 1},
    "… depth 3": {**DRAWN, "depth": 3},
    "… largest error clicked": {**DRAWN, "click_rule": "largest"},
    "… touching objects": {**DRAWN, "objects": 2},
}
CLICKS = 5
TOUCHING = "touching"


def folder_of(name: str, seed: int, out: Path) -> Path:
    """The folder of a run."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return out / f"{plain}-{seed}"


def run(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train one variant, unless that was done before."""
    out = folder_of(name, seed, arguments.out)
    if (out / "done").is_file():
        return
    shutil.rmtree(out, ignore_errors=True)
    settings = EnsamSettings(
        out=out,
        pack=arguments.pack,
        samples=arguments.samples,
        cells=arguments.cells,
        scene_side=arguments.cells * 3 // 2,
        boxed_share=1.0,
        recorded_share=arguments.recorded_share,
        graded=2,
        clicks=CLICKS,
        cooldown=0.3,
        warmup=30,
        rate=arguments.rate,
        seed=seed,
        workers=0,
        threads=1,
        device=arguments.device,
        save_minutes=1e6,
        validate_samples=max(1, arguments.samples // max(1, arguments.validations)),
        validation_objects=arguments.objects,
        precision=arguments.precision,
        **VARIANTS[name],
    )
    train("ensam", settings)
    (out / TOUCHING).write_text(str(touching_dice(out / RESULT, settings)))
    (out / "done").touch()


def touching_dice(weights: Path, settings: EnsamSettings) -> float:
    """Dice after all clicks on objects that touch, two a region, a click being background for the
    other; the same objects for all variants.
    """
    network = ensam_weights.load(weights)
    interaction = Interaction(network).eval()
    plain = replace(settings, objects=1)
    batches = validation_batches(Batches(plain, torch.device("cpu")), objects=2)

    def answers(batch: Any, seed: int) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            return list(interaction(batch, range(CLICKS + 1), generator)[1])

    return validate(answers, batches, torch.device("cpu"), no_progress).dice[-1]


def curves(out: Path, names: Sequence[str], seeds: int) -> list[dict[str, Any]]:
    """For each variant and number of samples: Dice of each seed after the box, and after clicks."""
    rows = []
    for name in names:
        for seed in range(seeds):
            folder = folder_of(name, seed, out)
            log = read_log(folder) if (folder / "done").is_file() else []
            for step in (0, CLICKS):
                # The last one may stand there twice.
                scores = {r["samples"]: r["value"] for r in log if r["name"] == f"dice_{step}"}
                rows += [
                    {
                        "variant": name,
                        "seed": seed,
                        "samples": samples,
                        "clicks": step,
                        "dice": dice,
                    }
                    for samples, dice in scores.items()
                ]
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The mean over seeds against samples seen, and the range as a band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, step in zip(panels, (0, CLICKS), strict=True):
        for name in dict.fromkeys(row["variant"] for row in rows):
            own = [r for r in rows if r["variant"] == name and r["clicks"] == step]
            points = sorted({r["samples"] for r in own})
            values = [[r["dice"] for r in own if r["samples"] == point] for point in points]
            (line,) = panel.plot(points, [statistics.mean(v) for v in values], label=name)
            panel.fill_between(
                points,
                [min(v) for v in values],
                [max(v) for v in values],
                color=line.get_color(),
                alpha=0.15,
                linewidth=0,
            )
        panel.set_title("after the box" if step == 0 else f"after {CLICKS} clicks")
        panel.set_xlabel("samples seen")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("validation Dice")
    panels[1].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "no"))
    parser.add_argument("--objects", type=int, default=32, help="validation objects")
    parser.add_argument("--validations", type=int, default=5, help="points of each curve")
    parser.add_argument("--recorded-share", type=float, default=0.5, help="of the pack's scenes")
    parser.add_argument("--rows", default=",".join(str(n) for n in range(len(VARIANTS))))
    arguments = parser.parse_args()
    names = [list(VARIANTS)[int(number)] for number in arguments.rows.split(",")]
    for seed in range(arguments.seeds):
        for name in names:
            run(name, seed, arguments)
            rows = curves(arguments.out, names, arguments.seeds)
            with (arguments.out / "curves.csv").open("w", newline="") as file:
                table = csv.DictWriter(file, ["variant", "seed", "samples", "clicks", "dice"])
                table.writeheader()
                table.writerows(rows)
            draw(rows, arguments.out / "curves.png")
    print("| variant | Dice after the box | after 5 clicks | touching, after 5 clicks | seeds |")
    print("|---|---|---|---|---|")
    for name in names:
        ends = [
            [r for r in rows if r["variant"] == name and r["clicks"] == step]
            for step in (0, CLICKS)
        ]
        last = [
            [r["dice"] for r in own if r["samples"] == max(r["samples"] for r in own)]
            for own in ends
        ]
        folders = [folder_of(name, seed, arguments.out) for seed in range(arguments.seeds)]
        last.append([float((folder / TOUCHING).read_text()) for folder in folders])
        cells = [f"{statistics.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in last]
        print(f"| {name} | {' | '.join(cells)} | {len(last[0])} |")


if __name__ == "__main__":
    main()
