"""What each choice of ENSAM's network and training is worth: short runs of equal length.

The first four repeat the paper's ablation (positions, optimiser), the others add one idea of ours
each to the best of these. Every run sees the same scenes in the same order.

Run from the checkout:
PYTHONPATH=. python Testing/benchmarks/ensam_ablation.py OUT [--pack PACK.npz]
It goes on where it was stopped, and writes OUT/curves.csv and OUT/curves.png.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
from pathlib import Path
from typing import Any

from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.run import train

PAPER = {"dense_prompts": False, "skip": "concat"}
VARIANTS: dict[str, dict[str, Any]] = {
    "absolute + Adam": {**PAPER, "positions": "absolute", "optimiser": "adam"},
    "LieRE + Adam": {**PAPER, "positions": "liere", "optimiser": "adam"},
    "LieRE + Muon": {**PAPER, "positions": "liere", "optimiser": "muon"},
    "RoPE + Muon": {**PAPER, "positions": "rope", "optimiser": "muon"},
    "RoPE + Muon, millimetres": {
        **PAPER,
        "positions": "rope",
        "optimiser": "muon",
        "millimetres": True,
    },
    "RoPE + Muon, drawn prompts": {
        "positions": "rope",
        "optimiser": "muon",
        "dense_prompts": True,
    },
}
CLICKS = 5


def run(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train one variant, unless that was done before."""
    out = arguments.out / f"{name.replace(' ', '_').replace(',', '')}-{seed}"
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
        validate_samples=arguments.samples // 5,
        validation_objects=32,
        **VARIANTS[name],
    )
    train("ensam", settings)
    (out / "done").touch()


def curves(out: Path, seeds: int) -> list[dict[str, Any]]:
    """For each variant and number of samples: Dice of each seed after the box, and after clicks."""
    rows = []
    for name in VARIANTS:
        for seed in range(seeds):
            folder = out / f"{name.replace(' ', '_').replace(',', '')}-{seed}"
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
        for name in VARIANTS:
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
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    for seed in range(arguments.seeds):
        for name in VARIANTS:
            run(name, seed, arguments)
            rows = curves(arguments.out, arguments.seeds)
            with (arguments.out / "curves.csv").open("w", newline="") as file:
                table = csv.DictWriter(file, ["variant", "seed", "samples", "clicks", "dice"])
                table.writeheader()
                table.writerows(rows)
            draw(rows, arguments.out / "curves.png")
    print("| variant | Dice after the box | after 5 clicks | seeds |\n|---|---|---|---|")
    for name in VARIANTS:
        ends = [
            [r for r in rows if r["variant"] == name and r["clicks"] == step]
            for step in (0, CLICKS)
        ]
        last = [
            [r["dice"] for r in own if r["samples"] == max(r["samples"] for r in own)]
            for own in ends
        ]
        cells = [f"{statistics.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in last]
        print(f"| {name} | {cells[0]} | {cells[1]} | {len(last[0])} |")


if __name__ == "__main__":
    main()
