"""The main thread's work per prediction: prompts out of the scene, answers into segments.

    python Testing/benchmarks/scene.py [--shape 300 512 512] [--change 128] [--steps 20]

A volume of `shape` (k, j, i); each step the user drags a click, and the answer, a ball in a cube of
`change` voxels a side, comes back from a client that answers at once. Then the same with the planes
compared on that cube: map, three outlines, chart and suggestion. Needs slicer-core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from trame_slicer.core import SlicerApp

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

from scene_helpers import add_volume_node  # noqa: E402

from MedSegFMLib import Geometry, Prediction, Volume  # noqa: E402
from MedSegFMLib.consistency import measure  # noqa: E402
from MedSegFMLib.mrml.logic import SegmentationLogic  # noqa: E402
from MedSegFMLib.segmenter import probabilities  # noqa: E402
from MedSegFMLib.worker.events import Answer, Event, Predicted, Request  # noqa: E402


class Ready:
    """A client whose answers were computed before."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self._number = 0
        self._pending = self._compares = False

    def set_volume(self, volume: Volume) -> None:
        """Nothing to do."""

    def request(self, request: Request) -> int:
        self._number += 1
        self._pending, self._compares = True, request.consistency
        return self._number

    def poll(self) -> list[Event]:
        if not self._pending:
            return []
        self._pending = False
        answer = self._answers[self._number % len(self._answers)]
        if not self._compares:
            answer = replace(answer, consistency=None)
        return [Predicted(self._number, {1: answer})]

    def cancel(self) -> None:
        self._pending = False

    def close(self) -> None:
        self._pending = False


def balls(shape: tuple[int, int, int], side: int) -> list[Answer]:
    """Two balls that differ in many voxels, in the middle of the volume."""
    axes = np.ogrid[:side, :side, :side]
    offset = tuple((n - side) // 2 for n in shape)
    answers = []
    geometry = Geometry.from_spacing(shape, (0.7, 0.7, 1.5))
    squares = sum((axis - side / 2) ** 2 for axis in axes)
    for radius in (0.49, 0.4):
        mask = (squares <= (radius * side) ** 2).astype(np.uint8)
        # Each plane sees a ball of another size, with a soft edge of a few voxels.
        logits = [(radius * side + n - np.sqrt(squares)).astype(np.float32) for n in (0, -4, 3)]
        planes = dict(
            zip(("axial", "coronal", "sagittal"), map(probabilities, logits), strict=True)
        )
        seen = Prediction(geometry, offset, logits[0], planes)  # type: ignore[arg-type]
        answers.append(Answer(offset, mask, measure(seen, ())))  # type: ignore[arg-type]
    return answers


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(300, 512, 512))
    parser.add_argument("--change", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    shape = tuple(arguments.shape)
    app = SlicerApp()
    array = np.random.default_rng(0).integers(-1000, 1000, shape, dtype=np.int16)
    geometry = Geometry.from_spacing(shape, (0.7, 0.7, 1.5))
    node = add_volume_node(app.scene, Volume(array, geometry))
    made = balls(shape, arguments.change)
    logic = SegmentationLogic(
        app.scene,
        lambda _host: Ready(made),
        app.app_logic,
        app.terminologies_logic,
    )
    rows = {"choose the volume": [timed(lambda: logic.set_volume(node))]}
    points = logic.view.draft("point")
    middle = geometry.ras_from_ijk([(n - 1) / 2 for n in shape[::-1]])
    points.AddControlPointWorld(*middle)
    rows["first prediction"] = [timed(logic.pump)]
    for mode in ("none", "all"):
        logic.limits.overwrite = mode  # type: ignore[assignment]
        key = f"prediction, overwrite {mode}"
        rows[key] = []
        for step in range(arguments.steps):
            points.SetNthControlPointPositionWorld(0, (middle + step % 9).tolist())
            rows[key].append(timed(logic.pump))
    shown, clear = logic.consistency_view, logic.consistency_view.clear
    found = [answer.consistency for answer in made]
    for name, part in (
        ("planes: map", lambda c: shown.overlay.show(node, c.region, c.disagreement_kji)),
        ("planes: outlines", lambda c: shown.contours.show(node, c.region, c.masks)),
        ("planes: chart", lambda c: shown.plot.show(geometry, c.region, c.slices, "ball")),
    ):
        rows[name] = [timed(partial(part, found[n % 2])) for n in range(arguments.steps)]
    clear()
    logic.consistency.switch(True)
    rows["planes, all, first"] = [timed(logic.pump)]
    rows["planes, all, next prompt"] = []
    for step in range(arguments.steps):
        points.SetNthControlPointPositionWorld(0, (middle + step % 9 + 0.5).tolist())
        logic.pump()
        rows["planes, all, next prompt"].append(timed(logic.pump))
        assert logic.consistency.current is not None
    logic.consistency.switch(False)
    rows["undo"] = [timed(logic.undo) for _ in range(arguments.steps)]
    rows["idle pump"] = [timed(logic.pump) for _ in range(arguments.steps)]
    print(f"shape {shape}, change {arguments.change}^3, milliseconds on the main thread")
    for name, values in rows.items():
        print(f"{name:28} median {statistics.median(values):7.1f}   worst {max(values):7.1f}")
    logic.close()


if __name__ == "__main__":
    main()
