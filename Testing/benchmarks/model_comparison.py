"""What a comparison of models costs the main thread.

    python Testing/benchmarks/model_comparison.py

Three balls of radius 80 stand for three models' answers in a volume of 256 x 256 x 256, so that
nothing but our own work is counted: each call of the timer while they come, with the scores against
a reference, both consensuses, the disagreement map, the views and the table; and taking one. By the
clock, and by the time that the main thread computed: other programs do not count in that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from trame_slicer.core import SlicerApp

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

from scene_helpers import add_volume_node  # noqa: E402

from MedSegFMLib import Box, Geometry, Volume  # noqa: E402
from MedSegFMLib.mrml.comparison.comparison import ModelComparison  # noqa: E402
from MedSegFMLib.mrml.comparison.view import ModelComparisonView  # noqa: E402
from MedSegFMLib.mrml.logic import SegmentationLogic  # noqa: E402
from MedSegFMLib.mrml.segments.reference import ReferenceSegment  # noqa: E402
from MedSegFMLib.worker.events import Answer, Cost, Event, Predicted, Request  # noqa: E402

_SIZE, _RADIUS = 256, 80
_SHIFTS = {"ensam": 0, "randomwalk": 3, "ellipsoid": 6}


class _Balls:
    """Answers at once, each model with a ball a little further along i."""

    def __init__(self) -> None:
        k, j, i = np.indices((2 * _RADIUS + 1,) * 3, dtype=np.float32) - _RADIUS
        self._ball = (k**2 + j**2 + i**2 <= _RADIUS**2).astype(np.uint8)
        self._number, self._pending = 0, None

    def set_volume(self, _volume: Any) -> None: ...

    def request(self, request: Request) -> int:
        self._number, self._pending = self._number + 1, request
        return self._number

    def poll(self) -> list[Event]:
        request, self._pending = self._pending, None
        if request is None:
            return []
        start = _SIZE // 2 - _RADIUS
        answer = Answer((start, start, start + _SHIFTS[request.model]), self._ball)
        return [Predicted(self._number, {1: answer}, Cost(1.0, 0.0, 0, False))]

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    """Print the median and the longest call, and what taking a result takes, in milliseconds."""
    app = SlicerApp()
    logic = SegmentationLogic(app.scene, lambda _: _Balls(), app.app_logic, app.terminologies_logic)
    comparison = ModelComparison(logic)
    view = ModelComparisonView(app.scene, comparison)
    view.shows_map = True
    voxels = np.random.default_rng(0).integers(0, 900, (_SIZE,) * 3, dtype=np.int16)
    volume = Volume(voxels, Geometry.from_spacing((_SIZE,) * 3))
    logic.set_volume(add_volume_node(app.scene, volume))
    logic.add(Box.from_ijk(logic.volume.geometry, (48,) * 3, (208,) * 3))
    logic.pump()
    reference = ReferenceSegment(logic.segments.node, logic.segments.ids[1])
    comparison.scoring.use_reference(1, reference)
    calls: list[tuple[float, float]] = []
    began = time.perf_counter()
    comparison.start(list(_SHIFTS))
    _work_off(logic, comparison, view, calls)
    for method in ("staple", "majority"):
        comparison.ask_consensus(1, method)
        _work_off(logic, comparison, view, calls)
    print(f"whole comparison with scores and consensuses: {time.perf_counter() - began:.1f} s")
    for name, times in zip(("clock", "computed"), np.array(calls).T, strict=True):
        longest = ", ".join(f"{n:.0f}" for n in np.sort(times)[-5:])
        print(f"calls, {name}: median {np.median(times):.0f}, longest {longest} ms")
    for name, action in (
        ("take", lambda: comparison.use_result("randomwalk", 1)),
        ("undo", logic.undo),
    ):
        print("{}: clock {:.0f}, computed {:.0f} ms".format(name, *_timed(action)))
    comparison.shut_down()
    logic.close()


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    began = time.perf_counter(), time.thread_time()
    action()
    return 1000 * (time.perf_counter() - began[0]), 1000 * (time.thread_time() - began[1])


def _work_off(logic: Any, comparison: Any, view: Any, calls: list[tuple[float, float]]) -> None:
    while True:
        calls.append(_timed(lambda: (logic.pump(), comparison.pump(), view.update())))
        if not comparison.is_computing:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    main()
