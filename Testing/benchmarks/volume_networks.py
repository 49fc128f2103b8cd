"""The paper's Table 1 by cost, on this machine: networks beside SAM across planes, on one volume.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/volume_networks.py [--device cuda]
The volume of `crossplane.py`, 240 x 240 x 155 voxels, one object, random weights. Rows: MONAI's
DynUNet; nnU-Net by its own package, with its own plans for this volume, its trainer with all of its
augmentation, and its predictor without mirror images; SAM3D on ViT-B; and an agent that passes SAM
through the slices one by one (`slice_agent.py`). Training takes as many patches as cover the
volume. `--part` runs a part of the batches, of the tiles of DynUNet and nnU-Net and of the agent's
slices, and scales their time to all. On a CPU, seconds are the processor's, on a GPU the clock's.
Memory is the growth over training, or over the agent's loop, beyond what was held before. Each row
is a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
from crossplane import SHAPE_KJI, begin, finish, held, peak

OBJECT = (slice(50, 110), slice(70, 160), slice(80, 170))


@dataclass(frozen=True)
class Network:
    """A network on the volume.

    Attributes:
        weights: the number of weights that are trained.
        prepare: what is done once before the training.
        batches: the batches that cover the volume; 0: it is not trained.
        step: trains on a number of batches.
        infer: predicts the volume, or a part of it.
        share: the part of the volume that `infer` predicts.
        note: what the table says besides.
    """

    weights: int
    prepare: Callable[[], Any]
    batches: int
    step: Callable[[int], Any]
    infer: Callable[[], Any]
    share: float
    note: str


def dyn_unet(device: Any, given: argparse.Namespace) -> Network:
    """nnU-Net's full-resolution network as MONAI has it, patches of 96 x 128 x 128."""
    import torch
    from monai.inferers import sliding_window_inference
    from monai.networks.nets import DynUNet

    kernels, strides = [3] * 5, [1, 2, 2, 2, 2]
    network = DynUNet(3, 1, 2, kernels, strides, strides[1:], norm_name="instance").to(device)
    optimiser = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.99, nesterov=True)
    patch, overlap = (96, 128, 128), 0.25
    # A part of the volume is one window of those that the predictor takes.
    steps = [ceil((n - p) / (p * (1 - overlap))) + 1 for n, p in zip(SHAPE_KJI, patch, strict=True)]
    shown, share = (SHAPE_KJI, 1.0) if given.part == 1 else (patch, 1 / prod(steps))
    volume = torch.rand(1, 1, *shown, device=device)

    def step(patches: int) -> None:
        for _ in range(patches):
            logits = network(torch.rand(1, 1, *patch, device=device))
            target = torch.zeros(1, *patch, dtype=torch.long, device=device)
            torch.nn.functional.cross_entropy(logits, target).backward()
        optimiser.step()
        optimiser.zero_grad()

    def infer() -> None:
        with torch.inference_mode():
            sliding_window_inference(volume, patch, 1, network.eval(), overlap)

    note = "patches of 96×128×128"
    return Network(learnt(network), nothing, covering(patch), step, infer, share, note)


def nn_unet(device: Any, given: argparse.Namespace) -> Network:
    """nnU-Net's 3d_fullres network with its own plans, trainer and predictor."""
    import torch
    from nnunet_trainer import planned_trainer, predictor_of, tiles

    labels = np.zeros(SHAPE_KJI, np.uint8)
    labels[OBJECT] = 1
    image = np.random.default_rng(0).integers(0, 255, SHAPE_KJI).astype(np.float32)
    trainer = planned_trainer(Path(given.folder), image, labels, given.plans_gb, device)
    patch, batch = trainer.configuration_manager.patch_size, trainer.batch_size
    shown = [min(n, ceil(1.5 * side)) for n, side in zip(SHAPE_KJI, patch, strict=True)]
    if given.part == 1:
        shown = list(SHAPE_KJI)
    share = tiles(shown, patch) / tiles(SHAPE_KJI, patch)

    def step(batches: int) -> None:
        trainer.on_train_epoch_start()
        for _ in range(batches):
            trainer.train_step(next(trainer.dataloader_train))

    def infer() -> None:
        predictor = predictor_of(trainer)
        predictor.predict_sliding_window_return_logits(torch.rand(1, *shown))

    sides = "×".join(str(n) for n in patch)
    note = f"plans for {given.plans_gb:g} GB: batches of {batch} patches of {sides}"
    epoch = ceil(covering(patch) / batch)
    return Network(learnt(trainer.network), nothing, epoch, step, infer, share, note)


