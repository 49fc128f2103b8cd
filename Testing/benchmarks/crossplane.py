"""The costs of training SAM across planes, bottleneck by bottleneck.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/crossplane.py [--device cuda]
A volume of 240 x 240 x 155 voxels (as in the paper), so that the axial slice has 240 x 240 pixels,
the others 240 x 155. Random weights, LoRA of rank 8 on qkv. Each row is a process of its own, which
takes one step to warm up (not at 1024 on a CPU) and then measures `--steps`. Memory is the growth
over the steps beyond what was held before them: on a CPU of the process, on a GPU as torch counts
it; "with weights" adds what the network takes. The gradient is compared with that of the plain row
of the same size, relative to its largest number. `volume_networks.py` has other networks on the
same volume.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPE_KJI = (155, 240, 240)
RANK, LAST_BLOCKS = 8, 2


@dataclass(frozen=True)
class Row:
    """One way to take a step."""

    title: str
    size: str
    planes: tuple[str, ...]
    cached: bool = False
    recomputed: bool = False
    blocks: int = 0
    prefix: bool = False


ALL = ("axial", "coronal", "sagittal")
ROWS = {
    "single-1024": Row("one view, 1024²", "1024", ("axial",)),
    "plain-1024": Row("three views, plain, 1024²", "1024", ALL),
    "cached-1024": Row("+ cached gradient", "1024", ALL, cached=True),
    "recomputed-1024": Row("+ recomputed blocks", "1024", ALL, cached=True, recomputed=True),
    "single-native": Row("one view, native", "native", ("axial",)),
    "plain-native": Row("three views, plain, native", "native", ALL),
    "cached-native": Row("+ cached gradient", "native", ALL, cached=True),
    "recomputed-native": Row("+ recomputed blocks", "native", ALL, cached=True, recomputed=True),
    "single-last": Row("one view, last 2 blocks", "native", ("axial",), blocks=LAST_BLOCKS),
    "prefixed-last": Row(
        "one view + frozen prefix", "native", ("axial",), blocks=LAST_BLOCKS, prefix=True
    ),
    "plain-last": Row("three views, last 2 blocks", "native", ALL, blocks=LAST_BLOCKS),
    "prefix-last": Row("+ frozen prefix", "native", ALL, blocks=LAST_BLOCKS, prefix=True),
    "cached-last": Row(
        "+ cached gradient", "native", ALL, cached=True, blocks=LAST_BLOCKS, prefix=True
    ),
}


def measure(name: str, vit: str, device_name: str, steps: int, gradients: Path) -> dict[str, Any]:
    """A row's numbers; its gradient goes to a file."""
    import torch

    from MedSegFMLib import Geometry, Volume
    from MedSegFMLib.models.sam.network.config import PUBLISHED
    from MedSegFMLib.models.sam.network.crossplane import CrossPlane
    from MedSegFMLib.models.sam.network.lora import LoraChoice, with_adapters
    from MedSegFMLib.models.sam.network.network import Sam
    from MedSegFMLib.models.sam.preprocessing import SamPreprocessor
    from MedSegFMLib.train.agreement import Agreement
    from MedSegFMLib.train.labelled_volumes import LabelledVolume
    from MedSegFMLib.train.recipes.crossplane.gradient_cache import (
        cached_backward,
        plain_backward,
    )
    from MedSegFMLib.train.recipes.crossplane.loss import crossplane_loss
    from MedSegFMLib.train.recipes.crossplane.network import ViewNetwork
    from MedSegFMLib.train.recipes.crossplane.samples import (
        Sample,
        Samples,
        trained_objects,
    )

    row, device = ROWS[name], torch.device(device_name)
    half = device.type == "cuda"
    torch.manual_seed(0)
    config = PUBLISHED[f"vit_{vit}"]
    empty = held(device)
    sam = Sam(config)
    choice = LoraChoice(RANK, 2.0 * RANK, 0.0, "qkv", row.blocks, "lora")
    if half:
        sam.image_encoder.to(torch.bfloat16)
    model = with_adapters(sam, choice.peft_settings(config)).to(device)
    for key, parameter in model.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(parameter, std=0.02)
    adapters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(adapters, 0.0)
    preprocessor = SamPreprocessor(row.size)
    network = CrossPlane(sam, choice.first_block(config), row.recomputed)
    views_of = ViewNetwork(network, preprocessor, device, half, (1 << 30) * row.prefix)
    labels = np.zeros(SHAPE_KJI, np.int16)
    labels[50:110, 70:160, 80:170] = 1
    image = np.random.default_rng(0).integers(0, 255, SHAPE_KJI).astype(np.float32)
    volume = Volume(image, Geometry.from_spacing(SHAPE_KJI))
    (target,) = trained_objects([LabelledVolume("volume", "MR", volume, labels, {1: "box"})], None)
    whole = Samples([target], 0.0, seed=0)[0]
    sample = Sample([view for view in whole.views if view.plane.name in row.planes])

    def step() -> float:
        begun = time.perf_counter()

        def loss(answers: list[Any]) -> dict[str, Any]:
            return crossplane_loss(answers, sample.views, 1.0, Agreement())

        views = views_of.answering(sample)
        optimiser.zero_grad()
        if row.cached:
            cached_backward(views, loss, 1.0, device)
        else:
            plain_backward(views, loss, 1.0)
        optimiser.step()
        finish(device)
        return time.perf_counter() - begun

    # The frozen prefix of a slice is there after its first visit: that is what is measured.
    warm = row.size == "native" or device.type == "cuda"
    if warm:
        step()
    weights = held(device) - empty
    before = held(device)
    begin(device)
    seconds = [step() for _ in range(steps if warm else 1)]
    gradient = torch.cat([p.grad.flatten() for p in adapters if p.grad is not None])
    torch.save(gradient.float().cpu(), gradients / f"{name}.pt")
    return {
        "seconds": float(np.median(seconds)),
        "bytes": peak(device) - before,
        "weights": weights,
        "learnt": sum(p.numel() for p in adapters),
    }


