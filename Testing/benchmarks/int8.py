"""ENSAM with whole numbers of 8 bits in it: is it faster, and does it segment as well?

Run from the checkout, after `pip install nncf`:
PYTHONPATH=. python Testing/benchmarks/int8.py CASES.json --weights ensam.safetensors
`int8 weights` rounds the weights alone, `int8 all` the activations too, calibrated on synthetic
scenes. Every object of the cases gets a tight box and simulated clicks; seconds are medians of the
graphs alone, all in one run. OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from MedSegFMLib import Box, Geometry, Point, Session, Volume
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Task
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.models.ensam import openvino_runtime as ensam_openvino
from MedSegFMLib.models.ensam.model import EnsamSegmenter
from MedSegFMLib.progress import no_progress
from MedSegFMLib.simulate import box_around, next_click

VARIANTS = ("f32", "bf16", "int8 weights", "int8 all")
_CALIBRATION_SCENES = 40


class Watched:
    """A compiled graph that keeps what goes into it, and how long it takes."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.inputs: list[dict[str, Any]] = []
        self.seconds: list[float] = []
        self.keeps = False

    def infer(self, inputs: dict[str, Any], share_inputs: bool) -> Any:
        if self.keeps:
            self.inputs.append({name: np.array(array) for name, array in inputs.items()})
        begun = time.perf_counter()
        answer = self.request.infer(inputs, share_inputs=share_inputs)
        self.seconds.append(time.perf_counter() - begun)
        return answer


def load(weights: Path, variant: str, seen: list[Watched]) -> tuple[EnsamSegmenter, list[Watched]]:
    """The model of a variant with its two graphs watched; `seen` watched those of f32."""
    import nncf
    import openvino

    compile_model = openvino.Core.compile_model

    def rounded(core: Any, model: Any, device: str, settings: dict[str, Any]) -> Any:
        # nncf compiles models of its own meanwhile.
        openvino.Core.compile_model = compile_model
        if variant == "int8 weights":
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
        if variant == "int8 all":
            decodes = len(model.inputs) > 1
            data = nncf.Dataset(seen[decodes].inputs)
            model = nncf.quantize(model, data, subset_size=_CALIBRATION_SCENES)
        openvino.Core.compile_model = rounded
        return compile_model(core, model, device, settings)

    openvino.Core.compile_model = rounded
    try:
        runtime = ensam_openvino.load(weights, "bf16" if variant == "bf16" else "f32")
    finally:
        openvino.Core.compile_model = compile_model
    watched = [Watched(runtime._encoder), Watched(runtime._decoder)]
    runtime._encoder, runtime._decoder = watched
    return EnsamSegmenter(runtime), watched


def calibrate(segmenter: EnsamSegmenter, watched: list[Watched]) -> None:
    """Box synthetic objects and click on them, keeping what the graphs see."""
    import torch

    from MedSegFMLib.synthesis.random.source import RandomSource
    from MedSegFMLib.synthesis.scene import RandomGenerators

    chance = RandomGenerators.seeded(0, torch.device("cpu"))
    for graph in watched:
        graph.keeps = True
    for _ in range(_CALIBRATION_SCENES):
        scene = RandomSource().scene((48, 48, 48), chance)
        geometry = Geometry.from_spacing((48, 48, 48), scene.spacing_kji_mm[::-1])
        truth = scene.labels.numpy() == 1
        session = Session(segmenter, Volume(scene.image.numpy(), geometry))
        start, stop = box_around(truth, 0.0, 0)
        session.add(Box.from_ijk(geometry, start[::-1], stop[::-1]))
        click = next_click(truth, session.predict().mask.array_kji, 0)
        if click is not None:
            session.add(Point.from_ijk(geometry, click[0][::-1], click[1]))
            session.predict()
    for graph in watched:
        graph.keeps = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--most-voxels", type=int, default=3_000_000)
    arguments = parser.parse_args()
    cases = [(case, load_case(case)) for case in read_cases(arguments.cases)]
    cases = [pair for pair in cases if pair[1].image.array_kji.size <= arguments.most_voxels]
    protocol = Protocol()
    reference, seen = load(arguments.weights, "f32", [])
    calibrate(reference, seen)
    print("| variant | objects | Dice after the box | after 5 clicks | encode, s | decode, s |")
    print("|---|---|---|---|---|---|")
    for variant in VARIANTS:
        segmenter, watched = load(arguments.weights, variant, seen)
        rows = [
            row
            for case, loaded in cases
            for row in run_case(Task(case, variant, 0), loaded, segmenter, protocol, no_progress)[0]
        ]
        scores = [
            statistics.mean(row.dsc for row in rows if row.step == step)
            for step in (0, protocol.clicks)
        ]
        seconds = [statistics.median(graph.seconds) for graph in watched]
        objects = sum(row.step == 0 for row in rows)
        print(
            f"| {variant} | {objects} | {scores[0]:.4f} | {scores[1]:.4f} "
            f"| {seconds[0]:.3f} | {seconds[1]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