def sam3d(device: Any, given: argparse.Namespace) -> Network:
    """The light decoder on embeddings of slices that ViT-B made once, patches of 160 x 160."""
    import torch

    from MedSegFMLib.models.sam.network.config import PUBLISHED
    from MedSegFMLib.models.sam.network.network import Sam
    from MedSegFMLib.models.sam3d.config import Sam3dConfig
    from MedSegFMLib.models.sam3d.network import Sam3dDecoder

    encoder = Sam(PUBLISHED["vit_b"]).encoder.to(device)
    decoder = Sam3dDecoder(Sam3dConfig(classes=2)).to(device)
    optimiser = torch.optim.SGD(decoder.parameters(), 1e-3, momentum=0.99, nesterov=True)
    side, corners = 160, 4
    kept: list[Any] = []

    def prepare() -> None:
        with torch.inference_mode():
            for _ in range(corners):
                slices = torch.rand(SHAPE_KJI[0], 3, side, side, device=device)
                kept.append(torch.cat([encoder(part) for part in slices.split(8)]).clone())

    def volume(corner: int) -> Any:
        return kept[corner].clone().permute(1, 0, 2, 3)[None]

    def step(patches: int) -> None:
        for corner in range(patches):
            logits = decoder(volume(corner))
            target = torch.zeros(1, *logits.shape[2:], dtype=torch.long, device=device)
            torch.nn.functional.cross_entropy(logits, target).backward()
        optimiser.step()
        optimiser.zero_grad()

    def infer() -> None:
        with torch.inference_mode():
            for corner in range(corners):
                decoder(volume(corner))

    note = "patches of 155×160×160"
    return Network(learnt(decoder), prepare, corners, step, infer, 1.0, note)


def agent(size: str) -> Callable[[Any, argparse.Namespace], Network]:
    """SAM on ViT-B in each slice by itself, prompted in rounds, nothing trained."""

    def make(device: Any, given: argparse.Namespace) -> Network:
        from slice_agent import SliceAgent

        looped = SliceAgent(size, given.rounds, device)
        volume = np.random.default_rng(0).integers(0, 255, SHAPE_KJI).astype(np.uint8)
        shown = volume[: ceil(given.part * len(volume))]
        share, note = len(shown) / len(volume), looped.calls(len(volume))
        return Network(0, nothing, 0, nothing, lambda: looped.run(shown), share, note)

    return make


NETWORKS: dict[str, tuple[str, Callable[[Any, argparse.Namespace], Network]]] = {
    "dynunet": ("MONAI's DynUNet", dyn_unet),
    "nnunet": ("nnU-Net (nnunetv2, 3d_fullres)", nn_unet),
    "sam3d": ("SAM3D on ViT-B", sam3d),
    "agent-native": ("agent with SAM ViT-B, slices at native size", agent("native")),
    "agent-1024": ("agent with SAM ViT-B, slices at 1024²", agent("1024")),
}


def nothing(*_: object) -> None:
    """No preparation, or no training."""


def covering(patch: Any) -> int:
    """How many patches side by side cover the volume."""
    return prod(ceil(n / side) for n, side in zip(SHAPE_KJI, patch, strict=True))


def learnt(network: Any) -> int:
    """The number of weights that are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def measured(name: str, given: argparse.Namespace) -> list[str]:
    """The cells of a row."""
    import torch

    device = torch.device(given.device)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    torch.manual_seed(0)
    title, make = NETWORKS[name]
    network = make(device, given)

    def seconds(work: Callable[[], Any]) -> float:
        begun = clock()
        work()
        finish(device)
        return clock() - begun

    prepared = seconds(network.prepare)
    batches = ceil(given.part * network.batches)
    if batches:
        # So that the optimiser's state and the libraries' buffers are there.
        network.step(1)
    before = held(device)
    begin(device)
    if batches:
        scale = network.batches / batches
        trained = f"{scale * seconds(lambda: network.step(batches)):.1f}"
        trained += f" (+ {prepared:.1f} once)" if prepared > 0.1 else ""
        grown = peak(device) - before
        predicted = seconds(network.infer)
    else:
        trained = "–"
        predicted = seconds(network.infer)
        grown = peak(device) - before
    inferred = prepared + predicted / network.share
    memory = f"{grown / 2**30:.2f} GiB"
    return [title, f"{network.weights:,}", memory, trained, f"{inferred:.1f}", network.note]


def main() -> None:
    """Measure each network in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="some, with commas")
    parser.add_argument("--plans-gb", type=float, default=8.0, help="GPU that nnU-Net plans for")
    parser.add_argument("--rounds", type=int, default=3, help="of the agent in each slice")
    parser.add_argument("--part", type=float, default=1.0, help="of the work that is run")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with contextlib.redirect_stdout(sys.stderr):
            cells = measured(given.one, given)
        print(json.dumps(cells))
        return
    print(
        "| network | trained parameters | memory | training: s / volume | inference: s / volume | |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.networks.split(","):
            command = [sys.executable, *sys.argv, "--one", name, "--folder", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name}: {done.stderr.splitlines()[-1:]}", flush=True)
                continue
            print(f"| {' | '.join(json.loads(done.stdout.splitlines()[-1]))} |", flush=True)


if __name__ == "__main__":
    main()