def begin(device: Any) -> None:
    """Count the peak from here."""
    import torch

    from MedSegFMLib.system.memory.peak_memory import reset_peak

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        reset_peak()


def held(device: Any) -> int:
    """Bytes in use now."""
    import psutil
    import torch

    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    if sys.platform == "linux":
        # What was freed goes back to the system, so that it does not count.
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def peak(device: Any) -> int:
    """The most bytes in use since `begin`."""
    import torch

    from MedSegFMLib.system.memory.peak_memory import peak_bytes

    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else peak_bytes()


def finish(device: Any) -> None:
    """Wait for the GPU."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def apart(gradients: Path, name: str) -> str:
    """How far a row's gradient is from that of the plain row of its size."""
    import torch

    plain = gradients / f"plain-{name.split('-')[1]}.pt"
    if name.startswith(("single", "plain", "prefixed")) or not plain.is_file():
        return ""
    judge, own = torch.load(plain), torch.load(gradients / f"{name}.pt")
    return f"{float((judge - own).abs().max() / judge.abs().max()):.0e}"


def print_table(vit: str, found: dict[str, dict[str, Any]], gradients: Path) -> None:
    """A row for each way, beside the one view of its size."""
    print(f"\nViT-{vit.upper()}:\n")
    print("| step | GiB | with weights | s | to one view: memory | time | gradient apart |")
    print("|---|---|---|---|---|---|---|")
    for name, values in found.items():
        one = found.get(f"single-{name.split('-')[1]}")
        ratios = ["", ""]
        if one is not None:
            ratios = [f"{values[key] / max(1e-9, one[key]):.2f}" for key in ("bytes", "seconds")]
        cells = [
            ROWS[name].title,
            f"{values['bytes'] / 2**30:.2f}",
            f"{(values['bytes'] + values['weights']) / 2**30:.2f}",
            f"{values['seconds']:.2f}",
            *ratios,
            apart(gradients, name),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run every row in a process of its own and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vit", default="b,h", help="which, with commas")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rows", default="", help="some of the rows, with commas between")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, vit, folder = arguments.one
        values = measure(name, vit, arguments.device, arguments.steps, Path(folder))
        print(json.dumps(values))
        return
    for vit in filter(None, arguments.vit.split(",")):
        wanted = [name for name in arguments.rows.split(",") if name] or list(ROWS)
        if vit == "h" and arguments.device == "cpu":
            # A plain step at 1024 takes 40 GB and many minutes here.
            wanted = [name for name in wanted if "1024" not in name]
        found: dict[str, dict[str, Any]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in wanted:
                command = [sys.executable, __file__, "--one", name, vit, folder]
                command += ["--device", arguments.device, "--steps", str(arguments.steps)]
                done = subprocess.run(
                    command, env=os.environ, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    print(f"{ROWS[name].title}: {done.stderr.splitlines()[-1:]}", flush=True)
                    continue
                found[name] = json.loads(done.stdout.splitlines()[-1])
                print(name, found[name], file=sys.stderr, flush=True)
            print_table(vit, found, Path(folder))


if __name__ == "__main__":
    main()
