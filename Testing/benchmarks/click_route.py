"""The route of one click through the code, on the main thread of Slicer.

    python Testing/benchmarks/click_route.py [--list] [--repeats 20]

A volume is in a scene, and the default model in a real worker; a click is placed into the markups
as a view does it. The benchmark follows the calls of the project's own functions from the click to
the request in the pipe, and from the answer in the inbox to the segment and the stored state. It
prints how many files are entered, how often the route moves from one file to another, and how many
milliseconds of the main thread it takes (median, without the profiler). Needs slicer-core.

An answer is in the inbox once the worker has been quiet for some time; nothing is polled meanwhile,
so taking progress and answer out of the inbox counts. Before the scene logic was composed of
collaborators, this printed 50 files and 277 moves together, 0.66 ms for the click and 1.37 ms for
the answer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "support"), str(ROOT / "MedSegFM")]

import numpy as np  # noqa: E402
from scene_helpers import add_volume_node  # noqa: E402
from trame_slicer.core import SlicerApp  # noqa: E402

from MedSegFMLib import Geometry, Volume  # noqa: E402
from MedSegFMLib.mrml.logic import SegmentationLogic  # noqa: E402
from MedSegFMLib.worker.client import WorkerClient  # noqa: E402
from MedSegFMLib.worker.events import Event, Opened, Predicted, Request  # noqa: E402
from MedSegFMLib.worker.launchers import LocalLauncher  # noqa: E402

_PROJECT = (f"{ROOT}/MedSegFM/", f"{ROOT}/MedSegFMLib/")
_WAIT_SECONDS = 300.0
_TICK_SECONDS = 0.005
# An answer is timed; later ones get three times as long and this.
_MARGIN_SECONDS = 0.5


class Route:
    """The project's calls on this thread, a visit for each run of calls within one file."""

    def __init__(self) -> None:
        self.visits: list[tuple[str, list[str]]] = []

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self.visits}

    @contextmanager
    def followed(self) -> Iterator[None]:
        sys.setprofile(self._on_event)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(_PROJECT):
            return
        short = str(Path(file).relative_to(ROOT))
        if not self.visits or self.visits[-1][0] != short:
            self.visits.append((short, []))
        self.visits[-1][1].append(frame.f_code.co_qualname)


class TimedClient:
    """A worker's client that notes how long answers take, so that one can be waited for.

    Attributes:
        slowest: The seconds of the slowest answer, from its request to the poll that gave it.
    """

    def __init__(self) -> None:
        self._client = WorkerClient(LocalLauncher())
        self._requested_at = 0.0
        self.slowest = 0.0

    def set_volume(self, volume: Volume) -> object:
        return self._client.set_volume(volume)

    def request(self, request: Request) -> int:
        self._requested_at = time.monotonic()
        return self._client.request(request)

    def poll(self) -> list[Event]:
        events = self._client.poll()
        if any(isinstance(event, Predicted) for event in events):
            self.slowest = max(self.slowest, time.monotonic() - self._requested_at)
        return events

    def cancel(self) -> object:
        return self._client.cancel()

    def close(self) -> object:
        return self._client.close()

    def wait_for_answer(self, seconds: float) -> None:
        """Wait, without polling, until the answer to the last request is in the inbox."""
        # In short steps, as the panel's timer does: after a long sleep everything is slower.
        while time.monotonic() < self._requested_at + seconds:
            time.sleep(_TICK_SECONDS)


def wait(logic: SegmentationLogic, done: Callable[[list[Any]], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not done(logic.pump()):
        if time.monotonic() > end:
            raise TimeoutError("The worker gave no answer.")
        time.sleep(_TICK_SECONDS)


def answered(updates: list[Any]) -> bool:
    return any(isinstance(update, Predicted) for update in updates)


def ball() -> Volume:
    k, j, i = np.indices((48, 64, 64))
    inside = (k - 24) ** 2 + (j - 32) ** 2 + (i - 32) ** 2 < 144
    noise = np.random.default_rng(0).normal(0, 10, inside.shape)
    geometry = Geometry.from_spacing(inside.shape, (1.0, 1.0, 1.0))
    return Volume((inside * 100 + noise).astype(np.int16), geometry)


def one_click(
    logic: SegmentationLogic, client: TimedClient, seconds: float, points: Any, place: Any
) -> tuple[Route, Route]:
    """The routes of asking and of answering; an answer takes less than the seconds given."""
    asking, answering = Route(), Route()
    with asking.followed():
        points.AddControlPointWorld(*place)
        logic.pump()
    client.wait_for_answer(seconds)
    with answering.followed():
        updates = logic.pump()
    assert answered(updates), "the answer took longer than expected; run again"
    return asking, answering


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print each visit")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    app = SlicerApp()
    volume = ball()
    client = TimedClient()
    logic = SegmentationLogic(app.scene, lambda _: client, app.app_logic, app.terminologies_logic)
    logic.set_volume(add_volume_node(app.scene, volume))
    points = logic.view.draft("point")
    middle = np.array(volume.geometry.ras_from_ijk((32, 32, 24)))
    logic.requests.warm_up()
    wait(logic, lambda updates: any(isinstance(update, Opened) for update in updates))
    for n in range(2):
        # The first answer takes longer: the volume is encoded for it.
        client.slowest = 0.0
        points.AddControlPointWorld(*(middle - np.array((5 * n, 0, 0))))
        wait(logic, answered)
    seconds = 3 * client.slowest + _MARGIN_SECONDS
    asking, answering = one_click(logic, client, seconds, points, middle + np.array((5, 0, 0)))
    if arguments.list:
        for name, route in (("asking", asking), ("answering", answering)):
            print(name)
            for n, (file, calls) in enumerate(route.visits, 1):
                print(f"{n}. {file}: {', '.join(calls)}")
    for name, route in (("click to request", asking), ("answer to segment", answering)):
        print(f"{name}: {len(route.files)} files, {len(route.visits)} moves")
    both = asking.files | answering.files
    print(f"together: {len(both)} files, {len(asking.visits) + len(answering.visits)} moves")
    ask_ms, answer_ms = [], []
    for n in range(arguments.repeats):
        points.AddControlPointWorld(*(middle + np.array((n % 5 - 2, n % 7 - 3, n % 3 - 1.5))))
        begun = time.perf_counter()
        logic.pump()
        ask_ms.append(1000 * (time.perf_counter() - begun))
        client.wait_for_answer(seconds)
        begun = time.perf_counter()
        logic.pump()
        answer_ms.append(1000 * (time.perf_counter() - begun))
    print(
        f"main thread, median of {arguments.repeats}: click {statistics.median(ask_ms):.2f} ms, "
        f"answer {statistics.median(answer_ms):.2f} ms"
    )
    logic.close()


if __name__ == "__main__":
    main()
